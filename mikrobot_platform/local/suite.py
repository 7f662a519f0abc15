"""`manage.py test`: pytest with throw-away servers (pytest_plugin.py), pytest's own arguments and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> NoReturn:
    """Become pytest, in the folder where its configuration stands."""
    os.chdir(ROOT)
    python = sys.executable
    sys.stdout.flush()
    os.execv(python, [python, "-m", "pytest", *arguments])  # noqa: S606

"""`manage.py test`: pytest with throw-away servers (pytest_plugin.py), pytest's own arguments and exit codes."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


def main(arguments: list[str]) -> NoReturn:
    """Become pytest, in the folder where its configuration stands."""
    here = Path.cwd()
    os.chdir(ROOT)
    python = sys.executable
    sys.stdout.flush()
    os.execv(python, [python, "-m", "pytest", *(as_seen_from(here, word) for word in arguments)])  # noqa: S606


def as_seen_from(here: Path, word: str) -> str:
    """Keep a path's meaning (with or without ::test) when the command was given in another folder."""
    path, separator, test = word.partition("::")
    if here == ROOT or word.startswith("-") or not (here / path).exists():
        return word
    return f"{here / path}{separator}{test}"

"""`manage.py test`: pytest with throw-away servers (pytest_plugin.py), pytest's own arguments and exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parent.parent.parent


ALONE = ("-n", "--numprocesses", "--dist", "-h", "--help", "-V", "--version", "--pdb", "--trace", "-s", "--co", "--col")
MOST = 4  # processes; each has stores of its own


def main(arguments: list[str]) -> NoReturn:
    """Become pytest, in the folder where its configuration stands."""
    arguments = [*spread(arguments, processors=len(os.sched_getaffinity(0))), *arguments]
    here = Path.cwd()
    os.chdir(ROOT)
    python = sys.executable
    sys.stdout.flush()
    os.execv(python, [python, "-m", "pytest", *(as_seen_from(here, word) for word in arguments)])  # noqa: S606


def spread(arguments: Sequence[str], *, processors: int) -> list[str]:
    """Let the whole suite be shared by several processes; who names some of it, or says how, has it in one."""
    if processors < 2 or any(not word.startswith("-") or word.startswith(ALONE) for word in arguments):
        return []
    return ["-n", str(min(processors, MOST)), "--dist", "loadfile", "--no-loadscope-reorder"]


def as_seen_from(here: Path, word: str) -> str:
    """Keep a path's meaning (with or without ::test) when the command was given in another folder."""
    path, separator, test = word.partition("::")
    if here == ROOT or word.startswith("-") or not (here / path).exists():
        return word
    return f"{here / path}{separator}{test}"

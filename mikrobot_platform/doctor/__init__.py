"""The doctor: looks at everything that must be right, changes nothing, and says what to do about what is not.

A check is a function that returns one Finding; the table in checks.py puts them in order and says which need which."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How a thing stands; only `fail` makes the whole fail."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What was seen, in a sentence with its figures, and what to do about it."""

    state: State
    sentence: str
    remedy: str = ""
    is_made: bool = True  # False: the check lacked its ground and was not made


def ok(sentence: str) -> Finding:
    return Finding(state=State.OK, sentence=sentence)


def warn(sentence: str, remedy: str) -> Finding:
    return Finding(state=State.WARN, sentence=sentence, remedy=remedy)


def fail(sentence: str, remedy: str) -> Finding:
    return Finding(state=State.FAIL, sentence=sentence, remedy=remedy)


@dataclass(frozen=True, slots=True)
class Check:
    """A name, a look, and the checks without which looking makes no sense."""

    name: str
    look: Callable[[], Finding]
    needs: tuple[str, ...] = ()


def examine(checks: Sequence[Check], mask: Callable[[str], str] = str) -> Iterator[tuple[str, Finding]]:
    """Make every check in order; one that raises has failed, one that lacks its ground has not been made."""
    failed: set[str] = set()
    for check in checks:
        missing = [name for name in check.needs if name in failed]
        if missing:
            found = Finding(state=State.FAIL, sentence=f"not checked, because {missing[0]} failed", is_made=False)
        else:
            try:
                found = check.look()
            except Exception as error:  # a doctor with a traceback helps nobody
                found = fail(mask(told(error)), "Look at the sentence; the service's log may say more.")
        if found.state is State.FAIL:
            failed.add(check.name)
        yield check.name, found


def told(error: BaseException) -> str:
    """Say what kind of failure it was, with its first line."""
    first_line = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{error.__class__.__name__}: {first_line}" if first_line else error.__class__.__name__

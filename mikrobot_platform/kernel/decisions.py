"""Decisions and their reasons: a stable code, a sentence a person understands, and the figures that were used.

Every code (codes.py) has its sentence in one table (sentences.py). A sentence can only be said with its figures: a
decision that lacks one cannot be made, which is a fault of ours and raises. Evidence is plain (text, whole numbers,
booleans, None and lists of text), so that it is stored, hashed and replayed as it stands.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from types import MappingProxyType

from mikrobot_platform.kernel.codes import NOTICES, Code
from mikrobot_platform.kernel.sentences import SENTENCES

__all__ = [
    "NOTICES", "NO_EVIDENCE", "SENTENCES", "Code", "Decision", "Evidence", "Plain", "Refusal", "Unreadable", "Verdict",
    "evidence", "placeholders", "quoted", "refusal", "said", "sentence", "unreadable",
]  # fmt: skip

Plain = str | int | bool | None | tuple[str, ...]
Evidence = Mapping[str, Plain]
NO_EVIDENCE: Evidence = MappingProxyType({})
_MAX_TEXT = 200  # what others wrote is quoted, never repeated at length


class Verdict(StrEnum):
    """The ways in which a decision can end."""

    TAKEN = "taken"
    REDUCED = "reduced"
    SKIPPED = "skipped"
    REFUSED = "refused"
    ADVISED = "advised"  # it would have been taken or reduced, and the firm lets nobody but its customer send the order


def placeholders(code: Code) -> frozenset[str]:
    """Name the figures without which the sentence of a code cannot be said."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name)


def evidence(**values: object) -> Evidence:
    """Make figures plain: decimals and times as exact text, foreign text quoted at bounded length and printable."""
    return MappingProxyType({name: _plain(value) for name, value in values.items()})


def _plain(value: object) -> Plain:
    if type(value) is Decimal:  # most figures are
        text = str(value)
        return format(value, "f") if "E" in text else text
    match value:
        case None | bool() | int():
            return value
        case str():
            return quoted(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        case tuple() | list():
            return tuple(quoted(str(item)) for item in value)
        case _:
            raise TypeError(f"{type(value).__name__} is no plain value")


def quoted(text: str) -> str:
    """Show foreign text safely: printable, without half characters, at most 200 characters."""
    short = text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."
    if short.isprintable():  # nearly all text is; a receipt quotes dozens of figures
        return str(short)  # plain, also when it came as a word of an enumeration
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in short)


def sentence(code: Code, figures: Evidence) -> str:
    """Say a reason with its figures; a missing figure is a fault of ours and raises KeyError."""
    return SENTENCES[code].format_map(figures)


def said(code: Code, figures: Mapping[str, object]) -> str:
    """Say a reason with figures that are not plain yet: the same sentence, and only what it names is made plain."""
    words, names = _in_order(code)
    return words % tuple([_plain(figures[name]) for name in names])


@cache
def _in_order(code: Code) -> tuple[str, tuple[str, ...]]:
    """Take a sentence apart, once: its words with places in them, and the figures that go there."""
    parts = list(string.Formatter().parse(SENTENCES[code]))
    words = "".join(text.replace("%", "%%") + ("%s" if name else "") for text, name, _, _ in parts)
    return words, tuple(name for _, name, _, _ in parts if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Input that was not accepted, and why."""

    code: Code
    evidence: Evidence = field(default_factory=lambda: NO_EVIDENCE)
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", sentence(self.code, self.evidence))


def refusal(code: Code, **values: object) -> Refusal:
    """Refuse input with a code and its figures."""
    return Refusal(code=code, evidence=evidence(**values))


class Unreadable(Exception):
    """Raised inside a parser to leave it early; it never leaves the parser (see `reading.answered`)."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.code)
        self.reason = reason


def unreadable(code: Code, **values: object) -> Unreadable:
    """Make the exception that carries a refusal to the parser's door."""
    return Unreadable(refusal(code, **values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about something, why, and on which figures."""

    verdict: Verdict
    code: Code
    evidence: Evidence = field(default_factory=lambda: NO_EVIDENCE)
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", sentence(self.code, self.evidence))

    @property
    def is_taken(self) -> bool:
        """Tell whether the thing goes ahead, in full or reduced."""
        return self.verdict in (Verdict.TAKEN, Verdict.REDUCED)

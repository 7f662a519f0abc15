"""What changed from one edition of a program to the next: each rule by name, before and after, and who says so. Pure.

Where and when a rule was read is no change. A rule that a firm's policy states has its own date and source; any other
has those of the edition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from decimal import Decimal

from risk_management.compliance.program import Edition, Program, Stand

NOT_SET = "not set"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One rule that is not what it was."""

    rule: str
    before: str
    after: str
    verified: date
    source: str

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return f"{self.rule}: {self.before} became {self.after}"


@dataclass(frozen=True, slots=True)
class _Said:
    words: str
    verified: date
    source: str


def changes(old: Program, new: Program) -> tuple[Change, ...]:
    """Give every rule that differs, in the order of a program's fields; one that is gone has the new edition's date."""
    before, after = dict(_said(old)), dict(_said(new))
    gone = _Said(NOT_SET, new.edition.verified, new.edition.source)
    found = []
    for rule in dict.fromkeys((*before, *after)):
        was, now = before.get(rule, gone), after.get(rule, gone)
        if was.words != now.words:
            found.append(Change(rule=rule, before=was.words, after=now.words, verified=now.verified, source=now.source))
    return tuple(found)


def _said(program: Program) -> Iterator[tuple[str, _Said]]:
    """Give every rule as a name and its value, in words."""
    for field in fields(program):
        if field.name not in ("edition", "confidence"):
            yield from _words(field.name.replace("_", " "), getattr(program, field.name), program.edition)


def _words(name: str, value: object, by: Edition) -> Iterator[tuple[str, _Said]]:
    if isinstance(value, Stand):
        yield name, _Said(f"{value.permission} ({value.sentence})", value.verified, value.source)
    elif is_dataclass(value):
        for field in fields(value):
            yield from _words(f"{name}, {field.name.replace('_', ' ')}", getattr(value, field.name), by)
    elif isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _words(f"{name}, {str(key).replace('_', ' ')}", inner, by)
    elif isinstance(value, tuple):
        for place, inner in enumerate(value, start=1):
            yield from _words(f"{name} {place}", inner, by)
    elif value is not None:
        yield name, _Said(_word(value), by.verified, by.source)


def _word(value: object) -> str:
    match value:
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value.normalize():,f}"
        case _:
            return str(value).replace("_", " ")

"""What a rule can say: go on, go on smaller, go on as advice, or stop. Each with the numbers that it used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any, ClassVar

from mikrobot_platform.kernel.decisions import Code, Verdict
from risk_management.rules.numbers import numbers_text, numbers_writer

# Numbers stay what they are (Decimal, int, text, a time); they become text when a receipt is written, and only then.
Numbers = Mapping[str, object]
Values = tuple[object, ...]
NOTHING: Numbers = MappingProxyType({})


class Form:
    """The names and types of the numbers that a rule nearly always tells, so that it hands over bare values."""

    __slots__ = ("names", "write")

    def __init__(self, **kinds: type) -> None:
        self.names = tuple(kinds)
        self.write = numbers_writer(self.names, tuple(kinds.values()))

    def named(self, values: Values) -> Numbers:
        """Return values by their names."""
        return dict(zip(self.names, values, strict=True))


# Rulings are not frozen, because that would take twice as long to make, and an account is answered two dozen times.
# Nobody changes one; it only learns its own text when it is written.


@dataclass(slots=True)
class Allow:
    """Nothing is against it."""

    word: ClassVar[str] = "allow"
    told: Any = None  # numbers by name, or the values of a form
    form: Form | None = None
    text: str = field(default="", init=False, compare=False, repr=False)

    @property
    def numbers(self) -> Numbers:
        """Return the numbers by name."""
        return self.told or NOTHING if self.form is None else self.form.named(self.told)


@dataclass(slots=True)
class Reduce:
    """At most so much; `bound` says in words what binds."""

    word: ClassVar[str] = "reduce"
    quantity: Decimal
    bound: str
    told: Any = None  # numbers by name, or the values of a form
    form: Form | None = None
    text: str = field(default="", init=False, compare=False, repr=False)

    @property
    def numbers(self) -> Numbers:
        """Return the numbers by name."""
        return self.told or NOTHING if self.form is None else self.form.named(self.told)


@dataclass(slots=True)
class Advise:
    """It goes on to be shown, and no order may come of it."""

    word: ClassVar[str] = "advise"
    code: Code
    numbers: Numbers = field(default_factory=dict)
    text: str = field(default="", init=False, compare=False, repr=False)


@dataclass(slots=True)
class Deny:
    """It ends here."""

    word: ClassVar[str] = "deny"
    code: Code
    numbers: Numbers = field(default_factory=dict)
    verdict: Verdict = Verdict.REFUSED
    text: str = field(default="", init=False, compare=False, repr=False)


Ruling = Allow | Reduce | Advise | Deny
ALLOWED = Allow()


# What is counted (positions, trades, seconds) gives the same few rulings again and again, from one signal to the next:
# they are made once, and written once.
recalled = lru_cache(maxsize=4_096)


def skip(code: Code, numbers: Numbers = NOTHING) -> Deny:
    """End it without a fault of anybody: it is not wanted, or not now."""
    return Deny(code, numbers, Verdict.SKIPPED)


def written(ruling: Ruling) -> str:
    """Write what a rule said, from its word to the end of its place in a receipt, and keep the text with it."""
    if (type(ruling) is Allow or type(ruling) is Reduce) and ruling.form is not None:
        said = ruling.form.write(ruling.told)
    else:
        said = numbers_text(ruling.numbers)
    ruling.text = text = f'"{ruling.word}",{said}]'
    return text

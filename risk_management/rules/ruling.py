"""What a rule can say: go on, go on smaller, go on as advice, or stop. Each with the numbers that it used."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import NamedTuple

from mikrobot_platform.kernel.decisions import Code, Verdict
from risk_management.rules.numbers import numbers_text, numbers_writer

# Numbers stay what they are (Decimal, int, text, a time); they become text when a receipt is written, and only then.
Numbers = Mapping[str, object]
NOTHING: Numbers = MappingProxyType({})


class Form:
    """The names and types of the numbers that a rule nearly always tells: `Form(used=int, limit=int)(used, limit)`."""

    __slots__ = ("names", "write")

    def __init__(self, **kinds: type) -> None:
        self.names = tuple(kinds)
        self.write = numbers_writer(self.names, tuple(kinds.values()))

    def __call__(self, *values: object) -> Told:
        """Fill it in; numbers of other types are written as well, only not as quickly."""
        return Told(self, values)


class Told(Mapping[str, object]):
    """Numbers in a form. They are a mapping to whoever asks by name, which hardly anybody does."""

    __slots__ = ("_form", "_values")

    def __init__(self, form: Form, values: tuple[object, ...]) -> None:
        self._form, self._values = form, values

    def __getitem__(self, name: str) -> object:
        if name not in self._form.names:
            raise KeyError(name)
        return self._values[self._form.names.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._form.names)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return repr(dict(self))

    def text(self) -> str:
        """Write them as a JSON object with sorted names."""
        return self._form.write(self._values)


class Allow(NamedTuple):
    """Nothing is against it."""

    numbers: Numbers = NOTHING


class Reduce(NamedTuple):
    """At most so much; `bound` says in words what binds."""

    quantity: Decimal
    bound: str
    numbers: Numbers = NOTHING


class Advise(NamedTuple):
    """It goes on to be shown, and no order may come of it."""

    code: Code
    numbers: Numbers = NOTHING


class Deny(NamedTuple):
    """It ends here."""

    code: Code
    numbers: Numbers = NOTHING
    verdict: Verdict = Verdict.REFUSED


Ruling = Allow | Reduce | Advise | Deny
ALLOWED = Allow()
WORDS: Mapping[type, str] = MappingProxyType({Allow: "allow", Reduce: "reduce", Advise: "advise", Deny: "deny"})
ALLOWED_TEXT = '"allow",{}]'


def skip(code: Code, numbers: Numbers = NOTHING) -> Deny:
    """End it without a fault of anybody: it is not wanted, or not now."""
    return Deny(code, numbers, Verdict.SKIPPED)


def ruling_text(ruling: Ruling) -> str:
    """Write what a rule said, from its word to the end of its place in a receipt."""
    numbers = ruling.numbers
    written = numbers.text() if type(numbers) is Told else numbers_text(numbers)
    return f'"{WORDS[type(ruling)]}",{written}]'

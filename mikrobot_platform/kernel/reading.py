"""Fields from a message of a stranger: every getter answers with a value of ours or leaves with a named refusal."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from functools import wraps
from typing import ParamSpec, TypeVar

from mikrobot_platform.kernel import market
from mikrobot_platform.kernel.decisions import Code, Refusal, Unreadable, unreadable
from mikrobot_platform.kernel.market import NumberRefused, Price, Quantity, Side
from mikrobot_platform.kernel.strict_json import Json, Numeral

P = ParamSpec("P")
T = TypeVar("T")

MAX_ID = 64
_ID = re.compile(r"[A-Za-z0-9._:\-]+")


def answered(parser: Callable[P, T]) -> Callable[P, T | Refusal]:
    """Turn a parser that leaves early into one that always answers: with its value or with the refusal."""

    @wraps(parser)
    def parse(*args: P.args, **kwargs: P.kwargs) -> T | Refusal:
        try:
            return parser(*args, **kwargs)
        except Unreadable as reason:
            return reason.reason

    return parse


class Fields:
    """One object of a message. `blank` lists the words by which its dialect says "nothing", as null always does."""

    def __init__(
        self,
        values: Mapping[str, Json],
        *,
        path: str = "",
        numbers_may_be_text: bool = False,
        blank: frozenset[str] = frozenset(),
    ) -> None:
        self._values = values
        self._path = path
        self._numbers_may_be_text = numbers_may_be_text
        self._blank = blank

    def path(self, name: str) -> str:
        """Name a field as a person finds it: phase_1_m5_bos.price."""
        return f"{self._path}.{name}" if self._path else name

    def has(self, name: str) -> bool:
        """Tell whether the field says anything."""
        return self._get(name) is not None

    def names(self) -> list[str]:
        """List the fields in the order in which they were sent."""
        return list(self._values)

    def only(self, *allowed: str) -> None:
        """Refuse a field that is not among those; a misspelt "stop" must not become a trade without one."""
        for name in self._values:
            if name not in allowed:
                raise unreadable(Code.FIELD_UNKNOWN, field=self.path(name))

    # Text

    def text(self, name: str, *, limit: int = 200) -> str:
        """Return a text that is there, without control characters."""
        value = self._require(name)
        if not isinstance(value, str):
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="text")
        return self._clean(name, value, limit)

    def optional_text(self, name: str, *, limit: int = 200, lines: bool = False) -> str:
        """Return a text, or an empty one when the field says nothing; `lines` lets line breaks stand in notes."""
        value = self._get(name)
        if value is None:
            return ""
        if not isinstance(value, str):
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="text")
        if lines:
            value = value.replace("\r\n", "\n").strip("\n")
            for line in value.split("\n"):
                self._clean(name, line.replace("\t", " "), limit)
            if len(value) > limit:
                raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected=f"text of at most {limit} characters")
            return value
        return self._clean(name, value, limit)

    def loose_text(self, name: str, *, limit: int = 80) -> str:
        """Return a text, a number or a flag as text: for what is kept and shown but never computed with."""
        value = self._get(name)
        match value:
            case None:
                return ""
            case Numeral():
                return self._clean(name, value.text, limit)
            case bool():
                return "true" if value else "false"
            case str():
                return self._clean(name, value, limit)
            case _:
                raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="text or a number")

    def constant(self, name: str, expected: str) -> None:
        """Insist on one word."""
        value = self.text(name)
        if value != expected:
            raise unreadable(Code.FIELD_VALUE, field=self.path(name), expected=expected, value=value)

    def choice(self, name: str, words: Mapping[str, T]) -> T:
        """Return what a word means; words are compared in lower case."""
        value = self.text(name)
        found = words.get(value.strip().lower())
        if found is None:
            expected = "one of " + ", ".join(words)
            raise unreadable(Code.FIELD_VALUE, field=self.path(name), expected=expected, value=value)
        return found

    def side(self, name: str) -> Side:
        """Return the side that a word in any dialect means."""
        value = self.text(name)
        found = market.side_of(value)
        if found is None:
            raise unreadable(Code.SIDE_UNKNOWN, field=self.path(name), value=value)
        return found

    def symbol(self, name: str) -> str:
        """Return a symbol as its source writes it."""
        value = self.text(name)
        found = market.symbol(value)
        if found is None:
            raise unreadable(Code.SYMBOL_MALFORMED, field=self.path(name), value=value)
        return found

    def identifier(self, name: str, *, limit: int = MAX_ID) -> str:
        """Return an identifier, or an empty text when there is none. A whole number is one too."""
        value = self._get(name)
        text = value.text if isinstance(value, Numeral) else value
        if text is None:
            return ""
        if not isinstance(text, str) or len(text) > limit or not _ID.fullmatch(text):
            raise unreadable(Code.ID_MALFORMED, field=self.path(name), limit=limit)
        return text

    # Numbers

    def number(self, name: str) -> Decimal:
        """Return a number that is there."""
        return self._read(name, market.number)

    def price(self, name: str) -> Price:
        """Return a price that is there."""
        return self._read(name, market.price)

    def optional_price(self, name: str) -> Price | None:
        """Return a price, or None when the field says nothing."""
        return self.price(name) if self.has(name) else None

    def optional_quantity(self, name: str) -> Quantity | None:
        """Return a quantity, or None when the field says nothing."""
        return self._read(name, market.quantity) if self.has(name) else None

    def optional_number(self, name: str) -> Decimal | None:
        """Return a number, or None when the field says nothing."""
        return self.number(name) if self.has(name) else None

    def whole(self, name: str, *, low: int, high: int) -> int:
        """Return a whole number within bounds."""
        value = self.number(name)
        if value != value.to_integral_value() or not low <= value <= high:
            expected = f"a whole number from {low} to {high}"
            raise unreadable(Code.FIELD_VALUE, field=self.path(name), expected=expected, value=self.written(name))
        return int(value)

    def written(self, name: str) -> str:
        """Return a number or text exactly as it was written; empty when there is none."""
        value = self._get(name)
        return value.text if isinstance(value, Numeral) else value if isinstance(value, str) else ""

    # The rest

    def flag(self, name: str) -> bool:
        """Return true or false; nothing else counts as either."""
        value = self._require(name)
        if not isinstance(value, bool):
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="true or false")
        return value

    def within(self, name: str) -> Fields:
        """Return the object in a field."""
        value = self._require(name)
        if not isinstance(value, dict):
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="an object")
        return self._like(value, self.path(name))

    def each(self, name: str, *, limit: int = 20) -> list[Fields]:
        """Return the objects in a list; a list that is not there is empty."""
        return [
            self._like(self._object(item, f"{name}[{place}]"), self.path(f"{name}[{place}]"))
            for place, item in enumerate(self._list(name, limit))
        ]

    def prices(self, name: str, *, limit: int = 10) -> tuple[Price, ...]:
        """Return the prices in a list; a list that is not there is empty."""
        return tuple(
            self._like({f"{name}[{place}]": item}, self._path).price(f"{name}[{place}]")
            for place, item in enumerate(self._list(name, limit))
        )

    def _like(self, values: Mapping[str, Json], path: str) -> Fields:
        return Fields(values, path=path, numbers_may_be_text=self._numbers_may_be_text, blank=self._blank)

    def _list(self, name: str, limit: int) -> list[Json]:
        value = self._get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="a list")
        if len(value) > limit:
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected=f"a list of at most {limit}")
        return value

    def _object(self, value: Json, name: str) -> Mapping[str, Json]:
        if not isinstance(value, dict):
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="an object")
        return value

    def _get(self, name: str) -> Json:
        value = self._values.get(name)
        written = value.text if isinstance(value, Numeral) else value
        return None if isinstance(written, str) and written.strip().lower() in self._blank else value

    def _require(self, name: str) -> Json:
        value = self._get(name)
        if value is None:
            raise unreadable(Code.FIELD_MISSING, field=self.path(name))
        return value

    def _clean(self, name: str, value: str, limit: int) -> str:
        if len(value) > limit:
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected=f"text of at most {limit} characters")
        if not value.isprintable() and any(
            ord(letter) < 32 or 127 <= ord(letter) < 160 or letter in "\u2028\u2029" for letter in value
        ):
            raise unreadable(Code.CONTROL_CHARACTER, field=self.path(name))
        return value

    def _read(self, name: str, reader: Callable[[str], T]) -> T:
        value = self._require(name)
        if isinstance(value, Numeral):
            text = value.text
        elif isinstance(value, str) and self._numbers_may_be_text:
            text = value.strip(" ")
        else:
            raise unreadable(Code.FIELD_TYPE, field=self.path(name), expected="a number")
        try:
            return reader(text)
        except NumberRefused as refused:
            raise unreadable(Code.NOT_A_NUMBER, field=self.path(name), problem=refused.problem) from None

"""Values become canonical JSON by their annotations, and come back as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType
from typing import Any, NewType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel import plain

Amount = NewType("Amount", Decimal)


class Colour(StrEnum):
    """A word."""

    RED = "red"


class Odd(StrEnum):
    """A word that JSON writes in another way."""

    QUOTED = 'a "word"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    amount: Amount
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Other:
    amount: Amount


@dataclass(frozen=True, slots=True)
class Nothing:
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    count: int
    flag: bool
    name: str
    colour: Colour
    odd: Odd
    at: datetime
    day: date
    clock: time
    part: Part
    either: Part | Other | None
    maybe: Decimal | None
    parts: tuple[Part, ...]
    pair: tuple[int, str]
    colours: frozenset[Colour]
    table: Mapping[str, int]
    by_day: Mapping[date, Part]
    nothing: Nothing


def whole(**changes: Any) -> Whole:
    values: dict[str, Any] = {
        "count": 3, "flag": True, "name": "N\u00e4 \\ % \n", "colour": Colour.RED, "odd": Odd.QUOTED,
        "at": datetime(2026, 3, 29, 1, 30, tzinfo=UTC), "day": date(2026, 3, 29), "clock": time(15, 10),
        "part": Part(amount=Amount(Decimal("1.10"))), "either": Other(amount=Amount(Decimal(2))), "maybe": None,
        "parts": (Part(amount=Amount(Decimal(1)), note="a"), Part(amount=Amount(Decimal("0.001")))), "pair": (1, "one"),
        "colours": frozenset({Colour.RED}), "table": MappingProxyType({"b": 2, "a": 1}),
        "by_day": MappingProxyType({date(2026, 1, 1): Part(amount=Amount(Decimal(0)))}), "nothing": Nothing(),
    }  # fmt: skip
    return Whole(**values | changes)


def test_what_is_written_is_read_again() -> None:
    written = plain.text(whole())
    assert plain.read(Whole, written) == whole()
    assert written == plain.canonical(json.loads(written))
    assert written.isascii()


def test_of_several_dataclasses_each_says_which_it_is() -> None:
    for either in (Part(amount=Amount(Decimal(2))), Other(amount=Amount(Decimal(2))), None):
        assert plain.read(Whole, plain.text(whole(either=either))).either == either


@settings(deadline=None)  # the first example waits for the codec
@given(st.decimals(allow_nan=False, allow_infinity=False), st.integers(), st.text())
def test_any_figure_is_exact(amount: Decimal, count: int, name: str) -> None:
    one = whole(count=count, name=name, maybe=amount, part=Part(amount=Amount(amount)))
    written = plain.text(one)
    assert written == plain.canonical(json.loads(written))
    back = plain.read(Whole, written)
    assert (back.count, back.name, back.maybe, back.part.amount) == (count, name, amount, amount)
    assert "E" not in json.loads(written)["maybe"]
    assert plain.text(back) == written


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("count", "3"), ("count", True), ("count", None), ("flag", 1), ("name", 5), ("colour", "green"), ("maybe", 1),
        ("maybe", "one"), ("at", "yesterday"), ("part", []), ("part", {"note": "a"}), ("parts", {}), ("pair", [1]),
        ("either", {"amount": "1"}), ("either", {"is": "Whole", "amount": "1"}), ("either", 5), ("colours", "red"),
    ],
)  # fmt: skip
def test_what_was_not_written_like_this_is_refused(name: str, stored: object) -> None:
    changed = json.dumps(json.loads(plain.text(whole())) | {name: stored})
    with pytest.raises(ValueError, match=r"\w"):
        plain.read(Whole, changed)


def test_a_field_that_has_a_default_may_be_lacking() -> None:
    stored = json.loads(plain.text(whole(part=Part(amount=Amount(Decimal(1)), note="a"))))
    del stored["part"]["note"]
    assert plain.read(Whole, json.dumps(stored)).part == Part(amount=Amount(Decimal(1)))


def test_a_field_too_many_or_too_few_is_refused() -> None:
    stored = json.loads(plain.text(whole()))
    with pytest.raises(plain.StoredWrong):
        plain.read(Whole, json.dumps(stored | {"more": 1}))
    del stored["count"]
    with pytest.raises(plain.StoredWrong):
        plain.read(Whole, json.dumps(stored))


def test_a_type_that_cannot_be_stored_is_named() -> None:
    with pytest.raises(TypeError, match="complex"):
        plain.codec(complex)

"""The words of a program file: dates, times, percentages, amounts, and lists that must be what they say."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, time
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from mikrobot_platform.kernel.decisions import Code, Unreadable, unreadable
from mikrobot_platform.kernel.reading import Fields
from risk_management.compliance.clock import ResetClock

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

_TIME = re.compile(r"[0-2][0-9]:[0-5][0-9](?::[0-5][0-9])?")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?) %")


def known(fields: Fields, name: str, reader: Callable[[Fields, str], T]) -> T | None:
    """Read a field that must stand there and may be null: what is not known is said, not left out."""
    if name not in fields.names():
        raise unreadable(Code.FIELD_MISSING, field=fields.path(name))
    return reader(fields, name) if fields.has(name) else None


def maybe(fields: Fields, name: str, reader: Callable[[Fields, str], T]) -> T | None:
    """Read a field that may be missing."""
    return reader(fields, name) if fields.has(name) else None


def word(fields: Fields, name: str, words: type[E]) -> E:
    """Read one of the words of an enumeration."""
    return fields.choice(name, {member.value: member for member in words})


def day(fields: Fields, name: str) -> date:
    """Read a date, as in 2026-10-04."""
    text = fields.text(name)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise unlike(fields, name, "a date such as 2026-10-04", text) from None


def time_of_day(fields: Fields, name: str) -> time:
    """Read a wall clock, as in 17:00 or 16:59:59."""
    text = fields.text(name)
    if not _TIME.fullmatch(text) or text >= "24":
        raise unlike(fields, name, "a time such as 17:00", text)
    return time.fromisoformat(text)


def zone(fields: Fields, name: str) -> str:
    """Read the name of a zone that the zone database has; a fixed offset is none."""
    text = fields.text(name)
    try:
        ZoneInfo(text)
        is_place = "/" in text and not text.startswith("Etc/")
    except (ZoneInfoNotFoundError, ValueError, OSError):
        is_place = False
    if not is_place:
        raise unlike(fields, name, "a zone such as Europe/Prague", text)
    return text


def clock(fields: Fields, name: str) -> ResetClock:
    """Read a zone and the time at which its day begins."""
    inner = fields.within(name)
    inner.only("zone", "at")
    return ResetClock(zone=zone(inner, "zone"), at=time_of_day(inner, "at"))


def money(fields: Fields, name: str) -> Decimal:
    """Read an amount of money above zero."""
    value = fields.number(name)
    if value <= 0:
        raise unlike(fields, name, "above zero", fields.written(name))
    return value


def share(fields: Fields, name: str) -> Decimal:
    """Read a percentage above 0 and up to 100."""
    value = fields.number(name)
    if not 0 < value <= 100:
        raise unlike(fields, name, "a percentage above 0, up to 100", fields.written(name))
    return value


def amount(size: Decimal) -> Callable[[Fields, str], Decimal]:
    """Make a reader of amounts: a number is money, "5 %" is a part of the account's size."""

    def read(fields: Fields, name: str) -> Decimal:
        text = fields.written(name)
        found = _PERCENT.fullmatch(text)
        if found is None:
            return money(fields, name)
        percent = Decimal(found.group(1))
        if not 0 < percent <= 100:
            raise unlike(fields, name, "a percentage above 0, up to 100", text)
        return size * percent / 100

    return read


def count(low: int = 1, high: int = 1_000_000) -> Callable[[Fields, str], int]:
    """Make a reader of whole numbers within bounds."""
    return lambda fields, name: fields.whole(name, low=low, high=high)


def words(fields: Fields, name: str) -> tuple[str, ...]:
    """Read names that stand in one text with blanks between them; none when the field is missing."""
    return tuple(fields.optional_text(name).split())


def named(fields: Fields, name: str, reader: Callable[[Fields, str], T]) -> dict[str, T]:
    """Read an object whose every field has the same kind of value; one that is not there is empty."""
    if not fields.has(name):
        return {}
    inner = fields.within(name)
    return {key: reader(inner, key) for key in inner.names()}


def dated(fields: Fields, name: str, reader: Callable[[Fields, str], T]) -> dict[date, T]:
    """Read an object whose fields are dates; one that is not there is empty."""
    found = {}
    for key, value in named(fields, name, reader).items():
        try:
            found[date.fromisoformat(key)] = value
        except ValueError:
            raise unlike(fields, name, "an object of dates", key) from None
    return found


def unlike(fields: Fields, name: str, expected: str, value: str) -> Unreadable:
    """Refuse a value by the name of its field, and say what it should be."""
    return unreadable(Code.FIELD_VALUE, field=fields.path(name), expected=expected, value=value)

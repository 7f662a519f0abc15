"""Contract months of futures: how they are written, in which order they expire, and which one is traded on a day.

Nothing here names a year: the front month follows from a rule and a date, so that a roll needs no change of code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from itertools import count

MONTH_LETTERS = "FGHJKMNQUVXZ"  # January to December
_LETTERED = re.compile(rf"([{MONTH_LETTERS}])(\d{{4}}|\d{{2}}|\d)")
_NUMBERED = re.compile(r"(\d{2})-(\d{2})")  # 12-25, as NinjaTrader writes it
_FRIDAY, _WEDNESDAY = 4, 2
NO_HOLIDAYS: Set[date] = frozenset()


@dataclass(frozen=True, slots=True, order=True)
class ContractMonth:
    """A delivery month. Years come first in its order, so that Z25 is before H26."""

    year: int
    month: int

    @property
    def code(self) -> str:
        """Return the exchange's short form: Z25."""
        return f"{MONTH_LETTERS[self.month - 1]}{self.year % 100:02}"


def contract_month(text: str, *, near: date) -> ContractMonth | None:
    """Read Z25, Z2025, Z5 or 12-25; a year of one digit is the next such year that is not long past."""
    if numbered := _NUMBERED.fullmatch(text):
        month, year = int(numbered[1]), 2000 + int(numbered[2])
        return ContractMonth(year, month) if 1 <= month <= len(MONTH_LETTERS) else None
    lettered = _LETTERED.fullmatch(text)
    if lettered is None:
        return None
    month, digits = MONTH_LETTERS.index(lettered[1]) + 1, lettered[2]
    if len(digits) == 1:
        first = near.year - 1  # last year's contract is read as such, and then refused as expired
        return ContractMonth(first + (int(digits) - first) % 10, month)
    return ContractMonth(int(digits) if len(digits) == 4 else 2000 + int(digits), month)


class Anchor(StrEnum):
    """A day that follows from a contract month, as the exchanges' rule books define last trading days."""

    THIRD_FRIDAY = "third Friday"
    LAST_FRIDAY = "last Friday"
    BEFORE_THIRD_WEDNESDAY = "second business day before the third Wednesday"
    BEFORE_25TH = "third business day before the 25th of the month before"
    BEFORE_15TH = "business day before the 15th"
    THIRD_LAST_DAY = "third last business day"
    THIRD_LAST_DAY_BEFORE = "third last business day of the month before"
    SEVENTH_BEFORE_LAST_DAY = "seventh business day before the last business day"
    FIRST_NOTICE = "last business day of the month before"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollRule:
    """Which months are traded, when each ends, and how long before that day the next one takes over."""

    months: str  # letters, such as HMUZ
    last_trade: Anchor
    roll: Anchor
    days_before: int  # calendar days from the roll's anchor back to the day on which the next month takes over

    def __post_init__(self) -> None:
        if not self.months or not set(self.months) <= set(MONTH_LETTERS):
            raise ValueError(f"{self.months!r} are no contract months")

    def last_trading_day(self, month: ContractMonth, holidays: Set[date] = NO_HOLIDAYS) -> date:
        """Return the last day on which a month is traded."""
        return _business_day_at_or_before(_anchor(self.last_trade, month, holidays), holidays)

    def roll_date(self, month: ContractMonth, holidays: Set[date] = NO_HOLIDAYS) -> date:
        """Return the day on which the next month takes over from this one."""
        return _anchor(self.roll, month, holidays) - timedelta(days=self.days_before)

    def front_month(self, on: date, holidays: Set[date] = NO_HOLIDAYS) -> ContractMonth:
        """Return the month that is traded on a day: the first one that has not rolled."""
        return next(month for month in self._from(on) if self.roll_date(month, holidays) > on)

    def is_listed(self, month: ContractMonth) -> bool:
        """Tell whether this product trades such a month."""
        return MONTH_LETTERS[month.month - 1] in self.months

    def _from(self, on: date) -> Iterator[ContractMonth]:
        for year in count(on.year):
            for letter in sorted(self.months):
                yield ContractMonth(year, MONTH_LETTERS.index(letter) + 1)


def _anchor(anchor: Anchor, month: ContractMonth, holidays: Set[date]) -> date:
    first = date(month.year, month.month, 1)
    last = _next_month(first) - timedelta(days=1)
    before = first - timedelta(days=1)
    match anchor:
        case Anchor.THIRD_FRIDAY:
            day = _nth_weekday(first, _FRIDAY, 3)
        case Anchor.LAST_FRIDAY:
            day = last - timedelta(days=(last.weekday() - _FRIDAY) % 7)
        case Anchor.BEFORE_THIRD_WEDNESDAY:
            day = _back(_nth_weekday(first, _WEDNESDAY, 3), 2, holidays)
        case Anchor.BEFORE_25TH:
            # When the 25th is no business day, the count starts at the business day before it (NYMEX 200102.F).
            day = _back(_business_day_at_or_before(before.replace(day=25), holidays), 3, holidays)
        case Anchor.BEFORE_15TH:
            day = _back(first.replace(day=15), 1, holidays)
        case Anchor.THIRD_LAST_DAY_BEFORE:
            day = _back(_business_day_at_or_before(before, holidays), 2, holidays)
        case Anchor.THIRD_LAST_DAY:
            day = _back(_business_day_at_or_before(last, holidays), 2, holidays)
        case Anchor.SEVENTH_BEFORE_LAST_DAY:
            day = _back(_business_day_at_or_before(last, holidays), 7, holidays)
        case Anchor.FIRST_NOTICE:
            day = _business_day_at_or_before(before, holidays)
    return day


def _next_month(first: date) -> date:
    return date(first.year + first.month // 12, first.month % 12 + 1, 1)


def _nth_weekday(first: date, weekday: int, nth: int) -> date:
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _is_business_day(day: date, holidays: Set[date]) -> bool:
    return day.weekday() <= _FRIDAY and day not in holidays


def _business_day_at_or_before(day: date, holidays: Set[date]) -> date:
    while not _is_business_day(day, holidays):
        day -= timedelta(days=1)
    return day


def _back(day: date, business_days: int, holidays: Set[date]) -> date:
    for _ in range(business_days):
        day = _business_day_at_or_before(day - timedelta(days=1), holidays)
    return day

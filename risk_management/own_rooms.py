"""How much room the customer's own limits leave, and when their day, week and month begin. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import Decimal

from risk_management.compliance.clock import ResetClock
from risk_management.compliance.room import LEVELS, level_of
from risk_management.rules.settings import Limits

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """From one moment on, and before another."""

    starts: datetime
    ends: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Periods:
    """The day, the week and the month that a moment belongs to, by the wall clock of a zone."""

    day: Period
    week: Period
    month: Period


def periods(zone: str, now: datetime) -> Periods:
    """Find the periods that a moment belongs to; weeks begin on Monday."""
    clock = ResetClock(zone=zone, at=time(0))
    today = clock.day_of(now)
    monday, first = today - timedelta(days=today.weekday()), today.replace(day=1)
    next_first = (first + timedelta(days=31)).replace(day=1)
    return Periods(
        day=Period(starts=clock.start(today), ends=clock.start(today + _DAY)),
        week=Period(starts=clock.start(monday), ends=clock.start(monday + 7 * _DAY)),
        month=Period(starts=clock.start(first), ends=clock.start(next_first)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What settled trades brought since the beginning of each period, costs included."""

    day: Decimal
    week: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRoom:
    """What one limit of the customer leaves."""

    limit: str  # a field of rules.settings.Limits
    level: Decimal  # the floor under the equity
    allowance: Decimal
    room: Decimal
    period: Period | None  # None: it does not begin anew

    @property
    def used_percent(self) -> int:
        """Return the highest warning level that is reached; 0 below the first."""
        return level_of(self.room, self.allowance)


def own_rooms(
    limits: Limits, results: Results, *, balance: Decimal, equity: Decimal, periods: Periods
) -> tuple[OwnRoom, ...]:
    """Say what each limit to a period's loss leaves. Profit of the period raises the balance, never the floor."""
    return tuple(_rooms(limits, results, balance, equity, periods))


def _rooms(limits: Limits, results: Results, balance: Decimal, equity: Decimal, found: Periods) -> Iterator[OwnRoom]:
    for name, allowance, realised, period in (
        ("day_loss", limits.day_loss, results.day, found.day),
        ("week_loss", limits.week_loss, results.week, found.week),
        ("month_loss", limits.month_loss, results.month, found.month),
    ):
        if allowance is not None:
            floor = balance - realised - allowance
            yield OwnRoom(limit=name, level=floor, allowance=allowance, room=equity - floor, period=period)


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """The highest level of a limit that was warned of, and in which period."""

    limit: str
    since: datetime | None
    percent: int


def warnings(before: tuple[Warned, ...], rooms: tuple[OwnRoom, ...]) -> tuple[tuple[Warned, ...], tuple[Warned, ...]]:
    """Return what is warned of now, the lowest level first, and what to remember; each level once in a period."""
    known = {warned.limit: warned for warned in before}
    news: list[Warned] = []
    for room in rooms:
        since, last = None if room.period is None else room.period.starts, known.get(room.limit)
        reached = last.percent if last is not None and last.since == since else 0
        for percent in LEVELS:
            if reached < percent <= room.used_percent:
                known[room.limit] = Warned(limit=room.limit, since=since, percent=percent)
                news.append(known[room.limit])
    return tuple(news), tuple(known[name] for name in sorted(known))

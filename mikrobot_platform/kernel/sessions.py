"""When an instrument can be traded: windows of a trading day in the exchange's own zone, holidays and early closes.

A trading day may begin the evening before, so that a holiday or an early close takes away the right hours: on the day
before Thanksgiving, futures open at 17:00 for a day that ends at noon.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_WINDOW = re.compile(r"([A-Z][a-z]{2})(?:-([A-Z][a-z]{2}))? (\d\d):(\d\d)-(\d\d):(\d\d)")
_FULL_DAY = 24 * 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours of one weekday's trading day, in minutes from its midnight; they open before it when below zero."""

    weekday: int  # Monday is 0, as in datetime
    opens_min: int
    closes_min: int


def windows(*texts: str) -> tuple[Window, ...]:
    """Read windows such as "Mon-Fri 09:30-16:00"; one that opens at or after its close opens the evening before."""
    found: list[Window] = []
    for text in texts:
        match = _WINDOW.fullmatch(text)
        if match is None:
            raise ValueError(f"{text!r} is no window such as 'Mon-Fri 09:30-16:00'")
        first, last, *clock = match.groups()
        opens, closes = int(clock[0]) * 60 + int(clock[1]), int(clock[2]) * 60 + int(clock[3])
        if max(opens, closes) > _FULL_DAY:
            raise ValueError(f"{text!r} has a time after 24:00")
        if opens >= closes:
            opens -= _FULL_DAY
        for weekday in range(_DAYS.index(first), _DAYS.index(last or first) + 1):
            found.append(Window(weekday=weekday, opens_min=opens, closes_min=closes))
    return tuple(found)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """The trading week of an instrument, and the days that differ from it."""

    zone: str  # IANA name
    windows: tuple[Window, ...]
    holidays: frozenset[date] = frozenset()  # trading days that do not take place
    # Minutes from midnight. Left out of the hash, which a mapping has not; equal sessions still have equal hashes.
    early_closes: Mapping[date, int] = field(default_factory=lambda: MappingProxyType({}), hash=False)
    known_until: date | None = None  # the last day that the calendar speaks of; None: it has no exceptions

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)  # an unknown zone fails here and not at midnight
        if not self.windows:
            raise ValueError("an instrument without a window can never be traded")

    def trading_day(self, at: datetime) -> date | None:
        """Tell to which trading day a moment belongs; None when nothing is open. Opening is inside, closing is not.

        Past the end of the calendar nothing is open: a holiday that nobody entered must not look like a trading day.
        """
        found = self._open_window(at)
        return None if found is None else found[0]

    def closes_at(self, at: datetime) -> datetime | None:
        """Tell when the window that is open at a moment closes; None when none is open."""
        found = self._open_window(at)
        return None if found is None else found[1]

    def is_open(self, at: datetime) -> bool:
        """Tell whether trading takes place at a moment."""
        return self._open_window(at) is not None

    def spans(self, after: datetime) -> Iterator[tuple[datetime, datetime]]:
        """Give when it opens and when it closes, again and again, from what is open at a moment or opens next.

        In UTC, so that breaks can be measured over a change of the clock. It ends with the calendar, and never
        without one.
        """
        zone = ZoneInfo(self.zone)
        day = after.astimezone(zone).date()
        while self.known_until is None or day <= self.known_until:
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - exchanges go by the clock on the wall
            for window in sorted(self.windows, key=lambda one: one.opens_min):
                if window.weekday != day.weekday() or day in self.holidays:
                    continue
                closes_min = min(window.closes_min, self.early_closes.get(day, window.closes_min))
                opens, closes = (
                    (midnight + timedelta(minutes=minutes)).replace(tzinfo=zone).astimezone(UTC)
                    for minutes in (window.opens_min, closes_min)
                )
                if window.opens_min < closes_min and closes > after:
                    yield opens, closes
            day += timedelta(days=1)

    def _open_window(self, at: datetime) -> tuple[date, datetime] | None:
        zone = ZoneInfo(self.zone)
        clock = at.astimezone(zone).replace(tzinfo=None, fold=0)  # exchanges go by the clock on the wall
        for day in (clock.date(), clock.date() + timedelta(days=1)):
            if day in self.holidays or (self.known_until is not None and day > self.known_until):
                continue
            midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001 - the same clock
            for window in self.windows:
                if window.weekday != day.weekday():
                    continue
                closes_min = min(window.closes_min, self.early_closes.get(day, window.closes_min))
                closes = midnight + timedelta(minutes=closes_min)
                if midnight + timedelta(minutes=window.opens_min) <= clock < closes:
                    return day, closes.replace(tzinfo=zone)
        return None


ALWAYS_OPEN = Sessions(zone="UTC", windows=windows("Mon-Sun 00:00-24:00"))

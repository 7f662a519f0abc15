"""When a firm's day begins and when positions must be closed: wall clocks of IANA zones, never fixed offsets.

Europe, the United States and whoever keeps no summer time change on different days; only the zone knows. A day that
begins after noon is called by the next date, as exchanges call it: what opens on Sunday at 17:00 in Chicago is Monday.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)
_NOON = time(12)
_FRIDAY, _SATURDAY, _SUNDAY = 4, 5, 6


@dataclass(frozen=True, slots=True, kw_only=True)
class ResetClock:
    """A time of day somewhere, at which a new day begins."""

    zone: str
    at: time

    def start(self, day: date) -> datetime:
        """Return the instant at which a day begins."""
        local = day - _DAY if self.at > _NOON else day
        return _instant(local, self.at, self.zone)

    def day_of(self, moment: datetime) -> date:
        """Name the day that a moment belongs to; its first instant is part of it."""
        guess = moment.astimezone(ZoneInfo(self.zone)).date() + _DAY
        while self.start(guess) > moment:
            guess -= _DAY
        return guess

    def next_reset(self, moment: datetime) -> datetime:
        """Return when the next day begins, after this moment."""
        return _next_reset(self, moment)

    def resets(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """Give every reset after one moment and not after another, in order."""
        at = self.next_reset(after)
        while at <= until:
            yield at
            at = self.next_reset(at)


@lru_cache(maxsize=1024)  # a shard asks for one moment, for each of its accounts
def _next_reset(clock: ResetClock, moment: datetime) -> datetime:
    return clock.start(clock.day_of(moment) + _DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class FlatBy:
    """The time by which everything must be closed, until trading opens again.

    `earlier` holds products (or groups of them) that close before; `early_closes` holds dates that end before, for all.
    """

    zone: str
    at: time
    reopen: time
    earlier: Mapping[str, time]
    early_closes: Mapping[date, time]

    def deadline(self, day: date, names: Collection[str] = ()) -> datetime:
        """Return the instant on a local date by which a product must be closed; `names` are its code and its groups."""
        times = [self.at, *(self.earlier[name] for name in names if name in self.earlier)]
        if day in self.early_closes:
            times.append(self.early_closes[day])
        return _instant(day, min(times), self.zone)

    def next_deadline(self, now: datetime, names: Collection[str] = ()) -> datetime:
        """Return the next deadline, not before now."""
        day = now.astimezone(ZoneInfo(self.zone)).date()
        while day.weekday() in (_SATURDAY, _SUNDAY) or self.deadline(day, names) < now:
            day += _DAY
        return self.deadline(day, names)

    def must_be_flat(self, now: datetime, names: Collection[str] = ()) -> bool:
        """Tell whether nothing may be held: from the deadline until trading opens again, and over the weekend."""
        local = now.astimezone(ZoneInfo(self.zone))
        day = local.date()
        is_before_reopen = now < _instant(day, self.reopen, self.zone)
        if day.weekday() == _SATURDAY:
            return True
        if day.weekday() == _SUNDAY:
            return is_before_reopen
        is_over = now >= self.deadline(day, names)
        return is_over if day.weekday() == _FRIDAY else is_over and is_before_reopen


@lru_cache(maxsize=4096)  # the same few days are asked for with every snapshot, and zones are slow
def _instant(day: date, at: time, zone: str) -> datetime:
    """Turn a wall clock into an instant: of two the first; one that the clock jumps over as if it had not jumped."""
    return datetime.combine(day, at, tzinfo=ZoneInfo(zone)).astimezone(UTC)

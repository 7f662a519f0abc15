"""How far a source's clock is from UTC: declared, or learnt from what arrived, and checked either way.

A stamp of the source's clock and our time of arrival differ by the clock's distance from UTC plus the way to us. The
distance is a whole number of quarter hours and the way is short, so each arrival votes for one distance. A message
that lay about for half an hour votes for a wrong one: always for a smaller, under which everything looks fresher than
it is. So a larger distance is believed after three votes and a smaller one only after five that keep the same lag for
half an hour, as the end of summer time does and a backlog does not. Until then old stamps look too old or too new,
and nothing is traded.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.signals import ClockStamp

STEP_S = 900
EASTMOST_S = 14 * 3_600  # Kiritimati
WESTMOST_S = -12 * 3_600
EARLY_S = 30  # a broker's clock may run this far ahead of ours
RECENT = 40  # arrivals that are looked at
VOTES_UP = 3
VOTES_DOWN = 5
SAME_LAG_S = 120
SPREAD_OVER_S = 1_800
SHARE = Decimal("0.6")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """One stamp, and when we first saw it."""

    stamp: ClockStamp
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredClock:
    """What somebody told us: a time zone, and how far the clock is shifted from it.

    Many brokers keep seven hours ahead of New York, so that their day ends with its: zone America/New_York, shift 7 h.
    """

    zone: str
    shift_s: int = 0

    def offset_at(self, stamp: ClockStamp) -> int:
        """Return the distance from UTC, in seconds, at a moment that the clock itself shows."""
        wall = datetime.fromtimestamp(stamp.seconds - self.shift_s, tz=UTC).replace(tzinfo=ZoneInfo(self.zone))
        distance = wall.utcoffset() or timedelta()
        return int(distance.total_seconds()) + self.shift_s


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockReading:
    """What is known of a clock now. `offset_s` None: not known, and a stamp of it means nothing yet."""

    offset_s: int | None
    learnt_s: int | None  # what the arrivals say, whatever was declared
    arrivals: int
    agreeing: int
    drift_s: int = 0  # how far the arrivals are from what was declared or believed before
    declared: DeclaredClock | None = None

    @property
    def confidence(self) -> Decimal:
        """Return the share of arrivals that agree with what is believed, 0 to 1."""
        share = Decimal(self.agreeing) / Decimal(self.arrivals) if self.arrivals else Decimal(0)
        return share.quantize(Decimal("0.01"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """The real time of a stamp: from `earliest`, before `latest`."""

    earliest: datetime
    latest: datetime


UNKNOWN = ClockReading(offset_s=None, learnt_s=None, arrivals=0, agreeing=0)


def vote(arrival: Arrival) -> int | None:
    """Return the distance that one arrival speaks for; None when it can speak for none, as a file of last week."""
    ahead = arrival.stamp.seconds - int(arrival.at.timestamp())
    offset = -((EARLY_S - ahead) // STEP_S) * STEP_S
    return offset if WESTMOST_S <= offset <= EASTMOST_S else None


def learn(
    arrivals: Sequence[Arrival], *, believed_s: int | None = None, declared: DeclaredClock | None = None
) -> ClockReading:
    """Say how far the clock is from UTC, given arrivals in their order and what was believed before.

    1. Each distinct stamp votes once, the earliest sight of it.
    2. With nothing believed, three votes that are most of all votes decide.
    3. What is believed gives way to a larger distance after three votes in a row, to a smaller one as said above.
    4. A declared clock rules, until the arrivals contradict it; then nothing is known until a person has looked.
    """
    votes = _votes(arrivals)
    learnt = _first_belief(votes) if believed_s is None else _next_belief(votes, believed_s)
    agreeing = sum(offset == learnt for _, offset in votes)
    if declared is None:
        drift = learnt - believed_s if learnt is not None and believed_s is not None else 0
        return ClockReading(offset_s=learnt, learnt_s=learnt, arrivals=len(votes), agreeing=agreeing, drift_s=drift)
    if not votes:
        return ClockReading(offset_s=None, learnt_s=None, arrivals=0, agreeing=0, declared=declared)
    said = declared.offset_at(votes[-1][0].stamp)
    drift = learnt - said if learnt is not None else 0
    return ClockReading(
        offset_s=said if not drift else None, learnt_s=learnt, arrivals=len(votes), agreeing=agreeing, drift_s=drift,
        declared=declared,
    )  # fmt: skip


def _votes(arrivals: Sequence[Arrival]) -> list[tuple[Arrival, int]]:
    first: dict[ClockStamp, Arrival] = {}
    for arrival in arrivals:
        first.setdefault(arrival.stamp, arrival)
    recent = list(first.values())[-RECENT:]
    return [(arrival, offset) for arrival in recent if (offset := vote(arrival)) is not None]


def _first_belief(votes: Sequence[tuple[Arrival, int]]) -> int | None:
    """Take the distance with most votes, the larger of two with as many; lateness only ever makes it smaller."""
    counted = Counter(offset for _, offset in votes)
    if not counted:
        return None
    offset, count = max(counted.items(), key=lambda item: (item[1], item[0]))
    return offset if count >= VOTES_UP and Decimal(count) / len(votes) >= SHARE else None


def _next_belief(votes: Sequence[tuple[Arrival, int]], believed_s: int) -> int:
    if not votes or votes[-1][1] == believed_s:
        return believed_s
    newest = votes[-1][1]
    run: list[Arrival] = []
    for arrival, offset in reversed(votes):
        if offset != newest:
            break
        run.append(arrival)
    if newest > believed_s:
        return newest if len(run) >= VOTES_UP else believed_s
    lags = [int(arrival.at.timestamp()) - arrival.stamp.seconds for arrival in run]
    lasted = (run[0].at - run[-1].at).total_seconds()
    keeps_its_lag = max(lags) - min(lags) <= SAME_LAG_S and lasted >= SPREAD_OVER_S
    return newest if len(run) >= VOTES_DOWN and keeps_its_lag else believed_s


def to_utc(stamp: ClockStamp, clock: ClockReading) -> Interval | None:
    """Turn a stamp into the interval of UTC that it can mean; None while the clock is not known."""
    if clock.drift_s and clock.declared is not None:
        return None
    offset = clock.declared.offset_at(stamp) if clock.declared is not None else clock.offset_s
    if offset is None:
        return None
    earliest = datetime.fromtimestamp(stamp.seconds - offset, tz=UTC)
    return Interval(earliest=earliest, latest=earliest + timedelta(seconds=stamp.resolution_s))

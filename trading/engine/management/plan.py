"""How a trade is managed: where it is taken home, how its stop follows, and by when it must be over."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from trading.engine.management.deadlines import Deadline
from trading.engine.management.weekly import Week

_ONE, _TWO = Decimal(1), Decimal(2)
_HALF = Decimal("0.5")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A share of the trade is taken home at so many R."""

    at_r: Decimal
    share: Decimal


# Half at 1 R and half at 2 R make 1.5 R on average, which is the least that the doctrine asks for (mikrobot.md 2).
HALVES = (Target(at_r=_ONE, share=_HALF), Target(at_r=_TWO, share=_HALF))
ALL_AT_TWO = (Target(at_r=_TWO, share=_ONE),)


class Indivisible(StrEnum):
    """Where all is taken home when a part of it would be below the smallest order."""

    FIRST = "first"  # where the part would have gone: the doctrine's plain rule is a target of 1 R
    LAST = "last"  # with the rest; the breakeven stop protects it on the way


@dataclass(frozen=True, slots=True, kw_only=True)
class Breakeven:
    """When the stop is moved to where the trade loses nothing; one of the two is given."""

    at_r: Decimal | None = None
    at_distance: Decimal | None = None  # in price: 15 points of a future
    # Stops that trigger on the last trade fill at the other side of the spread, so one is counted.
    spreads: Decimal = _ONE

    def __post_init__(self) -> None:
        if (self.at_r is None) is (self.at_distance is None):
            raise ValueError("breakeven is at so many R or at a distance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The stop follows the best price at so many average ranges."""

    multiple: Decimal
    from_r: Decimal = _ONE  # before that the first stop stands
    step: Decimal = Decimal(0)  # the least that it is moved by, in price; never less than a tick


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeStop:
    """A trade that has lasted this long is closed, or only when it has not come so far by then."""

    after: timedelta
    below_r: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How one position is managed. The defaults are the doctrine's: half at 1 R, half at 2 R, breakeven at 1 R."""

    version: str = "platform/1"
    mode: str = "halves"
    targets: tuple[Target, ...] = HALVES
    indivisible: Indivisible = Indivisible.FIRST
    can_split: bool = True  # the venue closes parts of a position
    breakeven: Breakeven | None = Breakeven(at_r=_ONE)
    trail: Trail | None = None
    time_stop: TimeStop | None = None
    deadlines: tuple[Deadline, ...] = ()
    lead: timedelta = timedelta(minutes=1)  # a deadline is kept by this much, so that a slow venue does not break it
    max_refused_stops: int = 3  # then it is closed: what cannot be protected is not kept
    week: Week | None = None  # as it stood when the trade was opened, where somebody counted it
    emergency_atr: Decimal = _TWO  # where a stop goes when nobody knows where it was

    def __post_init__(self) -> None:
        if sum(target.share for target in self.targets) not in (0, 1):
            raise ValueError("the targets share out the whole trade, or there are none")
        if any(target.at_r <= 0 or target.share <= 0 for target in self.targets):
            raise ValueError("a target is above the entry and takes something")
        if list(self.targets) != sorted(self.targets, key=lambda target: target.at_r):
            raise ValueError("targets stand in the order in which they are reached")


def plan_in(week: Week | None, plan: Plan) -> Plan:
    """Return the plan for a trade that is opened in such a week; one that nobody counted is a plain one.

    After an extra week's ten percent a trade runs to 2 R as a whole, with breakeven at 1 R (weekly.py).
    """
    if week is None or not week.is_extra:
        return replace(plan, week=week)
    return replace(plan, week=week, mode="xpws", targets=ALL_AT_TWO, breakeven=Breakeven(at_r=_ONE))

"""What a version of a strategy asks of management, and what is settled of it for a position, once and for all.

What a strategy does not ask for is done as the doctrine does it. Times are texts and seconds, because terms are stored
with the version of the strategy that they belong to.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.sessions import Sessions
from risk_management.compliance.clock import FlatBy
from risk_management.compliance.program import Rest
from trading.engine.management.deadlines import (
    WEEKEND,
    Deadline,
    break_ahead,
    day_end,
    firm_cutoff,
    session_end,
)
from trading.engine.management.plan import HALVES, Breakeven, Indivisible, Plan, Target, TimeStop, Trail, plan_in
from trading.engine.management.weekly import Week

_ONE = Decimal(1)
AT_ONE_R = Breakeven(at_r=_ONE)
_NOTHING: MappingProxyType[Any, Any] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class DayEnd:
    """A time of day somewhere by which all is closed; what is opened after it may be held until the next one."""

    zone: str
    at: str  # "15:45"

    def __post_init__(self) -> None:
        """Refuse what is no place and no time when it is written down, not when a position should be closed."""
        ZoneInfo(self.zone)
        time.fromisoformat(self.at)

    @property
    def clock(self) -> FlatBy:
        return FlatBy(
            zone=self.zone, at=time.fromisoformat(self.at), reopen=time(0), earlier=_NOTHING, early_closes=_NOTHING
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a strategy wants its trades managed. The defaults are the doctrine's."""

    targets: tuple[Target, ...] = HALVES
    indivisible: Indivisible = Indivisible.FIRST
    breakeven: Breakeven | None = AT_ONE_R
    trail: Trail | None = None
    time_stop_s: int | None = None
    time_stop_below_r: Decimal | None = None  # only what has not come so far by then
    counts_weeks: bool = True  # XPWS (weekly.py)
    ends_with_session: bool = False
    longest_break_min: int | None = None  # positions are not held through longer ones; None: through all
    day_end: DayEnd | None = None

    def deadlines(self, sessions: Sessions, opened_at: datetime) -> tuple[Deadline, ...]:
        """Say by when the strategy wants a position closed."""
        found = [_session_end(sessions, opened_at) if self.ends_with_session else None]
        if self.longest_break_min is not None:
            found.append(_break_ahead(sessions, opened_at, timedelta(minutes=self.longest_break_min)))
        if self.day_end is not None:
            found.append(day_end(self.day_end.clock, opened_at=opened_at))
        return tuple(one for one in found if one is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreed:
    """What is settled of a position when it is first looked after, and stays; the defaults are the platform's."""

    version: str = Plan().version  # of the strategy's parameters
    target_r: Decimal | None = None  # a strategy that names one target takes all of a trade home there
    terms: Terms = field(default_factory=Terms)
    week: Week | None = None

    @property
    def plan(self) -> Plan:
        """Return the plan, with no deadline in it yet: clocks are asked anew at each look."""
        terms = self.terms
        plan = Plan(
            version=self.version, targets=terms.targets, mode="halves" if terms.targets == HALVES else "targets",
            indivisible=terms.indivisible, breakeven=terms.breakeven, trail=terms.trail,
            time_stop=None
            if terms.time_stop_s is None
            else TimeStop(after=timedelta(seconds=terms.time_stop_s), below_r=terms.time_stop_below_r),
        )  # fmt: skip
        if self.target_r is not None and terms.targets == HALVES:
            plan = replace(plan, mode="single", targets=(Target(at_r=self.target_r, share=_ONE),))
        return plan_in(self.week if terms.counts_weeks else None, plan)


def firm_deadlines(
    clock: FlatBy | None, rest: Rest | None, sessions: Sessions, *, symbol: str, opened_at: datetime
) -> tuple[Deadline, ...]:
    """Say by when a firm wants a position closed: by its clock, and before a weekend or a break that is too long."""
    found = [None if clock is None else firm_cutoff(clock, opened_at=opened_at, names=(symbol,))]
    breaks = [] if rest is None or rest.longest_break_min is None else [timedelta(minutes=rest.longest_break_min)]
    breaks += [WEEKEND] if rest is not None and rest.is_flat_over_weekend else []
    if breaks:
        found.append(_break_ahead(sessions, opened_at, min(breaks)))
    return tuple(one for one in found if one is not None)


# A position is looked at every second, and its calendar says the same each time.
@lru_cache(maxsize=8192)
def _session_end(sessions: Sessions, opened_at: datetime) -> Deadline | None:
    return session_end(sessions, opened_at=opened_at)


@lru_cache(maxsize=8192)
def _break_ahead(sessions: Sessions, opened_at: datetime, longest: timedelta) -> Deadline | None:
    return break_ahead(sessions, opened_at=opened_at, longest=longest)

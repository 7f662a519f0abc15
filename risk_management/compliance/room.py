"""How much room an account has under each limit of its program, and which warning levels it has passed.

An amount, a reference or a day that is not known makes the room unknown (None): whoever asks must then refuse to trade.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from enum import StrEnum

from risk_management.compliance.account import ZERO, AccountState, Level, Limit, Snapshot
from risk_management.compliance.program import (
    Consistency,
    DailyLoss,
    MaxLoss,
    Measure,
    Program,
    Severity,
    ShareOf,
    Tier,
    Trail,
)

LEVELS = (60, 80, 95, 100)  # percent of an allowance that is used up
_PERCENT = Decimal("0.01")


class Bound(StrEnum):
    """On which side of the account's figure a limit stands."""

    FLOOR = "floor"
    CEILING = "ceiling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """What one limit leaves."""

    limit: Limit
    bound: Bound
    severity: Severity
    level: Decimal | None  # the floor or the ceiling itself
    allowance: Decimal | None  # what the whole limit is worth
    value: Decimal  # the account's figure that is held against it
    room: Decimal | None  # negative when the limit is passed
    left_pct: Decimal | None  # of the allowance, rounded down
    is_broken: bool
    resets_at: datetime | None
    resets_in: timedelta | None

    @property
    def used_percent(self) -> int | None:
        """Return the highest warning level that is reached; 0 below the first, None when the room is not known."""
        if self.room is None or self.allowance is None:
            return None
        return level_of(self.room, self.allowance)


def level_of(room: Decimal, allowance: Decimal) -> int:
    """Return the highest warning level that is reached with so much room left of an allowance."""
    used = (allowance - room) * 100
    return max((level for level in LEVELS if used >= level * allowance), default=0)


# Floors


def tier(state: AccountState, program: Program) -> Tier | None:
    """Return the tier that the last close put the account in; None when there are none, or the close is not known."""
    if not program.tiers or state.close_balance is None:
        return None
    profit = state.close_balance - program.initial
    return max((step for step in program.tiers if step.profit <= profit), key=_profit, default=program.tiers[0])


def _profit(step: Tier) -> Decimal:
    return step.profit


def max_minis(state: AccountState, program: Program) -> int | None:
    """Return how many contracts may be held at once; None when the program does not say or the tier is not known."""
    if not program.tiers:
        return program.max_minis
    step = tier(state, program)
    return None if step is None else step.minis


def daily_allowance(state: AccountState, program: Program) -> Decimal | None:
    """Return how much may be lost in a day; a tier's own amount goes before the program's."""
    if program.daily_loss is None:
        return None
    if any(step.daily_loss is not None for step in program.tiers):
        step = tier(state, program)
        return None if step is None else step.daily_loss
    return program.daily_loss.amount


def daily_floor(state: AccountState, program: Program) -> Decimal | None:
    """Return the floor of the day: the balance at the reset, without money moved since, less the day's allowance."""
    allowance, reference = daily_allowance(state, program), state.day_reference
    return None if allowance is None or reference is None else reference - allowance


def max_floor(state: AccountState, program: Program) -> Decimal | None:
    """Return the floor of the account: initial, or what it follows, less the amount, and never above its lock."""
    limit = program.max_loss
    if limit is None:
        return None
    if state.is_locked and limit.lock is not None:
        return limit.lock
    if limit.amount is None:
        return None
    if limit.trail is Trail.STATIC:
        return program.initial - limit.amount
    floor = state.high - limit.amount
    if limit.lock is not None and floor >= limit.lock:
        return limit.lock
    return floor if state.is_high_known and not state.unknown_closes else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where the floor of one limit stands, and what the whole limit is worth."""

    limit: Limit
    rule: DailyLoss | MaxLoss
    floor: Decimal | None
    allowance: Decimal | None


def standings(state: AccountState, program: Program) -> Iterator[Standing]:
    """Give every floor that the program sets, the day's first."""
    if program.daily_loss is not None:
        yield Standing(
            limit=Limit.DAILY_LOSS,
            rule=program.daily_loss,
            floor=daily_floor(state, program),
            allowance=daily_allowance(state, program),
        )
    if program.max_loss is not None:
        yield Standing(
            limit=Limit.MAX_LOSS,
            rule=program.max_loss,
            floor=max_floor(state, program),
            allowance=program.max_loss.amount,
        )


def standings_at(state: AccountState, program: Program, now: datetime) -> Iterator[Standing]:
    """Give every floor as it stands now. What a reset moved that the account was not seen after is not known."""
    has_turned = now >= state.turns_at
    for standing in standings(state, program):
        is_daily = standing.limit is Limit.DAILY_LOSS
        moves = is_daily or (program.max_loss is not None and program.max_loss.trail is Trail.EOD_BALANCE)
        yield replace(standing, floor=None) if has_turned and moves else standing


# Rooms


def headroom(state: AccountState, snapshot: Snapshot, program: Program, now: datetime) -> tuple[Room, ...]:
    """Say what each limit leaves at this moment, floors before ceilings.

    When a reset has passed that the account has not been seen after, what depends on it is not known.
    """
    return tuple(_rooms(state, snapshot, program, now))


def _rooms(state: AccountState, snapshot: Snapshot, program: Program, now: datetime) -> Iterator[Room]:
    has_turned = now >= state.turns_at
    resets_at = program.day.next_reset(now)
    for standing in standings_at(state, program, now):
        yield _above(standing, snapshot, resets_at if standing.limit is Limit.DAILY_LOSS else None, now)
    rule = program.consistency
    if rule is not None and not (rule.until_payout is not None and state.payouts >= rule.until_payout):
        yield _best_day(state, rule, resets_at, now, has_turned=has_turned)


def _above(standing: Standing, snapshot: Snapshot, resets_at: datetime | None, now: datetime) -> Room:
    rule, floor = standing.rule, standing.floor
    value = measured(rule, snapshot.balance, snapshot.equity)
    room = None if floor is None else value - floor
    return Room(
        limit=standing.limit,
        bound=Bound.FLOOR,
        severity=rule.severity,
        level=floor,
        allowance=standing.allowance,
        value=value,
        room=room,
        left_pct=_percent_left(room, standing.allowance),
        is_broken=floor is not None and rule.touch.breaks(value, floor),
        resets_at=resets_at,
        resets_in=None if resets_at is None else resets_at - now,
    )


def _best_day(state: AccountState, rule: Consistency, resets_at: datetime, now: datetime, *, has_turned: bool) -> Room:
    """Say how much this day may bring before it is too large a part of the whole."""
    today = ZERO if has_turned else state.day_realised
    others = [result.profit for result in state.results if has_turned or result.day != state.day]
    if rule.of is ShareOf.POSITIVE_DAYS:
        others = [profit for profit in others if profit > 0]
    ceiling = None
    if rule.max_share_pct < 100:
        exact = max(sum(others, ZERO), ZERO) * rule.max_share_pct / (100 - rule.max_share_pct)
        ceiling = exact.quantize(_PERCENT, rounding=ROUND_FLOOR)
    room = None if ceiling is None else ceiling - today
    return Room(
        limit=Limit.BEST_DAY,
        bound=Bound.CEILING,
        severity=rule.severity,
        level=ceiling,
        allowance=ceiling,
        value=today,
        room=room,
        left_pct=_percent_left(room, ceiling),
        is_broken=room is not None and today > 0 and (room < 0 or (rule.is_strict and room == 0)),
        resets_at=resets_at,
        resets_in=resets_at - now,
    )


def measured(rule: DailyLoss | MaxLoss, balance: Decimal, equity: Decimal) -> Decimal:
    """Return the figure that a rule holds against its floor."""
    return equity if rule.measure is Measure.EQUITY_REALTIME else balance


def _percent_left(room: Decimal | None, allowance: Decimal | None) -> Decimal | None:
    if room is None or not allowance:
        return None
    return (room * 100 / allowance).quantize(_PERCENT, rounding=ROUND_FLOOR)


# Warnings


@dataclass(frozen=True, slots=True, kw_only=True)
class Crossing:
    """A warning level that was passed on the way down."""

    limit: Limit
    percent: int


def crossings(before: AccountState, after: AccountState) -> tuple[Crossing, ...]:
    """Give each warning level that was passed between two states, the lowest first.

    A level comes once a day at most. The day's loss begins anew with each day; of the maximum loss, only a level from
    which the account had recovered by the first sight of a day comes again on that day.
    """
    return tuple(
        Crossing(limit=reached.limit, percent=percent)
        for reached in after.levels
        for percent in LEVELS
        if _warned(before, reached) < percent <= reached.percent
    )


def _warned(before: AccountState, reached: Level) -> int:
    for level in before.levels:
        if level.limit is reached.limit and (level.day == reached.day or reached.limit is Limit.MAX_LOSS):
            return level.percent
    return 0

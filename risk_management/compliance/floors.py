"""The state of an account, moved by a clock and by what was seen of it: a fold, so that history gives it again.

What must stay true: the same event twice changes nothing; a balance that nobody saw at a reset stays unknown until it
is told (`DayTurned`), and is never guessed. A floor that follows the open peak is as good as the snapshots are dense: a
peak between two of them is known to the firm alone, unless the later one brings it along (`peak_equity`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import reduce
from typing import assert_never

from risk_management.compliance.account import (
    ZERO,
    AccountState,
    Breach,
    DayResult,
    DayTurned,
    Deposit,
    Event,
    Level,
    Limit,
    Opened,
    Settled,
    Snapshot,
    Withdrawal,
)
from risk_management.compliance.program import AfterPayout, Program, Severity, Trail
from risk_management.compliance.room import level_of, measured, standings

_DAY = timedelta(days=1)


def rebuild(start: AccountState, events: Iterable[Event], program: Program) -> AccountState:
    """Fold a whole history; the answer equals the state that was kept while it happened."""
    return reduce(lambda state, event: advance(state, event, program), events, start)


def advance(state: AccountState, event: Event, program: Program) -> AccountState:
    """Move the state by one event."""
    if not isinstance(event, Snapshot | DayTurned) and event.number <= state.number:
        return state
    match event:
        case Snapshot():
            moved = _seen(state, event, program)
        case DayTurned():
            moved = _day_turned(state, event, program)
        case Opened():
            moved = _opened(state, event, program)
        case Settled():
            moved = _settled(state, event, program)
        case Withdrawal():
            moved = _withdrawn(state, event, program)
        case Deposit():
            moved = _deposited(state, event, program)
        case _:
            assert_never(event)
    return moved


# What the account is worth


def _seen(state: AccountState, event: Snapshot, program: Program) -> AccountState:
    """Take a snapshot.

    1. One from before the account's time here, or before its last payout, says nothing.
    2. One that comes late can only raise what a floor follows.
    3. Otherwise the days turn up to its moment, then it raises, then it is judged: a peak counts before a low.
    """
    if event.at < state.since:
        return state
    if event.at < state.turned_at or (state.seen_at is not None and event.at <= state.seen_at):
        return _raised(state, event, program)
    state = _turned(state, event.at, event.balance, program)
    state = replace(state, seen_at=event.at, balance=event.balance, equity=event.equity)
    return _judged(_raised(state, event, program), event, program)


def _raised(state: AccountState, event: Snapshot, program: Program) -> AccountState:
    trail = None if program.max_loss is None else program.max_loss.trail
    if trail is Trail.INTRADAY_EQUITY:
        high = max(event.equity, event.peak_equity or event.equity)
    elif trail is Trail.CLOSED_BALANCE:
        high = event.balance
    else:
        return state
    return replace(state, high=high) if high > state.high else state


def _judged(state: AccountState, event: Snapshot, program: Program) -> AccountState:
    """Note broken limits and the warning levels that are reached."""
    levels, breaches = [], list(state.breaches)
    for standing in standings(state, program):
        limit, rule, floor, allowance = standing.limit, standing.rule, standing.floor, standing.allowance
        before = next((level for level in state.levels if level.limit is limit), None)
        if floor is None or allowance is None:
            levels += [] if before is None else [before]
            continue
        value = measured(rule, event.balance, event.equity)
        levels.append(_level(limit, before, state.day, level_of(value - floor, allowance)))
        if rule.touch.breaks(value, floor) and not any(breach.limit is limit for breach in breaches):
            breaches.append(
                Breach(limit=limit, severity=rule.severity, day=state.day, at=event.at, value=value, floor=floor)
            )
    if tuple(levels) == state.levels and len(breaches) == len(state.breaches):
        return state
    return replace(state, levels=tuple(levels), breaches=tuple(breaches))


def _level(limit: Limit, before: Level | None, day: date, percent: int) -> Level:
    """Keep the highest level of a day; the first sight of a day arms again what it has recovered from."""
    if before is not None and before.day == day:
        return before if percent <= before.percent else replace(before, percent=percent)
    return Level(limit=limit, day=day, percent=percent)


# How days turn


def _turned(state: AccountState, at: datetime, balance: Decimal, program: Program) -> AccountState:
    """Pass every reset and close up to a moment at which the balance is this.

    The balance at a reset is known only when it is that very moment. That it was the same before and after proves
    nothing: one trade may have won in between and another lost.
    """
    if at < state.turns_at:
        return state
    at = at.astimezone(UTC)  # of two moments in different zones that are the same, Python may say that they are not
    day, close_day = program.day.day_of(at), program.close.day_of(at)
    day_began, close_began = program.day.start(day), program.close.start(close_day)
    high, unknown, close_balance = state.high, state.unknown_closes, state.close_balance
    if close_day != state.close_day:
        close_balance = balance if close_began == at else None
        if _follows_closes(program):
            closed = (close_day - state.close_day).days - (close_balance is not None)
            unknown += tuple(state.close_day + _DAY * passed for passed in range(closed))
            high = high if close_balance is None else max(high, close_balance)
    changed = replace(
        state,
        turned_at=max(day_began, close_began),
        turns_at=min(program.day.start(day + _DAY), program.close.start(close_day + _DAY)),
        close_day=close_day,
        close_balance=close_balance,
        high=high,
        unknown_closes=unknown,
    )
    if day == state.day:
        return changed
    return replace(
        changed,
        day=day,
        day_start=balance if day_began == at else None,
        day_moved=ZERO,
        breaches=tuple(breach for breach in state.breaches if breach.severity is not Severity.SOFT_PAUSE),
    )


def _day_turned(state: AccountState, event: DayTurned, program: Program) -> AccountState:
    """Take the balance at a reset or close: turn the day with it, or fill in what was not seen when it turned."""
    at = event.at.astimezone(UTC)
    day, close_day = program.day.day_of(at), program.close.day_of(at)
    is_reset, is_close = program.day.start(day) == at, program.close.start(close_day) == at
    if not is_reset and not is_close:
        raise ValueError(f"{at.isoformat()} is neither a reset nor a close of {program.title}")
    if at >= state.turns_at:
        return replace(_turned(state, at, event.balance, program), balance=event.balance)
    if is_reset and day == state.day and state.day_start is None:
        state = replace(state, day_start=event.balance)
    if is_close and close_day == state.close_day and state.close_balance is None:
        state = replace(state, close_balance=event.balance)
    if is_close and close_day - _DAY in state.unknown_closes:
        unknown = tuple(other for other in state.unknown_closes if other != close_day - _DAY)
        state = replace(state, unknown_closes=unknown, high=max(state.high, event.balance))
    return state


def _follows_closes(program: Program) -> bool:
    return program.max_loss is not None and program.max_loss.trail is Trail.EOD_BALANCE


# What the ledger says


def _opened(state: AccountState, event: Opened, program: Program) -> AccountState:
    day = program.day.day_of(event.at)
    traded = state.traded if day in state.traded else tuple(sorted((*state.traded, day)))
    return replace(state, number=event.number, traded=traded)


def _settled(state: AccountState, event: Settled, program: Program) -> AccountState:
    """Add a result to its day; one from before the last payout was paid out with it."""
    state = replace(state, number=event.number)
    if event.at < state.since:
        return state
    day = program.day.day_of(event.at)
    before = next((result for result in state.results if result.day == day), DayResult(day=day, profit=ZERO, trades=0))
    now = replace(before, profit=before.profit + event.profit, trades=before.trades + 1)
    others = [result for result in state.results if result.day != day]
    return replace(state, results=tuple(sorted((*others, now), key=lambda result: result.day)))


def _withdrawn(state: AccountState, event: Withdrawal, program: Program) -> AccountState:
    """Pay out: the day's reference goes down with the balance, and the trail does what the program says."""
    state = _moved(state, event, -event.amount, program)
    state = replace(state, payouts=state.payouts + 1, since=max(state.since, event.at), results=())
    rule = AfterPayout.KEEP if program.max_loss is None else program.max_loss.after_payout
    match rule:
        case AfterPayout.KEEP:
            return state
        case AfterPayout.LOCK:
            return replace(state, is_locked=True)
        case AfterPayout.RESTART:
            high = max(program.initial, event.balance_after)
            return replace(state, high=high, is_high_known=True, unknown_closes=())
        case _:
            assert_never(rule)


def _deposited(state: AccountState, event: Deposit, program: Program) -> AccountState:
    """Raise with the money what is counted from the balance: it makes no room."""
    state = _moved(state, event, event.amount, program)
    is_trailing = program.max_loss is not None and program.max_loss.trail is not Trail.STATIC
    return replace(state, high=state.high + event.amount) if is_trailing else state


def _moved(state: AccountState, event: Withdrawal | Deposit, change: Decimal, program: Program) -> AccountState:
    """Take note of moved money, and let it count as neither loss nor profit of its day."""
    is_late = event.at < state.turned_at or (state.seen_at is not None and event.at < state.seen_at)
    if not is_late:
        state = _turned(state, event.at, event.balance_after - change, program)
        equity = None if state.equity is None else state.equity + change
        state = replace(state, balance=event.balance_after, equity=equity)
    if program.day.day_of(event.at) == state.day:
        state = replace(state, day_moved=state.day_moved + change)
    return replace(state, number=event.number)

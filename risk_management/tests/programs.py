"""What the tests of programs share: our own library, a short way to pick from it, and random lives of accounts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from random import Random

from risk_management.compliance.account import (
    AccountState,
    DayTurned,
    Event,
    Settled,
    Snapshot,
    Withdrawal,
)
from risk_management.compliance.library import Choice, Library, bundled, load
from risk_management.compliance.program import Phase, Program
from risk_management.tests.slow_reference import Tick

TODAY = date(2026, 11, 20)


@cache
def library() -> Library:
    return load(bundled())


def pick(
    firm: str, program: str, phase: str, size: int, variant: str = "standard", has_optional_daily_loss: bool = False
) -> Program:
    """Pick a program that is there."""
    choice = Choice(
        firm=firm, program=program, phase=Phase(phase), size=Decimal(size), variant=variant,
        has_optional_daily_loss=has_optional_daily_loss,
    )  # fmt: skip
    found = library().find(choice, on=TODAY).program
    assert found is not None, choice
    return found


def utc(text: str) -> datetime:
    """Read a moment in UTC, as in 2026-03-29 01:30."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def seen(at: datetime, balance: int | str | Decimal, equity: int | str | Decimal | None = None) -> Snapshot:
    return Snapshot(at=at, balance=Decimal(balance), equity=Decimal(balance if equity is None else equity))


# Weeks in which Prague, Chicago and New York change their clocks, and ordinary ones.
STARTS = [utc(day) for day in ("2026-03-05 09:00", "2026-03-26 09:00", "2026-10-22 09:00", "2026-10-29 09:00",
                               "2026-06-10 09:00", "2026-12-22 09:00")]  # fmt: skip


def life(program: Program, random: Random, *, ticks: int = 28) -> list[Tick]:
    """Make up the life of an account: trades, open profit and loss, payouts; some of it unseen."""
    assert program.max_loss is not None
    assert program.max_loss.amount is not None
    unit = program.max_loss.amount / 10
    at = random.choice(STARTS)
    balance, found = program.initial, []
    for _ in range(ticks):
        # Never at the very second of a reset: what happens first at that second is nobody's rule.
        at += timedelta(seconds=random.choice((600, 7_200, 20_000, 50_000, 90_000, 200_000)) + random.randrange(600))
        at = at.replace(second=30, microsecond=0)
        closed = paid = None
        if random.random() < 0.5:
            closed = (unit * random.randrange(-600, 700) / 100).quantize(Decimal("0.01"))
            balance += closed
        elif balance > program.initial + unit and random.random() < 0.12:
            paid = ((balance - program.initial) * random.randrange(10, 101) / 100).quantize(Decimal("0.01"))
            balance -= paid
        open_profit = Decimal(0)
        if random.random() < 0.6:
            open_profit = (unit * random.randrange(-500, 500) / 100).quantize(Decimal("0.01"))
        equity, is_seen = balance + open_profit, random.random() < 0.85
        found.append(Tick(at=at, balance=balance, equity=equity, closed=closed, paid=paid, is_seen=is_seen))
    return found


def told(program: Program, ticks: list[Tick], random: Random, *, is_late: bool) -> Iterator[tuple[int, Event]]:
    """Tell a life as events, each with the place of its tick. Resets and closes are told in time, or a little late."""
    waiting: list[DayTurned] = []
    number, before, balance = 0, ticks[0].at - timedelta(hours=1), program.initial
    for place, tick in enumerate(ticks):
        turns = {*program.day.resets(before, tick.at), *program.close.resets(before, tick.at)}
        waiting += [DayTurned(at=at, balance=balance) for at in sorted(turns)]
        late = [turn for turn in waiting if is_late and random.random() < 0.6]
        yield from ((place, turn) for turn in waiting if turn not in late)
        waiting = late
        if tick.closed is not None:
            number += 1
            yield place, Settled(number=number, at=tick.at, profit=tick.closed)
        if tick.paid is not None:
            number += 1
            yield place, Withdrawal(number=number, at=tick.at, amount=tick.paid, balance_after=tick.balance)
        if tick.is_seen:
            yield place, Snapshot(at=tick.at, balance=tick.balance, equity=tick.equity)
        before, balance = tick.at, tick.balance
    yield from ((len(ticks) - 1, turn) for turn in waiting)


def is_whole(state: AccountState) -> bool:
    """Tell whether nothing is missing that a floor needs."""
    return state.day_start is not None and state.close_balance is not None and not state.unknown_closes

"""What happened to an account, and what is left of it that its limits need: events and the state they add up to.

Events come in the order in which they are kept. What the broker's ledger says is numbered per account; an entry whose
number was passed is a repetition. Whoever feeds events tells money that was moved before the figures that show it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum

from risk_management.compliance.program import Program, Severity, Trail

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """What an account was worth at a moment. Equity has floating profit, swap and commission in it."""

    at: datetime
    balance: Decimal
    equity: Decimal
    peak_equity: Decimal | None = None  # the highest since the snapshot before, where somebody watched


@dataclass(frozen=True, slots=True, kw_only=True)
class DayTurned:
    """The balance at the very instant of a reset or of a close: every one is told, be it late, and once is enough."""

    at: datetime
    balance: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A new position was opened."""

    number: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """A trade, or a part of it, was closed with this result, costs included."""

    number: int
    at: datetime
    profit: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Withdrawal:
    """A payout: this much left the account. It is no loss."""

    number: int
    at: datetime
    amount: Decimal
    balance_after: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """This much was put in. It is no profit."""

    number: int
    at: datetime
    amount: Decimal
    balance_after: Decimal


Event = Snapshot | DayTurned | Opened | Settled | Withdrawal | Deposit


class Limit(StrEnum):
    """The limits that a program can set to an account's figures."""

    DAILY_LOSS = "daily_loss"
    MAX_LOSS = "max_loss"
    BEST_DAY = "best_day"


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """What the trades of one day brought."""

    day: date
    profit: Decimal
    trades: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """How far a limit has been used on a day, as the highest warning level that was reached: 0, 60, 80, 95, 100."""

    limit: Limit
    day: date
    percent: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit that was broken: the first time, and by which figures."""

    limit: Limit
    severity: Severity
    day: date
    at: datetime
    value: Decimal
    floor: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """What the limits of an account need to know. Replaying its events gives it again."""

    since: datetime  # the account's first moment here, or its last payout
    seen_at: datetime | None  # the last snapshot that counted
    balance: Decimal | None
    equity: Decimal | None
    number: int  # the last entry of the ledger that counted
    turned_at: datetime  # the last reset or close that was passed
    turns_at: datetime  # the next one
    day: date
    day_start: Decimal | None  # the balance at the reset; None: nobody saw it
    day_moved: Decimal  # money put in or taken out since
    close_day: date
    close_balance: Decimal | None
    high: Decimal  # the highest that the floor of the maximum loss follows, as far as it is known
    is_high_known: bool  # False for an account that came here with a past
    unknown_closes: tuple[date, ...]  # days whose closing balance nobody saw, and which may have been higher
    is_locked: bool  # the floor was put at its lock by a payout
    payouts: int
    results: tuple[DayResult, ...]  # since the last payout, by day
    traded: tuple[date, ...]  # days on which a position was opened
    levels: tuple[Level, ...]
    breaches: tuple[Breach, ...]

    @property
    def day_reference(self) -> Decimal | None:
        """Return the balance that the day's loss is counted from; None while it is not known."""
        return None if self.day_start is None else self.day_start + self.day_moved

    @property
    def day_realised(self) -> Decimal:
        """Return what the trades of the day brought."""
        return next((result.profit for result in self.results if result.day == self.day), ZERO)

    @property
    def is_failed(self) -> bool:
        """Tell whether the account is lost: a hard limit was broken, at whatever time."""
        return any(breach.severity is Severity.HARD_BREACH for breach in self.breaches)

    @property
    def is_paused(self) -> bool:
        """Tell whether the day is over for this account."""
        return any(breach.severity is Severity.SOFT_PAUSE and breach.day == self.day for breach in self.breaches)


def opened(program: Program, *, at: datetime) -> AccountState:
    """Begin the state of a new account: everything stands at the initial balance."""
    return _begin(program, at=at, balance=program.initial, day_start=program.initial, high=program.initial)


def joined(
    program: Program,
    *,
    at: datetime,
    day_start: Decimal | None = None,
    high: Decimal | None = None,
    payouts: int = 0,
    is_locked: bool = False,
) -> AccountState:
    """Begin the state of an account with a past. What nobody can tell stays unknown, and so do the floors above it."""
    return _begin(
        program, at=at, balance=None, day_start=day_start, high=high, payouts=payouts, is_locked=is_locked
    )  # fmt: skip


def carried(state: AccountState, before: Program, after: Program, *, at: datetime) -> AccountState:
    """Go on under other rules. What other clocks told, or another kind of floor followed, is not known any more."""
    if (before.day, before.close, before.initial) != (after.day, after.close, after.initial):
        state = replace(
            joined(after, at=at, payouts=state.payouts, is_locked=state.is_locked, high=_known_high(state)),
            balance=state.balance, equity=state.equity, number=state.number, results=state.results,
            traded=state.traded, breaches=state.breaches,
        )  # fmt: skip
    if _trail(before) is not _trail(after):
        state = replace(state, is_high_known=False)
    return state


def _known_high(state: AccountState) -> Decimal | None:
    return state.high if state.is_high_known and not state.unknown_closes else None


def _trail(program: Program) -> Trail | None:
    return None if program.max_loss is None else program.max_loss.trail


def _begin(
    program: Program,
    *,
    at: datetime,
    balance: Decimal | None,
    day_start: Decimal | None,
    high: Decimal | None,
    payouts: int = 0,
    is_locked: bool = False,
) -> AccountState:
    day, close_day = program.day.day_of(at), program.close.day_of(at)
    return AccountState(
        since=at,
        seen_at=None,
        balance=balance,
        equity=balance,
        number=0,
        turned_at=max(program.day.start(day), program.close.start(close_day)),
        turns_at=min(program.day.next_reset(at), program.close.next_reset(at)),
        day=day,
        day_start=day_start,
        day_moved=ZERO,
        close_day=close_day,
        close_balance=day_start,
        high=program.initial if high is None else max(high, program.initial),
        is_high_known=high is not None,
        unknown_closes=(),
        is_locked=is_locked,
        payouts=payouts,
        results=(),
        traded=(),
        levels=(),
        breaches=(),
    )

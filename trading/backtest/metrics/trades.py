"""A closed trade, and what can be said of many without an equity curve: result, rates, streaks, excursions, exposure.

A trade that ended at exactly zero is a scratch: it counts as a trade, and is neither won nor lost, as in Kelly's
figures (risk_management/kelly.py).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.market import Side
from trading.backtest.metrics.figures import ONE, ZERO, Figure, Known, Undefined, mean, precisely, total

Z_95 = Decimal("1.959963984540054")  # of the normal distribution: 95 % lie within as many deviations
_NO_TIME = timedelta(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosedTrade:
    """One position from its first fill to its last. Amounts are in account money."""

    account: str
    strategy: str
    symbol: str
    side: Side
    opened_at: datetime
    closed_at: datetime
    quantity: Decimal
    entry: Decimal  # average
    exit: Decimal  # average
    stop: Decimal | None  # at entry
    risk: Decimal | None  # 1 R: what the stop at entry would have lost, costs included; None when it is not known
    profit: Decimal  # net of costs
    costs: Decimal  # commission, fees and swap; what was paid is positive
    mae: Decimal | None = None  # the largest open loss on the way, zero or above; None where prices are not known
    mfe: Decimal | None = None  # the largest open gain on the way, zero or above

    def __post_init__(self) -> None:
        if self.opened_at.utcoffset() is None or self.closed_at.utcoffset() is None:
            raise ValueError("a trade needs moments with a zone")
        if self.closed_at.astimezone(UTC) < self.opened_at.astimezone(UTC):
            raise ValueError("a trade cannot close before it opens")
        if self.risk is not None and self.risk <= 0:
            raise ValueError("what is at stake is above zero, or not known")
        if any(reached is not None and reached < 0 for reached in (self.mae, self.mfe)):
            raise ValueError("excursions are distances: zero or above")


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What all trades came to. Profit and loss are sums of net results; costs are in them already."""

    n: int
    net: Decimal
    gross_profit: Decimal
    gross_loss: Decimal  # zero or above
    costs: Decimal
    profit_factor: Figure
    payoff: Figure  # the average win divided by the average loss
    expectancy: Figure  # per trade, in money
    expectancy_r: Figure  # per trade of which the risk is known, in R


@dataclass(frozen=True, slots=True, kw_only=True)
class WinRate:
    """The share of won trades among those that were won or lost, with Wilson's interval, which holds for few too."""

    wins: int
    losses: int
    scratches: int
    share: Figure
    low: Decimal  # 0 and 1 where nothing was won or lost: it can be anything
    high: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Streaks:
    """Runs of wins and of losses in the order of closing. A scratch neither ends nor lengthens one."""

    longest_wins: int
    longest_losses: int
    now: int  # the last one: above zero of wins, below zero of losses


@dataclass(frozen=True, slots=True, kw_only=True)
class Excursions:
    """How far trades went against us and for us before they closed, where that is known."""

    mae: Figure
    worst: Decimal | None
    mfe: Figure
    best: Decimal | None
    mae_of_wins: Figure  # the pain that winners needed: a stop inside it would have cost them
    mfe_of_losses: Figure  # what losers had shown: a target inside it would have saved them


def in_order(trades: Iterable[ClosedTrade]) -> list[ClosedTrade]:
    """Sort trades by closing, and those of one moment by what they are, so that no order of input can matter."""
    return sorted(
        trades,
        key=lambda t: (
            *(t.closed_at.astimezone(UTC), t.opened_at.astimezone(UTC)),
            *(t.account, t.strategy, t.symbol, t.side, t.profit, t.quantity, t.entry, t.exit),
        ),
    )


@precisely
def result(trades: Sequence[ClosedTrade]) -> Result:
    """Sum up what trades came to."""
    n = len(trades)
    wins = [trade.profit for trade in trades if trade.profit > 0]
    losses = [-trade.profit for trade in trades if trade.profit < 0]
    won, lost = total(wins), total(losses)
    in_r = [trade.profit / trade.risk for trade in trades if trade.risk is not None]
    nothing_lost = Undefined(n=n, why="no losing trade" if n else "no trade")
    return Result(
        n=n,
        net=total(trade.profit for trade in trades),
        gross_profit=won,
        gross_loss=lost,
        costs=total(trade.costs for trade in trades),
        profit_factor=Known(value=won / lost, n=n) if losses else nothing_lost,
        payoff=_payoff(wins, losses) if losses else nothing_lost,
        expectancy=average([trade.profit for trade in trades], else_="no trade"),
        expectancy_r=average(in_r, else_="no trade with a known risk"),
    )


def _payoff(wins: Sequence[Decimal], losses: Sequence[Decimal]) -> Figure:
    n = len(wins) + len(losses)
    if not wins:
        return Undefined(n=n, why="no winning trade")
    return Known(value=mean(wins) / mean(losses), n=n)


@precisely
def average(values: Sequence[Decimal], *, else_: str) -> Figure:
    """Return the mean with its n, or say why there is none."""
    return Known(value=mean(values), n=len(values)) if values else Undefined(n=0, why=else_)


@precisely
def win_rate(trades: Iterable[ClosedTrade], *, z: Decimal = Z_95) -> WinRate:
    """Return the share of wins with Wilson's score interval (E. B. Wilson, 1927).

    (p + z2/2n -+ z sqrt(p (1 - p) / n + z2/4n2)) / (1 + z2/n), with z2 the square of z.
    """
    profits = [trade.profit for trade in trades]
    wins = sum(profit > 0 for profit in profits)
    losses = sum(profit < 0 for profit in profits)
    scratches, n = len(profits) - wins - losses, wins + losses
    if not n:
        share: Figure = Undefined(n=0, why="no trade that was won or lost")
        return WinRate(wins=0, losses=0, scratches=scratches, share=share, low=ZERO, high=ONE)
    p, square = Decimal(wins) / n, z * z
    middle = p + square / (2 * n)
    reach = z * (p * (ONE - p) / n + square / (4 * n * n)).sqrt()
    whole = ONE + square / n
    # At the ends the formula gives exactly 0 and 1, and rounding a root might not.
    low = (middle - reach) / whole if wins else ZERO
    high = (middle + reach) / whole if losses else ONE
    return WinRate(wins=wins, losses=losses, scratches=scratches, share=Known(value=p, n=n), low=low, high=high)


def streaks(trades: Iterable[ClosedTrade]) -> Streaks:
    """Find the longest runs of wins and losses, and the one that stands now."""
    now = most = least = 0
    for trade in in_order(trades):
        if trade.profit > 0:
            now = max(now, 0) + 1
        elif trade.profit < 0:
            now = min(now, 0) - 1
        most, least = max(most, now), min(least, now)
    return Streaks(longest_wins=most, longest_losses=-least, now=now)


def excursions(trades: Sequence[ClosedTrade]) -> Excursions:
    """Sum up how far trades went either way."""
    mae = [trade.mae for trade in trades if trade.mae is not None]
    mfe = [trade.mfe for trade in trades if trade.mfe is not None]
    unknown = "no trade with a known excursion"
    return Excursions(
        mae=average(mae, else_=unknown),
        worst=max(mae, default=None),
        mfe=average(mfe, else_=unknown),
        best=max(mfe, default=None),
        mae_of_wins=average([t.mae for t in trades if t.profit > 0 and t.mae is not None], else_=unknown),
        mfe_of_losses=average([t.mfe for t in trades if t.profit < 0 and t.mfe is not None], else_=unknown),
    )


@precisely
def exposure(trades: Iterable[ClosedTrade], *, begins: datetime, ends: datetime) -> Figure:
    """Return the share of a span of time in which a position was open; two that were open at once count once.

    Measured in UTC: between two moments of one zone, datetime would count hours on the wall.
    """
    first, last = begins.astimezone(UTC), ends.astimezone(UTC)
    spans = sorted(
        (max(trade.opened_at.astimezone(UTC), first), min(trade.closed_at.astimezone(UTC), last)) for trade in trades
    )
    if last <= first:
        return Undefined(n=len(spans), why="no time has passed")
    open_, until = _NO_TIME, first
    for opened, closed in spans:
        if closed > until:
            open_ += closed - max(opened, until)
            until = closed
    return Known(value=_micros(open_) / _micros(last - first), n=len(spans))


def _micros(span: timedelta) -> Decimal:
    return Decimal(span // timedelta(microseconds=1))

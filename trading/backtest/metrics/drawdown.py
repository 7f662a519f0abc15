"""Drawdown: how far an equity curve fell below what it had reached, and how long it stayed there."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from mikrobot_platform.kernel.money import EXACT
from trading.backtest.metrics.figures import ZERO, precisely
from trading.backtest.metrics.trades import ClosedTrade, in_order

_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True, kw_only=True)
class EquityPoint:
    """What an account was worth at a moment."""

    at: datetime
    equity: Decimal

    def __post_init__(self) -> None:
        if self.at.utcoffset() is None:
            raise ValueError("an equity curve needs moments with a zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawdown:
    """The deepest fall in money, the deepest in percent (often another one), and the longest time under water."""

    depth: Decimal
    percent: Decimal  # of the high before it; falls from a high that is not above zero have none
    peak_at: datetime  # the last moment at the high before the deepest fall
    trough_at: datetime
    duration: timedelta  # the longest from a high to the next moment at or above it, or to the end
    is_over: bool  # the curve ends at its high


def curve(points: Iterable[EquityPoint]) -> list[EquityPoint]:
    """Put points in order of time, in UTC; refuse an empty curve, and two values at one moment."""
    ordered = sorted(
        (EquityPoint(at=point.at.astimezone(UTC), equity=point.equity) for point in points), key=lambda point: point.at
    )
    if not ordered:
        raise ValueError("a curve has at least one point")
    if any(one.at == next_.at for one, next_ in pairwise(ordered)):
        raise ValueError("an account cannot be worth two amounts at one moment")
    return ordered


def equity_of(trades: Iterable[ClosedTrade], *, capital: Decimal, begins: datetime) -> list[EquityPoint]:
    """Build the curve of what was realised. What was open in between is not in it, so it shows too little drawdown."""
    start = begins.astimezone(UTC)
    worth = {start: capital}
    for trade in in_order(trades):
        at = trade.closed_at.astimezone(UTC)
        if at < start:
            raise ValueError("a trade closed before the curve begins")
        capital = worth[at] = EXACT.add(capital, trade.profit)
    return [EquityPoint(at=at, equity=equity) for at, equity in worth.items()]


@precisely
def drawdown(points: Sequence[EquityPoint]) -> Drawdown:
    """Find the deepest fall and the longest time under water.

    Time under water runs from the last moment at a high to the first one back at it or above, and to the end of the
    curve when there is none: what has not recovered is not left out.
    """
    ordered = curve(points)
    high = ordered[0]
    depth = percent = ZERO
    peak_at = trough_at = high.at
    duration = timedelta(0)
    is_under = False
    for point in ordered[1:]:
        was_under, is_under = is_under, point.equity < high.equity
        if was_under or is_under:
            duration = max(duration, point.at - high.at)
        if not is_under:
            high = point
            continue
        fall = high.equity - point.equity
        if fall > depth:
            depth, peak_at, trough_at = fall, high.at, point.at
        if high.equity > 0:
            percent = max(percent, _HUNDRED * fall / high.equity)
    return Drawdown(
        depth=depth,
        percent=percent,
        peak_at=peak_at,
        trough_at=trough_at,
        duration=duration,
        is_over=not is_under,
    )

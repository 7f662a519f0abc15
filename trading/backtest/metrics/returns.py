"""Ratios of return to risk, on DAILY returns in the account's own zone. A ratio per trade would reward trading often.

A day is a trading day, Monday to Friday: what happens on a weekend belongs to the Monday after it, so that an evening
of futures or a night of coins is neither lost nor a day of its own. Days on which nothing happened count, with zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.backtest.metrics.drawdown import EquityPoint, curve, drawdown
from trading.backtest.metrics.figures import (
    ENOUGH,
    ONE,
    ZERO,
    Figure,
    Known,
    NotEnough,
    Undefined,
    deviation,
    mean,
    precisely,
)

DAYS_PER_YEAR = 252  # trading days, as everybody annualises
_DAY = timedelta(days=1)
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyReturn:
    """By what share of itself an account grew on one trading day."""

    day: date
    value: Decimal


def trading_day(at: datetime, zone: ZoneInfo) -> date:
    """Tell to which trading day a moment belongs; a weekend belongs to Monday."""
    return _not_weekend(at.astimezone(zone).date())


@precisely
def daily_returns(points: Iterable[EquityPoint], *, zone: ZoneInfo) -> list[DailyReturn]:
    """Return one value per trading day, from close to close, in order.

    The first day counts when the curve says with what it began and with what it ended: with two points or more. Once
    nothing is left of an account there is nothing to have returns on: the day on which it was lost is the last one.
    """
    closes: dict[date, Decimal] = {}
    ordered = curve(points)
    first = trading_day(ordered[0].at, zone)
    is_first_told = len(ordered) > 1 and trading_day(ordered[1].at, zone) == first
    for point in ordered:
        closes[trading_day(point.at, zone)] = point.equity
    before = ordered[0].equity if is_first_told else closes[first]
    day = first if is_first_told else _next(first)
    last = max(closes)
    found: list[DailyReturn] = []
    while day <= last and before > 0:
        close = closes.get(day, before)
        found.append(DailyReturn(day=day, value=close / before - ONE))
        before, day = close, _next(day)
    return found


def _next(day: date) -> date:
    return _not_weekend(day + _DAY)


def _not_weekend(day: date) -> date:
    return day + (7 - day.weekday()) * _DAY if day.weekday() >= _SATURDAY else day


@precisely
def sharpe(returns: Sequence[DailyReturn], *, risk_free: Decimal = ZERO, days_per_year: int = DAYS_PER_YEAR) -> Figure:
    """Return the Sharpe ratio: mean excess over its deviation (n - 1), times the root of days per year.

    RISK_FREE is per year; a day has its share of it.
    """
    if len(returns) < ENOUGH:
        return NotEnough(n=len(returns))
    excess = _excess(returns, risk_free, days_per_year)
    spread = deviation(excess)
    if not spread:
        return Undefined(n=len(excess), why="every day was the same")
    return Known(value=mean(excess) / spread * Decimal(days_per_year).sqrt(), n=len(excess))


@precisely
def sortino(returns: Sequence[DailyReturn], *, risk_free: Decimal = ZERO, days_per_year: int = DAYS_PER_YEAR) -> Figure:
    """Return the Sortino ratio: mean excess over the root mean square of shortfalls, times the root of days per year.

    Shortfalls are averaged over ALL days, good ones with zero: over bad days alone it would be another figure, which
    does not improve when bad days become rare.
    """
    if len(returns) < ENOUGH:
        return NotEnough(n=len(returns))
    excess = _excess(returns, risk_free, days_per_year)
    short = mean([min(value, ZERO) ** 2 for value in excess]).sqrt()
    if not short:
        return Undefined(n=len(excess), why="no losing day")
    return Known(value=mean(excess) / short * Decimal(days_per_year).sqrt(), n=len(excess))


def _excess(returns: Sequence[DailyReturn], risk_free: Decimal, days_per_year: int) -> list[Decimal]:
    share = risk_free / days_per_year
    return [one.value - share for one in returns]


@precisely
def calmar(points: Sequence[EquityPoint], *, zone: ZoneInfo, days_per_year: int = DAYS_PER_YEAR) -> Figure:
    """Return the Calmar ratio over the whole curve: compound growth per year over the deepest fall, both in percent.

    (end / start) ** (days per year / days) - 1. The fall is that of all points, not of daily closes.
    """
    returns = daily_returns(points, zone=zone)
    if len(returns) < ENOUGH:
        return NotEnough(n=len(returns))
    deepest = drawdown(points).percent
    if not deepest:
        return Undefined(n=len(returns), why="no drawdown")
    growth = ONE
    for one in returns:
        growth *= ONE + one.value
    yearly = growth ** (Decimal(days_per_year) / len(returns)) if growth > 0 else ZERO
    return Known(value=100 * (yearly - ONE) / deepest, n=len(returns))

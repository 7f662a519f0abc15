"""All metrics of one list of trades and its equity curve, measured at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.backtest.metrics import returns
from trading.backtest.metrics.attribution import Attribution, attribution
from trading.backtest.metrics.drawdown import Drawdown, EquityPoint, curve, drawdown
from trading.backtest.metrics.figures import ZERO, Figure
from trading.backtest.metrics.odds import risk_of_ruin
from trading.backtest.metrics.overfit import probabilistic_sharpe
from trading.backtest.metrics.trades import (
    ClosedTrade,
    Excursions,
    Result,
    Streaks,
    WinRate,
    excursions,
    exposure,
    in_order,
    result,
    streaks,
    win_rate,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """How trading went."""

    result: Result
    win_rate: WinRate
    streaks: Streaks
    excursions: Excursions
    exposure: Figure  # the share of the curve's time with an open position
    drawdown: Drawdown
    sharpe: Figure
    sortino: Figure
    calmar: Figure
    probabilistic_sharpe: Figure  # that the true Sharpe ratio is above zero
    risk_of_ruin: Figure
    attribution: Attribution


def measure(
    trades: Iterable[ClosedTrade],
    equity: Iterable[EquityPoint],
    *,
    zone: ZoneInfo,
    may_lose: Decimal | None = None,
    risk_free: Decimal = ZERO,
    days_per_year: int = returns.DAYS_PER_YEAR,
) -> Metrics:
    """Measure closed trades and their equity curve, in whatever order they come.

    ZONE is the account's: its days and hours. MAY_LOSE is what counts as ruin, the room to a program's floor for
    example; without it, all that the curve begins with.
    """
    ordered, points = in_order(trades), curve(equity)
    daily = returns.daily_returns(points, zone=zone)
    capital = points[0].equity if may_lose is None else may_lose
    return Metrics(
        result=result(ordered),
        win_rate=win_rate(ordered),
        streaks=streaks(ordered),
        excursions=excursions(ordered),
        exposure=exposure(ordered, begins=points[0].at, ends=points[-1].at),
        drawdown=drawdown(points),
        sharpe=returns.sharpe(daily, risk_free=risk_free, days_per_year=days_per_year),
        sortino=returns.sortino(daily, risk_free=risk_free, days_per_year=days_per_year),
        calmar=returns.calmar(points, zone=zone, days_per_year=days_per_year),
        probabilistic_sharpe=probabilistic_sharpe([one.value for one in daily]),
        risk_of_ruin=risk_of_ruin([trade.profit for trade in ordered], capital=capital),
        attribution=attribution(ordered, zone=zone),
    )

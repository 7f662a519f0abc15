"""Ratios on daily returns, the odds of ruin and of luck: by hand, and beside calculations that share no code."""

from __future__ import annotations

import math
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from statistics import NormalDist, fmean, mean, pstdev, stdev
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest.metrics.drawdown import EquityPoint, equity_of
from trading.backtest.metrics.figures import Figure, Known, NotEnough, Undefined
from trading.backtest.metrics.normal import below, value_above
from trading.backtest.metrics.odds import risk_of_ruin
from trading.backtest.metrics.overfit import Shape, best_by_luck, deflated_sharpe, probabilistic_sharpe, shape
from trading.backtest.metrics.report import measure
from trading.backtest.metrics.returns import DailyReturn, calmar, daily_returns, sharpe, sortino, trading_day
from trading.tests.metrics.recorded_lists import NAMES, UNHURRIED, Recorded, agree, recorded

CHICAGO, LONDON, UTC_ZONE = ZoneInfo("America/Chicago"), ZoneInfo("Europe/London"), ZoneInfo("UTC")
MONDAY = date(2025, 6, 2)


def value(figure: Figure) -> Decimal:
    assert isinstance(figure, Known), figure
    return figure.value


def point(text: str, equity: str) -> EquityPoint:
    return EquityPoint(at=datetime.fromisoformat(f"{text}+00:00"), equity=Decimal(equity))


def days(*values: str) -> list[DailyReturn]:
    return [DailyReturn(day=MONDAY + timedelta(days=n), value=Decimal(one)) for n, one in enumerate(values)]


# --- Days ------------------------------------------------------------------------------------------------------------
def test_days_end_in_the_accounts_zone_and_weekends_belong_to_monday() -> None:
    points = [
        point("2025-06-05 12:00", "100"),
        point("2025-06-06 04:59", "110"),  # still Thursday in Chicago
        point("2025-06-06 05:00", "121"),  # Friday
        point("2025-06-07 12:00", "242"),  # Saturday
        point("2025-06-08 23:00", "121"),  # Sunday evening
        point("2025-06-10 12:00", "60.5"),
    ]
    found = [(one.day.isoformat(), one.value) for one in daily_returns(points, zone=CHICAGO)]
    assert found == [
        ("2025-06-05", Decimal("0.1")), ("2025-06-06", Decimal("0.1")), ("2025-06-09", Decimal(0)),
        ("2025-06-10", Decimal("-0.5")),
    ]  # fmt: skip


def test_the_day_changes_with_the_clock() -> None:
    moment = datetime(2025, 3, 31, 23, 30, tzinfo=UTC)  # 00:30 in London's summer
    assert trading_day(moment, LONDON) == date(2025, 4, 1)
    assert trading_day(moment - timedelta(days=4), LONDON) == date(2025, 3, 27)


def test_a_curve_of_daily_closes_has_no_return_on_its_first_day() -> None:
    found = daily_returns([point("2025-06-02 21:00", "100"), point("2025-06-03 21:00", "101")], zone=UTC_ZONE)
    assert [one.value for one in found] == [Decimal("0.01")]
    assert daily_returns([point("2025-06-02 21:00", "100")], zone=UTC_ZONE) == []


def test_when_nothing_is_left_days_end() -> None:
    points = [point(f"2025-06-0{day} 12:00", equity) for day, equity in ((2, "100"), (3, "-20"), (4, "5"))]
    assert [one.value for one in daily_returns(points, zone=UTC_ZONE)] == [Decimal("-1.2")]


# --- Ratios ----------------------------------------------------------------------------------------------------------
def test_ratios_by_hand() -> None:
    """+2 % and -1 % in turn: mean 0.5 %, deviation 1.5 % x root(30/29), shortfall 1 % / root(2)."""
    returns = days(*["0.02", "-0.01"] * 15)
    assert agree(value(sharpe(returns)), math.sqrt(252) / 3 * math.sqrt(29 / 30))
    assert agree(value(sortino(returns)), math.sqrt(252) / math.sqrt(2))
    assert agree(value(sortino(returns, risk_free=Decimal("1.26"))), 0)  # 0.5 % a day: nothing is left of the mean


def test_calmar_by_hand() -> None:
    """Half is lost and regained, then 10 %: over 252 days that is 10 % a year against 50 %."""
    equities = ["100"] * 2 + ["50"] * 100 + ["100"] * 100 + ["110"] * 51
    weekdays = [day for day in (MONDAY + timedelta(days=n) for n in range(400)) if day.weekday() < 5]
    points = [
        EquityPoint(at=datetime(day.year, day.month, day.day, 12, tzinfo=UTC), equity=Decimal(equity))
        for day, equity in zip(weekdays, equities, strict=False)
    ]
    found = calmar(points, zone=UTC_ZONE)
    assert isinstance(found, Known)
    assert (agree(found.value, Fraction(1, 5)), found.n) == (True, 252)


@pytest.mark.parametrize("n", [0, 1, 29])
def test_under_thirty_there_is_never_a_number(n: int) -> None:
    returns = days(*["0.01", "-0.02"] * 15)[:n]
    values = [one.value for one in returns]
    few = NotEnough(n=n, needed=30)
    assert sharpe(returns) == sortino(returns) == few
    assert risk_of_ruin(values, capital=Decimal(1)) == probabilistic_sharpe(values) == shape(values) == few
    assert str(few) == f"not enough data ({n} of 30)"


def test_what_has_no_meaning_says_why() -> None:
    flat, rising = days(*["0.01"] * 30), days(*["0.01", "0.02"] * 15)
    assert sharpe(flat) == Undefined(n=30, why="every day was the same")
    assert sortino(rising) == Undefined(n=30, why="no losing day")
    assert shape([one.value for one in flat]) == Undefined(n=30, why="every return was the same")
    assert risk_of_ruin([one.value for one in rising], capital=Decimal(1)) == Undefined(n=30, why="no losing trade")
    begins = datetime(2025, 6, 2, tzinfo=UTC)
    points = [EquityPoint(at=begins + timedelta(days=n), equity=Decimal(100 + n)) for n in range(60)]
    assert calmar(points, zone=UTC_ZONE) == Undefined(n=43, why="no drawdown")


# --- Odds ------------------------------------------------------------------------------------------------------------
def test_risk_of_ruin_by_hand() -> None:
    """+2 R and -1 R in turn: drift 0.5, variance 2.25 x 30/29; exp(-10 / that) with ten R to lose."""
    results = [Decimal(one) for one in [2, -1] * 15]
    assert agree(value(risk_of_ruin(results, capital=Decimal(10))), math.exp(-10 / (2.25 * 30 / 29)))
    assert value(risk_of_ruin([-one for one in results], capital=Decimal(10))) == 1
    with pytest.raises(ValueError, match="ruin"):
        risk_of_ruin(results, capital=Decimal(0))


def test_risk_of_ruin_is_near_what_happens() -> None:
    """Small steps, a far wall: ruin comes about as often as the formula says."""
    chance, up, ruined, runs = random.Random(7), 0.55, 0, 2000
    for _ in range(runs):
        at = 0
        while -10 < at < 60:  # from 60 it comes back in less than one of 10,000
            at += 1 if chance.random() < up else -1
        ruined += at <= -10
    found = value(risk_of_ruin([Decimal(1)] * 550 + [Decimal(-1)] * 450, capital=Decimal(10)))
    assert abs(ruined / runs - float(found)) < 0.03


@pytest.mark.parametrize("x", ["-13.9", "-8", "-3.25", "-1", "-0.001", "0", "0.5", "1.96", "6", "13.9", "20", "-20"])
def test_the_normal_distribution(x: str) -> None:
    theirs = 0.5 * math.erfc(-float(x) / math.sqrt(2))
    assert abs(float(below(Decimal(x))) - theirs) < 1e-15


@pytest.mark.parametrize("share", ["0.0000001", "0.025", "0.3", "0.5", "0.975", "0.999999"])
def test_the_inverse_of_the_normal_distribution(share: str) -> None:
    assert agree(value_above(Decimal(share)), NormalDist().inv_cdf(float(share)))
    assert abs(below(value_above(Decimal(share))) - Decimal(share)) < Decimal("1e-28")


@pytest.mark.parametrize("share", ["0", "1", "-1"])
def test_no_value_holds_all_or_nothing(share: str) -> None:
    with pytest.raises(ValueError, match="share"):
        value_above(Decimal(share))


def theirs(returns: list[float], benchmark: float) -> float:
    middle, deviation = fmean(returns), pstdev(returns)
    ratio = middle / stdev(returns)
    skew = fmean([((one - middle) / deviation) ** 3 for one in returns])
    kurtosis = fmean([((one - middle) / deviation) ** 4 for one in returns])
    spread = math.sqrt(1 - skew * ratio + (kurtosis - 1) / 4 * ratio**2)
    return NormalDist().cdf((ratio - benchmark) * math.sqrt(len(returns) - 1) / spread)


def test_the_more_was_tried_the_less_the_best_is_worth() -> None:
    returns = [Decimal(one) / 1000 for one in [9, -4, 2, -3, 5, -6, 8, 1, -2, 4] * 12]
    tried = [Decimal(one) / 100 for one in range(-20, 21)]
    e, g, normal = math.e, 0.5772156649015329, NormalDist()
    luck = stdev(map(float, tried)) * ((1 - g) * normal.inv_cdf(1 - 1 / 41) + g * normal.inv_cdf(1 - 1 / (41 * e)))
    assert agree(best_by_luck(tried), luck)
    floats = [float(one) for one in returns]
    assert agree(value(probabilistic_sharpe(returns)), theirs(floats, 0.0))
    assert agree(value(deflated_sharpe(returns, tried=tried)), theirs(floats, luck))
    assert deflated_sharpe(returns, tried=tried[:1]) == probabilistic_sharpe(returns)
    assert value(deflated_sharpe(returns, tried=tried * 10)) < value(deflated_sharpe(returns, tried=tried))


def test_the_shape_of_two_values() -> None:
    """+1 and -1 in turn: no skew, and the least kurtosis that there is."""
    found = shape([Decimal(1), Decimal(-1)] * 20)
    assert isinstance(found, Shape)
    assert (found.sharpe, found.skew, found.kurtosis) == (Decimal(0), Decimal(0), Decimal(1))
    assert value(probabilistic_sharpe([Decimal(1), Decimal(-1)] * 20)) == Decimal("0.5")


# --- Recorded lists, calculated again --------------------------------------------------------------------------------
def returns_of(list_: Recorded) -> list[Fraction]:
    """Build daily returns from bare rows: each day's profit over what there was before it."""
    by_day: dict[date, Fraction] = {}
    for row in list_.rows:
        day = datetime.fromisoformat(row["closed_at"]).astimezone(list_.zone).date()
        while day.weekday() > 4:
            day += timedelta(days=1)
        by_day[day] = by_day.get(day, Fraction(0)) + Fraction(row["profit"])
    first = list_.begins.astimezone(list_.zone).date()
    while first.weekday() > 4:
        first += timedelta(days=1)
    found, worth = [], Fraction(list_.capital)
    for n in range((max(by_day) - first).days + 1):
        day = first + timedelta(days=n)
        if day.weekday() < 5 and (day > first or day in by_day):
            found.append(by_day.get(day, Fraction(0)) / worth)
            worth += by_day.get(day, Fraction(0))
    return found


@pytest.mark.parametrize("name", NAMES)
def test_ratios_and_odds_of_a_recorded_list(name: str) -> None:
    list_ = recorded(name)
    equity = equity_of(list_.trades, capital=list_.capital, begins=list_.begins)
    found = measure(list_.trades, equity, zone=list_.zone, risk_free=Decimal("0.02"), may_lose=Decimal(3000))
    returns = returns_of(list_)
    n, excess = len(returns), [one - Fraction(2, 100) / 252 for one in returns]
    assert n >= 30
    assert {found.sharpe.n, found.sortino.n, found.calmar.n, found.probabilistic_sharpe.n} == {n}
    assert agree(value(found.sharpe), float(mean(excess)) / stdev(map(float, excess)) * math.sqrt(252))
    short = mean([min(one, Fraction(0)) ** 2 for one in excess])
    assert agree(value(found.sortino), float(mean(excess)) / math.sqrt(short) * math.sqrt(252))
    growth = 1 + sum(list_.profits) / Fraction(list_.capital)
    yearly = 100 * (math.exp(math.log(growth) * 252 / n) - 1)
    assert agree(value(found.calmar), yearly / float(found.drawdown.percent))
    assert agree(value(found.probabilistic_sharpe), theirs([float(one) for one in returns], 0.0))
    drift = float(mean(list_.profits))
    ruin = math.exp(-2 * drift * 3000 / stdev(map(float, list_.profits)) ** 2) if drift > 0 else 1
    assert agree(value(found.risk_of_ruin), ruin)


@pytest.mark.parametrize("name", NAMES)
def test_a_report_does_not_depend_on_the_order_of_its_input(name: str) -> None:
    list_ = recorded(name)
    equity = equity_of(list_.trades, capital=list_.capital, begins=list_.begins)
    found = measure(list_.trades, equity, zone=list_.zone)
    assert measure(reversed(list_.trades), reversed(equity), zone=list_.zone) == found
    assert found.result.net == equity[-1].equity - equity[0].equity


def test_a_report_of_nothing_says_so_everywhere() -> None:
    found = measure([], [point("2025-06-02 12:00", "100")], zone=UTC_ZONE)
    assert (found.result.n, found.result.net, found.drawdown.depth) == (0, Decimal(0), Decimal(0))
    figures = [
        found.sharpe,
        found.sortino,
        found.calmar,
        found.risk_of_ruin,
        found.probabilistic_sharpe,
        found.exposure,
    ]
    assert not any(isinstance(one, Known) for one in figures)


# --- What must always hold -------------------------------------------------------------------------------------------
thousandths = st.integers(-50, 50).map(lambda one: Decimal(one) / 1000)


@UNHURRIED
@given(st.lists(thousandths, min_size=30, max_size=60))
def test_odds_are_odds_and_ratios_have_the_sign_of_the_mean(values: list[Decimal]) -> None:
    returns = days(*map(str, values))
    for odds in (probabilistic_sharpe(values), risk_of_ruin(values, capital=Decimal("0.1"))):
        assert not isinstance(odds, Known) or 0 <= odds.value <= 1
    for ratio in (sharpe(returns), sortino(returns)):
        if isinstance(ratio, Known):
            assert (ratio.value > 0) == (sum(values) > 0)
            assert ratio.n == len(values)


@UNHURRIED
@given(st.lists(st.integers(1, 10_000), min_size=2, max_size=40), st.integers(0, 10))
def test_daily_returns_compound_to_the_whole(equities: list[int], hours: int) -> None:
    points = [
        EquityPoint(at=datetime(2025, 6, 2, tzinfo=UTC) + n * timedelta(hours=hours + 1), equity=Decimal(equity))
        for n, equity in enumerate(equities)
    ]
    found = daily_returns(points, zone=UTC_ZONE)
    assert all(one.day.weekday() < 5 for one in found)
    whole = math.prod((1 + Fraction(one.value) for one in found), start=Fraction(1))
    assert agree_in_parts(whole, Fraction(equities[-1], equities[0]))


def agree_in_parts(one: Fraction, other: Fraction) -> bool:
    return abs(one / other - 1) < Fraction(1, 10**40)

"""How deep and how long an account was under water, and where its result came from, to the cent."""

from __future__ import annotations

import random
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest.metrics.attribution import SESSIONS, Share, attribution, session_of
from trading.backtest.metrics.drawdown import EquityPoint, curve, drawdown, equity_of
from trading.backtest.metrics.trades import ClosedTrade, in_order, result
from trading.tests.metrics.recorded_lists import NAMES, START, UNHURRIED, agree, in_a_row, recorded, trade

HOUR = timedelta(hours=1)
HELSINKI = ZoneInfo("Europe/Helsinki")


def points(*equities: int) -> list[EquityPoint]:
    return [EquityPoint(at=START + hour * HOUR, equity=Decimal(one)) for hour, one in enumerate(equities)]


# --- Drawdown --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("equities", "depth", "percent", "hours", "is_over"),
    [
        ((100,), 0, 0, 0, True),
        ((100, 110, 120), 0, 0, 0, True),
        ((100, 90), 10, 10, 1, False),
        ((100, 100, 90, 95, 100), 10, 10, 3, True),
        ((100, 120, 90, 150, 120, 151), 30, 25, 2, True),
        # Deepest in percent is the first fall, in money the second, and the third is the longest.
        ((100, 50, 1000, 900, 1000, 990, 990, 990), 100, 50, 3, False),
        ((0, -50, 10), 50, 0, 2, True),
    ],
)
def test_drawdown_by_hand(equities: tuple[int, ...], depth: int, percent: int, hours: int, is_over: bool) -> None:
    found = drawdown(points(*equities))
    assert (found.depth, found.percent) == (Decimal(depth), Decimal(percent))
    assert (found.duration, found.is_over) == (hours * HOUR, is_over)


def test_a_drawdown_says_where_it_was() -> None:
    found = drawdown(points(100, 120, 120, 90, 95, 130))
    assert (found.peak_at, found.trough_at) == (START + 2 * HOUR, START + 3 * HOUR)


@pytest.mark.parametrize("told", [[], [*points(100), *points(100)]])
def test_a_curve_that_cannot_be_is_refused(told: list[EquityPoint]) -> None:
    with pytest.raises(ValueError, match=r"curve|worth"):
        curve(told)


def test_moments_need_a_zone_and_trades_a_beginning() -> None:
    with pytest.raises(ValueError, match="zone"):
        EquityPoint(at=datetime(2026, 3, 2), equity=Decimal(1))
    with pytest.raises(ValueError, match="before"):
        equity_of(in_a_row("1"), capital=Decimal(1), begins=START + 9 * HOUR)


def test_trades_that_close_together_are_one_step_of_the_curve() -> None:
    trades = [trade("5"), trade("-7"), trade("1", opens=1)]
    found = equity_of(trades, capital=Decimal(100), begins=START)
    assert [(point.at - START, point.equity) for point in found] == [
        (0 * HOUR, Decimal(100)), (HOUR / 2, Decimal(98)), (HOUR * 1.5, Decimal(99)),
    ]  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_drawdown_of_a_recorded_list(name: str) -> None:
    """Compare every pair of moments: no running high, no state."""
    list_ = recorded(name)
    rows = sorted((datetime.fromisoformat(row["closed_at"]), Fraction(row["profit"])) for row in list_.rows)
    worth = [(list_.begins, Fraction(list_.capital))]
    for at, profit in rows:
        worth.append((at, worth[-1][1] + profit))
    pairs = [(one, later) for i, one in enumerate(worth) for later in worth[i + 1 :]]
    depth = max(one[1] - later[1] for one, later in pairs)
    percent = max(100 * (one[1] - later[1]) / one[1] for one, later in pairs)
    found = drawdown(equity_of(list_.trades, capital=list_.capital, begins=list_.begins))
    assert Fraction(found.depth) == depth > 0
    assert agree(found.percent, percent)
    highs = [i for i, (_, equity) in enumerate(worth) if all(equity >= before for _, before in worth[:i])]
    spans = [(i, j) for i, j in zip(highs, [*highs[1:], len(worth) - 1], strict=True) if j > i]
    under = [worth[j][0] - worth[i][0] for i, j in spans if any(e < worth[i][1] for _, e in worth[i + 1 : j + 1])]
    assert found.duration == max(under)


@UNHURRIED
@given(st.lists(st.integers(-1000, 1000), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_a_drawdown_is_never_below_zero_nor_deeper_than_the_range(told: list[int], chance: random.Random) -> None:
    given_ = points(*told)
    found = drawdown(given_)
    assert 0 <= found.depth <= max(told) - min(told)
    assert found.percent >= 0
    assert (found.depth == 0) == (told == sorted(told)) == (found.duration == timedelta(0))
    assert found.peak_at <= found.trough_at
    assert found.duration <= (len(told) - 1) * HOUR
    assert drawdown(chance.sample(given_, len(given_))) == found


# --- Attribution -----------------------------------------------------------------------------------------------------
def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.mark.parametrize(
    ("moment", "session"),
    [
        # Winter everywhere.
        ("2025-01-15 07:59", "Tokyo"), ("2025-01-15 08:00", "London"), ("2025-01-15 12:59", "London"),
        ("2025-01-15 13:00", "London + New York"), ("2025-01-15 16:00", "New York"),
        ("2025-01-15 21:00", "between sessions"), ("2025-01-15 22:59", "between sessions"),
        ("2025-01-15 23:00", "Tokyo"),
        # New York is in summer, London is not: 9 to 30 March 2025.
        ("2025-03-10 11:59", "London"), ("2025-03-10 12:00", "London + New York"),
        ("2025-03-10 20:00", "between sessions"), ("2025-03-28 07:30", "Tokyo"),
        # Both are in summer: London opens an hour before Tokyo closes.
        ("2025-03-31 06:59", "Tokyo"), ("2025-03-31 07:00", "Tokyo + London"), ("2025-03-31 08:00", "London"),
        ("2025-03-31 12:00", "London + New York"), ("2025-03-31 15:00", "New York"),
        # London is back in winter, New York is not: 26 October to 2 November 2025.
        ("2025-10-27 07:30", "Tokyo"), ("2025-10-27 12:00", "London + New York"), ("2025-11-03 12:00", "London"),
        # Monday begins in Tokyo on Sunday evening; Friday ends in New York.
        ("2025-01-19 22:59", "between sessions"), ("2025-01-19 23:00", "Tokyo"),
        ("2025-01-17 23:30", "between sessions"),
    ],
)  # fmt: skip
def test_sessions_keep_their_own_clocks(moment: str, session: str) -> None:
    assert session_of(at(moment)) == session


def test_every_session_that_can_be_is_listed() -> None:
    """Every quarter of an hour of a year."""
    year = {session_of(at("2025-01-01 00:00") + timedelta(minutes=15 * step)) for step in range(366 * 96)}
    assert year == set(SESSIONS)


def test_hours_and_weekdays_are_the_customers() -> None:
    """23:30 UTC on Sunday is Monday in Helsinki: 01:30 in winter, 02:30 in summer."""
    trades = [
        trade("5", opened_at=at("2025-03-23 23:30"), closed_at=at("2025-03-24 00:00")),
        trade("-2", opened_at=at("2025-03-30 23:30"), closed_at=at("2025-03-31 00:00")),
        trade("1", opened_at=at("2025-04-01 22:30"), closed_at=at("2025-04-02 00:00")),
    ]
    found = attribution(trades, zone=HELSINKI)
    assert [(share.name, share.net) for share in found.by_hour] == [("01", Decimal(6)), ("02", Decimal(-2))]
    assert found.by_weekday == (
        Share(name="Monday", n=2, net=Decimal(3)),
        Share(name="Wednesday", n=1, net=Decimal(1)),
    )
    assert found.by_strategy == (Share(name="one", n=3, net=Decimal(4)),)


def tables(trades: Iterable[ClosedTrade], zone: ZoneInfo) -> list[tuple[Share, ...]]:
    found = attribution(trades, zone=zone)
    return [found.by_strategy, found.by_symbol, found.by_session, found.by_hour, found.by_weekday]


@pytest.mark.parametrize("name", NAMES)
def test_attribution_of_a_recorded_list(name: str) -> None:
    list_ = recorded(name)
    net = sum(list_.profits)
    for table in tables(list_.trades, list_.zone):
        assert sum(Fraction(share.net) for share in table) == net
    for share in attribution(list_.trades, zone=list_.zone).by_symbol:
        alone = [Fraction(row["profit"]) for row in list_.rows if row["symbol"] == share.name]
        assert (Fraction(share.net), share.n) == (sum(alone), len(alone))


def test_the_list_with_clock_changes_has_overlaps_of_both_kinds() -> None:
    list_ = recorded("clock_changes")
    assert {share.name for share in attribution(list_.trades, zone=list_.zone).by_session} == set(SESSIONS)
    ordered = sorted(list_.trades, key=lambda trade: trade.opened_at)
    assert sum(a.closed_at > b.opened_at for a, b in pairwise(ordered)) > 10


def a_trade(opened: datetime, minutes: int, cents: int, strategy: str, symbol: str) -> ClosedTrade:
    closed, profit = opened + timedelta(minutes=minutes), format(Decimal(cents) / 100, "f")
    return trade(profit, opened_at=opened, closed_at=closed, strategy=strategy, symbol=symbol)


any_trade = st.builds(
    a_trade,
    st.datetimes(datetime(2024, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC)),
    st.integers(0, 9 * 24 * 60),
    st.integers(-(10**12), 10**12),
    st.sampled_from("abc"),
    st.sampled_from(["EURUSD", "MNQ"]),
)
zones = st.sampled_from(["UTC", "America/New_York", "Australia/Lord_Howe"])


@UNHURRIED
@given(st.lists(any_trade, max_size=12), zones, st.randoms(use_true_random=False))
def test_every_table_sums_to_the_net_result_to_the_cent(
    trades: list[ClosedTrade], zone: str, chance: random.Random
) -> None:
    net = result(trades).net
    found = tables(trades, ZoneInfo(zone))
    for table in found:
        assert sum((share.net for share in table), Decimal(0)) == net
        assert sum(share.n for share in table) == len(trades)
        assert len({share.name for share in table}) == len(table)
    mixed = chance.sample(trades, len(trades))
    assert tables(mixed, ZoneInfo(zone)) == found
    assert in_order(mixed) == in_order(trades)

"""What trades came to: small cases by hand, and recorded lists beside fractions."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from statistics import NormalDist, mean
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.backtest.metrics.figures import Figure, Known, Undefined
from trading.backtest.metrics.trades import excursions, exposure, result, streaks, win_rate
from trading.tests.metrics.recorded_lists import NAMES, START, UNHURRIED, agree, in_a_row, recorded, trade

cents = st.integers(-100_000, 100_000).map(lambda amount: format(Decimal(amount) / 100, "f"))


def value(figure: Figure) -> Decimal:
    assert isinstance(figure, Known)
    return figure.value


# --- By hand ---------------------------------------------------------------------------------------------------------
def test_four_trades_by_hand() -> None:
    found = result(in_a_row("100", "-50", "0", "30.50"))
    assert (found.n, found.net) == (4, Decimal("80.5"))
    assert (found.gross_profit, found.gross_loss) == (Decimal("130.5"), Decimal(50))
    assert value(found.profit_factor) == Decimal("2.61")
    assert value(found.payoff) == Decimal("1.305")
    assert value(found.expectancy) == Decimal("20.125")


def test_expectancy_in_r_counts_what_is_known_and_says_of_how_many() -> None:
    found = result([trade("100", risk=Decimal(50)), trade("-20", risk=Decimal(40)), trade("999")])
    assert found.expectancy_r == Known(value=Decimal("0.75"), n=2)
    assert isinstance(found.expectancy, Known)
    assert (agree(found.expectancy.value, Fraction(1079, 3)), found.expectancy.n) == (True, 3)


@pytest.mark.parametrize(
    ("profits", "why"), [((), "no trade"), (("1", "2"), "no losing trade"), (("0",), "no losing trade")]
)
def test_without_a_loss_there_is_no_profit_factor_and_words_say_so(profits: tuple[str, ...], why: str) -> None:
    found = result(in_a_row(*profits))
    assert found.profit_factor == found.payoff == Undefined(n=len(profits), why=why)


def test_without_a_win_the_profit_factor_is_zero_and_payoff_says_why() -> None:
    found = result(in_a_row("-1"))
    assert value(found.profit_factor) == 0
    assert found.payoff == Undefined(n=1, why="no winning trade")


def test_wilson_by_hand() -> None:
    """8 of 10: 0.4902 to 0.9433, as in every table of the interval."""
    found = win_rate(in_a_row(*["5"] * 8, *["-5"] * 2, "0"))
    assert (found.wins, found.losses, found.scratches, value(found.share)) == (8, 2, 1, Decimal("0.8"))
    assert (round(found.low, 4), round(found.high, 4)) == (Decimal("0.4902"), Decimal("0.9433"))


def test_a_win_rate_of_nothing_can_be_anything() -> None:
    found = win_rate(in_a_row("0"))
    assert isinstance(found.share, Undefined)
    assert (found.low, found.high, found.scratches) == (Decimal(0), Decimal(1), 1)


@pytest.mark.parametrize(
    ("what", "wins", "losses", "now"),
    [
        ("", 0, 0, 0), ("w", 1, 0, 1), ("l", 0, 1, -1), ("wwl", 2, 1, -1), ("llwlll", 1, 3, -3), ("wsw", 2, 0, 2),
        ("lsslw", 1, 2, 1), ("s", 0, 0, 0),
    ],
)  # fmt: skip
def test_streaks(what: str, wins: int, losses: int, now: int) -> None:
    found = streaks(in_a_row(*({"w": "1", "l": "-1", "s": "0"}[one] for one in what)))
    assert (found.longest_wins, found.longest_losses, found.now) == (wins, losses, now)


def test_excursions_by_hand() -> None:
    found = excursions(
        [
            trade("10", mae=Decimal(4), mfe=Decimal(12)),
            trade("-10", mae=Decimal(11), mfe=Decimal(6)),
            trade("-5", mae=Decimal(6)),
            trade("7"),
        ]
    )
    assert (found.mae, found.worst) == (Known(value=Decimal(7), n=3), Decimal(11))
    assert (found.mfe, found.best) == (Known(value=Decimal(9), n=2), Decimal(12))
    assert (found.mae_of_wins, found.mfe_of_losses) == (Known(value=Decimal(4), n=1), Known(value=Decimal(6), n=1))


def test_overlapping_trades_are_exposed_once_and_the_edges_are_cut_off() -> None:
    trades = [trade("1", opens=-1, minutes=90), trade("1", opens=2, minutes=60), trade("1", opens=2, minutes=30)]
    assert value(exposure(trades, begins=START, ends=START + timedelta(hours=10))) == Decimal("0.15")
    assert isinstance(exposure(trades, begins=START, ends=START), Undefined)


def test_exposure_counts_the_hour_that_a_clock_skips() -> None:
    """From 01:00 to 04:00 on the wall of Helsinki, on the last Sunday of March, two hours pass."""
    zone = ZoneInfo("Europe/Helsinki")
    opened, closed = datetime(2025, 3, 30, 1, tzinfo=zone), datetime(2025, 3, 30, 4, tzinfo=zone)
    begins = opened.astimezone(UTC)
    found = exposure([trade("1", opened_at=opened, closed_at=closed)], begins=begins, ends=begins + timedelta(hours=8))
    assert value(found) == Decimal("0.25")


@pytest.mark.parametrize(
    "given_",
    [
        {"minutes": -1}, {"risk": Decimal(0)}, {"mae": Decimal(-1)},
        {"opened_at": datetime(2026, 3, 2)}, {"closed_at": datetime(2026, 3, 2)},
    ],
)  # fmt: skip
def test_a_trade_that_cannot_be_is_refused(given_: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"trade|stake|excursions"):
        trade("1", **given_)


# --- Recorded lists, calculated again --------------------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
def test_results_of_a_recorded_list(name: str) -> None:
    list_ = recorded(name)
    profits, found = list_.profits, result(list_.trades)
    wins, losses = [p for p in profits if p > 0], [-p for p in profits if p < 0]
    assert 40 <= found.n == len(profits) <= 80
    assert Fraction(found.net) == sum(profits)
    assert Fraction(found.costs) == sum(Fraction(row["costs"]) for row in list_.rows)
    assert agree(value(found.profit_factor), sum(wins) / sum(losses))
    assert agree(value(found.payoff), mean(wins) / mean(losses))
    assert agree(value(found.expectancy), mean(profits))
    in_r = [Fraction(row["profit"]) / Fraction(row["risk"]) for row in list_.rows if row["risk"]]
    assert isinstance(found.expectancy_r, Known)
    assert (agree(found.expectancy_r.value, mean(in_r)), found.expectancy_r.n) == (True, len(in_r))


@pytest.mark.parametrize("name", NAMES)
def test_win_rate_of_a_recorded_list(name: str) -> None:
    """The ends of Wilson's interval are the roots of (p - x)2 = z2 x (1 - x) / n; solve that."""
    list_ = recorded(name)
    wins, losses = sum(p > 0 for p in list_.profits), sum(p < 0 for p in list_.profits)
    n, z = wins + losses, NormalDist().inv_cdf(0.975)
    p, a = wins / n, 1 + z * z / n
    b = -(2 * p + z * z / n)
    root = (b * b - 4 * a * p * p) ** 0.5
    found = win_rate(list_.trades)
    assert agree(value(found.share), Fraction(wins, n))
    assert agree(found.low, (-b - root) / (2 * a))
    assert agree(found.high, (-b + root) / (2 * a))


@pytest.mark.parametrize("name", NAMES)
def test_streaks_and_excursions_of_a_recorded_list(name: str) -> None:
    list_ = recorded(name)
    rows = sorted(list_.rows, key=lambda row: datetime.fromisoformat(row["closed_at"]))
    letters = "".join("w" if p > 0 else "l" for row in rows if (p := Fraction(row["profit"])))
    found = streaks(list_.trades)
    assert found.longest_wins == max(map(len, letters.split("l")))
    assert found.longest_losses == max(map(len, letters.split("w")))
    reached = excursions(list_.trades)
    for figure, key in ((reached.mae, "mae"), (reached.mfe, "mfe")):
        known = [Fraction(row[key]) for row in rows if row[key]]
        assert isinstance(figure, Known)
        assert (agree(figure.value, mean(known)), figure.n) == (True, len(known))


@pytest.mark.parametrize("name", NAMES)
def test_exposure_of_a_recorded_list(name: str) -> None:
    """Go from edge to edge and ask at each whether anything is open."""
    list_ = recorded(name)
    ends = max(trade.closed_at for trade in list_.trades)
    spans = [(datetime.fromisoformat(row["opened_at"]), datetime.fromisoformat(row["closed_at"])) for row in list_.rows]
    edges = sorted({list_.begins, *(edge for span in spans for edge in span)})
    open_ = sum(
        (later - edge for edge, later in pairwise(edges) if any(a <= edge < b for a, b in spans)),
        timedelta(0),
    )
    assert agree(value(exposure(list_.trades, begins=list_.begins, ends=ends)), Fraction(open_ / (ends - list_.begins)))


# --- What must always hold -------------------------------------------------------------------------------------------
@UNHURRIED
@given(st.lists(cents, max_size=40))
def test_streaks_are_no_longer_than_what_they_count(profits: list[str]) -> None:
    trades = in_a_row(*profits)
    found, rate = streaks(trades), win_rate(trades)
    assert (found.longest_wins > 0) == (rate.wins > 0)
    assert (found.longest_losses > 0) == (rate.losses > 0)
    assert found.longest_wins <= rate.wins
    assert found.longest_losses <= rate.losses
    assert -found.longest_losses <= found.now <= found.longest_wins
    assert rate.wins + rate.losses + rate.scratches == len(trades)


@UNHURRIED
@given(st.lists(cents, max_size=40))
def test_a_win_rate_lies_in_its_interval(profits: list[str]) -> None:
    found = win_rate(in_a_row(*profits))
    share = found.share.value if isinstance(found.share, Known) else found.low
    assert 0 <= found.low <= share <= found.high <= 1


@UNHURRIED
@given(st.lists(cents, max_size=40), st.randoms(use_true_random=False))
def test_the_order_of_input_does_not_matter(profits: list[str], chance: random.Random) -> None:
    trades = [trade(profit, opens=hour // 3) for hour, profit in enumerate(profits)]  # some close together
    mixed = chance.sample(trades, len(trades))
    assert result(mixed) == result(trades)
    assert streaks(mixed) == streaks(trades)
    assert win_rate(mixed) == win_rate(trades)

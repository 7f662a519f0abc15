"""Half of Kelly's fraction equals the hand calculation, waits for thirty trades, and stays within its cap."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict
from risk_management.kelly import LARGEST_FRACTION, MIN_TRADES, Kelly, TradeStats, half_kelly, trade_stats

D = Decimal


def stats(wins: int, losses: int, won: str, lost: str) -> TradeStats:
    return TradeStats(wins=wins, losses=losses, won=D(won), lost=D(lost))


@pytest.mark.parametrize(
    ("wins", "losses", "won", "lost", "full", "half"),
    [
        # p = 18/30 = 0.6, average win 27/18 = 1.5, average loss 12/12 = 1, b = 1.5: 0.6 - 0.4 / 1.5 = 0.333333
        (18, 12, "27", "12", "0.333333", "0.166666"),
        # p = 0.5, b = 2 / 1: 0.5 - 0.5 / 2 = 0.25
        (20, 20, "40", "20", "0.25", "0.125"),
        # p = 0.4, b = (60/40) / (54/60) = 1.5 / 0.9 = 1.666667: 0.4 - 0.6 / 1.666667 = 0.04
        (40, 60, "60", "54", "0.04", "0.02"),
        # p = 0.55, b = 1: 0.55 - 0.45 = 0.1
        (55, 45, "55", "45", "0.1", "0.05"),
    ],
)
def test_hand_calculations(wins: int, losses: int, won: str, lost: str, full: str, half: str) -> None:
    stake = half_kelly(stats(wins, losses, won, lost))
    assert isinstance(stake, Kelly)
    assert (stake.n, stake.full, stake.half) == (wins + losses, D(full), D(half))
    assert (stake.fraction, stake.is_capped) == (D(half), False)


def test_the_cap_comes_after_the_half() -> None:
    """p = 0.9, b = 2: 0.9 - 0.1 / 2 = 0.85, half 0.425, capped at 0.25; capping first would give 0.125."""
    stake = half_kelly(stats(90, 10, "180", "10"))
    assert isinstance(stake, Kelly)
    assert (stake.half, stake.fraction, stake.is_capped) == (D("0.425"), LARGEST_FRACTION, True)
    own = half_kelly(stats(90, 10, "180", "10"), cap=D("0.01"))
    assert isinstance(own, Kelly)
    assert own.fraction == D("0.01")


@pytest.mark.parametrize(
    ("found", "code", "words"),
    [
        (stats(20, 9, "40", "9"), Code.KELLY_TOO_FEW, "Skipped: not enough data, 29 of 30 settled trades."),
        (stats(0, 0, "0", "0"), Code.KELLY_TOO_FEW, "Skipped: not enough data, 0 of 30 settled trades."),
        (stats(15, 15, "15", "15"), Code.KELLY_NO_EDGE, "Skipped: the last 30 trades show no edge to bet on."),
        (stats(0, 40, "0", "40"), Code.KELLY_NO_EDGE, "Skipped: the last 40 trades show no edge to bet on."),
    ],
)
def test_too_few_trades_and_no_edge_are_skipped(found: TradeStats, code: Code, words: str) -> None:
    decision = half_kelly(found)
    assert isinstance(decision, Decision)
    assert (decision.verdict, decision.code, decision.sentence) == (Verdict.SKIPPED, code, words)


def test_without_a_loss_nobody_knows_how_large_one_is() -> None:
    decision = half_kelly(stats(40, 0, "40", "0"))
    assert isinstance(decision, Decision)
    assert decision.code is Code.KELLY_NO_LOSS
    assert decision.sentence == "Skipped: not enough data, none of 40 trades was lost yet."


def test_thirty_are_enough() -> None:
    assert MIN_TRADES == 30
    assert isinstance(half_kelly(stats(20, 10, "40", "10")), Kelly)


def test_trades_that_ended_at_zero_are_not_counted() -> None:
    found = trade_stats([D("1.5"), D(0), D(-1), D("0.00"), D("-0.5"), D(2)])
    assert found == stats(2, 2, "3.5", "1.5")
    assert found.n == 4


@pytest.mark.parametrize(
    ("wins", "losses", "won", "lost"), [(-1, 0, "0", "0"), (1, 0, "0", "0"), (0, 0, "1", "0"), (1, 1, "1", "0")]
)
def test_counts_and_sums_fit_each_other(wins: int, losses: int, won: str, lost: str) -> None:
    with pytest.raises(ValueError, match="do not fit"):
        stats(wins, losses, won, lost)


results = st.lists(st.decimals(min_value=-3, max_value=5, places=2), max_size=120)


@given(results, st.decimals(min_value=D("0.001"), max_value=D("0.25"), places=3))
def test_the_stake_is_half_of_the_formula_and_never_above_the_cap(listed: list[Decimal], cap: Decimal) -> None:
    found = trade_stats(listed)
    stake = half_kelly(found, cap=cap)
    if isinstance(stake, Decision):
        assert found.n < MIN_TRADES or not found.losses or found.won <= found.lost
        return
    p = Fraction(found.wins, found.n)
    b = Fraction(found.won) / found.wins / (Fraction(found.lost) / found.losses)
    exact = (p - (1 - p) / b) / 2
    assert exact - Fraction(1, 1_000_000) < Fraction(stake.half) <= exact
    assert 0 <= stake.fraction <= min(stake.half, cap)

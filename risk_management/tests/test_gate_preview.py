"""A signal shown on an account: the gate's own decision in one sentence, and what the tightest limit leaves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from mikrobot_platform.kernel.decisions import Code, Verdict
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.money import money
from mikrobot_platform.kernel.signals import Action
from risk_management.compliance.account import Limit, Snapshot
from risk_management.compliance.room import headroom
from risk_management.kelly import TradeStats
from risk_management.rules import decide
from risk_management.rules.facts import AccountFacts, Missing, Switch
from risk_management.rules.preview import preview, preview_many
from risk_management.rules.settings import Trail, Trailing
from risk_management.sizing import HalfKelly
from risk_management.tests.gate_facts import (
    FTMO,
    NOW,
    TOPSTEP,
    account,
    d,
    holding,
    micro,
    own,
    program_of,
    shared,
    state_of,
)
from risk_management.tests.test_gate_advice import under

# 20,030 USD, of which 390 were lost today of the 1,000 that may be. A lot loses 247 at the stop, and costs 7.32.
SIGNAL = shared(signal__stop=Price(d("1.10002") - d("0.00247")), signal__targets=(Price(d("1.11002")),))
SMALL: dict[str, Any] = {
    "snapshot__balance": d(20_030), "snapshot__equity": d(20_030), "realised_day": d(-390),
    "limits__day_loss": d(1_000), "limits__max_leverage": d("2.04"), "terms__commission": money("7.32", "USD"),
    "peak_equity": d(21_000), "peak_close": d(21_000),
}  # fmt: skip


def small(**changes: Any) -> AccountFacts:
    return own(**SMALL | changes)


def test_what_a_signal_is_on_an_account() -> None:
    """0.5 % of 20,030 are 100.15, or 0.39 lots; 2.04 x 20,030 / 110,002 are 0.37. 0.37 x 254.32 = 94.0984."""
    shown = preview(SIGNAL, small(), now=NOW)
    assert shown.sentence == (
        "This signal on your account = 0.37 lots, risk 94.10 USD (0.47 %), bound by leverage;"
        " room left today: 610.00 USD (your loss of a day)."
    )
    assert shown.decision.code is Code.PREVIEW_SIZED
    assert shown.decision.evidence["quantity"] == "0.37"
    assert shown.trades is None


def test_it_is_the_gates_own_decision() -> None:
    accounts = [small(), small(account="account-2", limits__max_leverage=d(30)), account(), own(quota_used=50)]
    for facts, shown in zip(accounts, preview_many(SIGNAL, accounts, now=NOW), strict=True):
        assert shown.ruled == decide(SIGNAL, facts, now=NOW)
        assert shown.account == facts.account
        assert shown.decision.verdict is shown.ruled.verdict


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({"limits__week_loss": d(1_100), "realised_week": d(-600)}, "500.00 USD (your loss of a week)"),
        ({"limits__month_loss": d(1_100), "realised_month": d("-600.009")}, "499.99 USD (your loss of a month)"),
        ({"limits__least_equity": d(20_000)}, "30.00 USD (your least equity)"),
        ({"limits__trail": Trail(amount=d(1_500), follows=Trailing.EQUITY)}, "530.00 USD (your trailing drawdown)"),
        ({"limits__day_loss": None}, "no limit is set"),
        ({"snapshot__floating": d(-100), "snapshot__equity": d(19_930)}, "510.00 USD (your loss of a day)"),
        ({"realised_week": Missing("the result of this week")}, "not known (the result of this week)"),
        ({"realised_day": d(-1_200)}, "0.00 USD (your loss of a day)"),
    ],
)
def test_the_tightest_limit_is_named(changes: dict[str, Any], left: str) -> None:
    assert f"oom left today: {left}." in preview(SIGNAL, small(**changes), now=NOW).sentence


def test_of_a_prop_account_it_is_the_firms_room() -> None:
    facts = account()
    assert not isinstance(facts.firm, Missing)
    assert facts.firm is not None
    seen = Snapshot(at=NOW, balance=d(100_000), equity=d("99940.50"))
    state = state_of(program_of(FTMO))
    room = next(one for one in headroom(state, seen, program_of(FTMO), NOW) if one.limit is Limit.DAILY_LOSS)
    assert room.room == d("4940.50")
    assert preview(SIGNAL, facts, now=NOW).sentence.endswith("today: 4940.50 USD (the firm's daily loss).")


def test_what_is_not_traded_says_why_and_what_is_left() -> None:
    """The room is shown also where a rule before those about limits has denied."""
    off = small(account_stop=Switch(reason="holidays", since=NOW - timedelta(days=1)))
    shown = preview(SIGNAL, off, now=NOW)
    assert shown.decision.code is Code.PREVIEW_NOTHING
    assert shown.sentence == (
        f"This signal on your account: {decide(SIGNAL, off, now=NOW).sentence()}"
        " Room left today: 610.00 USD (your loss of a day)."
    )
    assert shown.decision.evidence["reason_code"] == decide(SIGNAL, off, now=NOW).code


def test_of_a_firm_that_lets_no_order_be_sent_it_is_advice() -> None:
    of_signal, facts = under(program_of(TOPSTEP))
    shown = preview(micro(**of_signal), facts, now=NOW)
    assert (shown.decision.verdict, shown.decision.code) == (Verdict.ADVISED, Code.PREVIEW_ADVICE)
    assert shown.ruled.quantity > 0
    assert "as advice: your firm lets no order be sent; room left today: 2000.00 USD" in shown.sentence


def test_half_kelly_shows_how_many_trades_it_rests_on() -> None:
    record = TradeStats(wins=30, losses=27, won=d(45), lost=d(27))
    by_record = small(stats=record, follow__mode=HalfKelly(cap=d("0.004")))
    shown = preview(SIGNAL, by_record, now=NOW)
    assert shown.ruled.sends_order
    assert (shown.trades, shown.decision.evidence["trades"]) == (57, 57)
    assert preview(SIGNAL, small(stats=record), now=NOW).trades is None


def test_an_unprotected_position_leaves_the_room_and_shows_no_size() -> None:
    shown = preview(SIGNAL, small(positions=(holding(stop=None),)), now=NOW)
    assert shown.decision.code is Code.PREVIEW_NOTHING
    assert "610.00 USD" in shown.sentence


def test_an_exit_has_nothing_to_show() -> None:
    with pytest.raises(ValueError, match="no size"):
        preview(shared(signal__action=Action.CLOSE), small(), now=NOW)

"""Each rule of the gate allows, denies at its boundary to the last digit, and says with which figures."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code, Verdict
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, money
from mikrobot_platform.kernel.rates import Rate, rate_book
from mikrobot_platform.kernel.sessions import Sessions, windows
from mikrobot_platform.kernel.signals import Action, OrderKind
from risk_management.compliance.account import Settled, Snapshot
from risk_management.compliance.floors import advance
from risk_management.kelly import TradeStats
from risk_management.rules import RULES, decide, gate
from risk_management.rules.case import Case
from risk_management.rules.evaluation import Ruled
from risk_management.rules.facts import Contract, Correlation, Missing, Release, Sibling, Switch
from risk_management.rules.ruling import Allow, Deny, Reduce
from risk_management.rules.settings import Hours, Trail, Trailing
from risk_management.sizing import (
    ConfidenceScale,
    FixedMoney,
    FixedQuantity,
    HalfKelly,
    Mode,
    MultiplierOfSource,
    PercentOfEquity,
    RangeGate,
    Sizing,
    size,
)
from risk_management.tests.gate_facts import (
    EURUSD,
    FTMO,
    MNQ,
    NOW,
    TOPSTEP,
    USD,
    account,
    d,
    holding,
    micro,
    own,
    program_of,
    shared,
    state_of,
)

C = Code
MINUTE, SECOND, INSTANT = timedelta(minutes=1), timedelta(seconds=1), timedelta(microseconds=1)
FRIDAY_NIGHT = NOW.replace(hour=20)


def rule(ruled: Ruled, name: str) -> Any:
    """Return what one rule said."""
    return dict(ruled.record)[name]


def test_the_complete_set_is_taken_by_every_rule() -> None:
    ruled = decide(shared(), account(), now=NOW)
    assert (ruled.verdict, ruled.code, ruled.quantity) == (Verdict.TAKEN, C.GATE_TAKEN, d("5.00"))
    assert [name for name, _ in ruled.record] == [line.name for line in RULES]
    assert all(type(ruling) is Allow for _, ruling in ruled.record)
    assert ruled.decision().sentence == "5.00 lots, risk 500.00 USD (0.51 %), bound by the risk budget."
    assert (ruled.not_asked, ruled.sends_order) == (0, True)


def sibling(side: Side) -> Sibling:
    return Sibling(account="account-2", side=side, quantity=Quantity(d(1)))


SWITCH = Switch(reason="a loss", since=NOW - timedelta(hours=1), until=NOW + INSTANT)
LONDON = Hours("Europe/London", windows("Mon-Fri 08:00-14:00"))  # in November London goes by UTC
LONDON_LATER = Hours("Europe/London", windows("Mon-Fri 08:00-14:01"))
NEW_YORK_EVENING = Hours("America/New_York", windows("Fri 18:00-09:01"))  # from Thursday evening on; it is 09:00 there
EVEN: Any = ({"quote__bid": Price(d("1.10002"))}, {})
CROSSED: Any = ({"quote__bid": Price(d("1.10003"))}, {})

# rule, the code with which it denies, facts at its boundary (shared, account) that it still allows, and just past it
EDGES: list[tuple[str, Code, tuple[dict[str, Any], dict[str, Any]], tuple[dict[str, Any], dict[str, Any]]]] = [
    ("entitled", C.GATE_NOT_ENTITLED, ({}, {}), ({}, {"entitlement__opens_trades": False})),
    ("daily_quota", C.GATE_QUOTA_USED, ({}, {"quota_used": 49}), ({}, {"quota_used": 50})),
    (
        "daily_quota",
        C.GATE_QUOTA_USED,
        ({}, {"entitlement__daily_quota": None, "quota_used": 10**6}),
        ({}, {"entitlement__daily_quota": 10, "quota_used": 10}),
    ),
    ("follow_active", C.GATE_FOLLOW_OFF, ({}, {}), ({}, {"follow__is_active": False})),
    (
        "follow_active",
        C.GATE_FOLLOW_PAUSED,
        ({}, {"follow__paused_until": NOW}),
        ({}, {"follow__paused_until": NOW + INSTANT}),
    ),
    (
        "follow_filters",
        C.GATE_SIDE_LEFT_OUT,
        ({}, {"follow__sides": frozenset({Side.BUY})}),
        ({}, {"follow__sides": frozenset({Side.SELL})}),
    ),
    (
        "follow_filters",
        C.GATE_SYMBOL_LEFT_OUT,
        ({}, {"follow__symbols": frozenset({"EURUSD"})}),
        ({}, {"follow__symbols": frozenset({"EURUSD.m", "EURUS"})}),
    ),
    ("follow_hours", C.GATE_FOLLOW_HOURS, ({}, {"follow__hours": LONDON_LATER}), ({}, {"follow__hours": LONDON})),
    (
        "follow_hours",
        C.GATE_FOLLOW_HOURS,
        ({}, {"follow__hours": NEW_YORK_EVENING}),
        ({}, {"follow__hours": Hours("Asia/Tokyo", NEW_YORK_EVENING.windows)}),
    ),
    (
        "account_on",
        C.GATE_ACCOUNT_OFF,
        ({}, {"account_stop": replace(SWITCH, until=NOW)}),
        ({}, {"account_stop": SWITCH}),
    ),
    ("account_on", C.GATE_ACCOUNT_OFF, ({}, {}), ({}, {"account_stop": replace(SWITCH, until=None)})),
    (
        "organization_on",
        C.GATE_ORGANIZATION_OFF,
        ({}, {"organization_stop": replace(SWITCH, until=NOW)}),
        ({}, {"organization_stop": SWITCH}),
    ),
    (
        "strategy_on",
        C.GATE_STRATEGY_OFF,
        ({"strategy_stop": replace(SWITCH, until=NOW)}, {}),
        ({"strategy_stop": SWITCH}, {}),
    ),
    (
        "platform_on",
        C.GATE_PLATFORM_OFF,
        ({"platform_stop": replace(SWITCH, until=NOW)}, {}),
        ({"platform_stop": SWITCH}, {}),
    ),
    (
        "signal_fresh",
        C.GATE_SIGNAL_OLD,
        ({"signal__received_at": NOW - 60 * SECOND}, {}),
        ({"signal__received_at": NOW - 60 * SECOND - INSTANT}, {}),
    ),
    (
        "signal_fresh",
        C.GATE_SIGNAL_OLD,
        ({"signal__received_at": NOW + 60 * SECOND}, {}),
        ({"signal__received_at": NOW + 60 * SECOND + INSTANT}, {}),
    ),
    (
        "account_fresh",
        C.GATE_ACCOUNT_OLD,
        ({}, {"snapshot__at": NOW - 120 * SECOND}),
        ({}, {"snapshot__at": NOW - 120 * SECOND - INSTANT}),
    ),
    (
        "quote_fresh",
        C.GATE_QUOTE_OLD,
        ({"quote__at": NOW - 30 * SECOND}, {}),
        ({"quote__at": NOW - 30 * SECOND - INSTANT}, {}),
    ),
    (
        "quote_fresh",
        C.QUOTE_BROKEN,
        ({"quote__bid": Price(d("1.10002"))}, {}),
        ({"quote__bid": Price(d("1.10003"))}, {}),
    ),
    (
        "instrument_open",
        C.GATE_MARKET_CLOSED,
        ({"instrument": replace(EURUSD, sessions=Sessions(zone="UTC", windows=windows("Fri 14:00-15:00")))}, {}),
        ({"instrument": replace(EURUSD, sessions=Sessions(zone="UTC", windows=windows("Fri 13:00-14:00")))}, {}),
    ),
    (
        "instrument_open",
        C.GATE_MARKET_CLOSED,
        ({}, {}),
        ({"instrument": replace(EURUSD, sessions=replace(EURUSD.sessions, holidays=frozenset({NOW.date()})))}, {}),
    ),
    (
        "instrument_open",
        C.GATE_EXPIRED,
        ({"instrument": replace(EURUSD, expires=NOW.date())}, {}),
        ({"instrument": replace(EURUSD, expires=date(2026, 11, 19))}, {}),
    ),
    (
        "spread_small",
        C.GATE_SPREAD,
        ({"strategy__max_spread": d("0.00002")}, {}),
        ({"strategy__max_spread": d("0.000019999")}, {}),
    ),
    (
        "spread_small",
        C.GATE_SPREAD,
        ({"strategy__max_spread": d(1)}, {"limits__max_spread": d("0.00002")}),
        ({"strategy__max_spread": d(1)}, {"limits__max_spread": d("0.000019999")}),
    ),
    (
        "slippage_small",
        C.GATE_SLIPPAGE,
        ({"signal__entry": Price(d("1.09992")), "strategy__max_slippage": d("0.0001")}, {}),
        ({"signal__entry": Price(d("1.09991")), "strategy__max_slippage": d("0.0001")}, {}),
    ),
    ("max_open", C.GATE_MAX_OPEN, ({}, {"limits__max_open": 2}), ({}, {"limits__max_open": 1})),
    (
        "max_open",
        C.GATE_MAX_OPEN,
        ({}, {"limits__max_open": 3, "orders": (holding(floating=d(0)),)}),
        ({}, {"limits__max_open": 2, "orders": (holding(floating=d(0)),)}),
    ),
    (
        "max_of_strategy",
        C.GATE_MAX_OF_STRATEGY,
        ({"strategy__max_positions": 3}, {"of_strategy": 2}),
        ({"strategy__max_positions": 3}, {"of_strategy": 3}),
    ),
    (
        "max_of_strategy",
        C.GATE_MAX_OF_STRATEGY,
        ({"strategy__max_positions": 3}, {"of_strategy": 1, "follow__max_positions": 2}),
        ({"strategy__max_positions": 3}, {"of_strategy": 2, "follow__max_positions": 2}),
    ),
    (  # what others have opened on the account does not count
        "max_of_strategy",
        C.GATE_MAX_OF_STRATEGY,
        ({}, {"positions": (holding(),) * 2, "of_strategy": 0, "follow__max_positions": 1}),
        ({}, {"positions": (holding(),) * 2, "of_strategy": 1, "follow__max_positions": 1}),
    ),
    (
        "max_per_symbol",
        C.GATE_MAX_PER_SYMBOL,
        ({}, {"limits__max_per_symbol": 1}),
        ({}, {"limits__max_per_symbol": 1, "positions": (holding(symbol="EURUSD"),)}),
    ),
    (
        "trades_per_day",
        C.GATE_TRADES_PER_DAY,
        ({}, {"limits__max_trades_per_day": 2}),
        ({}, {"limits__max_trades_per_day": 1}),
    ),
    (
        "cooled_down",
        C.GATE_COOLDOWN,
        ({}, {"limits__cooldown_s": 7200}),
        ({}, {"limits__cooldown_s": 7200, "last_entry_at": NOW - timedelta(hours=2) + INSTANT}),
    ),
    (
        "loss_paused",
        C.GATE_LOSS_PAUSE,
        ({}, {"limits__loss_pause_s": 60, "last_loss_at": NOW - MINUTE}),
        ({}, {"limits__loss_pause_s": 60, "last_loss_at": NOW - MINUTE + INSTANT}),
    ),
    (
        "loss_streak",
        C.GATE_LOSS_STREAK,
        ({}, {"limits__max_loss_streak": 3, "loss_streak": 2}),
        ({}, {"limits__max_loss_streak": 3, "loss_streak": 3}),
    ),
    ("session_open", C.GATE_HOURS, ({}, {"limits__hours": LONDON_LATER}), ({}, {"limits__hours": LONDON})),
    # 59.50 is open, so that a limit of 1,000 leaves 440.51 after a loss of 499.99 that was realised.
    (
        "day_loss",
        C.GATE_DAY_LOSS,
        ({}, {"limits__day_loss": d(1000), "realised_day": d(-500)}),
        ({}, {"limits__day_loss": d(1000), "realised_day": d("-940.50")}),
    ),
    (
        "week_loss",
        C.GATE_WEEK_LOSS,
        ({}, {"limits__week_loss": d(1000), "realised_week": d(-300)}),
        ({}, {"limits__week_loss": d(1000), "realised_week": d("-940.50")}),
    ),
    (
        "month_loss",
        C.GATE_MONTH_LOSS,
        ({}, {"limits__month_loss": d(1000), "realised_month": d(-300)}),
        ({}, {"limits__month_loss": d(1000), "realised_month": d("-940.50")}),
    ),
    (
        "firm_floors",
        C.GATE_FIRM_FLOOR,
        ({}, {"snapshot__equity": d("96000.00")}),
        ({}, {"snapshot__equity": d("94999.99")}),
    ),
    (
        "own_drawdown",
        C.GATE_DRAWDOWN,
        ({}, {"limits__least_equity": d("99000")}),
        ({}, {"limits__least_equity": d("99940.50")}),
    ),
    (
        "own_drawdown",
        C.GATE_DRAWDOWN,
        ({}, {"limits__trail": Trail(amount=d(2000), follows=Trailing.CLOSED_DAYS), "peak_close": d(101_000)}),
        ({}, {"limits__trail": Trail(amount=d(2000), follows=Trailing.CLOSED_DAYS), "peak_close": d("101940.50")}),
    ),
    (
        "own_drawdown",
        C.GATE_DRAWDOWN,
        ({}, {"limits__trail": Trail(amount=d(5000), follows=Trailing.EQUITY), "peak_equity": d(101_000)}),
        ({}, {"limits__trail": Trail(amount=d(5000), follows=Trailing.EQUITY), "peak_equity": d("104940.50")}),
    ),
    (
        "range_inside",
        C.RANGE_OUTSIDE,
        ({"strategy__range_gate": RangeGate(), "atr": d("0.0004")}, {}),
        ({"strategy__range_gate": RangeGate(), "atr": d("0.000399")}, {}),
    ),
    (
        "range_inside",
        C.RANGE_OUTSIDE,
        ({"strategy__range_gate": RangeGate(), "atr": d("0.0015")}, {}),
        ({"strategy__range_gate": RangeGate(), "atr": d("0.001501")}, {}),
    ),
    (
        "range_inside",
        C.RANGE_OUTSIDE,
        ({"strategy__range_gate": RangeGate(), "atr": d("0.0012")}, {"follow__range_gate": RangeGate(max_pips=d(12))}),
        ({"strategy__range_gate": RangeGate(), "atr": d("0.0012")}, {"follow__range_gate": RangeGate(max_pips=d(11))}),
    ),
    ("reward_enough", C.REWARD_LOW, ({"strategy__min_reward": d(2)}, {}), ({"strategy__min_reward": d("2.00001")}, {})),
    ("sized", C.SIZING_STOP_MISSING, ({}, {}), ({"signal__stop": None}, {})),
    (
        "sized",
        C.CONFIDENCE_LOW,
        ({}, {"follow__confidence_scale": ConfidenceScale()}),
        ({"signal__confidence": d("0.59")}, {"follow__confidence_scale": ConfidenceScale()}),
    ),
    (
        "worst_case",
        C.GATE_UNPROTECTED,
        ({}, {}),
        ({}, {"positions": (holding(stop=None),)}),
    ),
    (
        "no_opposite",
        C.GATE_OPPOSITE,
        ({}, {"siblings": (sibling(Side.BUY),)}),
        ({}, {"siblings": (sibling(Side.SELL),)}),
    ),
    (
        "no_opposite",
        C.GATE_OPPOSITE,
        ({"signal__action": Action.REVERSE}, {"positions": (holding(symbol="EURUSD", side=Side.SELL),)}),
        ({}, {"positions": (holding(symbol="EURUSD", side=Side.SELL),)}),
    ),
    # 8 requests are kept for the exits of the position that is there and of this one; 3 are needed to enter.
    ("request_budget", C.GATE_REQUESTS, ({}, {"requests_today": 1989}), ({}, {"requests_today": 1990})),
    ("request_budget", C.GATE_POSITIONS_PER_DAY, ({}, {"trades_today": 1999}), ({}, {"trades_today": 2000})),
    (
        "request_budget",
        C.GATE_ORDERS_AT_ONCE,
        ({}, {"positions": (holding(risk=d(1), floating=d(0)),) * 199}),
        ({}, {"positions": (holding(risk=d(1), floating=d(0)),) * 200}),
    ),
]


@pytest.mark.parametrize(
    ("name", "code", "inside", "outside"), EDGES, ids=[f"{number}-{edge[0]}" for number, edge in enumerate(EDGES)]
)
def test_a_rule_denies_just_past_its_boundary(
    name: str, code: Code, inside: tuple[dict[str, Any], dict[str, Any]], outside: tuple[dict[str, Any], dict[str, Any]]
) -> None:
    allowed = decide(shared(**inside[0]), account(**inside[1]), now=NOW)
    assert allowed.sends_order, (allowed.code, allowed.sentence())
    assert type(rule(allowed, name)) is Allow
    denied = decide(shared(**outside[0]), account(**outside[1]), now=NOW)
    last, ruling = list(denied.record)[-1]
    assert (last, denied.code, type(ruling)) == (name, code, Deny)
    assert not denied.sends_order
    assert (denied.quantity, denied.risk) == (d(0), d(0))
    assert denied.not_asked == len(RULES) - len(list(denied.record))
    assert denied.decision().sentence  # it can be said with the numbers that it has


@pytest.mark.parametrize(
    ("own", "followed", "limit", "bound"),
    [
        (5, None, 5, "the strategy"), (None, 2, 2, "the follow"), (5, 2, 2, "the follow"), (2, 5, 2, "the strategy"),
        (2, 2, 2, "the strategy"),
    ],
)  # fmt: skip
def test_of_a_strategy_and_a_follow_the_tighter_binds_and_is_named(
    own: int | None, followed: int | None, limit: int, bound: str
) -> None:
    of_signal = shared(strategy__max_positions=own)
    for held in range(7):
        ruled = decide(of_signal, account(of_strategy=held, follow__max_positions=followed), now=NOW)
        said = rule(ruled, "max_of_strategy")
        assert (said.numbers["open"], said.numbers["limit"], said.numbers["bound"]) == (held, limit, bound)
        assert ruled.sends_order is (held < limit)
        if not ruled.sends_order:
            words = f"Skipped: {held} positions and orders of four phases are there; {limit} is the limit of {bound}."
            assert ruled.sentence() == words


def test_where_nobody_holds_it_to_a_number_nobody_counts() -> None:
    ruled = decide(shared(), account(of_strategy=Missing("how many there are")), now=NOW)
    assert ruled.sends_order


few = st.none() | st.integers(1, 4)
RANGES = (None, RangeGate(), RangeGate(min_pips=d(6), max_pips=d(12)))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 6), few, few, few, st.integers(2, 17), st.sampled_from(RANGES), st.sampled_from(RANGES))
def test_nothing_is_sent_beyond_any_limit_of_customer_strategy_and_follow(
    held: int, own: int | None, followed: int | None, most: int | None, pips: int, wide: Any, narrow: Any
) -> None:
    of_signal = shared(strategy__max_positions=own, strategy__range_gate=wide, atr=d(pips) / 10_000)
    positions = (holding(risk=d(1), floating=d(0)),) * held
    ruled = decide(
        of_signal,
        account(
            positions=positions, of_strategy=held, limits__max_open=most, follow__max_positions=followed,
            follow__range_gate=narrow,
        ),
        now=NOW,
    )  # fmt: skip
    is_inside = all(gate is None or gate.min_pips <= pips <= gate.max_pips for gate in (wide, narrow))
    is_within = all(limit is None or held < limit for limit in (own, followed, most))
    assert ruled.sends_order is (is_inside and is_within), ruled.sentence()


def test_a_range_of_the_follow_without_a_measured_one_denies() -> None:
    ruled = decide(shared(atr=Missing("the range")), account(follow__range_gate=RangeGate()), now=NOW)
    assert (ruled.code, ruled.sentence()) == (C.GATE_FACT_MISSING, "Not traded: the range is not known.")


def test_whose_range_it_is_that_the_market_leaves_stands_in_the_receipt() -> None:
    follower = account(follow__range_gate=RangeGate(min_pips=d(8)))
    for pips, bound, least in (("3", "the strategy", d(4)), ("7", "the follow", d(8))):
        of_signal = shared(strategy__range_gate=RangeGate(), atr=d(pips) / 10_000)
        ruled = decide(of_signal, follower, now=NOW)
        assert (ruled.code, ruled.numbers["bound"], d(str(ruled.numbers["minimum"]))) == (C.RANGE_OUTSIDE, bound, least)


def test_the_order_of_the_list_is_the_documented_one() -> None:
    page = (Path(__file__).resolve().parents[2] / "ARCHITECTURE.md").read_text(encoding="utf-8")
    told = page.partition("The list, in its order:")[2].partition("\n\n")[0]
    assert re.findall(r"`(\w+)`", told) == [line.name for line in RULES]


@pytest.mark.parametrize(
    "mode",
    [
        FixedQuantity(quantity=Quantity(d("1.23"))),
        FixedMoney(amount=money("333.33", "USD")),
        PercentOfEquity(percent=d("0.77")),
        MultiplierOfSource(multiplier=d("0.5")),
        HalfKelly(),
    ],
)
@pytest.mark.parametrize("currency", ["USD", "EUR", "JPY"])
def test_the_size_is_that_of_sizing(mode: Mode, currency: str) -> None:
    """The gate measures a lot once for many accounts; the size is the one that `size` finds alone."""
    rates = rate_book(
        Rate(base=Currency(base), quote=Currency(quote), value=d(value), at=NOW)
        for base, quote, value in (("EUR", "USD", "1.1"), ("USD", "JPY", "147.576"))
    )
    of_signal = shared(rates=rates)
    facts = own(
        currency=Currency(currency), follow__mode=mode, limits__max_risk_percent=d("0.4"),
        stats=TradeStats(wins=40, losses=20, won=d(60), lost=d(20)), terms__commission=money("3.5", "EUR"),
    )  # fmt: skip
    decided = gate(of_signal, now=NOW)
    alone = size(Case(decided.desk, facts).sizing_request())
    assert isinstance(alone, Sizing)
    for _ in range(2):
        ruled = decided.decide(facts)
        assert (ruled.quantity, ruled.sends_order) == (alone.quantity, True)
        assert alone.risk.amount <= ruled.risk <= alone.risk.amount + d("1e-10")


def test_every_rule_that_denies_stands_in_a_table_here() -> None:
    """Keep a new rule from coming without its boundary; what reduces is tried below."""
    reduces = {
        "exposure", "symbol_exposure", "correlated_risk", "leverage", "margin", "contract_tier", "best_day",
    }  # fmt: skip
    elsewhere = {"firm_policy", "rate_fresh", "news_quiet", "flat_by"}
    assert {edge[0] for edge in EDGES} | reduces | elsewhere == {line.name for line in RULES}


def test_the_first_denial_decides_and_the_rest_is_not_asked() -> None:
    ruled = decide(shared(quote__at=NOW - timedelta(hours=1)), account(quota_used=50, account_stop=SWITCH), now=NOW)
    assert ruled.code is C.GATE_QUOTA_USED
    assert [name for name, _ in ruled.record] == ["entitled", "daily_quota"]
    assert ruled.not_asked == len(RULES) - 2


# Rates


def test_a_rate_that_is_missing_or_stale_denies() -> None:
    euro = own(currency=Currency("EUR"))
    ok = decide(shared(), euro, now=NOW)
    assert ok.sends_order
    assert rule(ok, "rate_fresh").numbers["path"] == ("USD", "EUR")
    none = decide(shared(rates=rate_book([])), euro, now=NOW)
    assert none.code is C.RATE_MISSING
    old = rate_book([Rate(base=Currency("EUR"), quote=USD, value=d("1.1"), at=NOW - 60 * SECOND - INSTANT)])
    assert decide(shared(rates=old), euro, now=NOW).code is C.RATE_STALE
    assert decide(shared(rates=old), own(), now=NOW).sends_order  # a dollar needs no rate to be one
    paid_in_euro = own(terms__commission=money("3", "EUR"))
    assert decide(shared(rates=old), paid_in_euro, now=NOW).code is C.RATE_STALE


# News and flat-by times

CPI = Release(at=NOW + 2 * MINUTE, name="CPI", kinds=frozenset({"CPI", "selected"}), moves=frozenset({"EURUSD"}))
FUNDED = "FTMO 2-Step funded 100000"


def funded(**changes: Any) -> Any:
    program = program_of(FUNDED)
    return account(**{"firm__program": FUNDED, "firm__state": state_of(program)} | changes)


def with_funded(**changes: Any) -> Any:
    return shared(**{"programs": MappingProxyType({FUNDED: program_of(FUNDED)})} | changes)


@pytest.mark.parametrize(
    ("away", "denies"),
    [(2 * MINUTE, True), (-2 * MINUTE, True), (2 * MINUTE + INSTANT, False), (-2 * MINUTE - INSTANT, False)],
)
def test_the_firms_window_around_news(away: timedelta, denies: bool) -> None:
    ruled = decide(with_funded(releases=(replace(CPI, at=NOW + away),)), funded(), now=NOW)
    assert (ruled.code is C.GATE_NEWS) is denies
    other = decide(with_funded(releases=(replace(CPI, moves=frozenset({"XAUUSD"})),)), funded(), now=NOW)
    assert other.sends_order
    assert decide(shared(releases=(CPI,)), account(), now=NOW).sends_order  # a challenge may trade the news


@pytest.mark.parametrize(("away", "denies"), [(15 * MINUTE, True), (15 * MINUTE + INSTANT, False), (-5 * MINUTE, True)])
def test_the_customers_own_window_around_news(away: timedelta, denies: bool) -> None:
    cautious = own(limits__news_before_min=15, limits__news_after_min=5)
    ruled = decide(shared(releases=(replace(CPI, at=NOW + away),)), cautious, now=NOW)
    assert (ruled.code is C.GATE_NEWS) is denies


WEEK = Sessions(zone="UTC", windows=windows("Mon-Fri 00:00-21:00"))


def test_nothing_is_opened_shortly_before_a_weekend_that_must_be_flat() -> None:
    spec = replace(EURUSD, sessions=WEEK)
    for minutes, denies in ((16, False), (15, True), (1, True)):
        at = NOW.replace(hour=21) - timedelta(minutes=minutes)
        moved = {"signal__received_at": at, "quote__at": at, "instrument": spec}
        ruled = decide(with_funded(**moved), funded(snapshot__at=at), now=at)
        assert (ruled.code is C.GATE_FLAT_BY) is denies, minutes
        assert decide(shared(**moved), account(snapshot__at=at), now=at).sends_order  # a challenge may stay in


def test_a_night_is_no_weekend_even_for_what_closes_for_most_of_the_day() -> None:
    spec = replace(EURUSD, sessions=Sessions(zone="UTC", windows=windows("Mon-Fri 14:30-21:00")))
    for days_back, denies in ((0, True), (1, False), (2, False)):  # NOW is a Friday
        at = NOW.replace(hour=20, minute=50) - timedelta(days=days_back)
        moved = {"signal__received_at": at, "quote__at": at, "instrument": spec}
        ruled = decide(with_funded(**moved), funded(snapshot__at=at), now=at)
        assert (ruled.code is C.GATE_FLAT_BY) is denies, days_back


def test_nothing_is_opened_shortly_before_the_customers_own_deadline() -> None:
    flat = program_of(TOPSTEP).flat_by
    assert flat is not None  # 15:10 in Chicago, which is 21:10 UTC in November
    for minutes, denies in ((16, False), (15, True), (0, True), (-30, True)):
        at = NOW.replace(hour=21, minute=10) - timedelta(minutes=minutes)
        moved = {"signal__received_at": at, "quote__at": at}
        ruled = decide(shared(**moved), own(snapshot__at=at, limits__flat_by=flat), now=at)
        assert (ruled.code is C.GATE_FLAT_BY) is denies, minutes


# What reduces


def reduced(ruled: Ruled, name: str) -> Reduce:
    ruling = rule(ruled, name)
    assert type(ruling) is Reduce, (ruling, ruled.sentence())
    return ruling


def test_the_worst_case_is_cut_to_the_last_step_that_fits() -> None:
    """500.00 of risk; the daily floor of 95,000 leaves equity - 150 of open risk - 95,000."""
    fits = decide(shared(), account(snapshot__equity=d("95650.00")), now=NOW)
    assert fits.verdict is Verdict.TAKEN
    cut = decide(shared(), account(snapshot__equity=d("95649.99")), now=NOW)
    assert (cut.verdict, cut.quantity, cut.bound) == (Verdict.REDUCED, d("4.99"), "the worst case at all stops")
    assert reduced(cut, "worst_case").numbers["limit"] == "the firm's daily loss"
    nothing = decide(shared(), account(snapshot__equity=d("95150.99")), now=NOW)
    assert (nothing.verdict, nothing.code) == (Verdict.SKIPPED, C.BELOW_MINIMUM)
    assert nothing.sentence() == "Skipped: the worst case at all stops allows 0.00 lots; the smallest order is 0.01."
    smallest = decide(shared(), account(snapshot__equity=d("95151.00")), now=NOW)
    assert (smallest.verdict, smallest.quantity) == (Verdict.REDUCED, d("0.01"))


def test_the_buffer_and_costs_are_kept_out_of_the_worst_case() -> None:
    facts = {"snapshot__equity": d("95650.00")}
    assert decide(shared(), account(**facts, limits__buffer=d("0.01")), now=NOW).quantity == d("4.99")
    costly = account(**facts, terms__commission=money("7", "USD"))
    ruled = decide(shared(), costly, now=NOW)
    assert ruled.quantity == d("4.67")  # 107 a lot
    assert ruled.risk == d("499.69")


def test_profit_of_the_day_does_not_carry_risk_into_the_next() -> None:
    """Until the reset an account that won 6,000 could lose 11,000; after it the floor is 5,000 under the balance."""
    program = program_of(FTMO)
    won = advance(state_of(program), Settled(number=1, at=NOW - MINUTE, profit=d(6000)), program)
    facts = {
        "firm__state": won, "snapshot__balance": d(106_000), "snapshot__equity": d(106_000), "snapshot__floating": d(0),
    }  # fmt: skip
    ruled = decide(shared(), account(**facts, positions=(holding(risk=d(4700), floating=d(0)),)), now=NOW)
    assert (ruled.verdict, ruled.quantity) == (Verdict.REDUCED, d("3.00"))
    # A position that has won as much as it may lose from here takes nothing of the balance with it.
    ruled = decide(shared(), account(**facts, positions=(holding(risk=d(4700), floating=d(4700)),)), now=NOW)
    assert ruled.verdict is Verdict.TAKEN


def test_a_floor_that_follows_equity_leaves_room_for_the_way_back() -> None:
    """A trail of 1,400 under equity: 5 lots may win 1,500 and then lose 500 from where they began."""
    trail = {"limits__trail": Trail(amount=d(2000), follows=Trailing.EQUITY)}
    assert decide(shared(), own(**trail), now=NOW).verdict is Verdict.TAKEN
    tight = own(limits__trail=Trail(amount=d("1999.99"), follows=Trailing.EQUITY))
    assert decide(shared(), tight, now=NOW).quantity == d("4.99")
    endless = decide(shared(signal__targets=()), own(**trail), now=NOW)
    assert (endless.verdict, endless.code) == (Verdict.SKIPPED, C.BELOW_MINIMUM)
    locked = own(limits__trail=Trail(amount=d(2000), follows=Trailing.EQUITY, lock=d(99_000)))
    assert decide(shared(signal__targets=()), locked, now=NOW).verdict is Verdict.TAKEN


def test_exposure_is_cut() -> None:
    """5 lots are 550,010 USD; 13,000 are open."""
    equity = d("99940.50")
    fits = account(limits__max_exposure=d("563010") / equity + d("1e-20"))
    assert decide(shared(), fits, now=NOW).verdict is Verdict.TAKEN
    ruled = decide(shared(), account(limits__max_exposure=d(5)), now=NOW)
    assert (ruled.quantity, ruled.bound) == (d("4.42"), "your exposure")
    ruled = decide(shared(), account(limits__max_symbol_exposure=d(5)), now=NOW)
    assert (ruled.quantity, ruled.bound) == (d("4.54"), "your exposure in one symbol")


def test_risk_in_symbols_that_move_together_is_cut() -> None:
    """500 of risk here; 150 are at risk in GBPUSD; 0.6 % of 99,940.50 are 599.643."""
    limit = {"limits__max_correlated_risk_percent": d("0.6")}
    together = shared(correlations=(Correlation(symbol="GBPUSD", coefficient=d("0.7"), n=60),))
    assert decide(shared(), account(**limit), now=NOW).verdict is Verdict.TAKEN
    ruled = decide(together, account(**limit), now=NOW)
    assert (ruled.quantity, ruled.bound) == (d("4.49"), "your risk in symbols that move together")
    loose = shared(correlations=(Correlation(symbol="GBPUSD", coefficient=d("0.69999"), n=60),))
    assert decide(loose, account(**limit), now=NOW).verdict is Verdict.TAKEN
    against = shared(correlations=(Correlation(symbol="GBPUSD", coefficient=d("-0.9"), n=60),))
    assert decide(against, account(**limit), now=NOW).verdict is Verdict.TAKEN
    short = account(**limit, positions=(holding(side=Side.SELL),))
    assert decide(against, short, now=NOW).quantity == d("4.49")


def test_leverage_of_venue_firm_and_customer() -> None:
    swing = "FTMO 2-Step funded 100000"  # its standard variant allows 100; the customer 30
    assert decide(with_funded(), funded(), now=NOW).verdict is Verdict.TAKEN
    ruled = decide(shared(), account(terms__leverage=d(5)), now=NOW)
    assert (ruled.quantity, ruled.bound) == (d("4.42"), "leverage")
    assert program_of(swing).leverage_fx == 100


def test_margin_counts_working_orders() -> None:
    """5 lots need 5,500.10; an order that waits will need its own."""
    free = account(snapshot__margin_used=d("94440.40"))
    assert decide(shared(), free, now=NOW).verdict is Verdict.TAKEN
    waiting = replace(free, orders=(holding(floating=d(0), notional=d(100)),))
    ruled = decide(shared(), waiting, now=NOW)
    assert (ruled.quantity, ruled.bound) == (d("4.99"), "free margin")


TIERED = TOPSTEP


def topstep(**changes: Any) -> Any:
    program = program_of(TIERED)
    figures = {
        "firm__program": TIERED, "firm__state": state_of(program), "snapshot__balance": d(50_000),
        "snapshot__equity": d(50_000), "snapshot__floating": d(0), "positions": (),
        "follow__mode": FixedQuantity(quantity=Quantity(d(40))), "limits__max_leverage": d(1000),
        "terms__leverage": d(1000),
    }  # fmt: skip
    return account(**figures | changes)


@pytest.mark.parametrize(
    ("held", "left"),
    [
        ((), 40),  # 5 minis are 50 micros; 2 % of the account are 40 lots of 24.50
        ((("MNQ", True, 20),), 30),
        ((("MNQ", True, 45),), 5),
        ((("NQ", False, 4),), 10),
        ((("MES", True, 1), ("NQ", False, 3)), 10),  # a broken mini is a whole one
        ((("MNQ", True, 50),), None),
        ((("NQ", False, 5),), None),
    ],
)
def test_contracts_of_a_tier_with_micros(held: tuple[tuple[str, bool, int], ...], left: int | None) -> None:
    positions = tuple(
        holding(
            symbol=product, contract=Contract(product=product, is_micro=is_micro), quantity=Quantity(Decimal(count)),
            risk=d(1), gain=d(1), floating=d(0), notional=d(1),
        )
        for product, is_micro, count in held
    )  # fmt: skip
    ruled = decide(
        micro(programs=MappingProxyType({TIERED: program_of(TIERED)})), topstep(positions=positions), now=NOW
    )
    if left is None:
        assert (ruled.verdict, ruled.code) == (Verdict.SKIPPED, C.BELOW_MINIMUM)
        assert ruled.numbers["bound"] == "the firm's contract tier"
    else:
        assert (ruled.verdict, ruled.quantity) == (Verdict.ADVISED, Decimal(left))


def test_the_best_day_is_kept_small() -> None:
    """At most 55 % of all profit: with 1,100 on other days, today may bring 1,344.44, and it has brought 500."""
    program = program_of(TIERED)
    state = state_of(program, at=NOW - timedelta(days=5))
    state = advance(state, Settled(number=1, at=NOW - timedelta(days=3), profit=d(1100)), program)
    state = advance(state, Snapshot(at=NOW - timedelta(hours=2), balance=d(51_100), equity=d(51_100)), program)
    state = advance(state, Settled(number=2, at=NOW - timedelta(hours=1), profit=d(500)), program)
    state = replace(state, day_start=d(51_100), close_balance=d(51_100), unknown_closes=(), high=d(51_100))
    facts = {"firm__state": state, "snapshot__balance": d(51_600), "snapshot__equity": d(51_600)}
    world = micro(programs=MappingProxyType({TIERED: program}))
    ruled = decide(world, topstep(**facts), now=NOW)
    assert rule(ruled, "best_day").numbers["ceiling"] == d("1344.44")
    assert ruled.quantity == 21  # 844.44 / (19.75 points x 2) = 21.4
    free = decide(world, topstep(**facts, limits__keeps_best_day=False), now=NOW)
    assert free.quantity == 40
    much = replace(
        state, results=tuple(replace(day, profit=d(1400)) if day.day == state.day else day for day in state.results)
    )
    full = decide(world, topstep(**facts | {"firm__state": much}), now=NOW)
    assert (full.verdict, full.code) == (Verdict.SKIPPED, C.GATE_BEST_DAY)


def test_a_firms_failed_or_paused_account_trades_no_more() -> None:
    program = program_of(FTMO)
    lost = advance(state_of(program), Snapshot(at=NOW - MINUTE, balance=d(100_000), equity=d("94999.99")), program)
    assert decide(shared(), account(firm__state=lost), now=NOW).code is C.GATE_FIRM_FAILED
    key = TOPSTEP
    with_limit = replace(program_of(key), daily_loss=program_of(key).optional_daily_loss)
    hurt = advance(state_of(with_limit), Snapshot(at=NOW - MINUTE, balance=d(50_000), equity=d(49_000)), with_limit)
    world = micro(programs=MappingProxyType({key: with_limit}))
    paused = decide(world, topstep(firm__state=hurt, snapshot__equity=d(49_500)), now=NOW)
    assert paused.code is C.GATE_FIRM_PAUSED


def test_hedging_that_a_firm_forbids_cannot_be_allowed_by_the_customer() -> None:
    against = {"siblings": (sibling(Side.SELL),), "limits__allows_opposite": True}
    assert decide(shared(), own(**against), now=NOW).sends_order
    assert decide(shared(), account(**against), now=NOW).code is C.GATE_OPPOSITE


def test_an_order_that_waits_is_sized_at_its_own_price() -> None:
    waiting = shared(
        signal__kind=OrderKind.LIMIT, signal__entry=Price(d("1.09952")), strategy__max_slippage=d("0.0001")
    )
    ruled = decide(waiting, account(), now=NOW)
    assert ruled.quantity == d("9.61")  # 50 points to the stop and 2 of spread
    assert MNQ.unit == "contracts"

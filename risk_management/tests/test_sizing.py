"""Sizes equal the hand calculation, the loss at the stop stays within every limit, and what binds is told.

Random cases are compared with a second reckoning, written with fractions and from nothing but the definition. The suite
looks at EXAMPLES of them; SIZING_EXAMPLES=100000 in the environment looks at as many as issue 4 asks for.
"""

from __future__ import annotations

import ast
import os
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal, DecimalException
from fractions import Fraction
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict
from mikrobot_platform.kernel.instruments import AssetClass, InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import LOSSLESS, CurrencyMismatch, Money, Ratio, Within, currency, exactly, money
from mikrobot_platform.kernel.rates import NO_RATES, Rate, RateBook, rate_book
from risk_management.catalogue import CATALOGUE, find
from risk_management.kelly import TradeStats
from risk_management.sizing import (
    HARD_CAP_PERCENT,
    AccountState,
    Basis,
    Bound,
    ConfidenceScale,
    Costs,
    FixedMoney,
    FixedQuantity,
    HalfKelly,
    MultiplierOfSource,
    PercentOfBalance,
    PercentOfEquity,
    Preset,
    ProportionalToSource,
    Purse,
    RangeGate,
    Scale,
    Sizing,
    SizingLimits,
    SizingRequest,
    SourceTrade,
    VolatilityTarget,
    caps_of,
    lot_of,
    preset,
    preview,
    range_outside,
    reward_too_small,
    shares,
    size,
    wish_of,
)
from risk_management.tests.golden import RATES, ROWS, Row

EXAMPLES = int(os.environ.get("SIZING_EXAMPLES", "500"))
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
D = Decimal
CODES = ["USD", "EUR", "JPY", "GBP"]
FREE = Costs(spread=D(0))
WIDE = SizingLimits(max_leverage=D(10**6))


def rates(table: dict[tuple[str, str], str], *, age: timedelta = timedelta(0)) -> RateBook:
    return rate_book(
        Rate(base=currency(base), quote=currency(quote), value=D(value), at=NOW - age)
        for (base, quote), value in table.items()
    )


def account(balance: str, code: str = "USD", **changes: str | None) -> AccountState:
    """Make an account without positions whose margin is no limit."""
    figures: dict[str, str | None] = {"equity": balance, "free_margin": "1000000000000", "open_notional": "0"}
    known = {name: None if amount is None else money(amount, code) for name, amount in (figures | changes).items()}
    return AccountState(balance=money(balance, code), **known)


def instrument(symbol: str) -> InstrumentSpec:
    """Look an instrument up; a future gets the margin of nothing, as if its venue asked for none."""
    spec = find(symbol)
    assert spec is not None
    return replace(spec, margin_per_lot=money("0", "USD")) if spec.margin_rate is None else spec


EURJPY = instrument("EURJPY")
YEN = rates({("USD", "JPY"): "147.576"})


def request(**changes: Any) -> SizingRequest:
    """Ask for the case of the original: 0.55 % of 98,909 USD, EURJPY, a stop of 8 pips."""
    asked: dict[str, Any] = {
        "mode": preset(Preset.STANDARD), "instrument": EURJPY, "side": Side.BUY, "entry": Price(D("171.142")),
        "stop": Price(D("171.062")), "account": account("98909"), "costs": FREE, "limits": WIDE, "now": NOW,
        "rates": YEN,
    }  # fmt: skip
    return SizingRequest(**asked | changes)


def sized(**changes: Any) -> Sizing:
    found = size(request(**changes))
    assert isinstance(found, Sizing), found
    return found


def denied(**changes: Any) -> Decision:
    found = size(request(**changes))
    assert isinstance(found, Decision), found
    return found


# --- Worked out by hand ----------------------------------------------------------------------------------------------
def reckon(text: str) -> Fraction:
    """Compute what a row writes, as a calculator with fractions would."""

    def value(node: ast.expr) -> Fraction:
        match node:
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                return value(left) * value(right)
            case ast.BinOp(left=left, op=ast.Div(), right=right):
                return value(left) / value(right)
            case ast.Constant():
                return Fraction(ast.get_source_segment(text, node) or "")
        raise ValueError(ast.dump(node))

    return value(ast.parse(text, mode="eval").body)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.symbol} in {row.currency} {row.balance}")
def test_golden_rows(row: Row) -> None:
    spec = instrument(row.symbol)
    budget, loss = reckon(f"{row.balance} * {row.percent} / 100"), reckon(row.loss)
    places = len(row.quotient.partition(".")[2])
    assert int(budget / loss * 10**places) == int(Fraction(row.quotient) * 10**places), "the row computes itself"
    for side in Side:
        stop = D(row.entry) - D(row.distance) * side.sign
        found = size(
            request(
                mode=PercentOfBalance(percent=D(row.percent)), instrument=spec, side=side, entry=Price(D(row.entry)),
                stop=Price(stop), account=account(row.balance, row.currency), rates=rates(RATES),
            )
        )  # fmt: skip
        if row.lots == "skip":
            assert isinstance(found, Decision)
            assert (found.verdict, found.code) == (Verdict.SKIPPED, Code.BELOW_MINIMUM)
            continue
        assert isinstance(found, Sizing)
        assert (found.quantity, found.bound) == (D(row.lots), Bound.BUDGET)
        assert Fraction(found.lot.loss.top) / Fraction(found.lot.loss.bottom) == loss


def test_the_golden_rows_cover_every_class_and_currency() -> None:
    seen = {(instrument(row.symbol).asset_class, row.currency) for row in ROWS}
    assert len(ROWS) >= 60
    assert seen >= {(asset_class, code) for asset_class in AssetClass for code in CODES}


def test_eurjpy_of_the_original_is_ten_lots_and_not_two_thirds_of_one() -> None:
    """0.55 % of 98,909 = 543.9995 USD; 0.08 x 100,000 / 147.576 = 54.2094 USD a lot; 10.0351 lots (mikrobot.md 3)."""
    found = sized()
    assert (found.quantity, found.bound) == (D("10.03"), Bound.BUDGET)
    assert found.budget == money("543.9995", "USD")
    # 10.03 x 171.142 x 100,000 / 147.576 = 1,163,166 USD, 11.8 times the account
    assert round(found.notional.amount) == 1_163_166
    assert preview(found) == "10.03 lots, risk 543.72 USD (0.55 %), bound by the risk budget"
    # 0.68 lots, as the original traded, risk 36.87 USD: a fifteenth of what was meant
    too_small = sized(mode=FixedQuantity(quantity=Quantity(D("0.68"))))
    assert preview(too_small) == "0.68 lots, risk 36.87 USD (0.04 %), bound by the requested quantity"


def test_gbpjpy_of_the_original_has_its_stop_inside_the_spread() -> None:
    """Sell at bid 195.571, ask 195.594, stop 195.586: filled at once (mikrobot.md 3)."""
    decision = denied(
        instrument=instrument("GBPJPY"), side=Side.SELL, entry=Price(D("195.571")), stop=Price(D("195.586")),
        costs=Costs(spread=D("0.023")),
    )  # fmt: skip
    assert (decision.verdict, decision.code) == (Verdict.REFUSED, Code.SIZING_STOP_IN_SPREAD)
    assert decision.sentence == "Not traded: the stop is 0.015 away, inside the spread of 0.023."


# --- What binds ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("changes", "lots", "bound"),
    [
        # 10.0351 lots fit the budget of 0.55 %, 36.4915 the hard cap of 2 % (1,978.18 / 54.2094)
        ({}, "10.03", Bound.BUDGET),
        ({"mode": PercentOfBalance(percent=D(2))}, "36.49", Bound.BUDGET),
        ({"mode": PercentOfBalance(percent=D(5))}, "36.49", Bound.HARD_CAP),
        ({"mode": FixedMoney(amount=money("5000", "USD"))}, "36.49", Bound.HARD_CAP),
        ({"mode": FixedQuantity(quantity=Quantity(D(50)))}, "36.49", Bound.HARD_CAP),
        # 1 % = 989.09 / 54.2094 = 18.2457
        (
            {"mode": PercentOfBalance(percent=D(5)), "limits": replace(WIDE, max_risk_percent=D(1))},
            "18.24", Bound.RISK_LIMIT,
        ),
        # the hard cap counts from the smaller of balance and equity: 2 % of 20,000 = 400 / 54.2094 = 7.3788
        ({"account": account("98909", equity="20000")}, "7.37", Bound.HARD_CAP),
        (
            {"account": account("98909", equity="200000"), "mode": PercentOfEquity(percent=D(5))},
            "36.49", Bound.HARD_CAP,
        ),
        # margin of a lot: 171.142 x 100,000 / 147.576 x 0.0333 = 3,861.76; 10,000 / 3,861.76 = 2.5895
        ({"account": account("98909", free_margin="10000")}, "2.58", Bound.MARGIN),
        # a lot is worth 115,968.72; 5 x 98,909 = 494,545 / 115,968.72 = 4.2644
        ({"limits": SizingLimits(max_leverage=D(5))}, "4.26", Bound.LEVERAGE),
        # 200,000 of it are taken: 294,545 / 115,968.72 = 2.5398
        (
            {"limits": SizingLimits(max_leverage=D(5)), "account": account("98909", open_notional="200000")},
            "2.53", Bound.LEVERAGE,
        ),
        ({"instrument": replace(EURJPY, lot_max=D(7))}, "7.00", Bound.LOT_MAX),
        ({"limits": replace(WIDE, max_quantity=Quantity(D("3.456")))}, "3.45", Bound.MAX_QUANTITY),
        # of equal ones the first in the order is told
        ({"instrument": replace(EURJPY, lot_max=D("10.03"))}, "10.03", Bound.BUDGET),
        (
            {"instrument": replace(EURJPY, lot_max=D(7)), "limits": replace(WIDE, max_quantity=Quantity(D(7)))},
            "7.00", Bound.LOT_MAX,
        ),
    ],
)  # fmt: skip
def test_the_first_of_the_smallest_caps_binds(changes: dict[str, Any], lots: str, bound: Bound) -> None:
    found = sized(**changes)
    assert (found.quantity, found.bound) == (D(lots), bound)
    assert found.decision().verdict is (Verdict.TAKEN if bound.is_wish else Verdict.REDUCED)
    assert found.decision().evidence["bound"] in preview(found)  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"mode": FixedMoney(amount=money("0.30", "USD"))},
            "Skipped: the risk budget allows 0.0055 lots; the smallest order is 0.01.",
        ),
        (
            {"account": account("98909", free_margin="0")},
            "Skipped: free margin allows 0 lots; the smallest order is 0.01.",
        ),
        (
            {"account": account("98909", free_margin="-5")},
            "Skipped: free margin allows 0 lots; the smallest order is 0.01.",
        ),
        (
            {"account": account("98909", open_notional="2000000"), "limits": SizingLimits(max_leverage=D(20))},
            "Skipped: leverage allows 0 lots; the smallest order is 0.01.",
        ),
        (
            {"account": account("98909", equity="-10")},
            "Skipped: the limit of 2 % a trade allows 0 lots; the smallest order is 0.01.",
        ),
        (
            {"instrument": replace(EURJPY, lot_min=D(20))},
            "Skipped: the risk budget allows 10.0351 lots; the smallest order is 20.",
        ),
    ],
)
def test_below_the_smallest_order_is_skipped_and_never_rounded_up(changes: dict[str, Any], sentence: str) -> None:
    decision = denied(**changes)
    assert (decision.verdict, decision.code) == (Verdict.SKIPPED, Code.BELOW_MINIMUM)
    assert decision.sentence == sentence


def test_a_budget_that_pays_for_a_step_to_the_last_digit_gets_it() -> None:
    """8,000 JPY are what one lot loses: no division on the way may cost a step, though 1 / 147.576 has no end."""
    exactly = sized(mode=FixedMoney(amount=money("8000", "JPY")))
    assert exactly.quantity == 1
    assert exactly.risk == exactly.budget
    assert sized(mode=FixedMoney(amount=money("7999.99999999", "JPY"))).quantity == D("0.99")


# --- Modes -----------------------------------------------------------------------------------------------------------
EURUSD = instrument("EURUSD")
PLAIN: dict[str, Any] = {  # a lot loses 100 USD and is worth 100,000
    "instrument": EURUSD, "entry": Price(D("1.00000")), "stop": Price(D("0.99900")), "account": account("10000"),
}  # fmt: skip
SOURCE = SourceTrade(quantity=Quantity(D("2.5")))
EDGE = TradeStats(wins=40, losses=60, won=D(60), lost=D(54))  # half Kelly 0.02, see test_kelly.py


@pytest.mark.parametrize(
    ("changes", "lots"),
    [
        ({"mode": preset(Preset.CAREFUL)}, "0.25"),
        ({"mode": preset(Preset.STANDARD)}, "0.55"),
        ({"mode": preset(Preset.BOLD)}, "1.00"),
        ({"mode": preset(Preset.CUSTOM, D("1.37"))}, "1.37"),
        ({"mode": PercentOfBalance(percent=D(1)), "account": account("10000", equity="9000")}, "1.00"),
        ({"mode": PercentOfEquity(percent=D(1)), "account": account("10000", equity="9000")}, "0.90"),
        ({"mode": FixedMoney(amount=money("94.10", "USD"))}, "0.94"),
        ({"mode": FixedMoney(amount=money("100", "EUR")), "rates": rates(RATES)}, "1.08"),
        ({"mode": FixedQuantity(quantity=Quantity(D("0.379")))}, "0.37"),
        ({"mode": MultiplierOfSource(multiplier=D("0.1")), "source": SOURCE}, "0.25"),
        # one of theirs is ten of ours (mini to micro): 2.5 x 10 x 0.05 = 1.25
        (
            {
                "mode": MultiplierOfSource(multiplier=D("0.05")),
                "source": replace(SOURCE, lots_ratio=Ratio(D(10))),
            },
            "1.25",
        ),
        # theirs is three times as large as ours: 2.5 / 3 x 0.5 = 0.41666
        (
            {"mode": MultiplierOfSource(multiplier=D("0.5")), "source": replace(SOURCE, lots_ratio=Ratio(D(1), D(3)))},
            "0.41",
        ),
        # 10,000 / 40,000 x 2.5 = 0.625
        ({"mode": ProportionalToSource(), "source": replace(SOURCE, size=money("40000", "USD"))}, "0.62"),
        # 40,000 EUR are 43,200 USD: 10,000 / 43,200 x 2.5 = 0.5787
        (
            {
                "mode": ProportionalToSource(),
                "source": replace(SOURCE, size=money("40000", "EUR")),
                "rates": rates(RATES),
            },
            "0.57",
        ),
        (
            {
                "mode": ProportionalToSource(basis=Basis.BALANCE, multiplier=D(2)),
                "source": replace(SOURCE, size=money("40000", "USD")),
                "account": account("10000", equity="5000"),
            },
            "1.00",  # 1.25 wished; the hard cap is 2 % of 5,000
        ),
        (
            {
                "mode": ProportionalToSource(basis=Basis.FREE_MARGIN),
                "source": replace(SOURCE, size=money("40000", "USD")),
                "account": account("10000", free_margin="4000"),
            },
            "0.25",
        ),
        # a usual move of 0.0080 a day is 800 USD a lot; 1 % of 10,000 is 100: 0.125
        ({"mode": VolatilityTarget(percent=D(1)), "volatility": D("0.0080")}, "0.12"),
        # half Kelly stakes 2 % = 200 USD
        ({"mode": HalfKelly(), "stats": EDGE}, "2.00"),
        ({"mode": HalfKelly(cap=D("0.005")), "stats": EDGE}, "0.50"),
        ({"mode": HalfKelly(), "stats": replace(EDGE, won=D(120))}, "2.00"),  # 0.11: the hard cap holds
    ],
)
def test_modes(changes: dict[str, Any], lots: str) -> None:
    assert sized(**PLAIN | changes).quantity == D(lots)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"account": account("10000", equity=None)}, "Not traded: the account's equity is not known."),
        ({"account": account("10000", free_margin=None)}, "Not traded: the account's free margin is not known."),
        ({"account": account("10000", open_notional=None)}, "Not traded: the account's open volume is not known."),
        ({"stop": None}, "Not traded: without a stop nobody knows what could be lost."),
        (
            {"instrument": find("ES"), "entry": Price(D(6000)), "stop": Price(D(5990))},
            "Not traded: the margin of ES is not known.",
        ),
        ({"mode": MultiplierOfSource(multiplier=D(1))}, "Not traded: the source's quantity is not known."),
        ({"mode": ProportionalToSource(), "source": SOURCE}, "Not traded: the source's equity is not known."),
        (
            {"mode": ProportionalToSource(), "source": replace(SOURCE, size=money("0", "USD"))},
            "Not traded: the source's equity is not known.",
        ),
        (
            {"mode": ProportionalToSource(), "source": replace(SOURCE, size=money("5", "EUR")), "rates": NO_RATES},
            "Not traded: there is no rate from EUR to USD.",
        ),
        ({"mode": VolatilityTarget(percent=D(1))}, "Not traded: the volatility of EURUSD is not known."),
        ({"mode": HalfKelly()}, "Not traded: how past trades ended is not known."),
        ({"confidence_scale": ConfidenceScale()}, "Not traded: the confidence of the signal is not known."),
        ({"instrument": EURJPY, "rates": NO_RATES}, "Not traded: there is no rate from JPY to USD."),
        (
            {"instrument": EURJPY, "rates": rates({("USD", "JPY"): "150"}, age=timedelta(seconds=61))},
            "Not traded: the rate USD/JPY is 61 seconds old; 60 are allowed.",
        ),
        ({"costs": Costs(spread=D(0), commission=money("3", "EUR")), "rates": NO_RATES},
         "Not traded: there is no rate from EUR to USD."),
        ({"stop": Price(D("1.001"))}, "Not traded: the stop 1.001 is on the wrong side of 1.00000 for a buy."),
        ({"stop": Price(D(1))}, "Not traded: the stop 1 is on the wrong side of 1.00000 for a buy."),
        ({"side": Side.SELL}, "Not traded: the stop 0.99900 is on the wrong side of 1.00000 for a sell."),
        (
            {"costs": Costs(spread=D("0.001"), spread_is_in_entry=True)},  # the stop stands where the other side quotes
            "Not traded: the stop is 0.00100 away, inside the spread of 0.001.",
        ),
        (
            {"instrument": replace(EURUSD, stops_level=D("0.0015"))},
            "Not traded: the stop is 0.00100 away; the venue asks for 0.0015.",
        ),
    ],
)  # fmt: skip
def test_what_is_not_known_or_cannot_be_is_refused_by_name(changes: dict[str, Any], sentence: str) -> None:
    decision = denied(**PLAIN | changes)
    assert (decision.verdict, decision.sentence) == (Verdict.REFUSED, sentence)
    assert decision.evidence["mode"], "a receipt shows what was looked at"


def test_kelly_skips_when_trades_are_too_few() -> None:
    decision = denied(**PLAIN | {"mode": HalfKelly(), "stats": TradeStats(wins=20, losses=9, won=D(40), lost=D(9))})
    assert (decision.verdict, decision.code) == (Verdict.SKIPPED, Code.KELLY_TOO_FEW)


@pytest.mark.parametrize(
    ("confidence", "limit", "lots"),
    [
        ("0.60", None, "0.40"), ("0.6999", None, "0.40"), ("0.70", None, "0.80"), ("0.80", None, "1.00"),
        ("0.95", None, "1.00"),  # larger only within a limit that the customer has set
        ("0.95", "1.2", "1.20"), ("0.95", "1.9", "1.50"), ("0.95", "5", "1.50"), ("0.60", "0.3", "0.30"),
    ],
)  # fmt: skip
def test_confidence_scales_within_the_customers_limit(confidence: str, limit: str | None, lots: str) -> None:
    scale = ConfidenceScale(steps=(*ConfidenceScale().steps, (D("0.95"), D("1.5"))))
    limits = WIDE if limit is None else replace(WIDE, max_risk_percent=D(limit))
    asked = PLAIN | {"mode": preset(Preset.BOLD), "confidence_scale": scale, "limits": limits}
    assert sized(**asked, confidence=D(confidence)).quantity == D(lots)


def test_a_signal_of_little_confidence_is_skipped() -> None:
    decision = denied(**PLAIN, confidence=D("0.59"), confidence_scale=ConfidenceScale())
    assert (decision.verdict, decision.sentence) == (
        Verdict.SKIPPED, "Skipped: a confidence of 0.59 is below 0.60.",
    )  # fmt: skip


def test_settings_that_nobody_can_mean_are_refused() -> None:
    for make in (
        lambda: preset(Preset.CUSTOM), lambda: preset(Preset.CUSTOM, D("0.09")),
        lambda: preset(Preset.CUSTOM, D("2.01")),
        lambda: PercentOfBalance(percent=D(0)), lambda: FixedMoney(amount=money("-1", "USD")),
        lambda: FixedQuantity(quantity=Quantity(D(0))), lambda: SizingLimits(max_leverage=D(0)),
        lambda: Costs(spread=D(-1)), lambda: ConfidenceScale(steps=()), lambda: RangeGate(min_pips=D(16)),
        lambda: ConfidenceScale(steps=((D("0.8"), D(1)), (D("0.7"), D(1)))),
    ):  # fmt: skip
        with pytest.raises(ValueError, match=r"above zero|from 0.1 to 2|below zero|steps rise|from less to more"):
            make()
    with pytest.raises(CurrencyMismatch):
        AccountState(
            balance=money("1", "USD"), equity=money("1", "EUR"), free_margin=None, open_notional=None
        )  # fmt: skip


# --- Costs -----------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("costs", "lots"),
    [
        # budget 55 USD
        (Costs(spread=D("0.0001")), "0.50"),  # 55 / (0.0011 x 100,000)
        (Costs(spread=D("0.0001"), spread_is_in_entry=True), "0.55"),
        (Costs(spread=D(0), slippage=D("0.0002")), "0.45"),  # 55 / 120 = 0.4583
        (Costs(spread=D(0), commission=money("7", "USD")), "0.51"),  # 55 / 107 = 0.5140
        (Costs(spread=D(0), commission=money("5", "EUR")), "0.52"),  # 55 / 105.40 = 0.5218
        (Costs(spread=D(0), commission_rate=D("0.0001")), "0.50"),  # 55 / (100 + 10)
        # 55 / (130 + 7 + 10) = 0.3741
        (
            Costs(
                spread=D("0.0001"), slippage=D("0.0002"), commission=money("7", "USD"), commission_rate=D("0.0001")
            ),
            "0.37",
        ),
    ],
)  # fmt: skip
def test_costs_are_part_of_the_risk(costs: Costs, lots: str) -> None:
    found = sized(**PLAIN, costs=costs, rates=rates({("EUR", "USD"): "1.08"}))
    assert found.quantity == D(lots)
    assert found.risk <= found.budget


# --- Range and reward ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("pips", "is_traded", "said"),
    [
        ("3.99", False, "3.99"), ("4", True, ""), ("15", True, ""), ("15.01", False, "15.01"),
        ("3.996", False, "3.99"), ("15.004", False, "15.01"), ("8", True, ""), ("0", False, "0.00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("symbol", ["EURUSD", "EURJPY", "XAUUSD", "ES"])
def test_the_range_gate(symbol: str, pips: str, is_traded: bool, said: str) -> None:
    spec = instrument(symbol)
    decision = range_outside(D(pips) * spec.pip_size, spec, RangeGate())
    assert (decision is None) is is_traded
    if decision is not None:
        assert (decision.verdict, decision.code) == (Verdict.SKIPPED, Code.RANGE_OUTSIDE)
        assert decision.sentence == f"Skipped: the average range is {said} pips; 4 to 15 are traded."


def test_a_range_that_is_not_known_is_refused() -> None:
    decision = range_outside(None, EURUSD, RangeGate())
    assert decision is not None
    assert decision.sentence == "Not traded: the average range of EURUSD on M1 is not known."


@pytest.mark.parametrize(
    ("side", "stop", "target", "code"),
    [
        (Side.BUY, "90", "115", None), (Side.BUY, "90", "114.99", Code.REWARD_LOW), (Side.SELL, "110", "85", None),
        (Side.SELL, "110", "85.01", Code.REWARD_LOW), (Side.BUY, "90", "95", Code.REWARD_LOW),
        (Side.BUY, "100", "115", Code.SIZING_STOP_SIDE), (Side.SELL, "90", "85", Code.SIZING_STOP_SIDE),
        (Side.BUY, None, "115", Code.SIZING_FACT_MISSING), (Side.BUY, "90", None, Code.SIZING_FACT_MISSING),
    ],
)  # fmt: skip
def test_the_least_reward(side: Side, stop: str | None, target: str | None, code: Code | None) -> None:
    first, second = (None if level is None else Price(D(level)) for level in (stop, target))
    decision = reward_too_small(side, Price(D(100)), first, second, D("1.5"))
    assert (None if decision is None else decision.code) == code


def test_a_low_reward_is_not_rounded_up_in_words() -> None:
    decision = reward_too_small(Side.BUY, Price(D(100)), Price(D(90)), Price(D("114.99")), D("1.5"))
    assert decision is not None
    assert decision.sentence == "Skipped: the target is 1.49 times as far as the stop; 1.5 is asked for."


# --- For people ------------------------------------------------------------------------------------------------------
def test_the_preview_says_what_binds_and_what_is_left_today() -> None:
    """20,000 x 1.97 = 39,400 / 105,000 = 0.3752 lots, of which one loses 254.32: 94.10 USD, 0.4705 % of 20,000."""
    found = size(
        request(
            mode=PercentOfBalance(percent=D(1)), instrument=EURUSD, entry=Price(D("1.05000")),
            stop=Price(D("1.0474568")), account=account("20000"), limits=SizingLimits(max_leverage=D("1.97")),
        )
    )  # fmt: skip
    assert preview(found) == "0.37 lots, risk 94.10 USD (0.48 %), bound by leverage"
    assert preview(found, room_left=money("610.009", "USD")).endswith("by leverage; room left today 610.00 USD")


def test_the_preview_of_what_is_not_traded_says_why() -> None:
    assert preview(denied(stop=None)) == "Not traded: without a stop nobody knows what could be lost."


@pytest.mark.parametrize(
    ("symbol", "quantity", "words"),
    [
        ("ES", "1", "1 contract"), ("ES", "2", "2 contracts"), ("EURUSD", "1", "1.00 lot"),
        ("EURUSD", "1.01", "1.01 lots"), ("BTCUSDT", "0.00123", "0.00123 BTC"),
    ],
)  # fmt: skip
def test_quantities_have_their_unit(symbol: str, quantity: str, words: str) -> None:
    spec = instrument(symbol)
    found = sized(
        mode=FixedQuantity(quantity=Quantity(D(quantity))), instrument=spec, entry=Price(spec.tick_size * 4000),
        stop=Price(spec.tick_size * 3990), account=account("1000000"), rates=rates(RATES),
    )  # fmt: skip
    assert preview(found).startswith(words + ", risk ")


def test_the_receipt_has_the_figures() -> None:
    figures = sized(limits=SizingLimits(max_leverage=D(5)), confidence=D("0.9")).decision().evidence
    expected = {
        "mode": "0.55 % of the balance", "symbol": "EURJPY", "balance": "98909", "quantity": "4.26",
        "risk": "230.94", "budget": "544.00", "loss_per_lot": "54.21", "binding": "leverage",
        "caps": ("budget 10.03", "hard_cap 36.49", "margin 258949393.58", "leverage 4.26", "lot_max 100.00"),
        "rate_path": ("JPY", "USD"), "rate_at": "2026-11-20T10:00:00+00:00", "confidence": "0.9",
    }  # fmt: skip
    assert {name: figures[name] for name in expected} == expected


# --- What must always hold -------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A request, and the rate from quote to account that its book was made from."""

    request: SizingRequest
    rate: Fraction


SPECS = [instrument(symbol) for symbol in sorted(CATALOGUE)]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Draw an account in one of four currencies, an instrument of the catalogue, prices on its grid, and limits."""

    def whole(least: int, most: int) -> Decimal:
        return D(draw(st.integers(least, most)))

    spec, code = draw(st.sampled_from(SPECS)), draw(st.sampled_from(CODES))
    if draw(st.booleans()):  # a step that no other step divides
        spec = replace(spec, lot_min=spec.lot_min * 3, lot_step=spec.lot_step * 3)
    if spec.asset_class is AssetClass.FUTURE and draw(st.booleans()):
        spec = replace(spec, margin_per_lot=money(f"{whole(1, 20_000)}", code))
    balance = whole(1, 10**9).scaleb(-2)
    equity = balance * whole(20, 200).scaleb(-2)
    ticks = whole(2, 10**6)
    side = draw(st.sampled_from(Side))
    stop_ticks = whole(1, int(ticks) - 1)
    entry = spec.tick_size * ticks
    costs = Costs(
        spread=spec.tick_size * min(whole(0, 30), stop_ticks - 1), slippage=spec.tick_size * whole(0, 5),
        spread_is_in_entry=draw(st.booleans()),
        commission=draw(st.none() | st.just(Money(amount=whole(0, 900).scaleb(-2), currency=currency(code)))),
        commission_rate=whole(0, 20).scaleb(-5),
    )  # fmt: skip
    is_wide = draw(st.booleans())  # nothing but the budget binds
    limits = WIDE if is_wide else SizingLimits(
        max_leverage=whole(1, 500).scaleb(-1),
        max_risk_percent=draw(st.none() | st.just(whole(1, 300).scaleb(-2))),
        max_quantity=draw(st.none() | st.just(Quantity(spec.lot_step * whole(1, 1000)))),
    )  # fmt: skip
    held = {
        "equity": balance if is_wide else equity,
        "free_margin": D("1e18") if is_wide else equity * whole(0, 100).scaleb(-2),
        "open_notional": D(0) if is_wide else equity * whole(0, 300).scaleb(-2),
    }
    table, rate = _rates(draw, spec.quote, code)
    figures = {name: Money(amount=amount, currency=currency(code)) for name, amount in held.items()}
    return Case(
        request=SizingRequest(
            mode=PercentOfBalance(percent=whole(1, 300).scaleb(-2)),
            instrument=replace(spec, lot_max=D("1e30")) if is_wide else spec,
            side=side, entry=Price(entry), stop=Price(entry - side.sign * spec.tick_size * stop_ticks),
            account=AccountState(balance=Money(amount=balance, currency=currency(code)), **figures),
            costs=costs, limits=limits, now=NOW, rates=rates(table),
        ),
        rate=rate,
    )  # fmt: skip


def _rates(draw: st.DrawFn, quote: str, code: str) -> tuple[dict[tuple[str, str], str], Fraction]:
    """Draw quotes that lead from one currency to the other: straight, the other way round, or through USD or EUR."""
    main, scale = ("GBP", Fraction(1, 100)) if quote == "GBX" else (quote, Fraction(1))
    if main == code:
        return {}, scale
    thirds = [third for third in ("USD", "EUR") if third not in (main, code)]
    steps = draw(st.sampled_from([(main, code), *((main, third, code) for third in thirds)]))
    table: dict[tuple[str, str], str] = {}
    for source, target in pairwise(steps):
        value = f"{D(draw(st.integers(1, 10**7))).scaleb(-5):f}"
        if draw(st.booleans()):
            table[source, target], scale = value, scale * Fraction(value)
        else:
            table[target, source], scale = value, scale / Fraction(value)
    return table, scale


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """The second reckoning: by the definition, in fractions."""

    loss: Fraction  # of one lot, at the stop
    budgets: dict[Bound, Fraction]
    fits: dict[Bound, Fraction]  # lots, not yet rounded


def expected_of(case: Case) -> Expected:
    asked, spec, rate = case.request, case.request.instrument, case.rate
    assert asked.stop is not None
    assert asked.account.equity is not None
    assert asked.account.free_margin is not None
    assert asked.account.open_notional is not None
    distance = abs(Fraction(asked.entry) - Fraction(asked.stop)) + Fraction(asked.costs.slippage)
    if not asked.costs.spread_is_in_entry:
        distance += Fraction(asked.costs.spread)
    worth = Fraction(asked.entry) / Fraction(spec.tick_size) * Fraction(spec.tick_value) * rate
    loss = distance / Fraction(spec.tick_size) * Fraction(spec.tick_value) * rate
    loss += Fraction(asked.costs.commission.amount) if asked.costs.commission else 0
    loss += worth * Fraction(asked.costs.commission_rate)
    balance, equity = Fraction(asked.account.balance.amount), Fraction(asked.account.equity.amount)
    assert isinstance(asked.mode, PercentOfBalance)
    budgets = {Bound.BUDGET: balance * Fraction(asked.mode.percent) / 100}
    if asked.limits.max_risk_percent is not None:
        budgets[Bound.RISK_LIMIT] = min(balance, equity) * Fraction(asked.limits.max_risk_percent) / 100
    budgets[Bound.HARD_CAP] = min(balance, equity) * Fraction(HARD_CAP_PERCENT) / 100
    fits = {bound: amount / loss for bound, amount in budgets.items()}
    if spec.margin_per_lot is None:
        fits[Bound.MARGIN] = Fraction(asked.account.free_margin.amount) / (worth * Fraction(spec.margin_rate or 0))
    elif spec.margin_per_lot.amount:
        fits[Bound.MARGIN] = Fraction(asked.account.free_margin.amount) / Fraction(spec.margin_per_lot.amount)
    room = equity * Fraction(asked.limits.max_leverage) - Fraction(asked.account.open_notional.amount)
    fits[Bound.LEVERAGE] = room / worth
    fits[Bound.LOT_MAX] = Fraction(spec.lot_max)
    if asked.limits.max_quantity is not None:
        fits[Bound.MAX_QUANTITY] = Fraction(asked.limits.max_quantity)
    return Expected(loss=loss, budgets=budgets, fits=fits)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_the_loss_at_the_stop_is_within_the_budget_and_no_other_size_is_better(case: Case) -> None:
    found, expected = size(case.request), expected_of(case)
    step = Fraction(case.request.instrument.lot_step)
    in_steps = {bound: max(fit // step, 0) * step for bound, fit in expected.fits.items()}
    smallest = min(in_steps.values())
    if smallest < Fraction(case.request.instrument.lot_min):
        assert isinstance(found, Decision)
        assert (found.verdict, found.code) == (Verdict.SKIPPED, Code.BELOW_MINIMUM)
        return
    assert isinstance(found, Sizing)
    quantity = Fraction(found.quantity)
    loss, budget = quantity * expected.loss, min(expected.budgets.values())
    assert loss <= budget, "never above the budget by more than 0"
    assert found.risk <= found.budget
    assert 0 <= Fraction(found.risk.amount) - loss < Fraction(1, 10**20), "what is told is what is lost, rounded up"
    if found.bound in expected.budgets:
        assert budget - loss < step * expected.loss, "within one lot step below it"
    assert quantity % step == 0
    assert quantity == smallest
    assert found.bound is next(bound for bound, fit in in_steps.items() if fit == smallest)
    assert [cap.bound for cap in found.caps] == list(in_steps)
    assert {cap.bound: Fraction(cap.quantity) for cap in found.caps} == in_steps


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases())
def test_same_request_same_size_and_a_lot_may_be_shared(case: Case) -> None:
    lot = lot_of(case.request)
    assert not isinstance(lot, Decision)
    assert size(case.request) == size(case.request) == size(case.request, lot=lot)


wishes = st.one_of(
    st.integers(1, 10**9).map(lambda n: FixedQuantity(quantity=Quantity(D(n).scaleb(-2)))),
    st.integers(1, 10**9).map(lambda n: FixedMoney(amount=money(f"{n}.01", "USD"))),
    st.integers(1, 10**5).map(lambda n: MultiplierOfSource(multiplier=D(n).scaleb(-2))),
    st.integers(1, 10**5).map(lambda n: ProportionalToSource(multiplier=D(n).scaleb(-2))),
    st.integers(1, 10**5).map(lambda n: VolatilityTarget(percent=D(n).scaleb(-2))),
    st.integers(1, 10**5).map(lambda n: PercentOfEquity(percent=D(n).scaleb(-2))),
    st.just(HalfKelly()),
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(cases(), st.none() | wishes)
def test_a_scale_counts_the_lots_of_every_cap(case: Case, mode: Any) -> None:
    """What is worked out once for many accounts counts for each as the caps do, step by step."""
    asked = case.request if mode is None else replace(
        case.request, mode=mode, volatility=D("0.004"), stats=EDGE, source=replace(SOURCE, size=money("5000", "USD"))
    )  # fmt: skip
    spec, account = asked.instrument, asked.account
    lot = lot_of(asked)
    assert not isinstance(lot, Decision)
    wish = wish_of(asked, lot)
    if isinstance(wish, Decision):  # there is no rate to the currency that the mode is set in
        return
    assert account.equity is not None
    assert account.free_margin is not None
    assert account.open_notional is not None
    purse = Purse(
        account.balance.amount, account.equity.amount, account.free_margin.amount, account.open_notional.amount
    )  # fmt: skip
    expected = caps_of(shares(wish, lot, asked.limits, spec, purse), spec)
    scale = Scale(wish, lot, asked.limits, spec)
    with exactly():
        quantities = scale.quantities(purse)
    assert scale.bounds == tuple([bound for bound, _ in expected])
    assert [str(quantity) for quantity in quantities] == [str(quantity) for _, quantity in expected]
    with Within(LOSSLESS):
        try:
            quickly = scale.quantities(purse)
        except DecimalException:  # a digit would be lost: then it is counted with care
            return
    assert [str(quantity) for quantity in quickly] == [str(quantity) for quantity in quantities]


@pytest.mark.parametrize("amount", ["Infinity", "-Infinity", "NaN"])
def test_a_scale_counts_amounts_only(amount: str) -> None:
    asked = request()
    lot = lot_of(asked)
    assert not isinstance(lot, Decision)
    wish = wish_of(asked, lot)
    assert not isinstance(wish, Decision)
    for place in range(4):
        figures = [D(1_000)] * 4
        figures[place] = D(amount)
        with pytest.raises(ValueError, match="no amounts"):
            Scale(wish, lot, WIDE, EURJPY).quantities(Purse(*figures))


@settings(max_examples=400, deadline=None)
@given(wishes, st.integers(0, 100), st.sampled_from(["1000", "10000", "98909.37"]))
def test_no_mode_and_no_confidence_passes_the_hard_cap(mode: Any, confidence: int, balance: str) -> None:
    found = size(
        request(
            **PLAIN | {"account": account(balance)}, mode=mode, volatility=D("0.004"), stats=EDGE,
            source=replace(SOURCE, size=money("5000", "USD")), confidence=D(confidence).scaleb(-2),
            confidence_scale=ConfidenceScale(steps=((D("0.1"), D("0.5")), (D("0.9"), D(3)))),
        )
    )  # fmt: skip
    if isinstance(found, Sizing):
        assert found.risk <= money(balance, "USD").percent(HARD_CAP_PERCENT)
        assert found.quantity >= found.request.instrument.lot_min

"""Validation: one good signal, one table of everything that can be wrong with it, and what must always hold."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code, Verdict
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.signals import (
    Action,
    Level,
    LevelUnit,
    OrderKind,
    Score,
    SignalDraft,
    clock_stamp,
)
from trading.engine.broker_clock import ClockReading
from trading.engine.signal_facts import UNKNOWN, Opposite, Quote, SignalFacts, SignalRules
from trading.engine.validate import ENTRY_CHECKS, EXIT_CHECKS, emitted_at, validate
from trading.rehearsal.messages import SIGNALS, read

SEEN = datetime(2025, 8, 4, 8, 28, 20, tzinfo=UTC)
NOW = SEEN + timedelta(seconds=1)
UTC_CLOCK = ClockReading(offset_s=0, learnt_s=0, arrivals=9, agreeing=9)


def good(name: str = "eurjpy_bull") -> SignalDraft:
    found = read("ea_file", SIGNALS[name].encode())
    assert isinstance(found, SignalDraft)
    return found


def price(text: str) -> Price:
    return Price(Decimal(text))


def quote(bid: str = "171.140", ask: str = "171.155", age_s: int = 1) -> Quote:
    return Quote(bid=price(bid), ask=price(ask), at=NOW - timedelta(seconds=age_s))


FACTS = SignalFacts(
    received_at=SEEN, is_tradable=True, quote=quote(), pip_size=Decimal("0.01"), clock=UTC_CLOCK, last_signal_at=None,
    position=None,
)  # fmt: skip
RULES = SignalRules(requires_phases=True)


def at(text: str, unit: LevelUnit = LevelUnit.PRICE) -> Level:
    return Level(value=Decimal(text), unit=unit)


def phased(**changes: Any) -> dict[str, Any]:
    phases = good().phases
    assert phases is not None
    return {"phases": replace(phases, **changes)}


def stamp(text: str) -> Any:
    found = clock_stamp(f"2025.08.04 {text}")
    assert found is not None
    return found


def test_a_good_signal_is_taken_with_its_figures() -> None:
    decision = validate(good(), FACTS, RULES, now=NOW)
    assert (decision.verdict, decision.code) == (Verdict.TAKEN, Code.VALID)
    assert decision.evidence["checked"] == tuple(check.__name__ for check in ENTRY_CHECKS)
    assert decision.evidence["age_s"] == 1
    assert decision.evidence["spread"] == "0.015"
    assert decision.evidence["expected_target"] == "171.13900"


GOOD_PHASES = good().phases
assert GOOD_PHASES is not None

# name -> changes of the draft, of the facts, of the rules, and the code
WRONG: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any], Code]] = {
    "no side": ({"side": None}, {}, {}, Code.SIDE_MISSING),
    "a side that is not traded": ({}, {}, {"sides": frozenset({Side.SELL})}, Code.SIDE_NOT_ALLOWED),
    "no phases": ({"phases": None}, {}, {}, Code.PHASES_MISSING),
    "the break of structure the other way": (phased(bos_side=Side.SELL), {}, {}, Code.PHASES_SIDES),
    "the break before the structure": (
        phased(bos=replace(GOOD_PHASES.bos, at=stamp("08:27"))),
        {},
        {},
        Code.PHASES_ORDER,
    ),
    "the retest on the bar of the break": (
        phased(retest=replace(GOOD_PHASES.retest, at=stamp("08:26"))),
        {},
        {},
        Code.PHASES_ORDER,
    ),
    "the retest after the signal": (
        phased(retest=replace(GOOD_PHASES.retest, at=stamp("08:29"))),
        {},
        {},
        Code.PHASES_ORDER,
    ),
    "a target that does not follow": (phased(target=price("171.13902")), {}, {}, Code.PHASES_TARGET),
    "a target on the other side": (phased(target=price("171.12700")), {}, {}, Code.PHASES_TARGET),
    "not triggered": (phased(is_triggered=False), {}, {}, Code.PHASES_TRIGGER),
    "short of the trigger": (phased(current=price("171.13800")), {}, {}, Code.PHASES_TRIGGER),
    "an hour old": ({"said_at": stamp("07:28"), "phases": None}, {}, {"requires_phases": False}, Code.TOO_OLD),
    "an hour early": ({"said_at": stamp("09:28")}, {}, {}, Code.FROM_THE_FUTURE),
    "an unknown clock": (
        {},
        {"clock": ClockReading(offset_s=None, learnt_s=None, arrivals=1, agreeing=0)},
        {},
        Code.FACT_MISSING,
    ),
    "found two minutes late": ({}, {"received_at": SEEN - timedelta(minutes=2)}, {}, Code.VALID),
    "a closed symbol": ({}, {"is_tradable": False}, {}, Code.SYMBOL_NOT_TRADABLE),
    "a symbol nobody asked about": ({}, {"is_tradable": None}, {}, Code.FACT_MISSING),
    "no quote": ({}, {"quote": None}, {}, Code.FACT_MISSING),
    "a crossed quote": ({}, {"quote": quote("171.16", "171.14")}, {}, Code.QUOTE_BROKEN),
    "a stale quote": ({}, {"quote": quote(age_s=31)}, {}, Code.QUOTE_STALE),
    "a market elsewhere": ({}, {"quote": quote("195.571", "195.594")}, {}, Code.PRICE_FAR),
    "a trigger inside the spread": (
        {},
        {"quote": quote("171.14", "171.15")},
        {"requires_trigger_outside_spread": True},
        Code.TRIGGER_IN_SPREAD,
    ),
    "no stop": ({}, {}, {"requires_stop": True}, Code.STOP_MISSING),
    "a stop above a buy": ({"stop": at("171.20")}, {}, {}, Code.STOP_SIDE),
    "a stop at the entry": ({"stop": at("171.155")}, {}, {}, Code.STOP_SIDE),
    "a stop in the spread": ({"stop": at("171.150")}, {}, {}, Code.STOP_IN_SPREAD),
    "a stop at the bid": ({"stop": at("171.140")}, {}, {}, Code.STOP_IN_SPREAD),
    "a stop of one pip": ({"stop": at("1", LevelUnit.PIPS)}, {}, {}, Code.STOP_IN_SPREAD),
    "a stop of some unit": ({"stop": at("20", LevelUnit.UNKNOWN)}, {}, {}, Code.LEVEL_UNIT),
    "pips of an unknown pip": ({"stop": at("20", LevelUnit.PIPS)}, {"pip_size": None}, {}, Code.FACT_MISSING),
    "a target below a buy": ({"targets": (at("171.30"), at("171.10"))}, {}, {}, Code.TARGET_SIDE),
    "a weak signal": (
        {"power": Score(raw="40", scale="percent", value=Decimal(40))},
        {},
        {"min_power": Decimal(70)},
        Code.POWER_LOW,
    ),
    "no power": ({}, {}, {"min_power": Decimal(70)}, Code.FACT_MISSING),
    "low confluence": (
        {"confluence": Score(raw="L1", scale="L0-L4", value=Decimal(25))},
        {},
        {"min_confluence": Decimal(50)},
        Code.CONFLUENCE_LOW,
    ),
    "again after a minute": ({}, {"last_signal_at": NOW - timedelta(minutes=1)}, {}, Code.COOLDOWN),
    "nobody knows the last one": ({}, {"last_signal_at": UNKNOWN}, {}, Code.FACT_MISSING),
    "against a position": ({}, {"position": Side.SELL}, {}, Code.OPPOSITE),
    "nobody knows the position": ({}, {"position": UNKNOWN}, {}, Code.FACT_MISSING),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(name: str) -> None:
    draft, facts, rules, code = WRONG[name]
    decision = validate(replace(good(), **draft), replace(FACTS, **facts), replace(RULES, **rules), now=NOW)
    assert decision.code is code
    assert decision.is_taken == (code is Code.VALID)
    assert decision.verdict is not Verdict.REDUCED
    checked = decision.evidence["checked"]
    assert isinstance(checked, tuple)
    assert list(checked) == [check.__name__ for check in ENTRY_CHECKS][: len(checked)]


def test_every_check_denies_something() -> None:
    last = set()
    for draft, facts, rules, code in WRONG.values():
        decision = validate(replace(good(), **draft), replace(FACTS, **facts), replace(RULES, **rules), now=NOW)
        checked = decision.evidence["checked"]
        assert isinstance(checked, tuple)
        if code is not Code.VALID:
            last.add(checked[-1])
    assert last == {check.__name__ for check in ENTRY_CHECKS}


@pytest.mark.parametrize(
    ("draft", "facts", "rules"),
    [
        ({"stop": at("171.139")}, {}, {}),
        ({"stop": at("20", LevelUnit.PIPS), "targets": (at("40", LevelUnit.PIPS),)}, {}, {}),
        ({"stop": at("0.1", LevelUnit.PERCENT)}, {}, {}),
        ({}, {"last_signal_at": NOW - timedelta(minutes=15)}, {}),
        ({}, {"position": Side.BUY}, {}),
        ({}, {"position": Side.SELL}, {"opposite": Opposite.ALLOW}),
        ({"action": Action.REVERSE}, {"position": Side.SELL}, {}),
        ({}, {"quote": None}, {"requires_quote": False}),
        ({"kind": OrderKind.LIMIT, "entry": price("171.10"), "stop": at("171.05")}, {}, {}),
    ],
)
def test_what_is_right_is_taken(draft: dict[str, Any], facts: dict[str, Any], rules: dict[str, Any]) -> None:
    decision = validate(replace(good(), **draft), replace(FACTS, **facts), replace(RULES, **rules), now=NOW)
    assert decision.code is Code.VALID, decision.sentence


def test_the_stop_that_was_inside_the_spread() -> None:
    """GBPJPY, sold at 195.571 with a stop at 195.586 while the ask stood at 195.594."""
    draft = SignalDraft(
        dialect="rest/1", action=Action.OPEN, symbol="GBPJPY", side=Side.SELL, stop=at("195.586"), said_at=SEEN
    )
    facts = replace(FACTS, quote=quote("195.571", "195.594"))
    decision = validate(draft, facts, SignalRules(), now=NOW)
    assert decision.code is Code.STOP_IN_SPREAD
    assert decision.sentence == "Not traded: the stop is 0.015 away and the spread is 0.023; 0.023 are needed."


@pytest.mark.parametrize("name", SIGNALS)
def test_the_arithmetic_of_every_real_signal_holds(name: str) -> None:
    """Also where the EA's pips are not its broker's: gold in 0.0001, an index in 0.1."""
    draft = good(name)
    quoted = Quote(bid=draft.reference or price("1"), ask=draft.reference or price("1"), at=SEEN)
    assert isinstance(draft.said_at, type(stamp("08:28")))
    clock = replace(UTC_CLOCK, offset_s=draft.said_at.seconds - int(SEEN.timestamp()))
    decision = validate(draft, replace(FACTS, quote=quoted, clock=clock), RULES, now=NOW)
    assert decision.code is Code.VALID, decision.sentence


@pytest.mark.parametrize("action", [Action.CLOSE, Action.REDUCE, Action.CANCEL])
def test_an_exit_passes_whatever_is_unknown(action: Action) -> None:
    draft = SignalDraft(dialect="x", action=action, symbol="EURUSD", stop=at("1", LevelUnit.UNKNOWN))
    facts = SignalFacts(received_at=SEEN - timedelta(days=1))
    decision = validate(draft, facts, RULES, now=NOW)
    assert decision.code is Code.VALID
    assert decision.evidence["checked"] == tuple(check.__name__ for check in EXIT_CHECKS)


def test_an_ancient_exit_and_an_unmeasured_stop() -> None:
    facts = SignalFacts(received_at=SEEN - timedelta(days=1))
    close = SignalDraft(dialect="x", action=Action.CLOSE, symbol="EURUSD")
    assert validate(close, facts, SignalRules(max_exit_age_s=3_600), now=NOW).code is Code.TOO_OLD
    move = SignalDraft(dialect="x", action=Action.PROTECT, symbol="EURUSD", stop=at("1", LevelUnit.UNKNOWN))
    assert validate(move, facts, RULES, now=NOW).code is Code.LEVEL_UNIT


def test_the_file_of_friday_stays_old() -> None:
    """First seen on Monday at start-up: the stamp's minute bounds the age, not our first sight."""
    monday = datetime(2025, 8, 11, 0, 5, tzinfo=UTC)
    facts = replace(FACTS, received_at=monday, quote=replace(quote(), at=monday))
    assert validate(good(), facts, RULES, now=monday + timedelta(seconds=1)).code is Code.TOO_OLD


@settings(deadline=None)
@given(lag_s=st.integers(0, 59), wait_s=st.integers(0, 200))
def test_a_minute_stamp_is_off_by_less_than_its_minute(lag_s: int, wait_s: int) -> None:
    begin = datetime(2025, 8, 4, 8, 28, tzinfo=UTC)
    made = begin + timedelta(seconds=lag_s)
    facts = replace(FACTS, received_at=made + timedelta(seconds=wait_s))
    found = emitted_at(good(), facts)
    assert found is not None
    assert made <= found <= made + timedelta(seconds=60)
    assert found <= facts.received_at


drafts = st.builds(
    SignalDraft,
    dialect=st.just("x"),
    action=st.sampled_from(Action),
    symbol=st.just("EURJPY"),
    side=st.none() | st.sampled_from(Side),
    said_at=st.none() | st.just(SEEN) | st.just(stamp("08:28")),
    kind=st.sampled_from(OrderKind),
    entry=st.none() | st.decimals("170", "172", places=3).map(Price),
    stop=st.none() | st.builds(Level, value=st.decimals("0.001", "172", places=3), unit=st.sampled_from(LevelUnit)),
    targets=st.lists(
        st.builds(Level, value=st.decimals("0.001", "172", places=3), unit=st.sampled_from(LevelUnit)), max_size=2
    ).map(tuple),
    phases=st.none() | st.just(GOOD_PHASES),
)
facts_of_any_kind = st.builds(
    SignalFacts,
    received_at=st.just(SEEN),
    is_tradable=st.none() | st.booleans(),
    quote=st.none() | st.just(quote()),
    pip_size=st.none() | st.just(Decimal("0.01")),
    clock=st.sampled_from([UTC_CLOCK, ClockReading(offset_s=None, learnt_s=None, arrivals=0, agreeing=0)]),
    last_signal_at=st.none() | st.just(UNKNOWN) | st.just(SEEN),
    position=st.none() | st.just(UNKNOWN) | st.sampled_from(Side),
)


@settings(max_examples=400, deadline=None)
@given(drafts, facts_of_any_kind)
def test_whatever_is_taken_is_protected_and_known(draft: SignalDraft, facts: SignalFacts) -> None:
    decision = validate(draft, facts, SignalRules(), now=NOW)
    assert decision == validate(draft, facts, SignalRules(), now=NOW)
    assert decision.sentence
    if not (decision.is_taken and draft.action is Action.OPEN):
        return
    assert facts.is_tradable
    assert facts.quote
    assert draft.side
    assert facts.last_signal_at is None
    assert facts.position in (None, draft.side)
    if draft.stop is not None and draft.stop.unit is LevelUnit.PRICE:
        entry = draft.entry if draft.kind is not OrderKind.MARKET and draft.entry else facts.quote.entry(draft.side)
        assert (entry - draft.stop.value) * draft.side.sign > facts.quote.spread

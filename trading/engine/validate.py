"""Whether a signal is worth a trade to anybody: complete, consistent, fresh, near the market and not a repetition.

Two lists of checks, read top to bottom; the first that denies decides. Its evidence names every check that was made
and the figures they used, so that the same draft, facts and time give the same decision again. What asks to close is
judged by its own short list: a gate for entries never holds up an exit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict, evidence
from mikrobot_platform.kernel.signals import Action, ClockStamp, Level, LevelUnit, OrderKind, SignalDraft
from trading.engine import broker_clock
from trading.engine.signal_facts import Opposite, SignalFacts, SignalRules, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that a check may look at."""

    draft: SignalDraft
    facts: SignalFacts
    rules: SignalRules
    now: datetime


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: nothing against it, or a code; and the figures it used."""

    code: Code | None = None
    figures: Mapping[str, object] = field(default_factory=dict)
    verdict: Verdict = Verdict.REFUSED


PASSED = Finding()
Check = Callable[[Case], Finding]


def validate(draft: SignalDraft, facts: SignalFacts, rules: SignalRules, *, now: datetime) -> Decision:
    """Judge one signal; same input, same decision."""
    case = Case(draft=draft, facts=facts, rules=rules, now=now)
    checked: list[str] = []
    figures: dict[str, object] = {"rules": rules.version, "symbol": draft.symbol, "action": draft.action}
    for check in ENTRY_CHECKS if draft.action.is_entry else EXIT_CHECKS:
        checked.append(check.__name__)
        found = check(case)
        figures.update(found.figures)
        if found.code is not None:
            return Decision(
                verdict=found.verdict, code=found.code, evidence=evidence(**figures, checked=tuple(checked))
            )
    return Decision(verdict=Verdict.TAKEN, code=Code.VALID, evidence=evidence(**figures, checked=tuple(checked)))


def _missing(fact: str) -> Finding:
    return Finding(Code.FACT_MISSING, {"fact": fact})


# What it says


def says_a_side(case: Case) -> Finding:
    """Hold entries to a side that the strategy trades. Adding to a position takes the side of the position."""
    side = case.draft.side
    if side is None:
        return PASSED if case.draft.action is not Action.OPEN else Finding(Code.SIDE_MISSING)
    return Finding(None if side in case.rules.sides else Code.SIDE_NOT_ALLOWED, {"side": side})


def has_four_phases(case: Case) -> Finding:
    """Hold a four-phase strategy to signals that have them."""
    is_missing = case.rules.requires_phases and case.draft.phases is None
    return Finding(Code.PHASES_MISSING) if is_missing else PASSED


def phases_agree_on_the_side(case: Case) -> Finding:
    """Hold the break of structure to the side that is traded."""
    phases = case.draft.phases
    if phases is None or phases.bos_side is case.draft.side:
        return PASSED
    return Finding(Code.PHASES_SIDES, {"phase_side": phases.bos_side, "side": case.draft.side or ""})


def phases_are_in_order(case: Case) -> Finding:
    """Hold t1 <= t2 < t3 <= the stamp: the retest is on a later bar than the break, and nothing is from tomorrow."""
    phases = case.draft.phases
    if phases is None:
        return PASSED
    steps = [("phase 1", phases.bos.at), ("phase 2", phases.break_.at), ("phase 3", phases.retest.at)]
    if isinstance(case.draft.said_at, ClockStamp):
        steps.append(("the signal", case.draft.said_at))
    for (earlier, first), (later, second) in pairwise(steps):
        gap = second.seconds_after(first)
        if gap < 0 or (gap == 0 and later == "phase 3"):
            return Finding(
                Code.PHASES_ORDER,
                {"earlier": earlier, "later": later, "earlier_at": first.text, "later_at": second.text},
            )
    return PASSED


def target_is_the_break_plus_the_trigger(case: Case) -> Finding:
    """Hold phase 4 to its arithmetic: target = break + side x trigger x pip, as the source counts pips."""
    phases, side = case.draft.phases, case.draft.side
    if phases is None or side is None:
        return PASSED
    expected = phases.break_.price + side.sign * phases.trigger_pips * phases.pip_size
    is_off = abs(phases.target - expected) > case.rules.target_tolerance
    return Finding(
        Code.PHASES_TARGET if is_off else None,
        {
            "target": phases.target, "expected_target": expected, "break_price": phases.break_.price,
            "pips": phases.trigger_pips, "pip_size": phases.pip_size,
        },
    )  # fmt: skip


def trigger_was_reached(case: Case) -> Finding:
    """Hold phase 4 to what it claims: the price is at the trigger or beyond."""
    phases, side = case.draft.phases, case.draft.side
    if phases is None or side is None:
        return PASSED
    is_short = (phases.current - phases.target) * side.sign < 0 or not phases.is_triggered
    return Finding(
        Code.PHASES_TRIGGER if is_short else None,
        {"current": phases.current, "target": phases.target, "says_triggered": phases.is_triggered},
    )


# When it was said


def emitted_at(draft: SignalDraft, facts: SignalFacts) -> datetime | None:
    """Say when the signal was made, as near as the facts allow; None when its clock is not known.

    A stamp is an interval. The signal was made no later than its end and no later than we saw it; that is the moment
    taken, so a minute stamp makes a signal look younger by less than its minute, and a file of Friday stays old.
    """
    if draft.said_at is None:
        return facts.received_at
    if isinstance(draft.said_at, datetime):
        return draft.said_at
    interval = broker_clock.to_utc(draft.said_at, facts.clock)
    return None if interval is None else max(interval.earliest, min(interval.latest, facts.received_at))


def is_fresh(case: Case) -> Finding:
    """Hold entries to the age that the strategy allows, counted in real time and never from a stamp alone."""
    return _aged(case, case.rules.max_age_s)


def exit_is_not_ancient(case: Case) -> Finding:
    """Hold exits to an age only where the strategy asks for it."""
    return PASSED if case.rules.max_exit_age_s is None else _aged(case, case.rules.max_exit_age_s)


def _aged(case: Case, max_age_s: int) -> Finding:
    made = emitted_at(case.draft, case.facts)
    if made is None:
        return _missing("the distance of the source's clock from UTC")
    age_s = int((case.now - made).total_seconds())
    figures: dict[str, object] = {"age_s": age_s, "max_age_s": max_age_s, "emitted_at": made}
    if -age_s > case.rules.max_ahead_s:
        return Finding(Code.FROM_THE_FUTURE, figures | {"ahead_s": -age_s})
    return Finding(Code.TOO_OLD if age_s > max_age_s else None, figures)


# The market


def symbol_is_tradable(case: Case) -> Finding:
    """Hold entries to symbols that can be traded now."""
    if case.facts.is_tradable is None:
        return _missing(f"whether {case.draft.symbol} can be traded")
    return PASSED if case.facts.is_tradable else Finding(Code.SYMBOL_NOT_TRADABLE)


def quote_is_good(case: Case) -> Finding:
    """Hold the last quote to being there, whole and recent, where the strategy asks for one."""
    quote = case.facts.quote
    if quote is None:
        return _missing(f"the price of {case.draft.symbol}") if case.rules.requires_quote else PASSED
    age_s = int((case.now - quote.at).total_seconds())
    figures = {"bid": quote.bid, "ask": quote.ask, "spread": quote.spread, "quote_age_s": age_s}
    if quote.bid > quote.ask or quote.bid <= 0:
        return Finding(Code.QUOTE_BROKEN, figures)
    if age_s > case.rules.max_quote_age_s:
        return Finding(Code.QUOTE_STALE, figures | {"age_s": age_s, "max_age_s": case.rules.max_quote_age_s})
    return Finding(None, figures)


def price_is_near_the_market(case: Case) -> Finding:
    """Hold the signal's own price to the market's: a stale chart, another symbol or a lost digit shows here."""
    draft, quote = case.draft, case.facts.quote
    price = draft.entry if draft.kind is not OrderKind.MARKET else draft.reference or draft.entry
    if quote is None or price is None:
        return PASSED
    percent = (abs(price - quote.middle) / quote.middle * 100).quantize(Decimal("0.001"))
    figures = {
        "price": price, "reference": quote.middle, "percent": percent, "max_percent": case.rules.max_price_percent
    }  # fmt: skip
    return Finding(Code.PRICE_FAR if percent > case.rules.max_price_percent else None, figures)


def trigger_is_wider_than_the_spread(case: Case) -> Finding:
    """Hold the trigger distance to the spread where the strategy asks for it: below it, the trigger is noise."""
    phases, quote = case.draft.phases, case.facts.quote
    if phases is None or not case.rules.requires_trigger_outside_spread:
        return PASSED
    if quote is None:
        return _missing(f"the price of {case.draft.symbol}")
    distance = phases.trigger_pips * phases.pip_size
    figures = {"distance": distance, "spread": quote.spread}
    return Finding(Code.TRIGGER_IN_SPREAD if distance <= quote.spread else None, figures)


# Levels


def levels_can_be_measured(case: Case) -> Finding:
    """Refuse a stop or target of which nobody knows the unit, and pips of an instrument whose pip is not known."""
    named = [("stop", case.draft.stop), *(("target", target) for target in case.draft.targets)]
    for name, level in named:
        if level is not None and level.unit is LevelUnit.UNKNOWN:
            return Finding(Code.LEVEL_UNIT, {"field": name})
        if level is not None and level.unit is LevelUnit.PIPS and case.facts.pip_size is None:
            return _missing(f"the pip of {case.draft.symbol}")
    return PASSED


def stop_is_where_it_protects(case: Case) -> Finding:
    """Hold the stop to its side of the entry, and further from it than the spread: inside, it is hit at once."""
    draft, quote, side = case.draft, case.facts.quote, case.draft.side
    if draft.stop is None:
        return Finding(Code.STOP_MISSING) if case.rules.requires_stop else PASSED
    reference = _reference(case)
    if reference is None or side is None:
        return _missing("a price to measure the stop from")
    distance = _distance(draft.stop, reference, case.facts, towards=-side.sign)
    figures: dict[str, object] = {
        "stop": reference - side.sign * distance, "reference": reference, "side": side, "distance": distance
    }  # fmt: skip
    if distance <= 0:
        return Finding(Code.STOP_SIDE, figures)
    if quote is None:
        return Finding(None, figures)
    needed = quote.spread * case.rules.min_stop_spreads
    figures |= {"spread": quote.spread, "needed": needed}
    return Finding(Code.STOP_IN_SPREAD if distance <= needed else None, figures)


def targets_are_where_they_gain(case: Case) -> Finding:
    """Hold every target to the side on which the trade gains."""
    side = case.draft.side
    if not case.draft.targets:
        return PASSED
    reference = _reference(case)
    if reference is None or side is None:
        return _missing("a price to measure the target from")
    for target in case.draft.targets:
        distance = _distance(target, reference, case.facts, towards=side.sign)
        if distance <= 0:
            price = reference + side.sign * distance
            return Finding(Code.TARGET_SIDE, {"target": price, "reference": reference, "side": side})
    return PASSED


def _reference(case: Case) -> Decimal | None:
    """Return the price at which the entry is expected: its own for an order that waits, else the market's."""
    draft, quote = case.draft, case.facts.quote
    if draft.kind is not OrderKind.MARKET and draft.entry is not None:
        return draft.entry
    if quote is not None and draft.side is not None:
        return quote.entry(draft.side)
    return draft.entry if draft.entry is not None else draft.reference


def _distance(level: Level, reference: Decimal, facts: SignalFacts, *, towards: int) -> Decimal:
    """Measure a level from the entry, positive when it lies on the side `towards` (+1 above, -1 below)."""
    match level.unit:
        case LevelUnit.PRICE:
            return (level.value - reference) * towards
        case LevelUnit.PIPS:
            return level.value * (facts.pip_size or Decimal(0))
        case LevelUnit.PERCENT:
            return reference * level.value / 100
        case LevelUnit.DISTANCE:
            return level.value
        case LevelUnit.UNKNOWN:  # refused before anything is measured
            return Decimal(0)


# How strong, how often, against what


def power_is_enough(case: Case) -> Finding:
    """Hold the power to the strategy's minimum, both from 0 to 100."""
    if case.rules.min_power is None:
        return PASSED
    if case.draft.power is None:
        return _missing("the power of the signal")
    return _enough(case.draft.power.value, case.rules.min_power, Code.POWER_LOW, "power")


def confluence_is_enough(case: Case) -> Finding:
    """Hold the confluence to the strategy's minimum, both from 0 to 100."""
    if case.rules.min_confluence is None:
        return PASSED
    if case.draft.confluence is None:
        return _missing("the confluence of the signal")
    return _enough(case.draft.confluence.value, case.rules.min_confluence, Code.CONFLUENCE_LOW, "confluence")


def _enough(value: Decimal, minimum: Decimal, code: Code, name: str) -> Finding:
    if value < minimum:
        return Finding(code, {"value": value, "minimum": minimum}, Verdict.SKIPPED)
    return Finding(None, {name: value, f"min_{name}": minimum})


def symbol_has_cooled_down(case: Case) -> Finding:
    """Skip a symbol's next signal for a while: the EA says the same again every few minutes."""
    last = case.facts.last_signal_at
    if case.rules.cooldown_s <= 0 or last is None:
        return PASSED
    if isinstance(last, Unknown):
        return _missing(f"when {case.draft.symbol} had its last signal")
    since_s = int((case.now - last).total_seconds())
    code = Code.COOLDOWN if since_s < case.rules.cooldown_s else None
    return Finding(code, {"since_s": since_s, "cooldown_s": case.rules.cooldown_s}, Verdict.SKIPPED)


def nothing_is_open_against_it(case: Case) -> Finding:
    """Skip a signal against an open position, unless the strategy hedges; a reversal is against one by its nature."""
    position, side = case.facts.position, case.draft.side
    if case.rules.opposite is Opposite.ALLOW or case.draft.action is Action.REVERSE:
        return PASSED
    if isinstance(position, Unknown):
        return _missing(f"whether a position in {case.draft.symbol} is open")
    if position is None or side is None or position is side:
        return PASSED
    return Finding(Code.OPPOSITE, {"position": position, "side": side}, Verdict.SKIPPED)


def protection_can_be_measured(case: Case) -> Finding:
    """Refuse to move a stop to a figure of which nobody knows the unit. What only closes is not looked at."""
    return levels_can_be_measured(case) if case.draft.action is Action.PROTECT else PASSED


ENTRY_CHECKS: tuple[Check, ...] = (
    says_a_side,
    has_four_phases,
    phases_agree_on_the_side,
    phases_are_in_order,
    target_is_the_break_plus_the_trigger,
    trigger_was_reached,
    is_fresh,
    symbol_is_tradable,
    quote_is_good,
    price_is_near_the_market,
    trigger_is_wider_than_the_spread,
    levels_can_be_measured,
    stop_is_where_it_protects,
    targets_are_where_they_gain,
    power_is_enough,
    confluence_is_enough,
    symbol_has_cooled_down,
    nothing_is_open_against_it,
)
EXIT_CHECKS: tuple[Check, ...] = (exit_is_not_ancient, protection_can_be_measured)

"""The size: whether the market moves and the trade pays, then the largest quantity of risk_management.sizing."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from mikrobot_platform.kernel.decisions import Decision
from mikrobot_platform.kernel.money import Within
from risk_management.rules.case import Case
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Form, Reduce, Ruling
from risk_management.sizing import range_outside, reward_too_small, size
from risk_management.sizing.caps import WORDS


def range_inside(case: Settings) -> Ruling:
    """Skip a market that moves less or more than the strategy wants, or the follow, which may want a part of that."""
    desk, atr = case.desk, known(case.desk.shared.atr)
    for gate, bound in ((desk.strategy.range_gate, "the strategy"), (case.follow.range_gate, "the follow")):
        found = None if gate is None else range_outside(atr, desk.spec, gate)
        if found is not None:
            return Deny(found.code, {**found.evidence, "bound": bound}, found.verdict)
    return ALLOWED


def reward_enough(desk: Desk) -> Ruling:
    """Skip a trade whose first target is too near for its stop."""
    minimum, targets = desk.strategy.min_reward, known(desk.signal.targets)
    if minimum is None:
        return ALLOWED
    first = targets[0] if targets else None
    found = reward_too_small(desk.side, desk.entry, known(desk.signal.stop), first, minimum)
    return ALLOWED if found is None else _denial(found)


def sized(case: Case) -> Ruling:
    """Take the largest quantity that the follow's mode and the caps of sizing allow."""
    scale = case.scale()
    if isinstance(scale, Decision):
        return _without_size(case)
    quantities = case.quantities(scale)
    quantity = min(quantities)
    if quantity < case.desk.spec.lot_min:
        return _without_size(case)
    case.lot = scale.lot
    bound = scale.bounds[quantities.index(quantity)]  # of equal ones the first
    words = WORDS[bound]
    told = (*quantities, scale.wish.words, words)
    if bound.is_wish:
        case.cut(quantity, words)
        return Allow(told, _form(scale.names))
    return Reduce(quantity, words, told, _form(scale.names))


def _without_size(case: Case) -> Deny:
    """Let sizing say why there is none, with all that it looked at."""
    with Within(case.desk.usual):
        lot = case.measured_lot()
        found = lot if isinstance(lot, Decision) else size(case.sizing_request(), lot=lot)
    assert isinstance(found, Decision), "one account was sized in two ways"
    return _denial(found)


def _denial(found: Decision) -> Deny:
    return Deny(found.code, found.evidence, found.verdict)


@cache
def _form(names: tuple[str, ...]) -> Form:
    kinds: dict[str, type] = dict.fromkeys(names, Decimal)
    return Form(**kinds, mode=str, bound=str)

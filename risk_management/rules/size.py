"""The size: whether the market moves and the trade pays, then the largest quantity of risk_management.sizing."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Decision
from risk_management.rules.case import Case, Desk
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Reduce, Ruling
from risk_management.sizing import range_outside, reward_too_small, size
from risk_management.sizing.caps import WORDS


def range_inside(desk: Desk) -> Ruling:
    """Skip a market that moves less or more than the strategy wants."""
    gate, atr = desk.strategy.range_gate, known(desk.shared.atr)
    found = None if gate is None else range_outside(atr, desk.spec, gate)
    return ALLOWED if found is None else _denial(found)


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
    lot = case.desk.lot_for(case)
    if isinstance(lot, Decision):
        return _denial(lot)
    request = case.sizing_request()
    found = size(request, lot=lot)
    if isinstance(found, Decision):
        return _denial(found)
    case.lot = lot
    bound = WORDS[found.bound]
    numbers: dict[str, object] = {cap.bound.value: cap.quantity for cap in found.caps}
    numbers["mode"], numbers["bound"] = request.mode.words, bound
    if found.bound.is_wish:
        case.cut(found.quantity, bound)
    return Allow(numbers) if found.bound.is_wish else Reduce(found.quantity, bound, numbers)


def _denial(found: Decision) -> Deny:
    return Deny(found.code, found.evidence, found.verdict)

"""The size: whether the market moves and the trade pays, then the largest quantity of risk_management.sizing."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Decision
from risk_management.rules.case import Case, Desk
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Reduce, Ruling
from risk_management.sizing import Lot, caps_of, least, range_outside, reward_too_small, shares, size
from risk_management.sizing.caps import NAMES, WORDS


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
    desk, spec = case.desk, case.desk.spec
    lot = desk.lot_for(case)
    if isinstance(lot, Decision):
        return _denial(lot)
    purse = case.purse
    wish = desk.wish_for(case, lot)
    if isinstance(wish, Decision):
        return _without_size(case, lot)
    caps = caps_of(shares(wish, lot, desk.sizing_limits_of(case.limits), spec, purse), spec)
    bound, quantity = least(caps)
    if quantity < spec.lot_min:
        return _without_size(case, lot)
    case.lot = lot
    words = WORDS[bound]
    numbers: dict[str, object] = {NAMES[cap]: lots for cap, lots in caps}
    numbers["mode"], numbers["bound"] = wish.words, words
    if bound.is_wish:
        case.cut(quantity, words)
        return Allow(numbers)
    return Reduce(quantity, words, numbers)


def _without_size(case: Case, lot: Lot) -> Deny:
    """Let sizing say why there is none, with all that it looked at."""
    found = size(case.sizing_request(), lot=lot)
    assert isinstance(found, Decision), "one account was sized in two ways"
    return _denial(found)


def _denial(found: Decision) -> Deny:
    return Deny(found.code, found.evidence, found.verdict)

"""Positions against each other in one symbol, on accounts of one customer: most firms call it hedging and forbid it."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.signals import Action
from risk_management.compliance.program import Axis, Permission
from risk_management.rules.case import Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Ruling, recalled


def no_opposite(case: Case) -> Ruling:
    """Hold an entry against a position that this customer has elsewhere, or here unless it is reversed."""
    siblings, limits, program = known(case.account.siblings), case.limits, case.program
    is_forbidden = program is not None and program.policy[Axis.HEDGING].permission is not Permission.ALLOWED
    if limits.allows_opposite and not is_forbidden:
        return ALLOWED
    side, symbol = case.desk.side, case.desk.signal.symbol
    against = [sibling.account for sibling in siblings if sibling.side is not side] if siblings else []
    if case.desk.signal.action is not Action.REVERSE:
        own = case.account.account
        against += [own for held in case.holdings if held.symbol == symbol and held.side is not side]
    if against:
        return Deny(Code.GATE_OPPOSITE, {"symbol": symbol, "accounts": tuple(against)})
    return _alone(len(siblings))


@recalled
def _alone(count: int) -> Ruling:
    return Allow({"siblings": count})

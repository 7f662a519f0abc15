"""How much of the profit one day may have made: what this trade could bring must leave the best day small enough."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.money import minor_unit
from risk_management.compliance.account import Limit
from risk_management.compliance.program import Severity
from risk_management.rules.case import ZERO, Case
from risk_management.rules.ruling import ALLOWED, Allow, Reduce, Ruling, skip


def best_day(case: Case) -> Ruling:
    """Cut the quantity to what the day may still bring. Before there is another winning day, there is no share to keep.

    Where it costs a payout and not the account, the customer decides whether to keep it.
    """
    limits, program = case.limits, case.program
    rule = None if program is None else program.consistency
    rooms = () if rule is None else case.rooms
    room = next((room for room in rooms if room.limit is Limit.BEST_DAY), None)
    if rule is None or room is None or room.room is None or not room.level:
        return ALLOWED
    numbers = {"today": room.value, "ceiling": room.level, "room": room.room, "share_pct": rule.max_share_pct}
    if rule.severity is Severity.PAYOUT_BLOCK and not limits.keeps_best_day:
        return Allow(numbers)
    left = room.room - minor_unit(case.account.currency) if rule.is_strict else room.room
    if left <= 0:
        return skip(Code.GATE_BEST_DAY, numbers)
    reach = case.desk.reach
    if reach is None or reach <= ZERO:
        return Allow(numbers)
    per_lot = case.lot.rate.factor.times(case.desk.spec.value(reach))
    if case.costing(per_lot, case.quantity) <= left:
        return Allow(numbers)
    return Reduce(case.within(left, per_lot), "the firm's share of the best day", numbers)

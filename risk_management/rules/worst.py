"""The worst case: every stop is hit, of what is open and of this trade, and the account is still above every floor.

equity - open risk at stops - risk of this trade with its costs and allowance >= floor + buffer, for each floor where it
stands, and where it may stand by the time the stops are hit:
1. A floor that follows the balance comes up with it, at the latest at a reset. From the balance, open positions lose
   what lies between their opening price and their stop; that must fit into the amount below the balance. What one
   position has gained does not count against what another may lose, because it may be closed before.
2. A floor that follows equity comes up with every gain. Before the stops are hit, everything may have been at its
   target; the whole way back must fit. A trade without a target has no end to that, unless the floor has a lock.
3. A floor never rises above its lock: who stays above that needs neither 1 nor 2.
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.money import Ratio
from risk_management.rules.case import ZERO, Case
from risk_management.rules.facts import Holding, known
from risk_management.rules.floors import Floor, Follows
from risk_management.rules.ruling import Allow, Deny, Form, Reduce, Ruling

BOUND = "the worst case at all stops"
_EMPTY = Floor("an empty account", ZERO)
_NUMBERS = Form(
    equity=Decimal, open_risk=Decimal, risk=Decimal, worst=Decimal, buffer=Decimal, floor=Decimal, limit=str
)  # fmt: skip


class Stake(NamedTuple):
    """What is open: what it may lose from here, what it may lose of the balance, and how far it may still go."""

    risk: Decimal
    of_balance: Decimal
    gain: Decimal | None


def worst_case(case: Case) -> Ruling:
    """Cut the quantity until every stop can be hit."""
    holdings, buffer, equity = case.holdings, case.limits.buffer, case.equity
    naked = [held.symbol for held in holdings if held.stop is None]
    if naked:
        return Deny(Code.GATE_UNPROTECTED, {"symbols": tuple(naked)})
    stake = _stake(holdings)
    above = equity - stake.risk - buffer
    floors = case.floors if case.firm is not None else [*case.floors, _EMPTY]
    allowed, binding, risk = case.quantity, None, case.risk
    for floor in floors:
        if risk <= above - floor.level and (
            floor.follows is Follows.NOTHING
            or (floor.follows is Follows.BALANCE and risk <= floor.amount - buffer - stake.of_balance)
        ):
            continue  # as nearly always
        fits = _fits(case, floor, above, stake, buffer)
        if fits < allowed:
            allowed, binding = fits, floor
    highest = binding or max(floors, key=_level, default=_EMPTY)
    worst = equity - stake.risk - case.risk
    told = equity, stake.risk, case.risk, worst, buffer, highest.level, highest.name
    return Allow(told, _NUMBERS) if binding is None else Reduce(allowed, BOUND, told, _NUMBERS)


def _stake(holdings: tuple[Holding, ...]) -> Stake:
    risk = of_balance = ZERO
    gain: Decimal | None = ZERO
    for held in holdings:
        its_risk, its_gain = known(held.risk), known(held.gain)
        from_opening = its_risk - known(held.floating)
        risk += its_risk
        of_balance += from_opening if from_opening > 0 else ZERO
        gain = None if gain is None or its_gain is None else gain + its_gain
    return Stake(risk, of_balance, gain)


def _fits(case: Case, floor: Floor, above: Decimal, stake: Stake, buffer: Decimal) -> Decimal:
    """Return the largest quantity that leaves the account above one floor, or more than is asked for."""
    room = above - floor.level
    fits = _within(case, room, case.lot.loss)
    if floor.follows is Follows.NOTHING:
        return fits
    if floor.follows is Follows.BALANCE:
        followed = _within(case, floor.amount - buffer - stake.of_balance, case.lot.loss)
    else:
        followed = _given_back(case, floor.amount - buffer - stake.risk, stake.gain)
    if floor.lock is not None and followed < fits:
        followed = max(followed, _within(case, above - floor.lock, case.lot.loss))
    return min(fits, followed)


def _given_back(case: Case, amount: Decimal, gain: Decimal | None) -> Decimal:
    """Return the quantity whose way to the target and back to the stop fits, with that of everything open."""
    reach, lot, desk = case.desk.reach, case.lot, case.desk
    if gain is None or reach is None:
        return ZERO
    there_and_back = desk.once(
        (id(lot), _given_back), lambda: lot.loss.plus(lot.rate.factor.times(desk.spec.value(reach)))
    )
    return case.within(max(amount - gain, ZERO), there_and_back)


def _within(case: Case, room: Decimal, per_lot: Ratio) -> Decimal:
    """Skip the division in the usual case, in which the quantity fits."""
    return case.quantity if case.risk <= room else case.within(room, per_lot)


def _level(floor: Floor) -> Decimal:
    return floor.level

"""Leverage and margin as the venue and the firm have them, working orders included: an order may fill in a second."""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.instruments import AssetClass
from mikrobot_platform.kernel.money import Ratio
from risk_management.rules.case import ZERO, Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import Allow, Form, Reduce, Ruling
from risk_management.sizing import Lot

_LEVERAGE = Form(held=Decimal, wanted=Decimal, limit=Decimal, leverage=Decimal)
_MARGIN = Form(free=Decimal, wanted=Decimal)


def leverage(case: Case) -> Ruling:
    """Cut the quantity to the least leverage of venue, firm and customer."""
    terms, limits, program = case.terms, case.limits, case.program
    most: Decimal = min(terms.leverage, limits.max_leverage)
    if program is not None and program.leverage_fx is not None and case.desk.spec.asset_class is AssetClass.FOREX:
        most = min(most, Decimal(program.leverage_fx))
    held = case.notional
    limit, wanted = case.equity * most, case.worth
    told = held, wanted, limit, most
    if held + wanted <= limit:
        return Allow(told, _LEVERAGE)
    return Reduce(case.within(limit - held, case.lot.notional), "leverage", told, _LEVERAGE)


def margin(case: Case) -> Ruling:
    """Cut the quantity to the free margin, by the instrument's rate or the account's leverage, the dearer one."""
    terms, used, lot = case.terms, known(case.snapshot.margin_used), case.lot
    orders = known(case.account.orders)
    waiting = sum([known(order.notional) for order in orders], ZERO) if orders else ZERO
    per_lot = case.desk.once((margin, id(lot), str(terms.leverage)), lambda: _dearer(lot, terms.leverage))
    free = case.equity - used - case.divided(waiting, terms.leverage)
    wanted = case.costing(per_lot, case.quantity)
    told = free, wanted
    return Allow(told, _MARGIN) if wanted <= free else Reduce(case.within(free, per_lot), "free margin", told, _MARGIN)


def _dearer(lot: Lot, leverage: Decimal) -> Ratio:
    """Return the margin of one lot, by the instrument's rate or by the account's leverage."""
    by_leverage = lot.notional.over(Ratio(leverage))
    return lot.margin if lot.margin.least(by_leverage) is not lot.margin else by_leverage

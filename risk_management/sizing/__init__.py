"""How much to trade: from one signal and one account to a quantity whose loss at the stop is within every limit.

Money at the stop is quantity x distance / tick size x tick value x rate from quote to account, plus costs. All of it is
exact until the quantity is rounded down to the lot, so that the loss is never above the budget, and within one lot step
below it when only the budget binds. What is below the smallest order is skipped, and never rounded up.
"""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

from mikrobot_platform.kernel.decisions import Code, Decision, evidence
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.money import Ratio, Rounding
from risk_management.sizing.caps import WORDS, Bound, Purse, Share, Wish, caps_of, least, risk_budget, shares
from risk_management.sizing.checks import RangeGate, range_outside, reward_too_small
from risk_management.sizing.denials import missing, skipped
from risk_management.sizing.lot import Lot, lot_of
from risk_management.sizing.modes import (
    HARD_CAP_PERCENT,
    PRESET_PERCENT,
    Basis,
    ConfidenceScale,
    FixedMoney,
    FixedQuantity,
    HalfKelly,
    Mode,
    MultiplierOfSource,
    PercentOfBalance,
    PercentOfEquity,
    Preset,
    ProportionalToSource,
    VolatilityTarget,
    preset,
)
from risk_management.sizing.request import AccountState, Costs, SizingLimits, SizingRequest, SourceTrade
from risk_management.sizing.result import Lots, Sizing, figures_of, preview
from risk_management.sizing.scale import Scale
from risk_management.sizing.wish import wish_of


def size(request: SizingRequest, *, lot: Lot | None = None) -> Sizing | Decision:
    """Find the largest quantity that the mode and every cap allow, or say why there is none.

    1. Every fact must be there; the stop must be on its side of the entry, outside the spread and the venue's distance.
    2. One lot is measured in the account's currency: its loss at the stop, its value, its margin.
    3. The mode's wish and the caps are offered in order: budget or request, own risk limit, hard cap, margin, leverage,
       the venue's largest order, own largest quantity. The least one binds; of equal ones the first.
    4. A quantity below the venue's smallest order is skipped.

    Accounts of one currency on one venue share a lot, and those with the same settings a wish: who sizes many of them
    works out both once (`lot_of`, `wish_of`), and then only counts (`Scale`).
    """
    found = _known(request, lot)
    if isinstance(found, Decision):
        return _with_figures(found, request)
    purse, lot, wish = found
    spec = request.instrument
    offered = shares(wish, lot, request.limits, spec, purse)
    caps = caps_of(offered, spec)
    bound, quantity = binding = least(caps)
    if quantity < spec.lot_min:
        return _with_figures(_below_minimum(offered[caps.index(binding)], spec), request)
    return Sizing(
        quantity=quantity,
        bound=bound,
        caps=tuple([Lots(bound=bound, quantity=quantity) for bound, quantity in caps]),
        budget_ratio=risk_budget(wish, purse, offered),
        lot=lot,
        request=request,
    )


def _known(request: SizingRequest, given: Lot | None) -> tuple[Purse, Lot, Wish] | Decision:
    account = request.account
    equity, free_margin, open_notional = account.equity, account.free_margin, account.open_notional
    if equity is None or free_margin is None or open_notional is None:
        known = {"equity": equity, "free margin": free_margin, "open volume": open_notional}
        return missing(f"the account's {next(name for name, amount in known.items() if amount is None)}")
    lot = given or lot_of(request)
    if isinstance(lot, Decision):
        return lot
    wish = wish_of(request, lot)
    if isinstance(wish, Decision):
        return wish
    return Purse(account.balance.amount, equity.amount, free_margin.amount, open_notional.amount), lot, wish


def _below_minimum(share: Share, spec: InstrumentSpec) -> Decision:
    bound, amount, per_lot = share
    unit = Decimal(1).scaleb(spec.lot_step.adjusted() - 2)  # two digits more than the venue takes, to see by how much
    allowed = Ratio(amount).over(per_lot).rounded(unit, Rounding.DOWN)
    if allowed <= 0:  # a debt of margin allows no more and no less than none
        allowed = Decimal(0)
    return skipped(Code.BELOW_MINIMUM, allowed=allowed, minimum=spec.lot_min, unit=spec.unit, bound=WORDS[bound])


def _with_figures(decision: Decision, request: SizingRequest) -> Decision:
    """Add what was looked at, so that a receipt shows why there is no size."""
    figures = dict(evidence(**figures_of(request)))
    return Decision(
        verdict=decision.verdict, code=decision.code, evidence=MappingProxyType(figures | {**decision.evidence})
    )


__all__ = [
    "HARD_CAP_PERCENT", "PRESET_PERCENT", "AccountState", "Basis", "Bound", "ConfidenceScale", "Costs",
    "FixedMoney", "FixedQuantity", "HalfKelly", "Lot", "Mode", "MultiplierOfSource", "PercentOfBalance",
    "PercentOfEquity", "Preset", "ProportionalToSource", "Purse", "RangeGate", "Scale", "Sizing",
    "SizingLimits", "SizingRequest", "SourceTrade", "VolatilityTarget", "Wish", "caps_of", "least", "lot_of",
    "preset", "preview", "range_outside", "reward_too_small", "shares", "size", "wish_of",
]  # fmt: skip

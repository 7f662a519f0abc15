"""How much to trade: from one signal and one account to a quantity whose loss at the stop is within every limit.

Money at the stop is quantity x distance / tick size x tick value x rate from quote to account, plus costs. All of it is
exact until the quantity is rounded down to the lot, so that the loss is never above the budget, and within one lot step
below it when only the budget binds. What is below the smallest order is skipped, and never rounded up.
"""

from __future__ import annotations

from decimal import Decimal
from types import MappingProxyType

from mikrobot_platform.kernel.decisions import Code, Decision, evidence
from mikrobot_platform.kernel.money import Rounding
from risk_management.sizing.caps import WORDS, Bound, Cap, Share, cap_of, least, risk_budget, shares
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
from risk_management.sizing.result import Sizing, figures_of, preview
from risk_management.sizing.wish import wish_of


def size(request: SizingRequest, *, lot: Lot | None = None) -> Sizing | Decision:
    """Find the largest quantity that the mode and every cap allow, or say why there is none.

    1. Every fact must be there; the stop must be on its side of the entry, outside the spread and the venue's distance.
    2. One lot is measured in the account's currency: its loss at the stop, its value, its margin.
    3. The mode's wish and the caps are offered in order: budget or request, own risk limit, hard cap, margin, leverage,
       the venue's largest order, own largest quantity. The least one binds; of equal ones the first.
    4. A quantity below the venue's smallest order is skipped.

    Accounts of one currency on one venue share a lot: who sizes many of them measures it once (`lot_of`).
    """
    found = _offered(request, lot)
    if isinstance(found, Decision):
        return _with_figures(found, request)
    lot, offered = found
    caps = tuple(cap_of(share, request) for share in offered)
    binding = least(caps)
    if binding.quantity < request.instrument.lot_min:
        return _with_figures(_below_minimum(offered[caps.index(binding)], request), request)
    return Sizing(
        quantity=binding.quantity,
        bound=binding.bound,
        caps=caps,
        budget_ratio=risk_budget(offered),
        lot=lot,
        request=request,
    )


def _offered(request: SizingRequest, given: Lot | None) -> tuple[Lot, list[Share]] | Decision:
    account = request.account
    equity, free_margin, open_notional = account.equity, account.free_margin, account.open_notional
    if equity is None or free_margin is None or open_notional is None:
        known = {"equity": equity, "free margin": free_margin, "open volume": open_notional}
        return missing(f"the account's {next(name for name, amount in known.items() if amount is None)}")
    lot = given or lot_of(request)
    if isinstance(lot, Decision):
        return lot
    wish = wish_of(request, lot, equity)
    if isinstance(wish, Decision):
        return wish
    return lot, list(shares(wish, lot, request, equity=equity, free_margin=free_margin, open_notional=open_notional))


def _below_minimum(share: Share, request: SizingRequest) -> Decision:
    spec = request.instrument
    unit = Decimal(1).scaleb(spec.lot_step.adjusted() - 2)  # two digits more than the venue takes, to see by how much
    allowed = share.amount.over(share.per_lot).rounded(unit, Rounding.DOWN)
    if allowed <= 0:  # a debt of margin allows no more and no less than none
        allowed = Decimal(0)
    return skipped(
        Code.BELOW_MINIMUM, allowed=allowed, minimum=spec.lot_min, unit=spec.unit, bound=WORDS[share.bound]
    )  # fmt: skip


def _with_figures(decision: Decision, request: SizingRequest) -> Decision:
    """Add what was looked at, so that a receipt shows why there is no size."""
    figures = dict(evidence(**figures_of(request)))
    return Decision(
        verdict=decision.verdict, code=decision.code, evidence=MappingProxyType(figures | {**decision.evidence})
    )


__all__ = [
    "HARD_CAP_PERCENT", "PRESET_PERCENT", "AccountState", "Basis", "Bound", "Cap", "ConfidenceScale", "Costs",
    "FixedMoney", "FixedQuantity", "HalfKelly", "Lot", "Mode", "MultiplierOfSource", "PercentOfBalance",
    "PercentOfEquity", "Preset", "ProportionalToSource", "RangeGate", "Sizing", "SizingLimits", "SizingRequest",
    "SourceTrade", "VolatilityTarget", "lot_of", "preset", "preview", "range_outside", "reward_too_small", "size",
]  # fmt: skip

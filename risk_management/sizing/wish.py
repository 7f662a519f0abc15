"""What a mode asks for, before any cap: an amount that may be lost, or a quantity."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from mikrobot_platform.kernel.decisions import Code, Decision
from mikrobot_platform.kernel.money import Money, Ratio
from risk_management.kelly import half_kelly
from risk_management.sizing.caps import Bound, Share
from risk_management.sizing.denials import missing, skipped
from risk_management.sizing.lot import Lot, in_account_currency
from risk_management.sizing.modes import (
    FixedMoney,
    FixedQuantity,
    HalfKelly,
    MultiplierOfSource,
    PercentOfBalance,
    PercentOfEquity,
    ProportionalToSource,
    VolatilityTarget,
)
from risk_management.sizing.request import SizingRequest

_ONE = Decimal(1)


def wish_of(request: SizingRequest, lot: Lot, equity: Money) -> Share | Decision:
    """Say what the mode asks for, scaled by the signal's confidence; or why it cannot say."""
    factor = _confidence_factor(request)
    if isinstance(factor, Decision):
        return factor
    wish = _unscaled(request, lot, equity)
    if isinstance(wish, Decision) or factor == _ONE:
        return wish
    return Share(wish.bound, wish.amount.times(factor), wish.per_lot)


def _unscaled(request: SizingRequest, lot: Lot, equity: Money) -> Share | Decision:
    mode = request.mode
    amount: Ratio | Decision
    match mode:
        case FixedQuantity():
            return Share(Bound.REQUEST, Ratio(mode.quantity))
        case MultiplierOfSource() | ProportionalToSource():
            return _like_the_source(mode, request)
        case VolatilityTarget():
            return _volatility(mode, request, lot, equity)
        case PercentOfBalance():
            amount = Ratio(request.account.balance.percent(mode.percent).amount)
        case PercentOfEquity():
            amount = Ratio(equity.percent(mode.percent).amount)
        case FixedMoney():
            amount = in_account_currency(mode.amount, request)
        case HalfKelly():
            amount = _kelly(mode, request, equity)
        case _:
            assert_never(mode)
    return amount if isinstance(amount, Decision) else Share(Bound.BUDGET, amount, lot.loss)


def _kelly(mode: HalfKelly, request: SizingRequest, equity: Money) -> Ratio | Decision:
    if request.stats is None:
        return missing("how past trades ended")
    stake = half_kelly(request.stats, cap=mode.cap)
    return stake if isinstance(stake, Decision) else Ratio((equity * stake.fraction).amount)


def _like_the_source(mode: MultiplierOfSource | ProportionalToSource, request: SizingRequest) -> Share | Decision:
    source = request.source
    if source is None:
        return missing("the source's quantity")
    quantity = source.lots_ratio.times(source.quantity).times(mode.multiplier)
    if isinstance(mode, MultiplierOfSource):
        return Share(Bound.REQUEST, quantity)
    own = request.account.by(mode.basis)
    # There is no proportion to an account of nothing.
    if source.size is None or source.size.amount <= 0:
        return missing(f"the source's {mode.basis}")
    if own is None:
        return missing(f"the account's {mode.basis}")
    theirs = in_account_currency(source.size, request)
    return theirs if isinstance(theirs, Decision) else Share(Bound.REQUEST, quantity.times(own.amount).over(theirs))


def _volatility(mode: VolatilityTarget, request: SizingRequest, lot: Lot, equity: Money) -> Share | Decision:
    if request.volatility is None or not request.volatility > 0:
        return missing(f"the volatility of {request.instrument.symbol}")
    usual_move = lot.rate.factor.times(request.instrument.value(request.volatility))
    return Share(Bound.REQUEST, Ratio(equity.percent(mode.percent).amount), usual_move)


def _confidence_factor(request: SizingRequest) -> Decimal | Decision:
    """Return the factor for the signal's confidence; above one only where the customer has set a risk limit."""
    scale, confidence = request.confidence_scale, request.confidence
    if scale is None:
        return _ONE
    if confidence is None:
        return missing("the confidence of the signal")
    factor = scale.factor(confidence)
    if factor is None:
        return skipped(Code.CONFIDENCE_LOW, confidence=confidence, minimum=scale.steps[0][0])
    return factor if request.limits.max_risk_percent is not None else min(factor, _ONE)

"""What a mode asks for, before any cap: an amount that may be lost, or a quantity."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from mikrobot_platform.kernel.decisions import Code, Decision
from mikrobot_platform.kernel.money import EXACT, Ratio
from risk_management.kelly import half_kelly
from risk_management.sizing.caps import Bound, Wish
from risk_management.sizing.denials import missing, skipped
from risk_management.sizing.lot import Lot, in_account_currency
from risk_management.sizing.modes import (
    Basis,
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


def wish_of(request: SizingRequest, lot: Lot) -> Wish | Decision:
    """Say what the mode asks for, scaled by the signal's confidence; or why it cannot say.

    None of the account's figures is looked at, its record of trades excepted: `Wish` says of which figure it is a part.
    """
    factor = _confidence_factor(request)
    if isinstance(factor, Decision):
        return factor
    wish = _unscaled(request, lot)
    return wish if isinstance(wish, Decision) or factor == _ONE else wish.scaled(factor)


def _unscaled(request: SizingRequest, lot: Lot) -> Wish | Decision:  # noqa: PLR0911 - one line a mode
    mode = request.mode
    words = mode.words
    match mode:
        case PercentOfBalance():
            return Wish(Bound.BUDGET, _percent(mode.percent), Basis.BALANCE, lot.loss, words)
        case PercentOfEquity():
            return Wish(Bound.BUDGET, _percent(mode.percent), Basis.EQUITY, lot.loss, words)
        case FixedMoney():
            amount = in_account_currency(mode.amount, request)
            return amount if isinstance(amount, Decision) else Wish(Bound.BUDGET, amount, None, lot.loss, words)
        case FixedQuantity():
            return Wish(Bound.REQUEST, Ratio(mode.quantity), words=words)
        case MultiplierOfSource() | ProportionalToSource():
            return _like_the_source(mode, request)
        case VolatilityTarget():
            return _volatility(mode, request, lot)
        case HalfKelly():
            return _kelly(mode, request, lot)
        case _:
            assert_never(mode)


def _kelly(mode: HalfKelly, request: SizingRequest, lot: Lot) -> Wish | Decision:
    if request.stats is None:
        return missing("how past trades ended")
    stake = half_kelly(request.stats, cap=mode.cap)
    if isinstance(stake, Decision):
        return stake
    return Wish(Bound.BUDGET, Ratio(stake.fraction), Basis.EQUITY, lot.loss, mode.words)


def _like_the_source(mode: MultiplierOfSource | ProportionalToSource, request: SizingRequest) -> Wish | Decision:
    source = request.source
    if source is None:
        return missing("the source's quantity")
    quantity = source.lots_ratio.times(source.quantity).times(mode.multiplier)
    if isinstance(mode, MultiplierOfSource):
        return Wish(Bound.REQUEST, quantity, words=mode.words)
    # There is no proportion to an account of nothing.
    if source.size is None or source.size.amount <= 0:
        return missing(f"the source's {mode.basis}")
    theirs = in_account_currency(source.size, request)
    if isinstance(theirs, Decision):
        return theirs
    return Wish(Bound.REQUEST, quantity.over(theirs), mode.basis, words=mode.words)


def _volatility(mode: VolatilityTarget, request: SizingRequest, lot: Lot) -> Wish | Decision:
    if request.volatility is None or not request.volatility > 0:
        return missing(f"the volatility of {request.instrument.symbol}")
    usual_move = lot.rate.factor.times(request.instrument.value(request.volatility))
    return Wish(Bound.REQUEST, _percent(mode.percent), Basis.EQUITY, usual_move, mode.words)


def _percent(of_hundred: Decimal) -> Ratio:
    return Ratio(of_hundred.scaleb(-2, context=EXACT))


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

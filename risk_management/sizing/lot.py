"""One lot, seen from an account: what it loses at the stop, what it is worth, and what margin it holds."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, Decision, Refusal
from mikrobot_platform.kernel.money import EXACT, Currency, Money, Ratio
from mikrobot_platform.kernel.rates import Conversion, conversion
from risk_management.sizing.denials import denied, missing, refused
from risk_management.sizing.request import SizingRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Lot:
    """The money in one lot, exact and in the account's currency."""

    distance: Decimal  # from entry to stop with its costs, in price
    loss: Ratio  # at the stop, costs included
    notional: Ratio
    margin: Ratio
    rate: Conversion  # from the quote currency to the account's


def lot_of(request: SizingRequest) -> Lot | Decision:
    """Measure one lot: distance / tick size x tick value x rate, plus commission; or say what stands against it."""
    spec, costs = request.instrument, request.costs
    distance = _stop_distance(request)
    if isinstance(distance, Decision):
        return distance
    rate = _rate(spec.quote, request)
    if isinstance(rate, Decision):
        return rate
    distance = costs.distance(distance)
    notional = rate.factor.times(spec.value(request.entry))
    loss = rate.factor.times(spec.value(distance))
    if costs.commission is not None:
        commission = in_account_currency(costs.commission, request)
        if isinstance(commission, Decision):
            return commission
        loss = loss.plus(commission)
    if costs.commission_rate:
        loss = loss.plus(notional.times(costs.commission_rate))
    margin = _margin(notional, request)
    if isinstance(margin, Decision):
        return margin
    return Lot(distance=distance, loss=loss, notional=notional, margin=margin, rate=rate)


def in_account_currency(amount: Money, request: SizingRequest) -> Ratio | Decision:
    """Change an amount into the account's currency, exactly."""
    rate = _rate(amount.currency, request)
    return rate if isinstance(rate, Decision) else rate.factor.times(amount.amount)


def _rate(source: Currency, request: SizingRequest) -> Conversion | Decision:
    found = conversion(source, request.account.currency, request.rates, now=request.now, max_age=request.max_rate_age)
    return denied(found) if isinstance(found, Refusal) else found


def _stop_distance(request: SizingRequest) -> Decimal | Decision:
    """Measure from entry to stop; refuse a stop that is missing, on the wrong side, or too near to stand."""
    spec, stop, spread = request.instrument, request.stop, request.costs.spread
    if stop is None:
        return refused(Code.SIZING_STOP_MISSING)
    distance = EXACT.multiply(EXACT.subtract(request.entry, stop), Decimal(request.side.sign))
    if distance <= 0:
        return refused(Code.SIZING_STOP_SIDE, stop=stop, entry=request.entry, side=request.side)
    if distance <= spread:
        return refused(Code.SIZING_STOP_IN_SPREAD, distance=distance, spread=spread)
    if distance < spec.stops_level:
        return refused(Code.SIZING_STOP_NEAR, distance=distance, stops_level=spec.stops_level)
    return distance


def _margin(notional: Ratio, request: SizingRequest) -> Ratio | Decision:
    spec = request.instrument
    if spec.margin_per_lot is not None:
        return in_account_currency(spec.margin_per_lot, request)
    return missing(f"the margin of {spec.symbol}") if spec.margin_rate is None else notional.times(spec.margin_rate)

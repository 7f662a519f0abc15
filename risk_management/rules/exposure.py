"""How much is held at once: of everything, of this symbol, and of what moves together with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from risk_management.rules.case import ZERO, Case
from risk_management.rules.facts import Correlation, Holding, Lacking, Missing, known
from risk_management.rules.ruling import ALLOWED, Allow, Form, Reduce, Ruling

_RISK = Form(at_risk=Decimal, risk=Decimal, limit=Decimal, percent=Decimal)
_HELD = Form(held=Decimal, wanted=Decimal, limit=Decimal)


def exposure(case: Case) -> Ruling:
    """Cut the quantity to the customer's multiple of the equity, for all positions together."""
    return _held(case, case.holdings, case.limits.max_exposure, "your exposure")


def symbol_exposure(case: Case) -> Ruling:
    """Cut the quantity to the customer's multiple of the equity in this symbol."""
    symbol, limit = case.desk.signal.symbol, case.limits.max_symbol_exposure
    same = (held for held in case.holdings if held.symbol == symbol)
    return _held(case, same, limit, "your exposure in one symbol")


def correlated_risk(case: Case) -> Ruling:
    """Cut the quantity to the customer's percentage of the equity, at risk in symbols that move the same way."""
    limits, correlations = case.limits, known(case.desk.shared.correlations)
    percent, threshold, symbol = limits.max_correlated_risk_percent, limits.correlation_from, case.desk.signal.symbol
    if percent is None:
        return ALLOWED
    if correlations is None:
        raise Lacking(Missing("which symbols move together"))
    moves = case.desk.once(correlated_risk, lambda: _moves(correlations, symbol))
    sign = case.desk.side.sign
    together = [
        held for held in case.holdings if moves.get(held.symbol, ZERO) * held.side.sign * sign >= threshold
    ]  # fmt: skip
    at_risk = sum([known(held.risk) for held in together], ZERO) if together else ZERO
    limit = case.equity * percent / 100
    told = at_risk, case.risk, limit, percent
    if at_risk + case.risk <= limit:
        return Allow(told, _RISK)
    return Reduce(case.within(limit - at_risk, case.lot.loss), "your risk in symbols that move together", told, _RISK)


def _moves(correlations: tuple[Correlation, ...], symbol: str) -> Mapping[str, Decimal]:
    return {pair.symbol: pair.coefficient for pair in correlations} | {symbol: Decimal(1)}


def _held(case: Case, holdings: Iterable[Holding], multiple: Decimal | None, bound: str) -> Ruling:
    if multiple is None:
        return ALLOWED
    held = sum((known(holding.notional) for holding in holdings), ZERO)
    limit, wanted = case.equity * multiple, case.worth
    told = held, wanted, limit
    if held + wanted <= limit:
        return Allow(told, _HELD)
    return Reduce(case.within(limit - held, case.lot.notional), bound, told, _HELD)

"""Whether the market is as the signal saw it: the spread is not wide, and the price has not run away."""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.signals import OrderKind
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Ruling, skip


def spread_small(case: Settings) -> Ruling:
    """Skip a spread above the strategy's limit or the customer's own."""
    desk, own = case.desk, case.conditions.max_spread
    return desk.once((spread_small, None if own is None else str(own)), lambda: _spread_small(desk, own))


def _spread_small(desk: Desk, own: Decimal | None) -> Ruling:
    quote, limit = desk.quote, _least(desk.strategy.max_spread, own)
    if limit is None:
        return ALLOWED
    numbers = {"spread": quote.ask - quote.bid, "limit": limit}
    return skip(Code.GATE_SPREAD, numbers) if quote.ask - quote.bid > limit else Allow(numbers)


def slippage_small(case: Settings) -> Ruling:
    """Skip an entry at the market that has become worse than the source's price by more than the limit."""
    desk, own = case.desk, case.conditions.max_slippage
    return desk.once((slippage_small, None if own is None else str(own)), lambda: _slippage_small(desk, own))


def _slippage_small(desk: Desk, own: Decimal | None) -> Ruling:
    signal, limit = desk.signal, _least(desk.strategy.max_slippage, own)
    wanted, kind = known(signal.entry), known(signal.kind)
    if limit is None or wanted is None or kind is not OrderKind.MARKET:
        return ALLOWED
    worse = (desk.entry - wanted) * desk.side.sign
    numbers = {"entry": desk.entry, "wanted": wanted, "worse": worse, "limit": limit}
    return skip(Code.GATE_SLIPPAGE, numbers) if worse > limit else Allow(numbers)


def _least(one: Decimal | None, other: Decimal | None) -> Decimal | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)

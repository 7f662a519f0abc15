"""How many: positions at once, positions in one symbol, trades in a day. A working order counts as a position."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import Allow, Ruling, skip


def max_open(case: Case) -> Ruling:
    """Skip when as many positions and orders are there as the customer allows."""
    held, limit = len(case.holdings), case.limits.max_open
    numbers = {"open": held, "limit": limit}
    return skip(Code.GATE_MAX_OPEN, numbers) if limit is not None and held >= limit else Allow(numbers)


def max_per_symbol(case: Case) -> Ruling:
    """Skip when as many are there in this symbol as the customer allows."""
    symbol, limit = case.desk.signal.symbol, case.limits.max_per_symbol
    held = sum(1 for holding in case.holdings if holding.symbol == symbol)
    numbers = {"open": held, "limit": limit}
    if limit is None or held < limit:
        return Allow(numbers)
    return skip(Code.GATE_MAX_PER_SYMBOL, {**numbers, "symbol": symbol})


def trades_per_day(case: Case) -> Ruling:
    """Skip when the customer's trades of this day are made."""
    made, limit = known(case.account.trades_today), case.limits.max_trades_per_day
    numbers = {"made": made, "limit": limit}
    return skip(Code.GATE_TRADES_PER_DAY, numbers) if limit is not None and made >= limit else Allow(numbers)

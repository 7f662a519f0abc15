"""How many: positions at once, positions in one symbol, trades in a day. A working order counts as a position."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import Allow, Ruling, skip


def max_open(case: Case) -> Ruling:
    """Skip when as many positions and orders are there as the customer allows."""
    held, limit = len(case.holdings), case.limits.max_open
    return case.desk.once((max_open, held, limit), lambda: _fewer(held, limit, Code.GATE_MAX_OPEN, "open"))


def max_per_symbol(case: Case) -> Ruling:
    """Skip when as many are there in this symbol as the customer allows."""
    symbol, limit = case.desk.signal.symbol, case.limits.max_per_symbol
    held = len([True for holding in case.holdings if holding.symbol == symbol])
    return case.desk.once((max_per_symbol, held, limit), lambda: _fewer_in(symbol, held, limit))


def trades_per_day(case: Case) -> Ruling:
    """Skip when the customer's trades of this day are made."""
    made, limit = known(case.account.trades_today), case.limits.max_trades_per_day
    return case.desk.once((trades_per_day, made, limit), lambda: _fewer(made, limit, Code.GATE_TRADES_PER_DAY, "made"))


def _fewer(count: int, limit: int | None, code: Code, what: str) -> Ruling:
    numbers = {what: count, "limit": limit}
    return skip(code, numbers) if limit is not None and count >= limit else Allow(numbers)


def _fewer_in(symbol: str, count: int, limit: int | None) -> Ruling:
    numbers = {"open": count, "limit": limit}
    if limit is None or count < limit:
        return Allow(numbers)
    return skip(Code.GATE_MAX_PER_SYMBOL, {**numbers, "symbol": symbol})

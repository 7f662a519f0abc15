"""How many: positions at once, of a strategy, in a symbol, trades in a day. A working order counts as a position."""

from __future__ import annotations

from operator import itemgetter

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Ruling, recalled, skip


def max_open(case: Case) -> Ruling:
    """Skip when as many positions and orders are there as the customer allows."""
    return _fewer(len(case.holdings), case.limits.max_open, Code.GATE_MAX_OPEN, "open")


def max_of_strategy(case: Case) -> Ruling:
    """Skip when as many of this strategy are there as it holds, or as the follow lets it hold, whichever is fewer."""
    follow, strategy = case.follow, case.desk.strategy
    if strategy.max_positions is None and follow.max_positions is None:
        return ALLOWED
    return _fewer_of(strategy.name, known(case.account.of_strategy), strategy.max_positions, follow.max_positions)


def max_per_symbol(case: Case) -> Ruling:
    """Skip when as many are there in this symbol as the customer allows."""
    symbol = case.desk.signal.symbol
    held = len([True for holding in case.holdings if holding.symbol == symbol])
    return _fewer_in(symbol, held, case.limits.max_per_symbol)


def trades_per_day(case: Case) -> Ruling:
    """Skip when the customer's trades of this day are made."""
    return _fewer(known(case.account.trades_today), case.limits.max_trades_per_day, Code.GATE_TRADES_PER_DAY, "made")


@recalled
def _fewer(count: int, limit: int | None, code: Code, what: str) -> Ruling:
    numbers = {what: count, "limit": limit}
    return skip(code, numbers) if limit is not None and count >= limit else Allow(numbers)


@recalled
def _fewer_of(strategy: str, count: int, own: int | None, followed: int | None) -> Ruling:
    limits = {"the strategy": own, "the follow": followed}
    bound, limit = min(((who, most) for who, most in limits.items() if most is not None), key=itemgetter(1))
    numbers = {"open": count, "limit": limit, "bound": bound}
    return skip(Code.GATE_MAX_OF_STRATEGY, {**numbers, "strategy": strategy}) if count >= limit else Allow(numbers)


@recalled
def _fewer_in(symbol: str, count: int, limit: int | None) -> Ruling:
    numbers = {"open": count, "limit": limit}
    if limit is None or count < limit:
        return Allow(numbers)
    return skip(Code.GATE_MAX_PER_SYMBOL, {**numbers, "symbol": symbol})

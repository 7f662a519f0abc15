"""Between which prices nothing happens to an account, so that most prices need not be asked about.

It is on the safe side: inside its band a quote would change nothing, outside it may. A band holds for one book, and for
a while only, because what currencies cost moves the equity as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.money import Ratio, Rounding
from mikrobot_platform.kernel.orders import TimeInForce
from trading.engine.matching.book import ZERO, Book, Position, Working
from trading.engine.matching.market import Market, Quote
from trading.engine.matching.valuation import RateMissing, equity, in_account_money, margin_used

_ENDLESS = Decimal("Infinity")


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """Prices between which, and the moment until which, an account need not be looked at."""

    low: Decimal
    high: Decimal
    until: datetime

    def holds(self, quote: Quote) -> bool:
        return self.low < quote.bid and quote.ask < self.high and quote.at < self.until


class _Restless(Exception):
    """Raised when every price matters."""


def bands(book: Book, market: Market, *, until: datetime) -> Mapping[str, Band]:
    """Find the band of each symbol that matters to an account; one that is missing is always asked about."""
    symbols = book.symbols
    try:
        room = equity(book, market) - margin_used(book, market) * book.terms.stop_out
        found = {symbol: _band(book, symbol, market, room / (2 * len(symbols)), until) for symbol in symbols}
    except RateMissing:
        return {}
    return {symbol: band for symbol, band in found.items() if band is not None}


def _band(book: Book, symbol: str, market: Market, room: Decimal, until: datetime) -> Band | None:
    quote, spec = market.quote(symbol), market.spec(symbol)
    if quote is None or spec is None:
        return None
    low, high = ZERO, _ENDLESS
    held = [position for position in book.positions if position.symbol == symbol]
    waiting = [order for order in book.orders if order.request.symbol == symbol]
    try:
        for level, is_above in (*_of_positions(held), *_of_orders(waiting)):
            low, high = (low, min(high, level)) if is_above else (max(low, level), high)
    except _Restless:
        return None
    if held:
        # Half of the room, shared among the symbols: the other half is for what the currencies do.
        lots = sum((position.quantity for position in held), ZERO)
        costs = in_account_money(spec.value(lots), spec.quote, book.terms, market, Rounding.UP)
        away = Ratio(max(room, ZERO), max(costs, Decimal(1))).rounded(spec.tick_size, Rounding.DOWN)
        low, high = max(low, quote.bid - away), min(high, quote.ask + away)
    band = Band(low=low, high=high, until=min([until, *(position.swap_due for position in held)]))
    return band if band.holds(quote) else None


def _of_positions(held: list[Position]) -> Iterator[tuple[Decimal, bool]]:
    """Name the levels at which a position is closed, and whether they lie above the market."""
    for position in held:
        is_long = position.side is Side.BUY
        if position.stop_loss is not None:
            yield position.stop_loss, not is_long
        if position.take_profit is not None:
            yield position.take_profit, is_long


def _of_orders(waiting: list[Working]) -> Iterator[tuple[Decimal, bool]]:
    """Name the levels at which something happens to an order, and whether they lie above the market."""
    for order in waiting:
        is_buy = order.request.side is Side.BUY
        if order.request.time_in_force is TimeInForce.DAY:
            raise _Restless
        if order.stop is not None and not order.is_triggered:
            yield order.stop, is_buy
            if order.request.trail is not None:
                yield order.stop - order.request.trail * order.request.side.sign, not is_buy
        elif order.limit is not None:
            yield order.limit, not is_buy
        else:
            raise _Restless  # the rest of a market order takes any price

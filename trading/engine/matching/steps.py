"""What a quote does to an account.

It comes in this order: nights that have passed, day orders that are over, protective stops, targets, orders that wait
(oldest first), trailing stops, and last whether the account can carry what it holds.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT
from mikrobot_platform.kernel.orders import OrderState, TimeInForce
from trading.engine.matching.book import Book, Outcome, Position, Working
from trading.engine.matching.desk import STOP_LOSS, STOP_OUT, TAKE_PROFIT, Desk
from trading.engine.matching.market import Market, Quote
from trading.engine.matching.valuation import RateMissing, equity, floating, in_account_money, margin_used

DAY_OVER = "day_over"


def on_quote(book: Book, quote: Quote, market: Market) -> Outcome:
    """Carry out whatever a new price triggers. `market` knows the price already."""
    desk = Desk(book, market, quote.at)
    day = market.trading_day(quote.symbol, quote.at)
    try:
        charge_nights(desk)
        if day is not None:
            end_days(desk, quote.symbol, day)
            at_quote(desk, quote)
            stop_out(desk)
    except RateMissing:
        return Outcome(book=book)  # nobody can say what this would make; the next price comes soon
    return desk.outcome()


def at_quote(desk: Desk, quote: Quote) -> None:
    """Carry out stops and targets, then orders, then the stops and targets of what these have opened."""
    _protect(desk, quote)
    for order in list(desk.orders.values()):
        if order.request.symbol == quote.symbol and order.id in desk.orders:
            try_at(desk, desk.orders[order.id], quote)
            moved = trailed(desk.orders.get(order.id, order), quote.price(order.request.side))
            if moved is not None and order.id in desk.orders:
                desk.orders[order.id] = moved
    _protect(desk, quote)


def _protect(desk: Desk, quote: Quote) -> None:
    for held in list(desk.positions.values()):
        if held.symbol == quote.symbol:
            _protect_at(desk, held, quote)


def is_beyond(price: Decimal, level: Decimal, side: Side) -> bool:
    """Tell whether a price has reached a level that lies in the direction of a side: above for a buy."""
    return price >= level if side is Side.BUY else price <= level


def _protect_at(desk: Desk, held: Position, quote: Quote) -> None:
    """Close a position whose stop or target a quote has reached; as much as the quote carries."""
    out = held.side.opposite
    price = quote.price(out)
    if held.stop_loss is not None and is_beyond(price, held.stop_loss, out):
        # The stop is a market order by now: it gets the price that there is, however far it has jumped.
        _close_some(desk, held, quote, desk.slipped(held.symbol, out, price, f"{held.id}/stop"), STOP_LOSS)
    elif held.take_profit is not None and is_beyond(price, held.take_profit, held.side):
        _close_some(desk, held, quote, price, TAKE_PROFIT)


def _close_some(desk: Desk, held: Position, quote: Quote, price: Price, reason: str) -> None:
    quantity = desk.available(quote, held.side.opposite, held.quantity)
    if quantity:
        desk.take(quote, held.side.opposite, quantity)
        desk.close_by_venue(held, quantity, price, reason)


def try_at(desk: Desk, order: Working, quote: Quote) -> None:
    """Carry an order out as far as a quote allows it; what it does not carry goes on waiting."""
    request, price = order.request, quote.price(order.request.side)
    if order.stop is not None and not order.is_triggered:
        if not is_beyond(price, order.stop, request.side):
            return
        order = replace(order, is_triggered=True)
        desk.orders[order.id] = order
    if order.limit is not None and not is_beyond(order.limit, price, request.side):
        return
    quantity = desk.available(quote, request.side, order.left)
    if not quantity:
        return
    if order.limit is None:
        price = desk.slipped(request.symbol, request.side, price, f"{order.id}/{order.revision}")
    desk.take(quote, request.side, quantity)
    desk.fill(order, quantity, price)


def trailed(order: Working, best: Price) -> Working | None:
    """Draw a trailing stop after a price that has moved away from it; None when it stays."""
    trail, side = order.request.trail, order.request.side
    if trail is None or order.stop is None or order.is_triggered:
        return None
    level = Price(EXACT.add(best, EXACT.multiply(trail, Decimal(side.sign))))
    if is_beyond(level, order.stop, side) or level <= 0:
        return None
    return replace(order, stop=level)


# --- time ---
def charge_nights(desk: Desk) -> None:
    for held in list(desk.positions.values()):
        if held.swap_due > desk.now:
            continue
        nights, due = desk.terms.nights(held.swap_due, desk.now)
        per_lot, spec = desk.terms.swap(held.symbol, held.side), desk.spec(held.symbol)
        amount = EXACT.multiply(EXACT.multiply(per_lot, held.quantity), Decimal(nights))
        swap = in_account_money(amount, spec.quote, desk.terms, desk.market) if amount else amount
        desk.positions[held.id] = replace(held, swap=EXACT.add(held.swap, swap), swap_due=due)


def end_days(desk: Desk, symbol: str, day: date) -> None:
    for order in list(desk.orders.values()):
        if order.request.symbol != symbol or order.request.time_in_force is not TimeInForce.DAY:
            continue
        if order.day is None:
            desk.orders[order.id] = replace(order, day=day)
        elif order.day != day:
            desk.end(order, OrderState.EXPIRED, DAY_OVER)


def stop_out(desk: Desk) -> None:
    """Close what the account cannot carry, the worst position first, until it can."""
    while desk.positions:
        book = desk.book()
        if equity(book, desk.market) > margin_used(book, desk.market) * desk.terms.stop_out:
            return
        worst = min(desk.positions.values(), key=lambda held: (floating(held, desk.terms, desk.market), held.id))
        quote = desk.market.quote(worst.symbol)
        if quote is None:
            return
        out = worst.side.opposite
        desk.close_by_venue(worst, worst.quantity, quote.price(out), STOP_OUT)

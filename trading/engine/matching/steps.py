"""What a quote does to an account.

It comes in this order: nights that have passed, day orders that are over, protective stops, targets, orders that wait
(oldest first), trailing stops, and last whether the account can carry what it holds.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT
from mikrobot_platform.kernel.orders import OrderState, TimeInForce
from trading.engine.matching.book import Book, Outcome, Position, Working
from trading.engine.matching.desk import STOP_LOSS, STOP_OUT, TAKE_PROFIT, Desk
from trading.engine.matching.market import Market, Quote
from trading.engine.matching.valuation import equity, floating, in_account_money, margin_used

DAY_OVER = "day_over"


def on_quote(book: Book, quote: Quote, market: Market) -> Outcome:
    """Carry out whatever a new price triggers. `market` knows the price already."""
    desk = Desk(book, market, quote.at)
    spec = market.spec(quote.symbol)
    charge_nights(desk)
    if spec is not None and spec.is_open(quote.at):
        end_days(desk, quote)
        at_quote(desk, quote)
        stop_out(desk)
    return desk.outcome()


def at_quote(desk: Desk, quote: Quote) -> None:
    for held in held_in(desk, quote.symbol):
        _protect_at(desk, held, quote)
    for order in list(desk.orders.values()):
        if order.request.symbol == quote.symbol and order.id in desk.orders:
            try_at(desk, desk.orders[order.id], quote)
            _follow(desk, order.id, quote.price(order.request.side))


def held_in(desk: Desk, symbol: str) -> list[Position]:
    return [held for held in desk.positions.values() if held.symbol == symbol]


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


def _follow(desk: Desk, order_id: str, best: Price) -> None:
    """Draw a trailing stop after a price that has moved away from it."""
    order = desk.orders.get(order_id)
    if order is None or order.request.trail is None or order.stop is None or order.is_triggered:
        return
    side = order.request.side
    level = Price(EXACT.add(best, EXACT.multiply(order.request.trail, Decimal(side.sign))))
    if not is_beyond(level, order.stop, side) and level > 0:
        desk.orders[order_id] = replace(order, stop=level, revision=order.revision + 1)


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


def end_days(desk: Desk, quote: Quote) -> None:
    day = desk.spec(quote.symbol).sessions.trading_day(desk.now)
    for order in list(desk.orders.values()):
        if order.request.symbol != quote.symbol or order.request.time_in_force is not TimeInForce.DAY:
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

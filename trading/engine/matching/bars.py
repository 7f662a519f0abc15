"""What a bar does to an account.

Nobody knows the path inside a bar, so it is told as the account would not like it:

1. The opening price is a quote. What the market has jumped over is carried out there, and never better than a stop.
2. Protective stops of what was held are next. A stop and a target that lie in one bar are a stop: otherwise every bar
   that is wide enough would pay.
3. Then orders that wait, stops before limits, oldest first. Where one of a group makes the other void, the dearer one
   has been carried out.
4. A position that was opened inside the bar meets its stop if that lies in the bar at all, though it may have been
   before the entry. Its target counts only where the closing price shows it: what came before the entry is no profit.
5. A trailing stop follows the best price of the bar, and is then held against the worst.
6. Whether the account can carry what it holds is asked at the worst price.
7. The closing price is the last one; what is held is worth that.

No fill lies outside the bar: slippage ends at its highest or lowest price.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT, Currency, Ratio
from trading.engine.matching.book import Book, Outcome, Position, Working
from trading.engine.matching.desk import STOP_LOSS, TAKE_PROFIT, Desk
from trading.engine.matching.market import Bar, Market, Quote
from trading.engine.matching.steps import at_quote, charge_nights, end_days, is_beyond, stop_out, trailed
from trading.engine.matching.valuation import RateMissing


class _At:
    """The market while a bar goes by: its symbol costs what the bar says, the others what they cost."""

    def __init__(self, market: Market, quote: Quote) -> None:
        self._market, self._quote = market, quote

    def spec(self, symbol: str) -> InstrumentSpec | None:
        return self._market.spec(symbol)

    def quote(self, symbol: str) -> Quote | None:
        return self._quote if symbol == self._quote.symbol else self._market.quote(symbol)

    def trading_day(self, symbol: str, at: datetime) -> date | None:
        return self._market.trading_day(symbol, at)

    def factor(self, source: Currency, target: Currency) -> Ratio | None:
        return self._market.factor(source, target)


def on_bar(book: Book, bar: Bar, market: Market) -> Outcome:
    """Carry out whatever happens in a bar, told as the account would not like it (see above)."""
    desk = Desk(book, _At(market, bar.opening), bar.at, bar)
    day = market.trading_day(bar.symbol, bar.at)
    try:
        charge_nights(desk)
        if day is not None:
            end_days(desk, bar.symbol, day)
            at_quote(desk, bar.opening)
            _inside(desk, bar)
            _at_worst(desk, bar, market)
    except RateMissing:
        return Outcome(book=book)
    return desk.outcome()


def _inside(desk: Desk, bar: Bar) -> None:
    for held in _held(desk, bar):
        _meet_stop(desk, held, bar)
    old = dict(desk.positions)
    for order in sorted(_waiting(desk, bar), key=lambda order: order.limit is not None):
        if order.id in desk.orders:
            _meet_order(desk, desk.orders[order.id], bar)
    for held in _held(desk, bar):
        if held is not old.get(held.id):
            _meet_stop(desk, held, bar)
    for held in _held(desk, bar):
        _meet_target(desk, held, bar, is_old=held is old.get(held.id))
    for order in _waiting(desk, bar):
        _meet_trail(desk, order, bar)


def _held(desk: Desk, bar: Bar) -> list[Position]:
    return [held for held in desk.positions.values() if held.symbol == bar.symbol]


def _waiting(desk: Desk, bar: Bar) -> list[Working]:
    return [order for order in desk.orders.values() if order.request.symbol == bar.symbol]


def _worst(bar: Bar, side: Side) -> Price:
    """Return the price that a trade of this side likes least."""
    return bar.highest(side) if side is Side.BUY else bar.lowest(side)


def _best(bar: Bar, side: Side) -> Price:
    return bar.lowest(side) if side is Side.BUY else bar.highest(side)


def _quantity(desk: Desk, bar: Bar, side: Side, wanted: Decimal) -> Decimal:
    """Take as much as the bar has left; the opening counts with it, as it is part of it."""
    quantity = desk.available(bar.opening, side, wanted)
    if quantity:
        desk.take(bar.opening, side, quantity)
    return quantity


def _meet_stop(desk: Desk, held: Position, bar: Bar) -> None:
    out = held.side.opposite
    if held.id not in desk.positions or held.stop_loss is None or not is_beyond(_worst(bar, out), held.stop_loss, out):
        return
    # It is reached on the way, so it is carried out where it stands; a jump over it was seen at the opening.
    price = desk.slipped(held.symbol, out, held.stop_loss, f"{held.id}/stop")
    if quantity := _quantity(desk, bar, out, held.quantity):
        desk.close_by_venue(held, quantity, price, STOP_LOSS)


def _meet_target(desk: Desk, held: Position, bar: Bar, *, is_old: bool) -> None:
    out = held.side.opposite
    if held.take_profit is None:
        return
    seen = _best(bar, out) if is_old else bar.closing.price(out)
    if is_beyond(seen, held.take_profit, held.side) and (quantity := _quantity(desk, bar, out, held.quantity)):
        desk.close_by_venue(held, quantity, held.take_profit, TAKE_PROFIT)


def _meet_order(desk: Desk, order: Working, bar: Bar) -> None:
    """Carry out an order whose level lies inside the bar."""
    side = order.request.side
    price = None
    if order.stop is not None and not order.is_triggered:
        if not is_beyond(_worst(bar, side), order.stop, side):
            return
        price = order.stop
        order = replace(order, is_triggered=True)
        desk.orders[order.id] = order
        if order.limit is not None and not is_beyond(order.limit, price, side):
            # A limit short of its trigger is reached later, if at all: the closing price tells.
            if is_beyond(order.limit, bar.closing.price(side), side):
                _carry_out(desk, order, bar, order.limit)
            return
    elif order.limit is not None and is_beyond(order.limit, _best(bar, side), side):
        price = order.limit
    if price is None:
        return
    if order.limit is None:
        price = desk.slipped(order.request.symbol, side, price, f"{order.id}/{order.revision}")
    _carry_out(desk, order, bar, price)


def _carry_out(desk: Desk, order: Working, bar: Bar, price: Price) -> None:
    if quantity := _quantity(desk, bar, order.request.side, order.left):
        desk.fill(order, quantity, price)


def _meet_trail(desk: Desk, order: Working, bar: Bar) -> None:
    side = order.request.side
    if order.id not in desk.orders:
        return
    moved = trailed(order, _best(bar, side))
    if moved is None:
        return
    desk.orders[order.id] = moved
    if moved.stop is not None and is_beyond(_worst(bar, side), moved.stop, side):
        _meet_order(desk, moved, bar)


def _at_worst(desk: Desk, bar: Bar, market: Market) -> None:
    """Ask at both ends of the bar whether the account can carry what it holds; then let the bar close."""
    for bid in (bar.low, bar.high):
        quote = Quote(symbol=bar.symbol, bid=bid, ask=Price(EXACT.add(bid, bar.spread)), at=bar.until)
        desk.market = _At(market, quote)
        stop_out(desk)
    desk.market, desk.now = _At(market, bar.closing), bar.until

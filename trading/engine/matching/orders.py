"""What an account asks of its venue: place, cancel, modify, protect. Each gives the new book and what there is to tell.

A refusal is an order too: it gets an id and a report with a code of REFUSALS, and changes nothing else.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT
from mikrobot_platform.kernel.orders import OrderChange, OrderRequest, OrderState, OrderType, TimeInForce
from trading.engine.matching.book import Book, Outcome, Position, Working
from trading.engine.matching.desk import NOTHING_TO_REDUCE, Desk
from trading.engine.matching.market import Market, Quote
from trading.engine.matching.steps import is_beyond, try_at
from trading.engine.matching.valuation import RateMissing

CANCELLED_BY_CLIENT, REST_OF_IOC = "by_client", "not_filled_at_once"


class NotAccepted(Exception):
    """Raised when a change is refused: the book stays as it is. `code` is one word, `reason` a sentence."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(f"{code}: {reason}")
        self.code, self.reason = code, reason


def place(book: Book, request: OrderRequest, market: Market, *, now: datetime) -> Outcome:
    """Accept or refuse an order, and carry out at once what the last quote carries.

    The same client id twice makes two orders: a venue that would look at it could not show that we do.
    """
    desk = Desk(book, market, now)
    day = market.trading_day(request.symbol, now)
    order = Working(
        id=desk.next_id(), request=request, placed_at=now, quantity=request.quantity,
        limit=request.limit, stop=request.stop, day=day,
    )  # fmt: skip
    try:
        quote = _check(order, desk, is_open=day is not None)
        if request.type is OrderType.TRAILING and order.stop is None:
            order = replace(order, stop=_trail(request, quote))
        desk.orders[order.id] = order
        desk.report(order, OrderState.WORKING)
        if day is not None:
            try_at(desk, order, quote)
    except NotAccepted as refused:
        return refuse(book, request, refused.code, refused.reason, now=now)
    except RateMissing as missing:
        return refuse(book, request, "rate_missing", f"nobody knows {missing}", now=now)
    ended = desk.ended(order.id)
    if ended is not None and not ended[0].filled:
        return refuse(book, request, ended[1], "it cannot be carried out", now=now)
    waiting = desk.orders.get(order.id)
    if waiting is not None and request.time_in_force is TimeInForce.IOC:
        desk.end(waiting, OrderState.CANCELLED, REST_OF_IOC)
    return desk.outcome()


def refuse(book: Book, request: OrderRequest, code: str, reason: str, *, now: datetime) -> Outcome:
    """Write down that an order was refused."""
    serial = book.serial + 1
    order = Working(id=f"{book.number}-{serial}", request=request, placed_at=now, quantity=request.quantity)
    desk = Desk(book, _NOWHERE, now)
    desk.report(order, OrderState.REFUSED, f"{code}: {reason}")
    return replace(desk.outcome(), book=replace(book, serial=serial))


def cancel(book: Book, order_id: str, market: Market, *, now: datetime) -> Outcome:
    """Cancel an order that waits; a market order whose rest waits is one of them."""
    desk = Desk(book, market, now)
    desk.end(_waiting(desk, order_id), OrderState.CANCELLED, CANCELLED_BY_CLIENT)
    return desk.outcome()


def modify(book: Book, order_id: str, change: OrderChange, market: Market, *, now: datetime) -> Outcome:
    """Change levels or quantity of an order that waits; what is now at the market is carried out at once."""
    desk = Desk(book, market, now)
    order = _waiting(desk, order_id)
    request = replace(
        order.request,
        limit=change.limit or order.request.limit,
        stop=change.stop or order.request.stop,
        quantity=change.quantity or order.request.quantity,
        stop_loss=change.stop_loss or order.request.stop_loss,
        take_profit=change.take_profit or order.request.take_profit,
    )
    changed = replace(
        order, request=request, limit=change.limit or order.limit, stop=change.stop or order.stop,
        quantity=change.quantity or order.quantity,
    )  # fmt: skip
    is_open = market.trading_day(request.symbol, now) is not None
    quote = _check(changed, desk, is_open=is_open)
    if changed.left <= 0:
        raise NotAccepted("quantity", "as much has been filled already")
    changed = desk.keep(changed)
    if is_open:
        try_at(desk, changed, quote)
    return desk.outcome()


def protect(book: Book, position_id: str, change: OrderChange, market: Market, *, now: datetime) -> Outcome:
    """Move the stop and the target of a position."""
    desk = Desk(book, market, now)
    held = desk.positions.get(position_id)
    if held is None:
        raise NotAccepted("position_unknown", f"there is no position {position_id}")
    spec, quote = _listed(held.symbol, market)
    _check_protection(held.side, change.stop_loss, change.take_profit, [quote.price(held.side.opposite)], spec)
    desk.positions[position_id] = _protected(held, change)
    return desk.outcome()


def _protected(held: Position, change: OrderChange) -> Position:
    return replace(
        held,
        stop_loss=change.stop_loss or held.stop_loss,
        take_profit=change.take_profit or held.take_profit,
    )


def _waiting(desk: Desk, order_id: str) -> Working:
    order = desk.orders.get(order_id)
    if order is None:
        raise NotAccepted("not_working", f"the order {order_id} does not wait")
    return order


# --- what is refused ---
def _listed(symbol: str, market: Market) -> tuple[InstrumentSpec, Quote]:
    spec, quote = market.spec(symbol), market.quote(symbol)
    if spec is None:
        raise NotAccepted("symbol_unknown", f"{symbol} is not listed")
    if quote is None:
        raise NotAccepted("no_price", f"{symbol} has no price")
    return spec, quote


def _check(order: Working, desk: Desk, *, is_open: bool) -> Quote:
    """Refuse what cannot be carried out: in this order symbol, quantity, prices, hours, what it would reduce."""
    request = order.request
    spec, quote = _listed(request.symbol, desk.market)
    if not spec.lot_min <= request.quantity <= spec.lot_max or EXACT.remainder(request.quantity, spec.lot_step):
        raise NotAccepted(
            "quantity", f"{request.quantity:f} is not from {spec.lot_min} to {spec.lot_max} by {spec.lot_step}"
        )
    _check_levels(order, quote, spec)
    cannot_wait = request.type is OrderType.MARKET or request.time_in_force is TimeInForce.IOC
    if not is_open and (cannot_wait or _is_over(spec, desk.now)):
        raise NotAccepted("market_closed", f"{request.symbol} cannot be traded now")
    if request.position_id and request.position_id not in desk.positions:
        raise NotAccepted("position_unknown", f"there is no position {request.position_id}")
    if (request.reduces_only or request.position_id) and not desk.closes(order):
        raise NotAccepted(NOTHING_TO_REDUCE, f"nothing in {request.symbol} can be made smaller by this")
    return quote


def _is_over(spec: InstrumentSpec, now: datetime) -> bool:
    return spec.expires is not None and now.date() > spec.expires


def _check_levels(order: Working, quote: Quote, spec: InstrumentSpec) -> None:
    request, price = order.request, quote.price(order.request.side)
    needs_limit = request.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)
    needs_stop = request.type in (OrderType.STOP, OrderType.STOP_LIMIT)
    if needs_limit != (order.limit is not None):
        raise NotAccepted("levels", f"a {request.type} order {'needs a' if needs_limit else 'has no'} limit")
    if needs_stop and order.stop is None:
        raise NotAccepted("levels", f"a {request.type} order needs a stop")
    if (request.type is OrderType.TRAILING) != (request.trail is not None):
        raise NotAccepted("levels", "a trailing order, and no other, has a distance to keep")
    for level in (order.limit, order.stop, request.trail, request.stop_loss, request.take_profit):
        if level is not None and (level <= 0 or not spec.is_on_tick(level)):
            raise NotAccepted("off_tick", f"{level:f} is not on the grid of {spec.tick_size}")
    if order.stop is not None and not order.is_triggered:
        # Where the market has passed the trigger already, dealers refuse; whoever wants out then sends a market order.
        distance = (order.stop - price) * request.side.sign
        if distance <= 0 or distance < spec.stops_level:
            raise NotAccepted("stop_passed", f"{order.stop:f} is not beyond {price:f}")
    _check_protection(request.side, request.stop_loss, request.take_profit, _entries(order, quote), spec)


def _entries(order: Working, quote: Quote) -> list[Price]:
    """Name the prices at which the order may be carried out, where nothing is jumped over."""
    side = order.request.side
    if order.stop is not None and not order.is_triggered:
        return [level for level in (order.stop, order.limit) if level is not None]
    if order.limit is not None and not is_beyond(order.limit, quote.price(side), side):
        return [order.limit]
    return [quote.price(side.opposite)]  # at once, and then worth what the other side pays


def _check_protection(
    side: Side, stop_loss: Price | None, take_profit: Price | None, entries: list[Price], spec: InstrumentSpec
) -> None:
    for level, sign, name in ((stop_loss, -side.sign, "stop"), (take_profit, side.sign, "target")):
        if level is None:
            continue
        if level <= 0 or not spec.is_on_tick(level):
            raise NotAccepted("off_tick", f"{level:f} is not on the grid of {spec.tick_size}")
        distance, entry = min(((level - entry) * sign, entry) for entry in entries)
        if distance <= 0 or distance < spec.stops_level:
            raise NotAccepted(f"{name}_side", f"a {name} at {level:f} is not beyond {entry:f}")


def _trail(request: OrderRequest, quote: Quote) -> Price:
    assert request.trail is not None
    away = request.trail * request.side.sign
    return Price(EXACT.add(quote.price(request.side), Decimal(away)))


class _Nowhere:
    """A market that nobody asks: refusals need none."""

    def spec(self, symbol: str) -> None:
        return None

    def quote(self, symbol: str) -> None:
        return None

    def trading_day(self, symbol: str, at: datetime) -> None:
        return None

    def factor(self, source: object, target: object) -> None:
        return None


_NOWHERE = _Nowhere()

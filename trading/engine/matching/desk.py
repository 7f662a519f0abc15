"""The desk where one step is worked on: it takes a book apart, carries orders out, and gives the new book back.

It lives for one step and belongs to whoever made it. If it raises, the old book is still there and nothing was done.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import EXACT, Ratio, Rounding, minor_unit
from mikrobot_platform.kernel.orders import FillReport, OrderReport, OrderRequest, OrderState, OrderType
from trading.engine.matching.book import ZERO, Book, Entry, Outcome, Position, Taken, Working
from trading.engine.matching.chance import draw
from trading.engine.matching.market import Bar, Market, Quote
from trading.engine.matching.valuation import average_price, equity, in_account_money, margin_of, margin_used, result

NO_MONEY, NOTHING_TO_REDUCE, SIBLING = "no_money", "nothing_to_reduce", "sibling_filled"
STOP_LOSS, TAKE_PROFIT, STOP_OUT = "stop_loss", "take_profit", "stop_out"


class Desk:
    """Hold a book open for one step."""

    def __init__(self, book: Book, market: Market, now: datetime, bar: Bar | None = None) -> None:
        self.market, self.now, self.terms, self.number = market, now, book.terms, book.number
        self._bar = bar  # the one that all of this happens in
        self.balance, self.serial = book.balance, book.serial
        self.orders = {order.id: order for order in book.orders}
        self.positions = {held.id: held for held in book.positions}
        self._taken = {(used.symbol, used.side): used for used in book.taken}
        self._told: dict[str, tuple[Working, OrderState, str]] = {}
        self._fills: list[FillReport] = []

    def book(self) -> Book:
        """Put the book together as it is by now."""
        return Book(
            number=self.number, terms=self.terms, balance=self.balance, serial=self.serial,
            orders=tuple(self.orders.values()), positions=tuple(self.positions.values()),
            taken=tuple(self._taken.values()),
        )  # fmt: skip

    def ended(self, order_id: str) -> tuple[Working, str] | None:
        """Say how far an order had come when it was cancelled in this step, and why."""
        order, state, reason = self._told[order_id]
        return (order, reason) if state is OrderState.CANCELLED else None

    def outcome(self) -> Outcome:
        """Give the new book and everything that there is to report, the orders as they stand at the end."""
        orders = tuple([self._report(*told) for told in self._told.values()])
        return Outcome(book=self.book(), orders=orders, fills=tuple(self._fills))

    def next_id(self) -> str:
        self.serial += 1
        return f"{self.number}-{self.serial}"

    def spec(self, symbol: str) -> InstrumentSpec:
        found = self.market.spec(symbol)
        if found is None:
            raise LookupError(f"{symbol} is held and not listed")  # a venue that delists must flatten before
        return found

    # --- orders ---
    def end(self, order: Working, state: OrderState, reason: str = "") -> None:
        """Take an order that waits away, and say why."""
        del self.orders[order.id]
        self.report(replace(order, revision=order.revision + 1), state, reason)

    def keep(self, order: Working) -> Working:
        """Write down that an order that waits has changed."""
        changed = replace(order, revision=order.revision + 1)
        self.orders[order.id] = changed
        self.report(changed, OrderState.PARTIAL if changed.filled else OrderState.WORKING)
        return changed

    def report(self, order: Working, state: OrderState, reason: str = "") -> None:
        """Note how an order stands; what is noted last is told."""
        self._told[order.id] = order, state, reason

    def _report(self, order: Working, state: OrderState, reason: str) -> OrderReport:
        average = average_price(order.cost, order.filled, self.spec(order.request.symbol)) if order.filled else None
        return OrderReport(
            client_id=order.request.client_id, venue_order_id=order.id, symbol=order.request.symbol, state=state,
            filled=order.filled, average_price=average, reason=reason, revision=order.revision, at=self.now,
        )  # fmt: skip

    # --- carrying out ---
    def slipped(self, symbol: str, side: Side, price: Price, name: str) -> Price:
        """Move a price against the trade, by a number of ticks that follows from the seed and the order."""
        if not self.terms.most_slippage_ticks:
            return price
        spec = self.spec(symbol)
        ticks = draw(self.terms.seed, symbol, name, below=self.terms.most_slippage_ticks + 1)
        moved = EXACT.add(price, EXACT.multiply(spec.tick_size, Decimal(side.sign * ticks)))
        if self._bar is not None:
            moved = min(max(moved, self._bar.lowest(side)), self._bar.highest(side))
        return Price(max(moved, spec.tick_size))

    def available(self, quote: Quote, side: Side, wanted: Decimal) -> Decimal:
        """Return how much of a quantity the quote still carries."""
        size = quote.size(side)
        if size is None:
            return wanted
        used = self._taken.get((quote.symbol, side))
        left = size if used is None or used.at != quote.at else EXACT.subtract(size, used.quantity)
        return self.spec(quote.symbol).floor_quantity(Ratio(max(ZERO, min(wanted, left))))

    def take(self, quote: Quote, side: Side, quantity: Decimal) -> None:
        """Note that a part of the quote's size is gone."""
        if quote.size(side) is None:
            return
        used = self._taken.get((quote.symbol, side))
        before = used.quantity if used is not None and used.at == quote.at else ZERO
        self._taken[quote.symbol, side] = Taken(
            symbol=quote.symbol, side=side, at=quote.at, quantity=EXACT.add(before, quantity)
        )

    def fill(self, order: Working, quantity: Decimal, price: Price) -> None:
        """Carry out a part of an order: money, positions, its siblings; the rest of it goes on waiting.

        What it opens must be paid for, or the order is cancelled; what it closes never costs margin.
        """
        request = order.request
        closing = self.closes(order)
        reducing = min(quantity, sum((held.quantity for held in closing), ZERO))
        if request.reduces_only or request.position_id:
            quantity = reducing
            if not quantity:
                self.end(order, OrderState.CANCELLED, NOTHING_TO_REDUCE)
                return
        opened = EXACT.subtract(quantity, reducing)
        if opened > 0 and not self._is_affordable(request.symbol, opened, closing, price):
            self.end(order, OrderState.CANCELLED, NO_MONEY)
            return
        left = quantity
        for held in closing:
            part = min(left, held.quantity)
            if part:
                self.close(held, part, price, client_id=request.client_id, order_id=order.id)
                left = EXACT.subtract(left, part)
        if left:
            self._open(order, left, price)
        done = replace(
            order,
            filled=EXACT.add(order.filled, quantity),
            cost=EXACT.add(order.cost, EXACT.multiply(quantity, price)),
            revision=order.revision + 1,
        )
        if done.left > 0:
            self.orders[order.id] = done
            self.report(done, OrderState.PARTIAL)
        else:
            del self.orders[order.id]
            self.report(done, OrderState.FILLED)
        self._tell_siblings(done, quantity)
        self._drop_what_reduces_nothing(request.symbol)

    def closes(self, order: Working) -> list[Position]:
        """List what an order would make smaller, oldest first."""
        request = order.request
        if request.position_id:
            held = self.positions.get(request.position_id)
            return [held] if held is not None and held.side is not request.side else []
        if self.terms.is_hedged and not request.reduces_only:
            return []
        return [
            held for held in self.positions.values() if held.symbol == request.symbol and held.side is not request.side
        ]

    def close(self, held: Position, quantity: Decimal, price: Price, *, client_id: str, order_id: str) -> None:
        """Close a part of a position, its oldest entries first, and book what it made with its share of the swap."""
        spec = self.spec(held.symbol)
        gone, rest = _split(held.entries, quantity)
        swap = held.swap
        if rest and swap:
            share = Ratio(EXACT.multiply(swap, quantity), held.quantity)
            swap = share.rounded(minor_unit(self.terms.currency), Rounding.NEAREST)
        made = result(gone, held.side, price, spec)
        profit = EXACT.add(in_account_money(made, spec.quote, self.terms, self.market), swap)
        if rest:
            self.positions[held.id] = replace(held, entries=rest, swap=EXACT.subtract(held.swap, swap))
        else:
            del self.positions[held.id]
        self._book(
            FillReport(
                id=self.next_id(), client_id=client_id, venue_order_id=order_id, symbol=held.symbol,
                side=held.side.opposite, quantity=Quantity(quantity), price=price, fee=self._fee(quantity),
                profit=profit, position_id=held.id, at=self.now,
            )
        )  # fmt: skip

    def _open(self, order: Working, quantity: Decimal, price: Price) -> None:
        request = order.request
        entry = Entry(quantity=quantity, price=price)
        held = self.positions.get(order.id) if self.terms.is_hedged else self._netted(request.symbol)
        if held is None:
            held = Position(
                id=order.id, symbol=request.symbol, side=request.side, entries=(entry,),
                stop_loss=request.stop_loss, take_profit=request.take_profit,
                swap_due=self.terms.next_night(self.now), opened_by=request.client_id, opened_at=self.now,
            )  # fmt: skip
        else:
            held = replace(
                held,
                entries=_joined(held.entries, entry),
                # The newest protection speaks for the whole position, as there is one only.
                stop_loss=request.stop_loss or held.stop_loss,
                take_profit=request.take_profit or held.take_profit,
            )
        self.positions[held.id] = held
        self._book(
            FillReport(
                id=self.next_id(), client_id=request.client_id, venue_order_id=order.id, symbol=request.symbol,
                side=request.side, quantity=Quantity(quantity), price=price, fee=self._fee(quantity), profit=None,
                position_id=held.id, at=self.now,
            )
        )  # fmt: skip

    def _netted(self, symbol: str) -> Position | None:
        return next((held for held in self.positions.values() if held.symbol == symbol), None)

    def _book(self, fill: FillReport) -> None:
        """Book what a fill made, less its fee."""
        self.balance = EXACT.subtract(EXACT.add(self.balance, fill.profit or ZERO), fill.fee)
        self._fills.append(fill)

    def _fee(self, quantity: Decimal) -> Decimal:
        if not self.terms.commission_per_lot:
            return ZERO
        fee = EXACT.multiply(self.terms.commission_per_lot, quantity)
        return in_account_money(fee, self.terms.currency, self.terms, self.market, Rounding.UP)

    def close_by_venue(self, held: Position, quantity: Decimal, price: Price, reason: str) -> None:
        """Close a position by an order that the venue makes itself; it has no client id."""
        request = OrderRequest(
            client_id="", symbol=held.symbol, side=held.side.opposite, type=OrderType.MARKET,
            quantity=Quantity(quantity), position_id=held.id, reduces_only=True,
        )  # fmt: skip
        order = Working(
            id=self.next_id(), request=request, placed_at=self.now, quantity=quantity, filled=quantity,
            cost=EXACT.multiply(quantity, price),
        )  # fmt: skip
        self.close(held, quantity, price, client_id="", order_id=order.id)
        self.report(order, OrderState.FILLED, reason)
        self._drop_what_reduces_nothing(held.symbol)

    # --- what follows from a fill ---
    def _tell_siblings(self, order: Working, quantity: Decimal) -> None:
        """Make the other orders of its group smaller by what was filled; where nothing is left they are cancelled.

        So a target that is filled in part leaves a stop for exactly what is still open.
        """
        if not order.request.group:
            return
        for other in list(self.orders.values()):
            if other.request.group == order.request.group and other.id != order.id:
                smaller = EXACT.subtract(other.quantity, quantity)
                if smaller > other.filled:
                    self.keep(replace(other, quantity=smaller))
                else:
                    self.end(other, OrderState.CANCELLED, SIBLING)

    def _drop_what_reduces_nothing(self, symbol: str) -> None:
        for order in list(self.orders.values()):
            request = order.request
            if request.symbol != symbol or not (request.reduces_only or request.position_id):
                continue
            if not self.closes(order):
                self.end(order, OrderState.CANCELLED, NOTHING_TO_REDUCE)

    def _is_affordable(self, symbol: str, opened: Decimal, closing: list[Position], price: Price) -> bool:
        """Tell whether the free margin covers what is opened; what is closed by the same order frees its own first."""
        spec = self.spec(symbol)
        needed = margin_of(opened, EXACT.multiply(opened, price), spec, self.terms, self.market)
        if not self.positions:
            return needed <= self.balance
        now = self.book()
        freed = (margin_of(held.quantity, held.cost, spec, self.terms, self.market) for held in closing)
        return needed <= equity(now, self.market) - margin_used(now, self.market) + sum(freed, ZERO)


def _joined(entries: tuple[Entry, ...], more: Entry) -> tuple[Entry, ...]:
    """Add an entry; to the last one, where the price is the same."""
    last = entries[-1]
    if last.price != more.price:
        return *entries, more
    return *entries[:-1], replace(last, quantity=EXACT.add(last.quantity, more.quantity))


def _split(entries: tuple[Entry, ...], quantity: Decimal) -> tuple[tuple[Entry, ...], tuple[Entry, ...]]:
    """Divide entries, oldest first, into those of a quantity and the rest."""
    gone: list[Entry] = []
    for at, entry in enumerate(entries):
        if entry.quantity > quantity:
            kept = replace(entry, quantity=EXACT.subtract(entry.quantity, quantity))
            if quantity:
                gone.append(replace(entry, quantity=quantity))
            return tuple(gone), (kept, *entries[at + 1 :])
        gone.append(entry)
        quantity = EXACT.subtract(quantity, entry.quantity)
    return tuple(gone), ()

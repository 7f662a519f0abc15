"""The book of one account at a venue: its money, its orders that wait, its open positions. A value: each step gives a
new one, and one that was stored and read again has the same future (kernel/plain.py)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import EXACT
from mikrobot_platform.kernel.orders import FillReport, OrderReport, OrderRequest
from trading.engine.matching.terms import Terms

ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What was bought or sold at one price."""

    quantity: Decimal
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """What is held. Its id is that of the order that opened it.

    Parts are closed in the order in which they were opened, so that every profit is an exact number; an average would
    not be one.
    """

    id: str
    symbol: str
    side: Side
    entries: tuple[Entry, ...]
    stop_loss: Price | None = None
    take_profit: Price | None = None
    swap: Decimal = ZERO
    swap_due: datetime
    opened_by: str
    opened_at: datetime

    @property
    def quantity(self) -> Quantity:
        if len(self.entries) == 1:
            return Quantity(self.entries[0].quantity)
        return Quantity(EXACT.add(ZERO, sum((entry.quantity for entry in self.entries), ZERO)))

    @property
    def cost(self) -> Decimal:
        """Return quantity x price, added up."""
        if len(self.entries) == 1:
            return EXACT.multiply(self.entries[0].quantity, self.entries[0].price)
        total = ZERO
        for entry in self.entries:
            total = EXACT.add(total, EXACT.multiply(entry.quantity, entry.price))
        return total


@dataclass(frozen=True, slots=True, kw_only=True)
class Working:
    """An order that waits, and how far it has come."""

    id: str
    request: OrderRequest
    placed_at: datetime
    quantity: Decimal  # of the request, unless it was changed or its sibling was filled in part
    filled: Decimal = ZERO
    cost: Decimal = ZERO  # quantity x price of what was filled
    limit: Price | None = None
    stop: Price | None = None  # of a trailing order: where it stands by now
    is_triggered: bool = False  # a stop-limit that has become a limit; a stop whose rest waits for more to trade
    day: date | None = None  # the trading day that a day order belongs to
    revision: int = 1

    @property
    def left(self) -> Decimal:
        return EXACT.subtract(self.quantity, self.filled)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How much of a quote's size this account has used up."""

    symbol: str
    side: Side
    at: datetime
    quantity: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """An account as its venue keeps it. Ids are its number and a serial, so that they are unique at the venue."""

    number: int
    terms: Terms
    balance: Decimal
    serial: int = 0
    orders: tuple[Working, ...] = ()
    positions: tuple[Position, ...] = ()
    taken: tuple[Taken, ...] = ()

    @property
    def symbols(self) -> set[str]:
        """Name the symbols whose prices matter to this account."""
        return {order.request.symbol for order in self.orders} | {held.symbol for held in self.positions}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a command or a price did: the book afterwards, how the orders it touched stand, what was carried out."""

    book: Book
    orders: tuple[OrderReport, ...] = ()
    fills: tuple[FillReport, ...] = ()

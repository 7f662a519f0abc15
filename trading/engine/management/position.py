"""What management looks at: one open position with its orders, and the market it stands in.

All of it is one snapshot. What was done shows in the facts (what is still open, which orders wait, where the stop is),
so that nobody has to remember what was decided.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import EXACT, Currency, Ratio, Rounding
from mikrobot_platform.kernel.orders import OrderState, Purpose
from trading.engine.signal_facts import Quote, Unknown

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenOrder:
    """An order of ours for this position that is not over, or of which not every fill has been settled."""

    client_id: str
    purpose: Purpose
    state: OrderState
    # What may still come off the position, or onto it, by this order: what waits, and what was filled and is not yet in
    # `Held.quantity`. An order that is over is in the facts for as long as that is not zero.
    pending: Quantity
    price: Price | None = None  # where it waits: the trigger of a stop, the limit of a target

    @property
    def can_be_cancelled(self) -> bool:
        """Tell whether it waits at the venue. One of which nobody knows is asked about first."""
        return self.state in (OrderState.WORKING, OrderState.PARTIAL)

    @property
    def is_over(self) -> bool:
        return self.state.is_final


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """How often an order was made for one thing. The next one is called by the number of those before it."""

    made: int = 0  # in whatever state, refused ones included
    refused: int = 0  # in a row, the newest ones
    last_refused_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingStop:
    """A stop that works at the venue."""

    order: str  # client id; empty for one that the venue keeps with the position
    price: Price
    quantity: Quantity
    can_change: bool = True  # it waits at the venue; one on its way is left alone until it has arrived


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One position, as our books and the venue's last word have it."""

    id: str  # ours
    spec: InstrumentSpec
    side: Side
    currency: Currency  # of the account; all amounts below are counted in it
    entry: Ratio  # the average of everything that opened it
    opened: Quantity  # in all
    quantity: Quantity  # open now
    opened_at: datetime
    first_stop: Price | None  # from the entry to it is 1 R
    stop: Price | None  # where we want the stop now: the first one, or the last one that we moved it to
    attached_stop: Price | Unknown | None = None  # what the venue keeps with the position
    orders: tuple[OpenOrder, ...] = ()
    exits: Tries = field(default_factory=Tries)
    stops: Tries = field(default_factory=Tries)
    best: Price | None = None  # the best price at which it could have been closed so far
    fees: Decimal = _ZERO  # what was paid to open it, in all; paid is positive
    swap: Decimal = _ZERO  # on what is open, so far; paid is negative

    @property
    def leaving(self) -> Decimal:
        """Return how much of it exits that are under way may still close."""
        return sum((order.pending for order in self.orders if order.purpose is Purpose.EXIT), _ZERO)

    @property
    def closed(self) -> Decimal:
        """Return how much of it has been closed."""
        return self.opened - self.quantity

    @property
    def risk(self) -> Ratio | None:
        """Return 1 R in price; None when it is not known, or when the first stop did not protect."""
        if self.first_stop is None:
            return None
        risk = self.gain_at(self.first_stop).times(Decimal(-1))
        return risk if risk.top > 0 else None

    def gain_at(self, price: Decimal) -> Ratio:
        """Return what a price means for the trade, in price: above zero is a gain."""
        return Ratio(price).minus(self.entry).times(Decimal(self.side.sign))

    def level(self, distance: Ratio) -> Ratio:
        """Return the price at a distance from the entry, in the direction of a gain."""
        return self.entry.plus(distance.times(Decimal(self.side.sign)))

    def is_better(self, price: Decimal, than: Decimal) -> bool:
        """Tell whether a stop at one price loses less than at another."""
        return (price - than) * self.side.sign > 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """What is known about the market of a position. What is None is not known, and what needs it waits."""

    quote: Quote | None
    rate: Ratio | None = None  # from the instrument's quote currency to the account's
    atr: Decimal | None = None  # in price, on the frame that the plan names
    fee_per_lot: Decimal | None = None  # to close, in account money; None: as much as opening cost
    max_quote_age: timedelta = timedelta(seconds=30)

    def exit_price(self, side: Side, now: datetime) -> Price | None:
        """Return the price at which a position of this side can be closed now: the bid of a buy, the ask of a sell."""
        quote = self.quote
        if quote is None or quote.bid > quote.ask or abs(now - quote.at) > self.max_quote_age:
            return None
        return quote.entry(side.opposite)


def standing_stops(position: Held) -> tuple[StandingStop, ...] | None:
    """List the stops that work, the tightest first; None while nobody knows.

    A stop that is on its way counts: a second one beside it could open what it should close.
    """
    found: list[StandingStop] = []
    if isinstance(position.attached_stop, Unknown):
        return None
    if position.attached_stop is not None:
        found.append(StandingStop(order="", price=position.attached_stop, quantity=position.quantity))
    for order in position.orders:
        if order.purpose is Purpose.STOP and not order.is_over and order.price is not None:
            found.append(
                StandingStop(
                    order=order.client_id, price=order.price, quantity=order.pending, can_change=order.can_be_cancelled
                )
            )
    return tuple(sorted(found, key=lambda stop: (-stop.price * position.side.sign, stop.order)))


def money_in_price(amount: Ratio, quantity: Decimal, spec: InstrumentSpec, rate: Ratio) -> Ratio:
    """Turn an amount of account money into a distance in price, for so many lots."""
    return amount.over(rate.times(EXACT.multiply(quantity, spec.contract_size)))


def shown(value: Ratio) -> Decimal:
    """Write a ratio for people: eight decimals at most."""
    return Decimal(format(value.rounded(Decimal("1e-8"), Rounding.NEAREST).normalize(), "f"))

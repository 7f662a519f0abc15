"""The words of orders: what is asked of a venue, how it can go on, what the venue tells.

An order's state moves along one table (MOVES) and along nothing else. Refused is not unknown: what a venue has refused
is over; what nobody knows the outcome of stays in flight until the venue has been asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from mikrobot_platform.kernel.market import Price, Quantity, Side

MAX_CLIENT_ID = 26  # what the tightest venue keeps of it (MetaApi: client id and comment)


class OrderType(StrEnum):
    """How an order is carried out."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"
    TRAILING = "trailing"


class TimeInForce(StrEnum):
    """How long an order waits."""

    GTC = "gtc"  # until it is cancelled
    DAY = "day"  # until the venue's day ends
    IOC = "ioc"  # what is not filled at once is cancelled


class Purpose(StrEnum):
    """What an order is for. Whatever is not an entry makes what is at stake smaller, and is never blocked."""

    ENTRY = "entry"
    STOP = "stop"  # the protective stop of a position
    TARGET = "target"
    EXIT = "exit"  # managed, asked for, or because of an emergency

    @property
    def is_entry(self) -> bool:
        return self is Purpose.ENTRY


class OrderState(StrEnum):
    """Where an order stands."""

    PLANNED = "planned"  # stored with its client id; nothing was sent
    SENDING = "sending"  # claimed by a sender; from here on it may have arrived
    UNKNOWN = "unknown"  # sent, and nobody knows what came of it: the venue is asked, it is never sent again
    WORKING = "working"  # the venue has it and it waits
    PARTIAL = "partial"  # filled in part, and waiting for the rest
    FILLED = "filled"
    CANCELLED = "cancelled"  # by us, by the venue, or by its sibling; it may have been filled in part before
    EXPIRED = "expired"
    REFUSED = "refused"  # by the venue, with its reason
    WITHDRAWN = "withdrawn"  # by us before it was sent: too old by then, switched off, no place left in the quota
    ABSENT = "absent"  # asked about after the venue has had its time: it never arrived

    @property
    def is_final(self) -> bool:
        """Tell whether nothing is expected to follow."""
        return self in _ENDS

    @property
    def may_stand_at_the_venue(self) -> bool:
        """Tell whether the venue may hold it, and could still fill it."""
        return self in (OrderState.SENDING, OrderState.UNKNOWN, OrderState.WORKING, OrderState.PARTIAL)


_S = OrderState
_FINAL_AT_THE_VENUE = frozenset({_S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REFUSED})
_ENDS = _FINAL_AT_THE_VENUE | {_S.WITHDRAWN, _S.ABSENT}
# From where to where. Reports overtake each other: a fill may be heard of before the acknowledgement, never after the
# end.
MOVES: Mapping[OrderState, frozenset[OrderState]] = {
    _S.PLANNED: frozenset({_S.SENDING, _S.WITHDRAWN}),
    # Back to planned only when the request provably never left this machine.
    _S.SENDING: frozenset({_S.PLANNED, _S.UNKNOWN, _S.WORKING, _S.PARTIAL, *_FINAL_AT_THE_VENUE}),
    _S.UNKNOWN: frozenset({_S.WORKING, _S.PARTIAL, _S.ABSENT, *_FINAL_AT_THE_VENUE}),
    _S.WORKING: frozenset({_S.PARTIAL, _S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.REFUSED}),
    _S.PARTIAL: frozenset({_S.FILLED, _S.CANCELLED, _S.EXPIRED}),
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.EXPIRED: frozenset(),
    _S.REFUSED: frozenset(),
    _S.WITHDRAWN: frozenset(),
    # Absent is our conclusion and not the venue's word: a venue that shows the order after all is believed.
    _S.ABSENT: frozenset({_S.WORKING, _S.PARTIAL, *_FINAL_AT_THE_VENUE}),
}


def sources_of(state: OrderState) -> frozenset[OrderState]:
    """Name the states from which an order may come to this one: the condition of every update that moves it."""
    return frozenset(before for before, after in MOVES.items() if state in after)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What is asked of a venue, in its own symbols and on its grid. The client id was committed before."""

    client_id: str
    symbol: str
    side: Side
    type: OrderType
    quantity: Quantity
    limit: Price | None = None
    stop: Price | None = None  # the trigger of a stop order, and where a trailing one begins
    trail: Decimal | None = None  # the distance that a trailing stop keeps, in price
    stop_loss: Price | None = None  # protects what is filled, where the venue takes it along
    take_profit: Price | None = None
    time_in_force: TimeInForce = TimeInForce.GTC
    position_id: str = ""  # where positions are hedged: which one it makes smaller
    reduces_only: bool = False  # never opens or enlarges anything
    group: str = ""  # orders of one group: when one is filled the others are cancelled


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderChange:
    """New levels for an order that waits, or for the protection of a position. None: as it is."""

    limit: Price | None = None
    stop: Price | None = None
    quantity: Quantity | None = None
    stop_loss: Price | None = None
    take_profit: Price | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FillReport:
    """Part of an order that was carried out; `id` is the venue's and the same however often it is told."""

    id: str
    client_id: str  # empty for one that nobody here asked for
    venue_order_id: str
    symbol: str
    side: Side
    quantity: Quantity
    price: Price
    fee: Decimal  # in account money; what was paid is positive
    profit: Decimal | None  # realised by it, fees apart, in account money; None where the venue does not say
    position_id: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderReport:
    """How an order stands at its venue, now. Reports come late, twice and out of order; `revision` tells them apart."""

    client_id: str
    venue_order_id: str
    state: OrderState
    filled: Quantity | Decimal
    average_price: Price | None
    reason: str  # the venue's words, when it refused, cancelled or expired it
    revision: int  # grows with every change of the order at its venue
    at: datetime
    symbol: str = ""  # what is not ours has no client id by which we could know it


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionReport:
    """A position as its venue holds it. Where positions are netted there is one for a symbol."""

    id: str
    symbol: str
    side: Side
    quantity: Quantity
    price: Price  # at which it was opened, on average
    stop_loss: Price | None
    take_profit: Price | None
    floating: Decimal  # in account money, swap included
    opened_by: str  # client id of the order that opened it; empty when nobody here did
    at: datetime
    swap: Decimal | None = None  # on what is open, so far; paid is negative; None where the venue does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountReport:
    """The money of an account as its venue counts it, in its own currency."""

    currency: str
    balance: Decimal
    equity: Decimal
    margin_used: Decimal
    leverage: Decimal
    at: datetime

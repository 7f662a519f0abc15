"""What reconciliation looks at and what it can find: our books, one look at the venue, and the differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from mikrobot_platform.kernel.decisions import Code, Evidence, sentence
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import FillReport, OrderReport, OrderState, PositionReport, Purpose
from mikrobot_platform.kernel.venues import LookUp, Positions

NOTHING = Quantity(Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class OurOrder:
    """An order as our books have it: every one that is not over, and those that ended within the settle window."""

    client_id: str
    symbol: str  # as the venue writes it
    side: Side
    purpose: Purpose
    state: OrderState
    quantity: Quantity
    filled: Decimal
    sent_at: datetime
    changed_at: datetime  # when its state or its fills last changed
    stop: Price | None = None
    position: str = ""  # ours


@dataclass(frozen=True, slots=True, kw_only=True)
class OurPosition:
    """An open position as our books have it."""

    id: str
    venue_id: str  # empty until the venue has told it
    symbol: str
    side: Side
    quantity: Quantity
    stop: Price | None  # where we want it
    opened_by: str  # client id of the order that opened it
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Ours:
    """Our books of one account, in one snapshot that was taken before the venue was looked at."""

    orders: tuple[OurOrder, ...] = ()
    positions: tuple[OurPosition, ...] = ()
    known: frozenset[str] = frozenset()  # client ids of orders of ours that were over before
    # How many exits and stops were made so far, by what they were made for: ours, or the venue's id of a foreign one.
    exits_made: Mapping[str, int] = field(default_factory=dict)
    stops_made: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Theirs:
    """One look at the venue. A list that could not be had is None, and nothing follows from what is not in it."""

    at: datetime  # when the look began
    positions_are: Positions
    look_up: LookUp
    asked: Mapping[str, OrderReport | None] = field(default_factory=dict)  # by client id; None: it was not found
    working: tuple[OrderReport, ...] | None = None
    positions: tuple[PositionReport, ...] | None = None
    fills: tuple[FillReport, ...] | None = None
    fills_since: datetime | None = None


class Kind(StrEnum):
    """What was found."""

    ORDER_FOUND = "order_found"
    ORDER_UNKNOWN = "order_unknown"
    ORDER_ABSENT = "order_absent"
    ORDER_ENDED = "order_ended"
    ORDER_FOREIGN = "order_foreign"
    POSITION_FOREIGN = "position_foreign"
    POSITION_MISSING = "position_missing"
    POSITION_RESIZED = "position_resized"
    POSITION_UNPROTECTED = "position_unprotected"
    STOP_MOVED = "stop_moved"


CODES: Mapping[Kind, Code] = {
    Kind.ORDER_FOUND: Code.ORDER_FOUND,
    Kind.ORDER_UNKNOWN: Code.ORDER_UNKNOWN,
    Kind.ORDER_ABSENT: Code.ORDER_ABSENT,
    Kind.ORDER_ENDED: Code.ORDER_ENDED,
    Kind.ORDER_FOREIGN: Code.ORDER_FOREIGN,
    Kind.POSITION_FOREIGN: Code.POSITION_FOREIGN,
    Kind.POSITION_MISSING: Code.POSITION_MISSING,
    Kind.POSITION_RESIZED: Code.POSITION_RESIZED,
    Kind.POSITION_UNPROTECTED: Code.POSITION_UNPROTECTED,
    Kind.STOP_MOVED: Code.POSITION_STOP_MOVED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One difference, or one question answered. `about` is our id, and the venue's for what is not ours."""

    kind: Kind
    about: str
    evidence: Evidence
    order: str = ""  # client id; for a foreign order the venue's id
    state: OrderState | None = None  # what an order of ours has come to
    side: Side | None = None  # of the position at the venue, or ours where it is missing
    quantity: Quantity = NOTHING  # of the same
    leaving: Quantity = NOTHING  # of the same, what exits that wait may still close
    bare: Quantity = NOTHING  # of the same, what no stop covers
    is_stop_in_flight: bool = False  # a stop was sent, and nobody knows what became of it
    is_overdue: bool = False  # the venue has had its time, and looking again may not help
    exits_made: int = 0  # for this position so far: they are numbered
    stops_made: int = 0
    stop: Price | None = None  # where we want the stop
    venue_stop: Price | None = None
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", sentence(self.code, self.evidence))

    @property
    def code(self) -> Code:
        return CODES[self.kind]

"""Sources, the ledger of signals, strategies and who follows them, orders. One file a noun; this page is the index."""

from trading.models.files import ReadBy, SourceFile
from trading.models.orders import Booking, BookingKind, Fill, Order, Position, PositionState, Shard, VenueLink
from trading.models.signals import EventKind, RawSignal, RawState, Signal, SignalEvent, SignalState
from trading.models.sources import ClockArrival, Source, SourceMinute, SourceNonce, SourceSecret, SourceStream
from trading.models.strategies import Follow, RiskMode, Strategy

__all__ = [
    "Booking",
    "BookingKind",
    "ClockArrival",
    "EventKind",
    "Fill",
    "Follow",
    "Order",
    "Position",
    "PositionState",
    "RawSignal",
    "RawState",
    "ReadBy",
    "RiskMode",
    "Shard",
    "Signal",
    "SignalEvent",
    "SignalState",
    "Source",
    "SourceFile",
    "SourceMinute",
    "SourceNonce",
    "SourceSecret",
    "SourceStream",
    "Strategy",
    "VenueLink",
]

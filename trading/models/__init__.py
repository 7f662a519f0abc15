"""Sources, the ledger of signals, strategies and who follows them. One file a noun; this page is the index."""

from trading.models.files import ReadBy, SourceFile
from trading.models.signals import EventKind, RawSignal, RawState, Signal, SignalEvent, SignalState
from trading.models.sources import ClockArrival, Source, SourceMinute, SourceNonce, SourceSecret, SourceStream
from trading.models.strategies import Follow, RiskMode, Strategy

__all__ = [
    "ClockArrival",
    "EventKind",
    "Follow",
    "RawSignal",
    "RawState",
    "ReadBy",
    "RiskMode",
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
]

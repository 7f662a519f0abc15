"""What is known when a signal is judged, read from the rows of this moment.

What nobody knows stays unknown here, and validation denies for want of it: last prices, which symbols can be traded and
open positions are not kept yet, so a signal that opens something is refused by name; one that closes passes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.signals import Action, ClockStamp, SignalDraft
from trading.engine import broker_clock
from trading.engine.broker_clock import Arrival, ClockReading, DeclaredClock
from trading.engine.signal_facts import SignalFacts, SignalRules
from trading.models import ClockArrival, EventKind, Signal, SignalEvent, Source, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who judges a signal: one version of a strategy, or the platform's rules where no strategy listens."""

    strategy_id: UUID | None
    rules: SignalRules
    symbols: tuple[str, ...] = ()  # empty: any


_ENTRIES = [action for action in Action if action.is_entry]
NOBODY = Listener(strategy_id=None, rules=SignalRules())


def listeners(draft: SignalDraft) -> list[Listener]:
    """List who listens to a signal: the strategies in sight that know it by its name, in fixed order."""
    found = []
    if draft.strategy:
        known = Strategy.objects.filter(retired_at=None, parameters__signals__contains=[draft.strategy])
        for row in known.order_by("pk"):
            parameters = row.read_parameters()
            found.append(Listener(strategy_id=row.pk, rules=parameters.rules, symbols=parameters.symbols))
    return found or [NOBODY]


def signal_facts(signal: Signal, known: ClockReading, listener: Listener) -> SignalFacts:
    """Load the facts for one judgement; what is known of the source's clock is the same for all who judge."""
    return SignalFacts(
        received_at=signal.received_at,
        is_tradable=False if listener.symbols and signal.symbol not in listener.symbols else None,
        clock=known,
        last_signal_at=_last_signal_at(signal, listener),
    )


def _last_signal_at(signal: Signal, listener: Listener) -> datetime | None:
    """Say when this listener last took an entry for the symbol, counted from its arrival.

    Only as far back as its pause goes: what came before decides nothing, and there may be a great deal of it.
    """
    since = signal.received_at - timedelta(seconds=listener.rules.cooldown_s)
    taken = SignalEvent.objects.filter(
        organization_id=signal.organization_id,
        strategy_id=listener.strategy_id,
        kind=EventKind.JUDGED,
        code=Code.VALID,
        at__gt=since,  # it was judged after it came
    )
    earlier = Signal.objects.filter(
        organization_id=signal.organization_id,
        pk__in=taken.values("signal_id"),
        symbol=signal.symbol,
        received_at__gt=since,
        action__in=_ENTRIES,
    ).exclude(pk=signal.pk)
    last = earlier.order_by("-received_at").values_list("received_at", flat=True).first()
    return last if last is None or isinstance(last, datetime) else None


def clock(source: Source) -> ClockReading:
    """Read a source's clock off its latest arrivals and what is believed of it."""
    arrivals = [
        Arrival(stamp=ClockStamp(stamp_s, resolution_s), at=at)
        for stamp_s, resolution_s, at in ClockArrival.recent(source.pk, broker_clock.RECENT)
    ]
    declared = DeclaredClock(zone=source.clock_zone, shift_s=source.clock_shift_s) if source.clock_zone else None
    return broker_clock.learn(arrivals, believed_s=source.clock_offset_s, declared=declared)

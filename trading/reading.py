"""What a message says: one signal, the repetition of one, or a refusal, written down with its event.

Whoever reads stands in the transaction of the message's owner (`ledger_of`). Two who read the same message at once end
as one: the row is moved on from `received` only, and whoever comes second rolls back.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import cast

from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.decisions import Code, Refusal, evidence, refusal
from mikrobot_platform.kernel.signals import SCALES, ClockStamp, LevelUnit, SignalDraft, clock_stamp
from trading import facts
from trading.engine import stored
from trading.engine.broker_clock import ClockReading
from trading.engine.replay import Order, judge_sequence
from trading.ledger import move_on, note, twin
from trading.models import ClockArrival, EventKind, RawSignal, RawState, Signal, Source, SourceStream
from trading.sources import Dialect, SourceContext, dedupe_key, plain


def read(source: Source, raw: RawSignal, *, now: datetime) -> None:
    """Read a message that waits, and say on its row what became of it."""
    context = _context(source, raw)
    found = cast(Dialect, registry.resolve(registry.SOURCES[source.kind])).parse(bytes(raw.body), context=context)
    if isinstance(found, SignalDraft):
        _accept(source, raw, found, context, now)
        return
    passed = _passed(source, raw, found.evidence.get("stream"), found.evidence.get("sequence"), now)
    stamp = _stamp(found.evidence.get("server"))
    if stamp is not None:
        learn_clock(source, [(stamp, raw.received_at)])
    refuse(raw, passed or found, now=now)


def refuse(raw: RawSignal, reason: Refusal, *, now: datetime, signal: Signal | None = None) -> None:
    move_on(raw, RawState.REFUSED, EventKind.REFUSED, at=now, reason=reason, signal=signal)


def learn_clock(source: Source, seen: Sequence[tuple[ClockStamp, datetime]]) -> ClockReading:
    """Add stamps to what is known of the source's clock, believe what follows, and say what is known now."""
    ClockArrival.note(source, [(stamp.seconds, stamp.resolution_s, at) for stamp, at in seen])
    known = facts.clock(source)
    if known.learnt_s is not None and known.learnt_s != source.clock_offset_s:
        Source.objects.filter(pk=source.pk).update(clock_offset_s=known.learnt_s)
    return known


def stamp_of(draft: SignalDraft) -> ClockStamp | None:
    """Find what a signal shows of its source's clock."""
    return draft.said_at if isinstance(draft.said_at, ClockStamp) else _stamp(dict(draft.extras).get("server_time"))


def _stamp(text: object) -> ClockStamp | None:
    return clock_stamp(text) if isinstance(text, str) else None


def _accept(source: Source, raw: RawSignal, draft: SignalDraft, context: SourceContext, now: datetime) -> None:
    """Make one signal of a draft, or find the one that it repeats."""
    passed = _passed(source, raw, dict(draft.extras).get("stream"), draft.sequence, now)
    key = dedupe_key(draft, context=context)
    window = None if key.window_s is None else timedelta(seconds=key.window_s)
    # Deliveries of one signal, or under one Idempotency-Key, go one by one from here.
    before = twin(source, key.text, raw.received_at, window, request=context.idempotency_key)
    if before is not None:
        if window is None and not _says(before, draft):
            refuse(raw, refusal(Code.ID_REUSED), now=now, signal=before)
        else:
            reason = refusal(Code.DUPLICATE)
            move_on(raw, RawState.DUPLICATE, EventKind.DUPLICATE, at=now, reason=reason, signal=before)
        return
    if passed is not None:
        refuse(raw, passed, now=now)
        return
    signal = _signal(raw, draft)
    signal.dedupe_key = key.text
    signal.slot = 0 if window is None else int(raw.received_at.timestamp())
    move_on(raw, RawState.READ, EventKind.PARSED, at=now, signal=signal, is_new=True)


def _says(signal: Signal, draft: SignalDraft) -> bool:
    """Tell whether a signal says what a draft says, however either wrote its figures."""
    return plain(stored.read(SignalDraft, signal.draft), as_written=False) == plain(draft, as_written=False)


def _context(source: Source, raw: RawSignal) -> SourceContext:
    return SourceContext(
        source=str(source.pk),
        content_type=raw.headers.get("content-type", ""),
        declared_bytes=raw.declared_bytes,
        idempotency_key=raw.headers.get("idempotency-key", ""),
        levels=LevelUnit(source.levels),
        power=SCALES[source.power_scale],
        confluence=SCALES[source.confluence_scale],
        confidence=SCALES[source.confidence_scale],
    )


def _signal(raw: RawSignal, draft: SignalDraft) -> Signal:
    target = draft.targets[0] if draft.targets else None
    return Signal(
        id=new_id(),
        organization_id=raw.organization_id,
        source_id=raw.source_id,
        raw_id=raw.pk,
        received_at=raw.received_at,
        dialect=draft.dialect,
        action=draft.action,
        symbol=draft.symbol,
        side=draft.side or "",
        order_kind=draft.kind,
        strategy=draft.strategy,
        entry=draft.entry,
        reference=draft.reference,
        stop=draft.stop.value if draft.stop else None,
        stop_unit=draft.stop.unit if draft.stop else "",
        target=target.value if target else None,
        target_unit=target.unit if target else "",
        quantity=draft.quantity,
        power=draft.power.value if draft.power else None,
        confluence=draft.confluence.value if draft.confluence else None,
        confidence=draft.confidence.value if draft.confidence else None,
        draft=plain(draft),
    )


def _passed(source: Source, raw: RawSignal, stream: object, sequence: object, now: datetime) -> Refusal | None:
    """Hold a message to the order of its stream: say so when its number has been passed, count what is missing."""
    if not isinstance(stream, str) or not isinstance(sequence, int):
        return None
    last = SourceStream.last_of(source, stream)
    found = judge_sequence(last, sequence)
    if last is not None and found.order is Order.REPEATED:
        return refusal(Code.SEQUENCE_PASSED, sequence=sequence, last=last)
    SourceStream.advance(source, stream, sequence, missing=found.missing, at=raw.received_at)
    if found.missing:
        note(raw, EventKind.GAP, at=now, evidence=evidence(stream=stream, sequence=sequence, missing=found.missing))
    return None

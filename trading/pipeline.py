"""One signal, from the wire to the phone.

Each stage asks pure functions and writes rows and events in one transaction of its own. Each stage may run twice; the
second run changes nothing and answers as the first. Between two stages the process may die: `sweep` finds what stands
still and moves it on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

import redis
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel import registry, trace
from mikrobot_platform.kernel.decisions import Code, Decision, Refusal, evidence, refusal
from mikrobot_platform.kernel.signals import SCALES, ClockStamp, LevelUnit, SignalDraft, clock_stamp
from mikrobot_platform.kernel.strict_json import LIMITS
from mikrobot_platform.stores import redis_client
from trading import facts
from trading.engine import stored
from trading.engine.validate import validate as judge
from trading.ledger import Reason, hold, ledger_of, note, note_decision
from trading.models import (
    ClockArrival,
    EventKind,
    RawSignal,
    RawState,
    Signal,
    SignalState,
    Source,
    SourceMinute,
    SourceNonce,
    SourceStream,
)
from trading.sources import Dialect, SourceContext, dedupe_key, plain
from trading.sources.ea_push import NONCE_KEEP_S, Order, judge_sequence

log = logging.getLogger(__name__)

# Headers that say how a message is to be read. One that proves who sent it is not kept.
HEADERS = ("content-type", "idempotency-key", "user-agent", "x-mikrobot-timestamp", "x-mikrobot-nonce")
MAX_HEADER = 200
MAX_KEPT = LIMITS.max_bytes + 1  # one more than is read, so that it still shows that it was too large
# The database's faults and the worker's are not the message's: it stays where it is, and the sweep takes it up.
NOT_ITS_FAULT = (OperationalError, InterfaceError, SoftTimeLimitExceeded)


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as it came in."""

    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    declared_bytes: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a message."""

    raw_id: UUID
    state: RawState
    signal_id: UUID | None
    code: str
    sentence: str


# --- ingest -----------------------------------------------------------------------------------------------------------
def ingest(source: Source, delivery: Delivery, *, now: datetime) -> Outcome:
    """Accept a message and read it.

    1. Its bytes are committed. From here on it cannot be lost, whatever happens to this process.
    2. It is read: one signal, a duplicate of one, or a refusal, committed with its event (`understand`).
    3. Somebody is asked to judge the signal; whoever is not reached is replaced by the timetable.
    """
    raw_id = keep(source, delivery, now=now)
    outcome = understand(source.organization_id, raw_id, now=now)
    if outcome.state is RawState.READ:
        wake()
    return outcome


def receive(source: Source, delivery: Delivery, *, now: datetime, nonce: str = "") -> Outcome | Refusal:
    """Accept a message from outside if its source may send one more now and its nonce is new; else keep nothing of it.

    Once its bytes are committed it is accepted, whatever happens then: what cannot be read now is read by the sweep.
    """
    with ledger_of(source.organization_id):
        if not SourceMinute.let_in(source, now=now):
            wait_s = 60 - int(now.timestamp()) % 60
            return refusal(Code.TOO_MANY, per_minute=source.per_minute, retry_after_s=wait_s)
        if nonce and not SourceNonce.is_first(source, nonce, now=now, keep_s=NONCE_KEEP_S):
            return refusal(Code.NONCE_USED)
        raw = _store(source, delivery, now)
    try:
        outcome = understand(source.organization_id, raw.pk, now=now)
    except NOT_ITS_FAULT:
        log.warning("a message was kept and could not be read yet", exc_info=True)
        outcome = _outcome(raw)
    if outcome.state in (RawState.READ, RawState.RECEIVED):
        wake()
    return outcome


def keep(source: Source, delivery: Delivery, *, now: datetime) -> UUID:
    """Commit the bytes before anybody looks at what they say."""
    with ledger_of(source.organization_id):
        return _store(source, delivery, now).pk


def _store(source: Source, delivery: Delivery, now: datetime) -> RawSignal:
    given = {name.lower(): value for name, value in delivery.headers.items()}
    raw = RawSignal(
        id=new_id(),
        organization_id=source.organization_id,
        source_id=source.pk,
        body=delivery.body[:MAX_KEPT],
        size=len(delivery.body),
        sha256=hashlib.sha256(delivery.body).digest(),
        headers={name: _safe(given[name]) for name in HEADERS if name in given},
        declared_bytes=delivery.declared_bytes,
        received_at=now,
        trace_id=trace.trace_id.get(),
    )
    raw.save(force_insert=True)
    note(raw, EventKind.RECEIVED, at=now, evidence={"bytes": raw.size})
    return raw


def _safe(value: str) -> str:
    """Make a header storable. One that is longer than any of these needs to be is known by its hash."""
    text = value.encode("utf-8", "replace").decode().replace("\0", "")
    return text if len(text) <= MAX_HEADER else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def understand(organization_id: UUID, raw_id: UUID, *, now: datetime) -> Outcome:
    """Read a message that was kept; an exception that nobody expected puts it into quarantine, with an alarm."""
    try:
        with ledger_of(organization_id):
            raw = RawSignal.locked(raw_id)
            if raw.state == RawState.RECEIVED:
                _read(raw, now)
            return _outcome(raw)
    except NOT_ITS_FAULT:
        raise
    except Exception as error:
        log.exception("a message could not be read and is in quarantine", extra={"raw": str(raw_id)})
        return quarantine_raw(organization_id, raw_id, type(error).__name__, now)


def _outcome(raw: RawSignal) -> Outcome:
    return Outcome(
        raw_id=raw.pk, state=RawState(raw.state), signal_id=raw.signal_id, code=raw.code, sentence=raw.sentence
    )


def _read(raw: RawSignal, now: datetime) -> None:
    source: Source = Source.objects.get(pk=raw.source_id)
    context = _context(source, raw)
    found = cast(Dialect, registry.resolve(registry.SOURCES[source.kind])).parse(bytes(raw.body), context=context)
    if isinstance(found, Refusal):
        passed = _passed(source, raw, found.evidence.get("stream"), found.evidence.get("sequence"), now)
        _learn_clock(source, _stamp(found.evidence.get("server")), raw.received_at)
        _end(raw, RawState.REFUSED, now, reason=passed or Reason(code=found.code, evidence=found.evidence))
        return
    _accept(source, raw, found, context, now)


def _accept(source: Source, raw: RawSignal, draft: SignalDraft, context: SourceContext, now: datetime) -> None:
    """Make one signal of a draft, or find the one that it repeats."""
    extras = dict(draft.extras)
    passed = _passed(source, raw, extras.get("stream"), draft.sequence, now)
    key = dedupe_key(draft, context=context)
    hold(source.pk, key.text)  # deliveries of the same signal go one after another from here
    same = Signal.objects.filter(organization_id=raw.organization_id, source_id=source.pk, dedupe_key=key.text)
    if key.window_s is not None:
        window = timedelta(seconds=key.window_s)
        same = same.filter(received_at__gt=raw.received_at - window, received_at__lt=raw.received_at + window)
    before = same.order_by("-received_at").first()
    if before is not None:
        is_other = key.window_s is None and not _says(before, draft)
        state, code = (RawState.REFUSED, Code.ID_REUSED) if is_other else (RawState.DUPLICATE, Code.DUPLICATE)
        _end(raw, state, now, signal_id=before.pk, reason=Reason(code=code))
        return
    if passed is not None:
        _end(raw, RawState.REFUSED, now, reason=passed)
        return
    signal = _signal(raw, draft)
    signal.dedupe_key = key.text
    signal.slot = 0 if key.window_s is None else int(raw.received_at.timestamp())
    signal.save(force_insert=True)
    stamp = draft.said_at if isinstance(draft.said_at, ClockStamp) else _stamp(extras.get("server_time"))
    _learn_clock(source, stamp, raw.received_at)
    _end(raw, RawState.READ, now, signal_id=signal.pk)


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


def _end(
    raw: RawSignal, state: RawState, now: datetime, *, signal_id: UUID | None = None, reason: Reason | None = None
) -> None:
    """Say what became of a message: on its row, and in the timeline of whatever signal it belongs to."""
    raw.state, raw.signal_id = state, signal_id
    raw.code, raw.sentence = (reason.code, reason.sentence) if reason else ("", "")
    raw.save(update_fields=["state", "signal_id", "code", "sentence"])
    kind = EventKind.PARSED if state is RawState.READ else EventKind(state)
    note(raw, kind, at=now, signal_id=signal_id, reason=reason)


def _passed(source: Source, raw: RawSignal, stream: object, sequence: object, now: datetime) -> Reason | None:
    """Hold a message to the order of its stream: say so when its number has been passed, count what is missing."""
    if not isinstance(stream, str) or not isinstance(sequence, int):
        return None
    hold(source.pk, "stream", stream)
    row = SourceStream.objects.filter(source=source, name=stream).first()
    found = judge_sequence(row.last_sequence if row else None, sequence)
    if row is not None and found.order is Order.REPEATED:
        return Reason(code=Code.SEQUENCE_PASSED, evidence=evidence(sequence=sequence, last=row.last_sequence))
    row = row or SourceStream(organization_id=source.organization_id, source=source, name=stream)
    row.last_sequence, row.seen_at = sequence, raw.received_at
    row.missing += found.missing
    row.save()
    if found.missing:
        note(raw, EventKind.GAP, at=now, evidence=evidence(stream=stream, sequence=sequence, missing=found.missing))
    return None


def _stamp(text: object) -> ClockStamp | None:
    return clock_stamp(text) if isinstance(text, str) else None


def _learn_clock(source: Source, stamp: ClockStamp | None, at: datetime) -> None:
    """Add a stamp to what is known of the source's clock, and believe what follows."""
    if stamp is None:
        return
    ClockArrival.note(source, stamp_s=stamp.seconds, resolution_s=stamp.resolution_s, at=at)
    learnt = facts.clock(source).learnt_s
    if learnt is not None and learnt != source.clock_offset_s:
        Source.objects.filter(pk=source.pk).update(clock_offset_s=learnt)


# --- validate ---------------------------------------------------------------------------------------------------------
def validate(organization_id: UUID, signal_id: UUID, *, now: datetime) -> SignalState:
    """Judge a signal for everybody who listens to it; each decision is an event, and one that takes it is enough."""
    try:
        with ledger_of(organization_id):
            signal = Signal.locked(signal_id)
            if signal.state == SignalState.WAITING:
                _judge(signal, now)
            return SignalState(signal.state)
    except NOT_ITS_FAULT:
        raise
    except Exception as error:
        log.exception("a signal could not be judged and is in quarantine", extra={"signal": str(signal_id)})
        return quarantine_signal(organization_id, signal_id, type(error).__name__, now)


_UNTAKEN = {Code.TOO_OLD: SignalState.EXPIRED}


def _judge(signal: Signal, now: datetime) -> None:
    draft = stored.read(SignalDraft, signal.draft)
    source: Source = Source.objects.get(pk=signal.source_id)
    decisions: list[Decision] = []
    for listener in facts.listeners(draft):
        # Two signals for one symbol at once: the second sees that the first was taken.
        hold(signal.organization_id, listener.strategy_id, signal.symbol)
        known = facts.signal_facts(signal, source, listener)
        decision = judge(draft, known, listener.rules, now=now)
        note_decision(decision, known, signal, strategy_id=listener.strategy_id, at=now)
        decisions.append(decision)
    best = next((decision for decision in decisions if decision.is_taken), decisions[0])
    signal.state = SignalState.VALID if best.is_taken else _UNTAKEN.get(best.code, SignalState.REJECTED)
    signal.code, signal.sentence, signal.judged_at = best.code, best.sentence, now
    signal.save(update_fields=["state", "code", "sentence", "judged_at"])


# --- what failed ------------------------------------------------------------------------------------------------------
def quarantine_raw(organization_id: UUID, raw_id: UUID, problem: str, now: datetime) -> Outcome:
    """Put a message aside for a person. Its bytes are still there."""
    with ledger_of(organization_id):
        raw = RawSignal.locked(raw_id)
        if raw.state == RawState.RECEIVED:
            reason = Reason(code=Code.QUARANTINED, evidence=evidence(problem=problem))
            _end(raw, RawState.QUARANTINED, now, reason=reason)
        return _outcome(raw)


def quarantine_signal(organization_id: UUID, signal_id: UUID, problem: str, now: datetime) -> SignalState:
    """Put a signal aside for a person: it is not traded."""
    with ledger_of(organization_id):
        signal = Signal.locked(signal_id)
        if signal.state == SignalState.WAITING:
            reason = Reason(code=Code.QUARANTINED, evidence=evidence(problem=problem))
            signal.state, signal.code, signal.sentence = SignalState.QUARANTINED, reason.code, reason.sentence
            signal.save(update_fields=["state", "code", "sentence"])
            raw: RawSignal = RawSignal.objects.get(pk=signal.raw_id)
            note(raw, EventKind.QUARANTINED, at=now, signal_id=signal.pk, reason=reason)
        return SignalState(signal.state)


# --- somebody is asked to go on ---------------------------------------------------------------------------------------
WOKEN_KEY, WOKEN_MS = "mikrobot:signals:woken", 5_000
# Whoever brings a message is answered at once, also while Redis is away and every call to it takes seconds.
_is_asked, _one_asks = threading.Event(), threading.Lock()


def wake() -> None:
    """Ask for a sweep soon; who asks does not wait for it. Several who ask at once are one."""
    if not _is_asked.is_set():
        _is_asked.set()
        threading.Thread(target=_wake, name="wake", daemon=True).start()


def _wake() -> None:
    """Ask for a sweep now, unless one that was asked for has not begun. The timetable asks every 5 seconds."""
    with _one_asks:
        _is_asked.clear()
        try:
            if redis_client().set(WOKEN_KEY, 1, nx=True, px=WOKEN_MS):
                current_app.send_task("trading.sweep_signals")
        except (BrokerError, redis.RedisError):
            log.warning("the broker is not reachable; signals will be judged by the timetable")

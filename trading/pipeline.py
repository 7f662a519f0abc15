"""One signal, from the wire to the phone.

Each stage asks pure functions and writes rows and events in one transaction of its own. Each stage may run twice; the
second run changes nothing and answers as the first. Between two stages the process may die: `sweep` finds what stands
still and moves it on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

import redis
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError

from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel import trace
from mikrobot_platform.kernel.decisions import Code, Refusal, refusal
from mikrobot_platform.kernel.strict_json import MAX_KEPT
from mikrobot_platform.stores import redis_client
from trading.engine.replay import NONCE_KEEP_S
from trading.judging import judge
from trading.ledger import AlreadyRead, admit, ledger_of, move_on, note
from trading.models import EventKind, RawSignal, RawState, Signal, SignalState, Source
from trading.reading import read
from trading.statements import TO_JUDGE, TO_JUDGE_IF_FREE, row_of

log = logging.getLogger(__name__)

# Headers that say how a message is to be read. One that proves who sent it is not kept.
HEADERS = ("content-type", "idempotency-key", "user-agent", "x-mikrobot-timestamp", "x-mikrobot-nonce")
MAX_HEADER = 200
OF_ALL_SOURCES = 3_000  # messages a minute of one owner, 50 a second: each is a row that stays
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


# --- receive ----------------------------------------------------------------------------------------------------------
def receive(source: Source, delivery: Delivery, *, now: datetime, nonce: str = "") -> Outcome | Refusal:
    """Accept a message if its source is on, may send one more now and its nonce is new; else keep nothing of it.

    Every door leads through here. Once its bytes are committed it is accepted, whatever happens then: what cannot be
    read now is read by the sweep.
    """
    if not source.is_enabled:
        return refusal(Code.SOURCE_OFF)
    raw = _raw(source, delivery, now)
    nonce_until = now + timedelta(seconds=NONCE_KEEP_S)
    with ledger_of(source.organization_id):
        problem = admit(
            raw, per_minute=source.per_minute, of_all=OF_ALL_SOURCES, nonce=nonce, nonce_until=nonce_until, at=now
        )
    if problem is not None:
        return problem
    try:
        outcome = read_kept(raw, now=now, source=source)
    except NOT_ITS_FAULT:
        log.warning("a message was kept and could not be read yet", exc_info=True)
        outcome = Outcome(raw_id=raw.pk, state=RawState.RECEIVED, signal_id=None, code="", sentence="")
    if outcome.state in (RawState.READ, RawState.RECEIVED):
        wake()
    return outcome


def _raw(source: Source, delivery: Delivery, now: datetime) -> RawSignal:
    given = {name.lower(): value for name, value in delivery.headers.items()}
    return RawSignal(
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


def _safe(value: str) -> str:
    """Make a header storable. One that is longer than any of these needs to be is known by its hash."""
    text = value.encode("utf-8", "replace").decode().replace("\0", "")
    return text if len(text) <= MAX_HEADER else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def understand(organization_id: UUID, raw_id: UUID, *, now: datetime) -> Outcome:
    """Read a message that was kept; an exception that nobody expected puts it into quarantine, with an alarm."""
    with ledger_of(organization_id):
        raw: RawSignal = RawSignal.objects.get(pk=raw_id)
    return read_kept(raw, now=now)


def read_kept(raw: RawSignal, *, now: datetime, source: Source | None = None) -> Outcome:
    """Read a message that its caller holds; whoever finds it read already answers with what came of it."""
    if raw.state != RawState.RECEIVED:
        return _outcome(raw)
    try:
        with ledger_of(raw.organization_id):
            read(source or Source.objects.get(pk=raw.source_id), raw, now=now)
    except AlreadyRead:
        with ledger_of(raw.organization_id):
            raw = RawSignal.objects.get(pk=raw.pk)
    except NOT_ITS_FAULT:
        raise
    except Exception as error:
        return quarantine_raw(raw.organization_id, raw.pk, error, now)
    return _outcome(raw)


def _outcome(raw: RawSignal) -> Outcome:
    return Outcome(
        raw_id=raw.pk, state=RawState(raw.state), signal_id=raw.signal_id, code=raw.code, sentence=raw.sentence
    )


# --- validate ---------------------------------------------------------------------------------------------------------
def validate(organization_id: UUID, signals: Collection[UUID], *, now: datetime, waits: bool = False) -> None:
    """Judge signals of one owner for everybody who listens to them (`judging`); what is judged already stays as it is.

    A signal that somebody else is at is left to them. Whoever has taken signals up `waits` instead: others only look
    at those for a moment. Signals that cannot be judged together are judged one by one, and one that cannot be judged
    alone is put into quarantine.
    """
    if not signals:
        return
    try:
        with ledger_of(organization_id):
            found = ask(TO_JUDGE if waits else TO_JUDGE_IF_FREE, [organization_id, list(signals)])
            if waiting := [row_of(Signal, row) for row in found]:
                judge(waiting, now=now)
    except NOT_ITS_FAULT:
        raise
    except Exception as error:
        if len(signals) > 1:
            log.warning("signals could not be judged together and are judged one by one", exc_info=True)
            for signal_id in signals:
                validate(organization_id, [signal_id], now=now, waits=waits)
            return
        [signal_id] = signals
        quarantine_signal(organization_id, signal_id, error, now)


# --- what failed ------------------------------------------------------------------------------------------------------
def quarantine_raw(organization_id: UUID, raw_id: UUID, problem: Exception | str, now: datetime) -> Outcome:
    """Put a message aside for a person, with an alarm. Its bytes are still there."""
    with ledger_of(organization_id):
        raw = RawSignal.locked(raw_id)
        if raw.state == RawState.RECEIVED:
            reason = _fault(problem)
            move_on(raw, RawState.QUARANTINED, EventKind.QUARANTINED, at=now, reason=reason)
            _alarm("a message could not be read and is in quarantine", problem, raw=raw_id, source=raw.source_id)
        return _outcome(raw)


def quarantine_signal(organization_id: UUID, signal_id: UUID, problem: Exception | str, now: datetime) -> SignalState:
    """Put a signal aside for a person, with an alarm: it is not traded."""
    with ledger_of(organization_id):
        signal = Signal.locked(signal_id)
        if signal.state == SignalState.WAITING:
            reason = _fault(problem)
            signal.state, signal.code, signal.sentence = SignalState.QUARANTINED, reason.code, reason.sentence
            signal.save(update_fields=["state", "code", "sentence"])
            raw: RawSignal = RawSignal.objects.get(pk=signal.raw_id)
            note(raw, EventKind.QUARANTINED, at=now, signal_id=signal.pk, reason=reason)
            _alarm("a signal could not be judged and is in quarantine", problem, signal=signal_id, raw=signal.raw_id)
        return SignalState(signal.state)


def _fault(problem: Exception | str) -> Refusal:
    """Name a fault of ours; what an exception says may quote a stranger or a secret, and is for the log alone."""
    name = problem if isinstance(problem, str) else type(problem).__name__
    return refusal(Code.QUARANTINED, problem=name)


def _alarm(sentence: str, problem: Exception | str, **ids: UUID) -> None:
    said = {name: str(value) for name, value in ids.items()}
    if isinstance(problem, Exception):
        log.error(sentence, exc_info=problem, extra=said)
    else:
        log.error("%s: %s", sentence, problem, extra=said)


# --- somebody is asked to go on ---------------------------------------------------------------------------------------
WOKEN_KEY, WOKEN_MS = "mikrobot:signals:woken", 5_000
PACE_KEY, BURST_MS = "mikrobot:signals:pace", 100
# Whoever brings a message is answered at once, also while Redis is away and every call to it takes seconds.
_is_asked, _one_asks = threading.Event(), threading.Lock()


def wake() -> None:
    """Ask for a sweep soon; who asks does not wait for it. Several who ask at once are one."""
    if not _is_asked.is_set():
        _is_asked.set()
        threading.Thread(target=_wake, name="wake", daemon=True).start()


def _wake() -> None:
    """Ask for a sweep now, unless one that was asked for has not begun. The timetable asks every 5 seconds.

    A signal that comes alone is judged at once; of a burst, whoever brings it, those of a tenth of a second are judged
    together.
    """
    with _one_asks:
        try:
            try:
                client = redis_client()
                while not client.set(PACE_KEY, 1, nx=True, px=BURST_MS):
                    time.sleep(max(1, client.pttl(PACE_KEY)) / 1000)
            finally:
                _is_asked.clear()  # whatever comes from here on has to ask again
            if client.set(WOKEN_KEY, 1, nx=True, px=WOKEN_MS):
                current_app.send_task("trading.sweep_signals")
        except (BrokerError, redis.RedisError):
            log.warning("the broker is not reachable; signals will be judged by the timetable")

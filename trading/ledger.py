"""The one way into the ledger: a transaction of the engine, of its own, that sees one owner's rows.

It runs on the engine's connection whoever calls, so that a caller whose own transaction rolls back takes along
nothing that was accepted; the web's role cannot write here at all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connections, transaction
from psycopg.types.json import Jsonb

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.db.scope import Scope, ScopeError
from mikrobot_platform.kernel.decisions import Code, Decision, Refusal, refusal
from trading.engine.signal_facts import SignalFacts
from trading.models import EventKind, RawSignal, RawState, Signal, SignalEvent, Source
from trading.models.sources import ALL_SOURCES, hold_each, minute_of
from trading.sources import plain
from trading.statements import (
    ADMIT,
    JUDGED,
    KEEP,
    MOVE_ON,
    MOVE_ON_NEW,
    TAKE_UP,
    TWIN,
    TWIN_NEAR,
    TWIN_OF_REQUEST,
    run,
    values_of,
)

PLATFORM_SCOPE = "signals.platform"


@contextmanager
def ledger_of(organization_id: UUID) -> Iterator[None]:
    """Open a transaction in the ledger of an organization or, with the id zero, of the platform."""
    if connections[scopes.ENGINE].in_atomic_block:
        raise ScopeError("a transaction of the engine is open; what is accepted must commit by itself")
    if organization_id == PLATFORM_ID:
        with system_scope(PLATFORM_SCOPE):
            yield
        return
    scope = Scope(organization_id=organization_id, alias=scopes.ENGINE)
    with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
        yield


class AlreadyRead(Exception):
    """Raised when somebody else has read a message meanwhile; roll back, and look what came of it."""


def keep(raw: RawSignal, *, at: datetime) -> None:
    """Write a message down as it came, with the first line of its timeline."""
    run(KEEP, {**values_of(raw), "at": at})


def admit(
    raw: RawSignal, *, per_minute: int, of_all: int, nonce: str, nonce_until: datetime, at: datetime
) -> Refusal | None:
    """Write a message down if its nonce is new and its source may send one more in this minute; else say which not.

    All sources of an owner together may send `of_all`, because each message is a row that is kept for ever.
    One statement: of any number at once, exactly as many come in as may. What does not come in leaves nothing, so that
    a message which has to wait may come again with the nonce that it has.
    """
    found = run(
        ADMIT,
        {
            **values_of(raw),
            "at": at,
            "minute": minute_of(at),
            "per_minute": per_minute,
            "everywhere": ALL_SOURCES,
            "of_all": of_all,
            "nonce": nonce,
            "nonce_until": nonce_until,
        },
    )
    assert found is not None
    has_room, have_all_room, is_new, is_counted, is_kept = found
    if is_kept:
        return None
    if has_room and have_all_room:
        if not is_new:
            return refusal(Code.NONCE_USED)
        # Somebody took the last place since the look. Seldom: a rollback also forgets every plan of this connection.
        transaction.set_rollback(True, using=scopes.ENGINE)
        has_room = is_counted
    sender, limit = ("organization", of_all) if has_room else ("source", per_minute)
    return refusal(Code.TOO_MANY, sender=sender, per_minute=limit, retry_after_s=60 - int(at.timestamp()) % 60)


def twin(source: Source, key: str, at: datetime, window: timedelta | None, *, request: str = "") -> Signal | None:
    """Find the latest signal that a message with this key repeats; hold the key until the transaction ends.

    With the key of a `request`, whatever came with that is looked for first, and both are held.
    """
    sql = TWIN_OF_REQUEST if request else TWIN if window is None else TWIN_NEAR
    values: dict[str, Any] = {
        "organization": source.organization_id,
        "source": source.pk,
        "key": key,
        "request": request,
    }
    if window is not None:
        values |= {"after": at - window, "before": at + window}
    hold_each([(source.pk, key), *([(source.pk, "request", request)] if request else [])])
    found = run(sql, values)  # the lock first, then a look at what was committed while it was waited for
    return None if found is None else Signal(id=found[0], draft=json.loads(found[1]))


def move_on(
    raw: RawSignal,
    state: RawState,
    kind: EventKind,
    *,
    at: datetime,
    reason: Refusal | None = None,
    signal: Signal | None = None,
    is_new: bool = False,
) -> None:
    """Say what became of a message: on its row, in the timeline, and as a signal of its own where it is a new one.

    Only a message that waits is moved on; AlreadyRead says that somebody else was quicker.
    """
    raw.state, raw.signal_id = state, signal.pk if signal else None
    raw.code, raw.sentence = (reason.code, reason.sentence) if reason else ("", "")
    values: dict[str, Any] = {
        "raw": raw.pk,
        "organization": raw.organization_id,
        "state": state.value,
        "code": str(raw.code),
        "sentence": raw.sentence,
        "signal": raw.signal_id,
        "kind": kind.value,
        "evidence": Jsonb(dict(reason.evidence) if reason else {}),
        "at": at,
    }
    if signal is not None and is_new:
        values |= values_of(signal)
    if run(MOVE_ON_NEW if is_new else MOVE_ON, values) is None:
        raise AlreadyRead(raw.pk)


def note(
    raw: RawSignal,
    kind: EventKind,
    *,
    at: datetime,
    signal_id: UUID | None = None,
    reason: Refusal | None = None,
    evidence: Mapping[str, object] | None = None,
) -> None:
    """Add a line to the timeline, in the transaction of what it tells."""
    SignalEvent.objects.create(
        organization_id=raw.organization_id,
        raw_id=raw.pk,
        signal_id=signal_id,
        kind=kind,
        code=reason.code if reason else "",
        sentence=reason.sentence if reason else "",
        evidence=dict(reason.evidence if reason else evidence or {}),
        at=at,
    )


def take_up(
    model: type[RawSignal] | type[Signal],
    organization_id: UUID,
    ids: Collection[UUID],
    *,
    at: datetime,
    again_since: datetime,
) -> dict[UUID, int]:
    """Count one more try of what stands still, before it is made; say of what, and how many there were.

    What somebody holds, has settled, or has taken up after `again_since` is theirs: of several who meet at it one
    counts and tries, however many they are.
    """
    values = {"organization": organization_id, "ids": list(ids), "at": at, "again_since": again_since}
    return dict(ask(TAKE_UP[model], values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What one strategy, or for None the platform's rules, thought of a signal, and on which facts."""

    signal: Signal
    decision: Decision
    facts: SignalFacts
    strategy_id: UUID | None


def note_judgements(signals: Sequence[Signal], judgements: Sequence[Judgement], *, at: datetime) -> None:
    """Write down what was decided, each decision with the facts it was made on, and what became of the signals."""
    thought = [
        {
            "raw": str(judgement.signal.raw_id),
            "signal": str(judgement.signal.pk),
            "strategy": judgement.strategy_id and str(judgement.strategy_id),
            "verdict": judgement.decision.verdict,
            "code": judgement.decision.code,
            "sentence": judgement.decision.sentence,
            "evidence": dict(judgement.decision.evidence),
            "facts": plain(judgement.facts),
        }
        for judgement in judgements
    ]
    became = [
        {"id": str(signal.pk), "state": signal.state, "code": signal.code, "sentence": signal.sentence}
        for signal in signals
    ]
    values: dict[str, Any] = {
        "organization": signals[0].organization_id,
        "kind": EventKind.JUDGED.value,
        "judgements": Jsonb(thought),
        "signals": Jsonb(became),
        "at": at,
    }
    run(JUDGED, values)

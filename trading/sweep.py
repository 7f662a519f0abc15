"""What stands still moves on: messages that were kept and not read, signals that were read and not judged.

1. What stands still is found across tenants; each moves in its owner's own ledger, by the stage it was waiting for.
2. A message is given a moment first, because whoever received it is probably reading it; a signal is not.
3. Each try is counted and committed before it is made: what kills its process every time is put into quarantine.
   Sweeps that meet are one try: what one of them took up, the others leave alone for as long as GRACE.
   Signals that have just come are tried once without, those of an owner together: if that kills, the next ones count.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import redis
from django.db.models import QuerySet

from accounts.models.base import TenantRow
from accounts.tenancy import system_scope
from mikrobot_platform.stores import redis_client
from trading import pipeline
from trading.ledger import ledger_of, take_up
from trading.models import RawSignal, RawState, Signal, SignalState, SourceMinute, SourceNonce
from trading.models.sources import minute_of

log = logging.getLogger(__name__)

SCOPE = "signals.sweep"
GRACE = timedelta(seconds=5)
BATCH = 500
AT_ONCE = 50
MAX_ATTEMPTS = 5
MINUTES_KEPT = timedelta(days=1)


def sweep(*, now: datetime, grace: timedelta = GRACE, batch: int = BATCH, among: Collection[UUID] | None = None) -> int:
    """Move on what stands still, oldest first; return how much there was. `among` restricts it to some owners."""
    _take_mark_away()
    with system_scope(SCOPE):
        messages = list(_waiting(RawSignal, RawState.RECEIVED, among, before=now - grace)[:batch])
    for organization_id, raw_id in messages:
        _read_again(organization_id, raw_id, now, grace)
    return len(messages) + _judge_waiting(now, grace, batch, among)


def _judge_waiting(now: datetime, grace: timedelta, batch: int, among: Collection[UUID] | None) -> int:
    """Judge what waits, a few at a time: another sweep is at it as well, and what it has done needs no second look."""
    tried: set[UUID] = set()
    while len(tried) < batch:
        with system_scope(SCOPE):
            waiting = _waiting(Signal, SignalState.WAITING, among, before=None).exclude(pk__in=tried)
            signals = list(waiting.values_list("organization_id", "pk", "received_at")[:AT_ONCE])
        just_come: dict[UUID, list[UUID]] = defaultdict(list)
        for organization_id, signal_id, received_at in signals:
            tried.add(signal_id)
            if received_at > now - grace:
                just_come[organization_id].append(signal_id)
            else:
                _judge_again(organization_id, signal_id, now, grace)
        for organization_id, together in just_come.items():
            with _or_next_time("a signal"):
                pipeline.validate(organization_id, together, now=now)
        if len(signals) < AT_ONCE:
            break
    return len(tried)


def forget(*, now: datetime, among: Collection[UUID] | None = None) -> None:
    """Delete the nonces that cannot come back, and the counts of minutes long past."""
    with system_scope(SCOPE):
        _of(SourceNonce, among).filter(expires_at__lt=now).delete()
        _of(SourceMinute, among).filter(minute__lt=minute_of(now - MINUTES_KEPT)).delete()


def _of(model: type[TenantRow], among: Collection[UUID] | None) -> QuerySet[Any]:
    rows = model.objects.all()
    return rows if among is None else rows.filter(organization_id__in=among)


def _waiting(
    model: type[RawSignal | Signal], state: str, among: Collection[UUID] | None, *, before: datetime | None
) -> QuerySet[Any, tuple[UUID, UUID]]:
    rows = _of(model, among).filter(state=state)
    if before is not None:
        rows = rows.filter(received_at__lte=before)
    return rows.order_by("received_at").values_list("organization_id", "pk")


@contextmanager
def _or_next_time(what: str) -> Iterator[None]:
    """Leave what failed through no fault of its own where it is."""
    try:
        yield
    except pipeline.NOT_ITS_FAULT:
        log.warning("%s stayed where it was, for the next sweep", what, exc_info=True)


def _read_again(organization_id: UUID, raw_id: UUID, now: datetime, grace: timedelta) -> None:
    with _or_next_time("a message"):
        tries = _taken_up(RawSignal, organization_id, raw_id, now, grace)
        if tries > MAX_ATTEMPTS:
            pipeline.quarantine_raw(organization_id, raw_id, "it stood still too often", now)
        elif tries:
            pipeline.understand(organization_id, raw_id, now=now)


def _judge_again(organization_id: UUID, signal_id: UUID, now: datetime, grace: timedelta) -> None:
    with _or_next_time("a signal"):
        tries = _taken_up(Signal, organization_id, signal_id, now, grace)
        if tries > MAX_ATTEMPTS:
            pipeline.quarantine_signal(organization_id, signal_id, "it stood still too often", now)
        elif tries:
            pipeline.validate(organization_id, [signal_id], now=now, waits=True)


def _taken_up(
    model: type[RawSignal | Signal], organization_id: UUID, row_id: UUID, now: datetime, grace: timedelta
) -> int:
    """Count one more try and commit it; 0: it is somebody else's."""
    with ledger_of(organization_id):
        return take_up(model, organization_id, [row_id], at=now, again_since=now - grace).get(row_id, 0)


def _take_mark_away() -> None:
    try:
        redis_client().delete(pipeline.WOKEN_KEY)
    except redis.RedisError:
        log.warning("Redis is not reachable; signals are judged all the same")

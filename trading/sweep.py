"""What stands still moves on: messages that were kept and not read, signals that were read and not judged.

1. What stands still is found across tenants, one of each owner in turn, so that nobody waits behind another's flood;
   each moves in its owner's own ledger, by the stage it was waiting for.
2. A message is given a moment first, because whoever received it is probably reading it; a signal is not.
3. Each try of what stood still longer is counted and committed before it is made: what kills its process every time is
   put into quarantine. Sweeps that meet are one try: what one of them took up, the others leave alone for as long as
   GRACE.
4. Signals of an owner are judged together. Those that have just come are tried once without a count; those that were
   in two tries together and still stand are tried alone, so that none of them is given up for another's fault.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import redis
from django.db.models import QuerySet

from accounts.models.base import TenantRow
from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.stores import redis_client
from trading import pipeline
from trading.ledger import ledger_of, take_up
from trading.models import RawSignal, Signal, SourceMinute, SourceNonce
from trading.models.sources import minute_of
from trading.statements import STANDING

log = logging.getLogger(__name__)

SCOPE = "signals.sweep"
GRACE = timedelta(seconds=5)
BATCH = 500
AT_ONCE = 50
MAX_ATTEMPTS = 5
TOGETHER = 2  # of them, with the others of the same owner
MINUTES_KEPT = timedelta(days=1)


def sweep(*, now: datetime, grace: timedelta = GRACE, batch: int = BATCH, among: Collection[UUID] | None = None) -> int:
    """Move on what stands still; return how much there was. `among` restricts it to some owners."""
    _take_mark_away()
    since = now - grace
    with system_scope(SCOPE):
        messages = _waiting(RawSignal, among, since, batch, before=since)
        signals = [] if messages else _waiting(Signal, among, since, min(AT_ONCE, batch))
    for message in messages:
        _read_again(message, now, grace)
    return len(messages) + _judge_waiting(signals, now, grace, batch, among)


def _judge_waiting(
    signals: Sequence[Waiting], now: datetime, grace: timedelta, batch: int, among: Collection[UUID] | None
) -> int:
    """Judge what waits, a few at a time: another sweep is at it as well, and what it has done needs no second look."""
    seen: set[UUID] = set()
    while len(seen) < batch:
        if seen or not signals:
            with system_scope(SCOPE):
                signals = _waiting(Signal, among, now - grace, min(AT_ONCE, batch - len(seen)), seen=seen)
        by_owner: dict[UUID, list[Waiting]] = defaultdict(list)
        for signal in signals:
            by_owner[signal.organization_id].append(signal)
        for organization_id, own in by_owner.items():
            _judge_of(organization_id, own, now, grace)
        seen |= {signal.pk for signal in signals}
        if len(signals) < AT_ONCE:
            break
    return len(seen)


def forget(*, now: datetime, among: Collection[UUID] | None = None) -> None:
    """Delete the nonces that cannot come back, and the counts of minutes long past."""
    with system_scope(SCOPE):
        _of(SourceNonce, among).filter(expires_at__lt=now).delete()
        _of(SourceMinute, among).filter(minute__lt=minute_of(now - MINUTES_KEPT)).delete()


def _of(model: type[TenantRow], among: Collection[UUID] | None) -> QuerySet[Any]:
    rows = model.objects.all()
    return rows if among is None else rows.filter(organization_id__in=among)


class Waiting(NamedTuple):
    """A message or a signal that stands still."""

    organization_id: UUID
    pk: UUID
    received_at: datetime
    attempts: int


def _waiting(
    model: type[RawSignal | Signal],
    among: Collection[UUID] | None,
    again_since: datetime,
    limit: int,
    *,
    before: datetime | None = None,
    seen: Collection[UUID] = (),
) -> list[Waiting]:
    values = {
        "among": None if among is None else list(among), "again_since": again_since, "before": before,
        "seen": list(seen), "limit": limit,
    }  # fmt: skip
    return [Waiting(*row) for row in ask(STANDING[model], values)]


@contextmanager
def _or_next_time(what: str) -> Iterator[None]:
    """Leave what failed through no fault of its own where it is."""
    try:
        yield
    except pipeline.NOT_ITS_FAULT:
        log.warning("%s stayed where it was, for the next sweep", what, exc_info=True)


def _read_again(message: Waiting, now: datetime, grace: timedelta) -> None:
    with _or_next_time("a message"):
        tries = _taken_up(RawSignal, [message], now, grace).get(message.pk, 0)
        if tries > MAX_ATTEMPTS:
            pipeline.quarantine_raw(message.organization_id, message.pk, "it stood still too often", now)
        elif tries:
            pipeline.understand(message.organization_id, message.pk, now=now)


def _judge_of(organization_id: UUID, signals: Sequence[Waiting], now: datetime, grace: timedelta) -> None:
    """Judge signals of one owner: what stood still together, then each that did so again and again, then the new."""
    still = [signal for signal in signals if signal.received_at <= now - grace]
    together = [signal for signal in still if signal.attempts < TOGETHER]
    with _or_next_time("signals"):
        tried = _taken_up(Signal, together, now, grace)
        pipeline.validate(organization_id, tried, now=now, waits=True)
    for signal in still:
        if signal.attempts >= TOGETHER:
            _judge_alone(signal, now, grace)
    with _or_next_time("signals"):
        new = [signal.pk for signal in signals if signal.received_at > now - grace]
        pipeline.validate(organization_id, new, now=now)


def _judge_alone(signal: Waiting, now: datetime, grace: timedelta) -> None:
    with _or_next_time("a signal"):
        tries = _taken_up(Signal, [signal], now, grace).get(signal.pk, 0)
        if tries > MAX_ATTEMPTS:
            pipeline.quarantine_signal(signal.organization_id, signal.pk, "it stood still too often", now)
        elif tries:
            pipeline.validate(signal.organization_id, [signal.pk], now=now, waits=True)


def _taken_up(
    model: type[RawSignal | Signal], rows: Sequence[Waiting], now: datetime, grace: timedelta
) -> dict[UUID, int]:
    """Count one more try of rows of one owner and commit it; what is missing in the answer is somebody else's."""
    if not rows:
        return {}
    with ledger_of(rows[0].organization_id):
        ids = [row.pk for row in rows]
        return take_up(model, rows[0].organization_id, ids, at=now, again_since=now - grace)


def _take_mark_away() -> None:
    try:
        redis_client().delete(pipeline.WOKEN_KEY)
    except redis.RedisError:
        log.warning("Redis is not reachable; signals are judged all the same")

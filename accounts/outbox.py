"""News travels up: published in the transaction that made it, delivered at least once, in order per organization.

How the relay keeps its promises:
1. PostgreSQL gives an event its id under a lock per organization, so id order is commit order within one.
2. A relay claims the first waiting event of an organization with SKIP LOCKED and locks a run of those behind it; while
   it holds the first, no other relay takes a later one of the same organization for the first.
3. Subscribers run in the claiming transaction, in the organization's scope; a delivery row, the effect and `done_at`
   commit together. A relay that dies takes all three with it, and another starts over.
4. What fails waits with back-off and holds its organization's later news back; after MAX_ATTEMPTS it is parked with an
   alarm.
5. An organization gets one bounded run per turn, in an order drawn by lot: no flood and no poison starves the others.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import redis
from celery import current_app
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connections, transaction
from django.db.models.functions import Now
from django.utils import timezone
from kombu.exceptions import OperationalError

from accounts import audit
from accounts.models.outbox import OutboxEvent
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform import metrics
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.db.scope import Scope
from mikrobot_platform.kernel.events import Event, EventName
from mikrobot_platform.kernel.registry import SUBSCRIBERS, resolve
from mikrobot_platform.kernel.trace import trace_id
from mikrobot_platform.logs import mask
from mikrobot_platform.stores import redis_client

log = logging.getLogger(__name__)

SCOPE = "outbox.relay"
RUN = 100  # events of one organization in one transaction
BUDGET_S = 20.0  # a run of the task; what is left then is another run's
MAX_ATTEMPTS = 8  # with the back-off below: given up after about two minutes
BACK_OFF_S, BACK_OFF_MAX_S = 1.0, 300.0
# During a rolling deploy an older relay meets names that it does not know yet; a newer one will deliver them.
UNKNOWN_PATIENCE = timedelta(hours=1)
WOKEN_KEY, WOKEN_MS = "mikrobot:outbox:woken", 5_000


class UnknownEventError(Exception):
    """Raised for a name that this version of the code does not know."""


# --- Publishing ------------------------------------------------------------------------------------------------------
def publish(name: EventName, /, **data: object) -> OutboxEvent:
    """Say that something happened, in the caller's transaction; the relay is woken when that commits."""
    event: OutboxEvent = OutboxEvent.objects.create(
        organization_id=scopes.organization(), name=name, data=data, trace_id=trace_id.get()
    )
    if name is not EventName.DRILL:  # a drill's relays look by themselves
        transaction.on_commit(wake, using=scopes.current().alias, robust=True)
    return event


@dataclass(frozen=True, slots=True)
class News:
    """What happened in an organization, to be published with others."""

    organization_id: UUID
    name: EventName
    data: Mapping[str, object]


def publish_all(news: Sequence[News]) -> None:
    """Publish news of many organizations with one statement, in the transaction of a system scope that may.

    Organizations come in one order, because each one's events are numbered under a lock of its own.
    """
    if not news:
        return
    ordered = sorted(news, key=lambda one: one.organization_id)
    values = {
        "organizations": [one.organization_id for one in ordered],
        "names": [one.name.value for one in ordered],
        "data": [json.dumps(dict(one.data)) for one in ordered],
        "trace": trace_id.get(),
    }
    ask(_PUBLISH, values)
    transaction.on_commit(wake, using=scopes.current().alias, robust=True)


_PUBLISH = """
insert into accounts_outboxevent (organization_id, name, data, trace_id, published_at, due_at, attempts, error)
select organization_id, name, data, %(trace)s::text, now(), now(), 0, ''
from unnest(%(organizations)s::uuid[], %(names)s::text[], %(data)s::jsonb[])
    with ordinality as told (organization_id, name, data, place)
order by place
"""


def wake() -> None:
    """Ask for a relay run now, unless one that was asked for has not begun. Without a broker the timetable delivers.

    A run takes the mark away before it looks, so whoever finds the mark knows that the look is still to come."""
    try:
        if redis_client().set(WOKEN_KEY, 1, nx=True, px=WOKEN_MS):
            current_app.send_task("accounts.relay_outbox")
    except (OperationalError, redis.RedisError):
        log.warning("the broker is not reachable; the outbox will be relayed by the timetable")


def retry_parked(event_id: int) -> bool:
    """Give a parked event of the current organization another round of attempts; False when it is not parked."""
    found = OutboxEvent.objects.filter(pk=event_id, parked_at__isnull=False).update(
        parked_at=None, attempts=0, due_at=Now(), error=""
    )
    if not found:
        return False
    audit.record("outbox.retried", f"outboxevent:{event_id}")
    transaction.on_commit(wake, using=scopes.current().alias, robust=True)
    return True


# --- The relay -------------------------------------------------------------------------------------------------------
@dataclass(slots=True)
class _Turn:
    """What one transaction did for one organization, known also when it failed."""

    at: OutboxEvent | None = None
    seen: int = 0
    done: list[OutboxEvent] = field(default_factory=list)
    failed: OutboxEvent | None = None


def relay(
    *, limit: int | None = None, seconds: float = BUDGET_S, among: Collection[UUID] | None = None, run: int = RUN
) -> int:
    """Deliver what is due until nothing is, or limit or time is reached; return how many events left the outbox.

    `among` restricts it to some organizations; `run` is how many events of one go into a transaction."""
    began, left_outbox = time.monotonic(), 0
    _take_mark_away()
    while heads := _due(among):
        random.shuffle(heads)
        before = left_outbox
        for organization_id, head in heads:
            if limit is not None and left_outbox >= limit:
                return left_outbox
            if time.monotonic() - began > seconds:
                wake()
                return left_outbox
            count = run if limit is None else min(run, limit - left_outbox)
            left_outbox += _serve(organization_id, head, count)
        if left_outbox == before:
            break  # what is due is in other relays' hands
    return left_outbox


def _take_mark_away() -> None:
    try:
        redis_client().delete(WOKEN_KEY)
    except redis.RedisError:
        log.warning("Redis is not reachable; the outbox is relayed all the same")


# Walks from organization to organization through the index of what waits: the cost is that of the organizations,
# however long their queues are. A fresh event is due at once, whatever the clocks of two machines say.
HEADS = """
    with recursive head as (
        (select organization_id, id, name, attempts, due_at, published_at from accounts_outboxevent
         where done_at is null and parked_at is null order by organization_id, id limit 1)
        union all
        select next.* from head cross join lateral (
            select organization_id, id, name, attempts, due_at, published_at from accounts_outboxevent
            where done_at is null and parked_at is null and organization_id > head.organization_id
            order by organization_id, id limit 1
        ) next
    )
"""
_DUE = f"{HEADS} select organization_id, id, name from head where attempts = 0 or due_at <= now()"  # noqa: S608


def _due(among: Collection[UUID] | None) -> list[tuple[UUID, int]]:
    """List the organizations whose next event may be delivered now, with that event.

    A drill's events are left to the drill's own relays: it means to kill those, and workers serve customers."""
    with system_scope(SCOPE), connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(_DUE)
        return [
            (organization_id, head)
            for organization_id, head, name in cursor.fetchall()
            if (name != EventName.DRILL if among is None else organization_id in among)
        ]


@contextmanager
def in_organization(organization_id: UUID) -> Iterator[None]:
    """Open a transaction of the engine role that sees one organization only, until after its commit hooks have run."""
    with scopes.enter(Scope(system=SCOPE, alias=scopes.ENGINE)), tenant_scope(organization_id), atomic():
        yield


def _serve(organization_id: UUID, head: int, count: int) -> int:
    """Give an organization its turn, beginning with the event that was its first waiting one a moment ago.

    A failure that takes the whole transaction down (at its commit, or with its connection) names no culprit among many
    events, so they are tried again one at a time; one that is alone has failed."""
    turn = _Turn()
    try:
        with in_organization(organization_id):
            parked = _run(turn, {"organization": organization_id, "head": head, "count": count})
    except Exception as error:
        if turn.at is None:
            raise
        if turn.seen > 1 and not isinstance(error, SoftTimeLimitExceeded):
            return _serve(organization_id, head, 1)
        log.warning("a relay run failed as a whole", exc_info=error)
        with in_organization(organization_id):
            parked = _fail(turn.at, error)
        turn.done, turn.failed = [], turn.at
        _count(turn, parked)
        if isinstance(error, SoftTimeLimitExceeded):
            raise
        return parked
    _count(turn, parked)
    return len(turn.done) + parked


# The run is walked event by event, for the same reason: asked for as a range, a queue of 200,000 is read and sorted
# whole as long as the statistics do not know of it (201 ms instead of 1).
_CLAIM = """
    with recursive head as materialized (
        select id from accounts_outboxevent
        where id = %(head)s and organization_id = %(organization)s
          and done_at is null and parked_at is null and (attempts = 0 or due_at <= now())
        for update skip locked
    ), run as (
        select id, 1 as place from head
        union all
        select next.id, run.place + 1 from run cross join lateral (
            select id from accounts_outboxevent
            where done_at is null and parked_at is null
              and (organization_id, id) > (%(organization)s, run.id) and organization_id <= %(organization)s
            order by organization_id, id limit 1
        ) next
        where run.place < %(count)s
    )
    select event.* from accounts_outboxevent event join run using (id)
    where done_at is null and parked_at is null
    order by id for update of event
"""


def _run(turn: _Turn, claim: dict[str, Any]) -> int:
    """Deliver a run of events in order until one fails; return how many were given up on."""
    parked = 0
    for row in list(OutboxEvent.objects.raw(_CLAIM, claim)):
        if turn.seen and row.attempts and row.due_at > timezone.now():
            break  # it failed before and waits, and so does what comes after it
        turn.at = row
        turn.seen += 1
        error = _deliver(row)
        if error is not None:
            turn.failed = row
            parked = _fail(row, error)
            break
        turn.done.append(row)
    if turn.done:
        OutboxEvent.objects.filter(pk__in=[row.pk for row in turn.done]).update(done_at=Now())
    return parked


def _deliver(row: OutboxEvent) -> Exception | None:
    """Run the subscribers that have not handled the event yet, each in a savepoint with its delivery row."""
    token = trace_id.set(row.trace_id)
    try:
        event = _event(row)
        for name in SUBSCRIBERS[event.name]:
            with transaction.atomic(using=scopes.ENGINE):
                if _is_first(row, name):
                    cast("Callable[[Event], object]", resolve(name))(event)
    except SoftTimeLimitExceeded:
        raise  # the worker's, not the event's
    except Exception as error:  # whatever a subscriber raises is the event's failure
        return error
    finally:
        trace_id.reset(token)
    return None


def _event(row: OutboxEvent) -> Event:
    try:
        name = EventName(row.name)
    except ValueError:
        raise UnknownEventError(f"{row.name} is not an event of this version") from None
    return Event(
        id=row.pk,
        organization_id=row.organization_id,
        name=name,
        data=row.data,
        published_at=row.published_at,
        trace_id=row.trace_id,
        attempt=row.attempts + 1,
    )


def _is_first(row: OutboxEvent, subscriber: str) -> bool:
    """Write the delivery down; False when it stands there already."""
    with connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(
            "insert into accounts_outboxdelivery (organization_id, event_id, subscriber, at)"
            " values (%s, %s, %s, now()) on conflict do nothing",
            [row.organization_id, row.pk, subscriber],
        )
        return bool(cursor.rowcount)


def _fail(row: OutboxEvent, error: Exception) -> int:
    """Note an attempt that failed: wait and try again, or give up; return 1 when given up."""
    attempts = row.attempts + 1
    if isinstance(error, UnknownEventError):
        is_over = row.published_at < timezone.now() - UNKNOWN_PATIENCE
    else:
        is_over = attempts >= MAX_ATTEMPTS
    first_line = next(iter(str(error).splitlines()), "")
    text = mask(f"{error.__class__.__name__}: {first_line}")[:500]
    rows = OutboxEvent.objects.filter(pk=row.pk, done_at=None, parked_at=None)
    about = {"event_name": row.name, "event_id": row.pk, "attempt": attempts, "error": text}
    if is_over:
        rows.update(attempts=attempts, error=text, parked_at=Now())
        log.error("an event was parked: nobody will try again until a person looks", extra=about)
        return 1
    rows.update(attempts=attempts, error=text, due_at=Now() + timedelta(seconds=back_off_s(attempts)))
    log.warning("an event failed and will be tried again", extra=about)
    return 0


def back_off_s(attempts: int) -> float:
    """Wait 1 s after the first failure, twice as long after each further one, five minutes at most, a tenth by lot."""
    wait: float = min(BACK_OFF_MAX_S, BACK_OFF_S * 2.0 ** min(attempts - 1, 16))
    return wait * random.uniform(0.9, 1.1)  # noqa: S311 - spreads load, guards nothing


def _count(turn: _Turn, parked: int) -> None:
    for row in turn.done:
        metrics.OUTBOX_DELIVERED.labels(row.name).inc()
    if turn.failed is not None:
        metrics.OUTBOX_FAILED.labels(turn.failed.name).inc()
        metrics.OUTBOX_PARKED.labels(turn.failed.name).inc(parked)

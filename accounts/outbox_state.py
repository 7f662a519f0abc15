"""How the outbox stands: its figures for those who watch, and the forgetting of what was delivered long ago."""

from __future__ import annotations

import time
from collections import defaultdict
from datetime import timedelta
from uuid import UUID

from django.db import connections
from django.utils import timezone

from accounts.models.outbox import OutboxDelivery, OutboxEvent
from accounts.outbox import HEADS, SCOPE, in_organization
from accounts.tenancy import system_scope
from mikrobot_platform import heartbeats
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.heartbeats import Backlog
from mikrobot_platform.kernel.events import EventName

KEPT = timedelta(days=30)
MEASURE_EVERY_S = 2.0
COUNTED_UP_TO = 1_000_000

# Late counts from when an event could have gone: from its publishing, or from the end of its back-off. A drill's events
# are nobody's delay.
_BACKLOG = f"""
    {HEADS},
    mine as (select * from head where name <> '{EventName.DRILL}'),
    due as (select *, case when attempts = 0 then published_at else due_at end as since from mine)
    select (select count(*) from (select from accounts_outboxevent
                                  where done_at is null and parked_at is null limit {COUNTED_UP_TO}) waiting),
           greatest(0, coalesce((select extract(epoch from now() - min(since)) from due where since <= now()), 0)),
           greatest(0, coalesce((select extract(epoch from now() - min(published_at)) from mine), 0)),
           (select count(*) from mine where attempts > 0),
           (select count(*) from accounts_outboxevent where parked_at is not null)
"""  # noqa: S608 - constants


def backlog() -> Backlog:
    """Measure the outbox over all organizations; needs a system scope that may read it."""
    with connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(_BACKLOG)
        waiting, late, oldest, failing, parked = cursor.fetchone()
    return Backlog(waiting=waiting, late_s=float(late), oldest_s=float(oldest), failing=failing, parked=parked)


_measured_at = -MEASURE_EVERY_S


def publish_backlog() -> None:
    """Leave the figures in Redis for health and metrics; at most every two seconds from one process."""
    global _measured_at  # noqa: PLW0603 - one clock per process
    if time.monotonic() - _measured_at < MEASURE_EVERY_S:
        return
    with system_scope(SCOPE):
        found = backlog()
    heartbeats.write_backlog(found)
    _measured_at = time.monotonic()


def forget(*, kept: timedelta = KEPT, batch: int = 5_000) -> int:
    """Delete what was delivered longer ago than `kept`, with its delivery rows; what waits or is parked stays.

    Ids follow time, so the walk from the oldest id ends at the first batch that is young enough; no index is needed."""
    before, last, gone = timezone.now() - kept, 0, 0
    while True:
        with system_scope(SCOPE):
            rows = list(
                OutboxEvent.objects.filter(pk__gt=last)
                .order_by("pk")
                .values_list("pk", "organization_id", "published_at", "done_at")[:batch]
            )
        old: dict[UUID, list[int]] = defaultdict(list)
        for pk, organization_id, _published_at, done_at in rows:
            if done_at is not None and done_at < before:
                old[organization_id].append(pk)
        for organization_id, ids in old.items():
            with in_organization(organization_id):
                OutboxDelivery.objects.filter(event_id__in=ids).delete()
                gone += OutboxEvent.objects.filter(pk__in=ids).delete()[0]
        if len(rows) < batch or rows[-1][2] > before:
            return gone
        last = rows[-1][0]

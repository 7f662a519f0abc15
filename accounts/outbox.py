"""News travels up: published in the transaction that made it, delivered at least once, in order per organization.

How the relay keeps its promises:
1. PostgreSQL gives an event its id under a lock per organization, so id order is commit order within one.
2. A relay claims the first waiting event of an organization with SKIP LOCKED; while it holds that row no other relay finds
   a later one of the same organization.
3. Subscribers run in the claiming transaction, in the organization's scope; a delivery row, the effect and `done_at` commit
   together. A relay that dies takes all three with it, and another starts over.
4. What fails waits with back-off and holds its organization's later news back; after MAX_ATTEMPTS it is parked with an alarm.
"""

from __future__ import annotations

import logging

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

from accounts.models.outbox import OutboxEvent
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.trace import trace_id

log = logging.getLogger(__name__)


def publish(name: EventName, /, **data: object) -> OutboxEvent:
    """Say that something happened, in the caller's transaction; the relay is woken when that commits."""
    event: OutboxEvent = OutboxEvent.objects.create(
        organization_id=scopes.organization(), name=name, data=data, trace_id=trace_id.get()
    )
    transaction.on_commit(wake, using=scopes.current().alias, robust=True)
    return event


def wake() -> None:
    """Ask for a relay run now. Without a broker the timetable's next run delivers, seconds later."""
    try:
        current_app.send_task("accounts.relay_outbox")
    except OperationalError:
        log.warning("the broker is not reachable; the outbox will be relayed by the timetable")

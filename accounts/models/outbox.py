"""The outbox: news waits here in the transaction that made it, and leaves in order."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models.base import TenantRow


class OutboxEvent(TenantRow):
    """One event. Its id is given under a lock per organization (migration 0001): there, id order is commit order."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    name = models.CharField(max_length=60)
    data = models.JSONField(default=dict)
    trace_id = models.CharField(max_length=32, blank=True)
    published_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now)
    attempts = models.PositiveSmallIntegerField(default=0)
    done_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)  # gave up: later events move on, an operator is told
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        indexes: ClassVar[list[models.Index]] = [
            # Only what still waits is indexed, so the relay's look costs the same with a year of history behind it.
            models.Index(
                fields=["organization_id", "id"],
                name="accounts_outboxevent_waiting",
                condition=models.Q(done_at=None, parked_at=None),
            ),
            models.Index(
                fields=["id"], name="accounts_outboxevent_parked", condition=models.Q(parked_at__isnull=False)
            ),
        ]


class OutboxDelivery(TenantRow):
    """A subscriber has handled an event: written in the transaction of its effect, so the effect happens once."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    event_id = models.BigIntegerField()
    subscriber = models.CharField(max_length=120)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "event_id", "subscriber"], name="accounts_outboxdelivery_once"
            ),
        ]

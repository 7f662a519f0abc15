"""The audit trail: one hash chain per organization, written by PostgreSQL, changed by nobody."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone

from accounts.models.base import TenantRow

# The platform's own chain (staff scopes, key rotations) belongs to no customer.
PLATFORM_ID = UUID(int=0)


class AuditEntry(TenantRow):
    """One thing that was done. `sequence`, `previous` and `hash` are filled in by a trigger (migration 0001)."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    sequence = models.BigIntegerField(null=True, editable=False)
    at = models.DateTimeField(default=timezone.now)
    actor_kind = models.CharField(max_length=10)  # user, key, staff, system
    actor_id = models.CharField(max_length=60, blank=True)
    action = models.CharField(max_length=60)
    subject = models.CharField(max_length=100, blank=True)  # "tradingaccount:<id>"
    data = models.JSONField(default=dict)
    address = models.GenericIPAddressField(null=True)
    trace_id = models.CharField(max_length=32, blank=True)
    previous = models.BinaryField(max_length=32, null=True, editable=False)
    hash = models.BinaryField(max_length=32, null=True, editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id", "sequence"], name="accounts_auditentry_chain"),
        ]

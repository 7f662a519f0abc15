"""How many trades an organization has made in a day, and which: each claims its place before it may leave."""

from __future__ import annotations

from typing import ClassVar

from django.db import models

from accounts.models.base import TenantRow


class DailyQuota(TenantRow):
    """How many places of a day are taken. The day is the date in the organization's zone."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    day = models.DateField()
    used = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id", "day"], name="risk_management_dailyquota_once"),
        ]


class QuotaClaim(TenantRow):
    """One order's place. It is the same place however often it is asked for, also after midnight."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    signal_id = models.UUIDField()
    account_id = models.UUIDField()
    day = models.DateField()
    at = models.DateTimeField()
    given_back_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "signal_id", "account_id"], name="risk_management_quotaclaim_once"
            ),
        ]

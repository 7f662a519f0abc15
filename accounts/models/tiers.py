"""Tiers that staff have granted. Billing will write what an organization pays for; this stays for what it is given."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models.base import TenantModel
from accounts.tiers import Tier


class TierGrant(TenantModel):
    """From now on, and until it ends, the organization has this tier; the latest grant holds."""

    tier = models.CharField(max_length=16, choices=[(tier.value, tier.value) for tier in Tier])
    reason = models.CharField(max_length=300)
    granted_by = models.CharField(max_length=60)
    granted_at = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization", "-granted_at"], name="accounts_tiergrant_latest"),
        ]

"""Data keys: one current per organization, wrapped by the platform's master keys."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.utils import timezone

from accounts.models.base import TenantModel


class DataKey(TenantModel):
    """A Fernet key that only a master key opens. Retired ones still open what is not yet re-sealed."""

    version = models.PositiveIntegerField()
    wrapped = models.TextField()
    created_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "version"], name="accounts_datakey_version"),
            models.UniqueConstraint(
                fields=["organization"], condition=models.Q(retired_at=None), name="accounts_datakey_one_current"
            ),
        ]

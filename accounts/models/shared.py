"""Rows that belong to an organization or to the platform itself.

The platform has no organization: its rows carry the id zero (accounts/models/audit.py). Policies let the engine write
them in one named scope only (`platform_rows`); those that are shared are read by everybody who stands in an
organization.
"""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models

from accounts.models.audit import PLATFORM_ID
from accounts.models.base import TenantManager, TenantRow
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id


class SharedManager(TenantManager):
    """Answer inside a scope only, with the tenant's rows and the platform's."""

    def get_queryset(self) -> models.QuerySet[Any]:
        organization_id = scopes.current().organization_id
        if organization_id is None:
            return super().get_queryset()
        return models.Manager.get_queryset(self).filter(organization_id__in=(organization_id, PLATFORM_ID))


class LedgerRow(TenantRow):
    """A row of one organization or of the platform; hence without a reference to an organization."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization_id = models.UUIDField(editable=False)

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id", "id"], name="%(app_label)s_%(class)s_tenant"),
        ]

    @property
    def is_of_platform(self) -> bool:
        return self.organization_id == PLATFORM_ID

    @classmethod
    def locked(cls, pk: UUID) -> Self:
        """Read one row for update, or raise DoesNotExist."""
        row: Self = cls.objects.select_for_update().get(pk=pk)
        return row

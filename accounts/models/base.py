"""What every tenant table descends from: a manager that fails closed, a save() that stays at home."""

from __future__ import annotations

from typing import Any, ClassVar, Self
from uuid import UUID

from django.db import models

from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.scope import NoTenant, ScopeError


class TenantManager(models.Manager[Any]):
    """Answer inside a scope only."""

    def get_queryset(self) -> models.QuerySet[Any]:
        scope = scopes.current()
        if scope.organization_id is not None:
            return super().get_queryset().filter(organization_id=scope.organization_id)
        if scope.system is not None:
            return super().get_queryset()
        raise NoTenant(f"{self.model.__name__} was asked for without a tenant scope")


class TenantRow(models.Model):
    """A row that belongs to one organization, without a reference to it: for hot, append-only tables."""

    organization_id: models.UUIDField[Any, Any] | UUID
    objects: ClassVar[TenantManager] = TenantManager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Store the row in the current tenant; a row of another one is refused before the database refuses it."""
        scope = scopes.current()
        if scope.system is None:
            mine = scopes.organization()
            if self.organization_id is None:
                self.organization_id = mine
            elif self.organization_id != mine:
                raise ScopeError(f"this {type(self).__name__} belongs to another organization")
        super().save(*args, **kwargs)


class TenantModel(TenantRow):
    """A row of one organization; its id sorts by time and can be pointed at from the same organization only."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization = models.ForeignKey(
        "accounts.Organization", on_delete=models.PROTECT, editable=False, db_index=False, related_name="+"
    )

    class Meta:
        abstract = True
        constraints: ClassVar[list[models.BaseConstraint]] = [
            # Composite foreign keys need this target; it is also the index that every tenant query starts from.
            models.UniqueConstraint(fields=["organization", "id"], name="%(app_label)s_%(class)s_tenant"),
        ]

    @classmethod
    def locked(cls, pk: UUID) -> Self:
        """Read one row of this tenant for update, or raise DoesNotExist."""
        row: Self = cls.objects.select_for_update().get(pk=pk)
        return row

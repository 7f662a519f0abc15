"""The end of an organization: when its grace period is over, its keys, its rows and its files are gone.

What stays: the audit chain (ids and deeds, so that it can still be proven whole), and the people: their logins are
their own to delete.
"""

from __future__ import annotations

import logging
from graphlib import TopologicalSorter
from uuid import UUID

from django.db import models
from django.utils import timezone

from accounts import audit, data_keys, export
from accounts.archive import tenant_models
from accounts.models import AuditEntry, Organization
from accounts.models.base import TenantRow
from accounts.tenancy import system_scope, tenant_scope

log = logging.getLogger(__name__)

SCOPE = "organization.sweep"


def erase_due() -> int:
    """Erase every organization whose grace period is over; return how many. What fails is tried at the next sweep."""
    with system_scope(SCOPE):
        over = Organization.objects.filter(closing_at__lte=timezone.now()).order_by("closing_at")
        due = list(over.values_list("pk", flat=True))
    erased = 0
    for organization_id in due:
        try:
            erased += erase(organization_id)
        except Exception:
            log.exception("an organization could not be erased", extra={"due": str(organization_id)})
    return erased


def erase(organization_id: UUID) -> bool:
    """Erase one organization, if it is still to be closed and its time has come; all of it or nothing.

    1. Its row is claimed; somebody who keeps it open at this moment either was first or finds it gone.
    2. Files go before rows: a file that outlived its row would be found by nobody.
    3. Its keys are destroyed, its rows deleted, children before parents; the trail's last entry counts them.
    """
    with system_scope(SCOPE), tenant_scope(organization_id):
        organization = (
            Organization.objects.select_for_update(skip_locked=True)
            .filter(pk=organization_id, closing_at__lte=timezone.now())
            .first()
        )
        if organization is None:
            return False
        export.delete_files(organization_id)
        data_keys.shred(organization_id)
        deleted = {model._meta.label_lower: _delete(model, organization_id) for model in erasable()}
        counted = {name: count for name, count in deleted.items() if count}
        audit.record("organization.erased", organization, rows=counted)
        organization.delete()
    with system_scope(SCOPE):
        audit.record_platform("organization.erased", str(organization_id))
    return True


def _delete(model: type[models.Model], organization_id: UUID) -> int:
    # The base manager: a model's own may hide rows.
    return model._base_manager.filter(organization_id=organization_id).delete()[0]


def erasable() -> list[type[TenantRow]]:
    """List the tables of organizations so that their rows can be deleted: who points first, then who is pointed at.

    The models are walked, so a table that comes later is erased as well. The audit trail is not: it is append-only.
    """
    order: TopologicalSorter[type[TenantRow]] = TopologicalSorter()
    mine = [model for model in tenant_models() if model is not AuditEntry]
    for model in mine:
        order.add(model)
        for field in model._meta.concrete_fields:
            parent = field.related_model
            if isinstance(parent, type) and parent is not model and parent in mine:
                order.add(parent, model)
    return list(order.static_order())

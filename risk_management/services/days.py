"""By whose midnight an organization's days turn: for its limits, its quota, its results of a day."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID

from accounts.models import Organization


def zone_of(organization_id: UUID, at: datetime) -> str:
    """Return the zone that an organization's days turn by at a moment; never that of somebody's profile."""
    organization: Organization = Organization.objects.only(*_COLUMNS).get(pk=organization_id)
    return organization.zone_at(at)


def organizations(ids: Collection[UUID]) -> dict[UUID, Organization]:
    """Read many organizations with what their days turn by, in a system scope that may."""
    return {row.pk: row for row in Organization.objects.only(*_COLUMNS).filter(pk__in=ids)}


_COLUMNS = ("trading_zone", "next_zone", "next_zone_from")

"""By whose midnight an organization's days turn: for its limits, its quota, its results of a day."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from accounts.models import Organization


def zone_of(organization_id: UUID, at: datetime) -> str:
    """Return the zone that an organization's days turn by at a moment; never that of somebody's profile."""
    organization: Organization = Organization.objects.only("trading_zone", "next_zone", "next_zone_from").get(
        pk=organization_id
    )
    return organization.zone_at(at)

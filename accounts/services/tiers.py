"""Which tier an organization has.

Today: the trial, unless staff have granted another. Billing replaces `tiers_of`: it will ask the subscription first and
a grant second; whoever calls it stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from accounts.models import Organization, TierGrant
from accounts.tiers import Tier


def tier_of(organization: Organization, *, now: datetime) -> Tier:
    """Return the tier of one organization, which must be in scope."""
    return tiers_of([organization.pk], now=now)[organization.pk]


def tiers_of(organizations: Collection[UUID], *, now: datetime) -> Mapping[UUID, Tier]:
    """Return the tier of each organization, with one query."""
    grants = (
        TierGrant.objects.filter(Q(until=None) | Q(until__gt=now), organization_id__in=organizations)
        .order_by("organization_id", "-granted_at", "-pk")
        .distinct("organization_id")
        .values_list("organization_id", "tier")
    )
    granted = {organization_id: Tier(tier) for organization_id, tier in grants}
    return {one: granted.get(one, Tier.TRIAL) for one in organizations}

"""Which tier an organization has.

Today: the trial, unless staff have granted another. Billing replaces `tiers_of`: it will ask the subscription first and
a grant second; whoever calls it stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from uuid import UUID

from accounts.models import Organization
from accounts.tiers import Tier
from mikrobot_platform.db.prepared import array, ask

_GRANTED = """
    select distinct on (organization_id) organization_id, tier from accounts_tiergrant
    where organization_id = any(%(organizations)s::uuid[]) and (until is null or until > %(now)s)
    order by organization_id, granted_at desc, id desc
"""


def tier_of(organization: Organization, *, now: datetime) -> Tier:
    """Return the tier of one organization, which must be in scope."""
    return tiers_of([organization.pk], now=now)[organization.pk]


def tiers_of(organizations: Collection[UUID], *, now: datetime) -> Mapping[UUID, Tier]:
    """Return the tier of each organization, with one query."""
    granted = {one: Tier(tier) for one, tier in ask(_GRANTED, {"organizations": array(organizations), "now": now})}
    return {one: granted.get(one, Tier.TRIAL) for one in organizations}

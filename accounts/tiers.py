"""What each tier includes. Pure; which tier an organization has is asked of accounts.services.tiers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class Tier(StrEnum):
    """The tiers, the smallest first."""

    TRIAL = "trial"
    BASIC = "basic"
    PROFESSIONAL = "professional"
    ENTERPRISE = "enterprise"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a tier includes."""

    daily_quota: int | None  # trades of the whole organization a day; None: unlimited


TERMS: Mapping[Tier, Terms] = MappingProxyType(
    {
        Tier.TRIAL: Terms(daily_quota=3),
        Tier.BASIC: Terms(daily_quota=10),
        Tier.PROFESSIONAL: Terms(daily_quota=50),
        Tier.ENTERPRISE: Terms(daily_quota=None),
    }
)

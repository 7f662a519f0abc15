"""Whether the organization's plan opens trades, and whether today's trades are used up.

The counter that admits trades is atomic and stands in the database; what is read here only refuses early, and says why.
"""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.desk import Settings
from risk_management.rules.facts import known
from risk_management.rules.ruling import Allow, Deny, Ruling, recalled


def entitled(case: Settings) -> Ruling:
    """Hold entries to a plan that is paid for."""
    plan = case.entitlement
    numbers = {"tier": plan.tier}
    return Allow(numbers) if plan.opens_trades else Deny(Code.GATE_NOT_ENTITLED, numbers)


def daily_quota(case: Case) -> Ruling:
    """Hold the organization to its trades of a day, which begins at midnight in its own zone."""
    account = case.account
    return _within_quota(known(account.quota_used), known(account.entitlement).daily_quota, known(account.zone))


@recalled
def _within_quota(used: int, limit: int | None, zone: str) -> Ruling:
    numbers = {"used": used, "limit": limit, "zone": zone}
    return Deny(Code.GATE_QUOTA_USED, numbers) if limit is not None and used >= limit else Allow(numbers)

"""Kill switches and lockouts: account, organization, strategy, platform. One that has an end is over by itself."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import Missing, Switch, known
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Ruling


def account_on(case: Settings) -> Ruling:
    """Hold entries while the account is switched off or locked out."""
    return _unless(case.account_stop, Code.GATE_ACCOUNT_OFF, case.desk)


def organization_on(case: Settings) -> Ruling:
    """Hold entries while the organization is switched off."""
    return _unless(case.organization_stop, Code.GATE_ORGANIZATION_OFF, case.desk)


def strategy_on(desk: Desk) -> Ruling:
    """Hold entries while the strategy is switched off."""
    return _unless(desk.shared.strategy_stop, Code.GATE_STRATEGY_OFF, desk)


def platform_on(desk: Desk) -> Ruling:
    """Hold entries while the platform is switched off."""
    return _unless(desk.shared.platform_stop, Code.GATE_PLATFORM_OFF, desk)


def _unless(fact: Switch | Missing | None, code: Code, desk: Desk) -> Ruling:
    switch = known(fact)
    if switch is None:
        return ALLOWED
    if not switch.holds(desk.now):
        return Allow({"ended": switch.until})
    until = "somebody lifts it" if switch.until is None else switch.until
    return Deny(code, {"reason": switch.reason, "since": switch.since, "until": until})

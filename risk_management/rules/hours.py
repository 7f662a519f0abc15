"""The hours in which the customer trades at all, whatever is followed."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.desk import Settings
from risk_management.rules.ruling import ALLOWED, Ruling, skip


def session_open(case: Settings) -> Ruling:
    """Skip outside the customer's own trading hours."""
    hours = case.conditions.hours
    if hours is None or hours.are_open(case.now):
        return ALLOWED
    return skip(Code.GATE_HOURS, {"zone": hours.zone, "at": case.now})

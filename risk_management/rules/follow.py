"""Whether this account wants this signal: it follows, is not paused, and its filters and hours let the signal in."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.desk import Settings
from risk_management.rules.ruling import ALLOWED, Ruling, skip


def follow_active(case: Settings) -> Ruling:
    """Skip while the account does not follow, or pauses."""
    follow, strategy = case.follow, case.desk.strategy
    if not follow.is_active:
        return skip(Code.GATE_FOLLOW_OFF, {"strategy": strategy.name})
    if follow.paused_until is not None and case.now < follow.paused_until:
        return skip(Code.GATE_FOLLOW_PAUSED, {"strategy": strategy.name, "until": follow.paused_until})
    return ALLOWED


def follow_filters(case: Settings) -> Ruling:
    """Skip sides and symbols that the customer has left out."""
    follow, side, symbol = case.follow, case.desk.side, case.desk.signal.symbol
    if side not in follow.sides:
        return skip(Code.GATE_SIDE_LEFT_OUT, {"side": side, "strategy": case.desk.strategy.name})
    if follow.symbols is not None and symbol not in follow.symbols:
        return skip(Code.GATE_SYMBOL_LEFT_OUT, {"symbol": symbol, "strategy": case.desk.strategy.name})
    return ALLOWED


def follow_hours(case: Settings) -> Ruling:
    """Skip outside the hours of the follow."""
    hours = case.follow.hours
    if hours is None or hours.are_open(case.now):
        return ALLOWED
    return skip(Code.GATE_FOLLOW_HOURS, {"strategy": case.desk.strategy.name, "zone": hours.zone, "at": case.now})

"""Whether the instrument can be traded now: inside a session, on no holiday, not past its last trading day."""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.desk import Desk
from risk_management.rules.facts import known
from risk_management.rules.ruling import Allow, Deny, Ruling


def instrument_open(desk: Desk) -> Ruling:
    """Hold entries to open markets and to contracts that still trade."""
    spec = desk.spec
    known(desk.shared.contract)
    day = spec.sessions.trading_day(desk.now)
    if day is None:
        return Deny(Code.GATE_MARKET_CLOSED, {"symbol": spec.symbol, "at": desk.now, "zone": spec.sessions.zone})
    if spec.expires is not None and day > spec.expires:
        return Deny(Code.GATE_EXPIRED, {"symbol": spec.symbol, "last_day": spec.expires.isoformat()})
    return Allow({"trading_day": day.isoformat(), "closes_at": spec.sessions.closes_at(desk.now)})

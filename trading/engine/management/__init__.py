"""What is to be done now with an open position. Pure: a snapshot and the time go in, deeds come out.

Exits are decided here and blocked nowhere. Asking again gives nothing new: what was done is in the snapshot.
"""

from __future__ import annotations

from datetime import datetime

from mikrobot_platform.kernel.orders import Purpose
from trading.engine.deeds import Close, Deed
from trading.engine.management.case import Case
from trading.engine.management.exits import out_at_target, out_by_deadline, out_by_time
from trading.engine.management.plan import Plan
from trading.engine.management.position import Held, Market
from trading.engine.management.stops import follow, protected

WAYS_OUT = (out_by_deadline, out_by_time)  # of everything; the first that applies gives the reason


def manage(position: Held, market: Market, plan: Plan, *, now: datetime) -> tuple[Deed, ...]:
    """Say what is to be done with one position now, most urgent first.

    1. Of a position that is closed, cancel whatever still waits: it would open a new one.
    2. A position that no stop protects gets one, or is closed when it cannot have one.
    3. When everything must go, cancel what could fill beside it, then close. The stop stays until it is gone.
    4. Otherwise take home what the targets ask for, and let the stop follow.
    """
    case = Case(position=position, market=market, plan=plan, now=now, price=market.exit_price(position.side, now))
    if position.quantity <= 0:
        return case.cancel_all(*Purpose)
    protection = protected(case)
    leaves = _way_out(case, protection)
    if leaves is None:
        closing = out_at_target(case)
        if not (_closes_all(closing) or position.leaving >= position.quantity):
            return (*protection, *closing, *follow(case))
        leaves = (*protection, *closing)
    places, closes = ([deed for deed in leaves if isinstance(deed, Close) is is_close] for is_close in (False, True))
    return (*places, *case.cancel_all(Purpose.ENTRY, Purpose.TARGET), *closes)


def _way_out(case: Case, protection: tuple[Deed, ...]) -> tuple[Deed, ...] | None:
    """Return what closes everything, the stop in front; none of it while that is under way. None: nothing asks."""
    if _closes_all(protection):
        return protection
    for way_out in WAYS_OUT:
        closing = way_out(case)
        if closing is not None:
            return (*protection, *closing)
    return None


def _closes_all(deeds: tuple[Deed, ...]) -> bool:
    return any(isinstance(deed, Close) and deed.is_all for deed in deeds)


__all__ = ["manage"]

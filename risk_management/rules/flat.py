"""Times by which nothing may be held: the firm's, the customer's own, weekends, long breaks. Too near is too late."""

from __future__ import annotations

from datetime import datetime, timedelta

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.clock import FlatBy
from risk_management.compliance.program import Rest
from risk_management.rules.desk import Desk, Settings
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Deny, Ruling

# A position that must be closed in a quarter of an hour has no time to become anything.
LAST_ENTRY = timedelta(minutes=15)
_DAY = timedelta(days=1)


def flat_by(case: Settings) -> Ruling:
    """Hold entries from a quarter of an hour before everything must be closed until trading opens again."""
    limits, desk, program = case.conditions, case.desk, case.program
    for clock, whose in ((None if program is None else program.flat_by, "the firm"), (limits.flat_by, "you")):
        if clock is not None:
            deadline = _kept_deadline(desk, clock)
            if deadline is not None:
                return Deny(Code.GATE_FLAT_BY, {"whose": whose, "deadline": deadline})
    rest = None if program is None else program.rest
    if rest is None:
        return ALLOWED
    closes = desk.once((id(rest), flat_by), lambda: (rest, _closing(desk, rest)))[1]
    return ALLOWED if closes is None else Deny(Code.GATE_FLAT_BY, {"whose": "the firm", "deadline": closes})


def _kept_deadline(desk: Desk, clock: FlatBy) -> datetime | None:
    return desk.once((id(clock), flat_by), lambda: (clock, _deadline(desk, clock)))[1]


def _deadline(desk: Desk, clock: FlatBy) -> datetime | None:
    """Return the deadline when it is near or past."""
    contract = known(desk.shared.contract)
    names = (desk.signal.symbol,) if contract is None else (contract.product, *contract.groups)
    if clock.must_be_flat(desk.now, names):
        return desk.now
    deadline = clock.next_deadline(desk.now, names)
    return deadline if deadline - desk.now <= LAST_ENTRY else None


def _closing(desk: Desk, rest: Rest) -> datetime | None:
    """Return when the market closes, when that is near and it stays closed for longer than positions may be held."""
    closes = desk.spec.sessions.closes_at(desk.now)
    if closes is None or closes - desk.now > LAST_ENTRY:
        return None
    breaks = [] if rest.longest_break_min is None else [timedelta(minutes=rest.longest_break_min)]
    breaks += [_DAY] if rest.is_flat_over_weekend else []
    opens = next((opens for opens, _ in desk.spec.sessions.spans(closes)), None)  # None: the calendar ends
    return closes if any(opens is None or opens - closes > longest for longest in breaks) else None

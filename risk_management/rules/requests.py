"""What a firm lets one account do in a day: requests to its server, orders at once, positions opened.

An entry leaves enough requests for the exits of everything that is open: an exit is never blocked, so it must be paid
for before.
"""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.facts import known
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Form, Ruling

ENTRY_REQUESTS = 3  # place it, look after it, and once more when the answer is lost
EXIT_REQUESTS = 4  # two halves, a stop that moves, and a close
_BUDGET = Form(used=int, kept_for_exits=int, needed=int, limit=int)


def request_budget(case: Case) -> Ruling:
    """Hold entries to the firm's budget, with the exits of what is open kept back."""
    used, made = known(case.account.requests_today), known(case.account.trades_today)
    held, program = len(case.holdings), case.program
    if program is None:
        return ALLOWED
    budget = program.budget
    if budget.orders_at_once is not None and held >= budget.orders_at_once:
        return Deny(Code.GATE_ORDERS_AT_ONCE, {"open": held, "limit": budget.orders_at_once})
    if budget.positions_per_day is not None and made >= budget.positions_per_day:
        return Deny(Code.GATE_POSITIONS_PER_DAY, {"made": made, "limit": budget.positions_per_day})
    limit = budget.requests_per_day
    told = used, EXIT_REQUESTS * (held + 1), ENTRY_REQUESTS, limit
    if limit is not None and used + ENTRY_REQUESTS + EXIT_REQUESTS * (held + 1) > limit:
        return Deny(Code.GATE_REQUESTS, _BUDGET.named(told))
    return Allow(told, _BUDGET)

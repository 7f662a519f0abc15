"""Whether the prop firm lets an order be sent for this account at all. Where it does not, there is advice only.

The customer cannot switch it off: the stance is worked out from the firm's dated rules, and no setting is asked.
"""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.compliance.policy import Stance
from risk_management.rules.desk import Settings
from risk_management.rules.ruling import ALLOWED, Advise, Allow, Ruling


def firm_policy(case: Settings) -> Ruling:
    """Take the firm's side; what it forbids, or does not surely allow, is advice."""
    found = case.stance
    if found is None:
        return ALLOWED
    return case.desk.once((id(found), firm_policy), lambda: _ruling(found))


def _ruling(found: Stance) -> Ruling:
    """Say what the firm says, with its rule, date and source."""
    sentences = tuple(notice.sentence for notice in (*found.reasons, *found.warnings))
    numbers = {"mode": found.mode, "codes": tuple(notice.code for notice in found.reasons), "firm": sentences}
    return Allow(numbers) if found.sends_orders else Advise(Code.GATE_ADVICE_ONLY, numbers)

"""The list for exits. It blocks nothing, whatever is missing or switched off: who is in must be able to get out.

For an account of which the firm is known to let no order be sent, an exit is advice as well: no order of ours ever
opened what it closes, and there is no hand of ours that may.
"""

from __future__ import annotations

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.desk import Settings
from risk_management.rules.facts import Lacking
from risk_management.rules.policy import firm_policy
from risk_management.rules.ruling import ALLOWED, Advise, Allow, Ruling


def never_blocked(case: Settings) -> Ruling:
    """Let it out."""
    return Allow({"action": case.desk.signal.action})


def firm_lets_send(case: Settings) -> Ruling:
    """Make it advice where the firm is known to forbid orders of ours."""
    try:
        found = firm_policy(case)
    except Lacking:
        return ALLOWED
    return Advise(Code.GATE_EXIT_ADVICE, found.numbers) if isinstance(found, Advise) else ALLOWED

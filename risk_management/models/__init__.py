"""What the gate keeps. One file a noun; this page is the index."""

from risk_management.models.limits import AccountLimits
from risk_management.models.programs import AccountProgram
from risk_management.models.quota import DailyQuota, QuotaClaim
from risk_management.models.receipts import Receipt, ReceiptChain, SharedFacts
from risk_management.models.states import AccountEvent, AccountState
from risk_management.models.switches import Level, Switch

__all__ = [
    "AccountEvent",
    "AccountLimits",
    "AccountProgram",
    "AccountState",
    "DailyQuota",
    "Level",
    "QuotaClaim",
    "Receipt",
    "ReceiptChain",
    "SharedFacts",
    "Switch",
]

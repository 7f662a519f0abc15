"""Who you are, what you belong to, what you own, what happened. One file a noun; this page is the index."""

from accounts.models.audit import AuditEntry
from accounts.models.drills import DrillEffect
from accounts.models.exports import DataExport
from accounts.models.keys import ApiKey, KeyScope
from accounts.models.organizations import Acknowledgement, Invitation, Membership, Organization, Role
from accounts.models.outbox import OutboxDelivery, OutboxEvent
from accounts.models.people import SignIn, User
from accounts.models.tiers import TierGrant
from accounts.models.trading_accounts import AccountStatus, TradingAccount
from accounts.models.vault import DataKey

__all__ = [
    "AccountStatus",
    "Acknowledgement",
    "ApiKey",
    "AuditEntry",
    "DataExport",
    "DataKey",
    "DrillEffect",
    "Invitation",
    "KeyScope",
    "Membership",
    "Organization",
    "OutboxDelivery",
    "OutboxEvent",
    "Role",
    "SignIn",
    "TierGrant",
    "TradingAccount",
    "User",
]

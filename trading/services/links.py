"""The way to an account's venue, as its people and operators deal with it: what is done about differences, and whether
entries wait for somebody who looks."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Caller, Permission, Refused
from accounts.models import TradingAccount
from mikrobot_platform.db.prepared import ask
from trading.book_statements import MAKE_LINKS, ROSTER
from trading.engine.repair import Policy
from trading.ledger import ledger_of
from trading.models import Position, PositionState, VenueLink


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview:
    """How accounts stand with their venues, counted."""

    watched: int
    positions: int
    unprotected: int  # seen at the venue, without a stop
    silent: int
    blocked: int


def overview(*, now: datetime) -> Overview:
    """Count; the caller stands in a scope that may look."""
    open_ = Position.objects.filter(state=PositionState.OPEN)
    return Overview(
        watched=len(ask(ROSTER, {"among": None})),
        positions=open_.count(),
        unprotected=open_.filter(seen_at__isnull=False, stop__isnull=True).count(),
        silent=VenueLink.objects.filter(closed_until__gt=now).count(),
        blocked=VenueLink.objects.exclude(blocked_reason="").count(),
    )


def choose_policy(caller: Caller, account_id: UUID, policy: Policy) -> None:
    """Choose what is done about what nobody here did on an account."""
    caller.require(Permission.TRADE)
    _change(caller, account_id, "account.policy_chosen", policy=policy.value)


def unblock(caller: Caller, account_id: UUID) -> None:
    """Let entries pass again after somebody has looked."""
    caller.require(Permission.TRADE)
    _change(caller, account_id, "account.unblocked", blocked_reason="", blocked_at=None, alarms=[])


def _change(caller: Caller, account_id: UUID, action: str, **fields: object) -> None:
    """Write it as the engine does, which alone may, with its line in the trail."""
    owner = caller.organization_id
    with ledger_of(owner):
        if not TradingAccount.objects.filter(pk=account_id).exists():
            raise Refused("account_unknown", _("There is no such account."))
        ask(MAKE_LINKS, {"organizations": [owner], "accounts": [account_id]})
        VenueLink.objects.filter(account_id=account_id).update(**fields)
        audit.record(action, f"tradingaccount:{account_id}")

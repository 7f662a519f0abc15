"""What a lockout keeps from being done to accounts: it holds a login at a venue, and not the row that names it here."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db.models import Q
from django.utils.translation import gettext_lazy as lazy

from accounts.access import Refused
from accounts.models import TradingAccount
from mikrobot_platform.kernel.venues import AccountDeed
from risk_management.models import Level, Switch


def guard(deed: AccountDeed, organization_id: UUID, venue: str, account_id: UUID | None, *, now: datetime) -> None:
    """Keep an account under a lockout from coming back as another one (registry.ACCOUNT_GUARDS).

    1. It is not closed: its results and its lockout would end with it.
    2. No account is opened at its venue, and none there gets other credentials: either may be the same login, which is
       sealed and cannot be compared.
    3. Its own credentials may be replaced: whoever holds positions must be able to get out of them.
    """
    if deed is AccountDeed.CLOSE:
        is_held = account_id in _locked(organization_id, venue, now)
    else:
        is_held = bool(_locked(organization_id, venue, now) - {account_id})
    if is_held:
        raise Refused("account_locked_out", str(_REASONS[deed]))


_REASONS = {
    AccountDeed.OPEN: lazy("An account of yours at this venue is locked out. Until that ends none is opened there."),
    AccountDeed.CLOSE: lazy("This account is locked out. It can be closed once that has ended."),
    AccountDeed.CREDENTIALS: lazy("Another account of yours at this venue is locked out. Until that ends these stay."),
}


def _locked(organization_id: UUID, venue: str, now: datetime) -> set[UUID | None]:
    holding = Switch.objects.filter(
        Q(until=None) | Q(until__gt=now),
        organization_id=organization_id,
        level=Level.ACCOUNT,
        is_lockout=True,
        lifted_at=None,
    )
    held = TradingAccount.objects.filter(pk__in=holding.values("account_id"), venue=venue)
    return set(held.values_list("pk", flat=True))

"""What staff may do for a customer: inside system_scope("staff"), narrowed to one organization before it writes.

The reason travels in the audit actor (accounts/audit.py), so every entry carries it. Every deed answers whether it
changed anything: asked a second time, it changes nothing and writes nothing.
"""

from __future__ import annotations

from datetime import datetime
from functools import partial
from uuid import UUID

from allauth.account.adapter import get_adapter
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, outbox
from accounts.access import Caller, Permission, Refused
from accounts.models import ApiKey, Membership, Organization, TierGrant, TradingAccount, User
from accounts.services import keys, organizations, trading_accounts
from accounts.tenancy import tenant_scope
from accounts.tiers import Tier
from mikrobot_platform.db import scope as scopes

# What staff may do in an organization; never sign in for somebody, trade, or make keys and members.
_PERMISSIONS = frozenset({Permission.MANAGE_ORGANIZATION, Permission.MANAGE_ACCOUNTS, Permission.MANAGE_KEYS})


def _locked(organization_id: UUID) -> Organization:
    return Organization.objects.select_for_update().get(pk=organization_id)


def _caller(organization_id: UUID) -> Caller:
    return Caller(organization=_locked(organization_id), permissions=_PERMISSIONS)


def suspend(organization_id: UUID, reason: str) -> bool:
    """Leave members only looking and their keys shut out, with auto-trading off; the reason is shown to them."""
    with tenant_scope(organization_id):
        organization = _locked(organization_id)
        if organization.is_suspended:
            return False
        organization.suspended_at, organization.suspended_reason = timezone.now(), reason
        organization.save(update_fields=["suspended_at", "suspended_reason"])
        audit.record("organization.suspended", organization)
        stop_auto_trading(organization_id)
    return True


def lift(organization_id: UUID) -> bool:
    """End a suspension; auto-trading stays off until the customer switches it on."""
    with tenant_scope(organization_id):
        organization = _locked(organization_id)
        if not organization.is_suspended:
            return False
        organization.suspended_at, organization.suspended_reason = None, ""
        organization.save(update_fields=["suspended_at", "suspended_reason"])
        audit.record("organization.suspension_lifted", organization)
    return True


def stop_auto_trading(organization_id: UUID) -> bool:
    """Switch auto-trading off on every account of the organization."""
    with tenant_scope(organization_id):
        caller = _caller(organization_id)
        running = list(TradingAccount.objects.filter(is_auto_trading=True).order_by("pk").values_list("pk", flat=True))
        for account_id in running:
            trading_accounts.set_auto_trading(caller, account_id, False)
    return bool(running)


def cancel_closing(organization_id: UUID) -> bool:
    """Keep an organization that was to be erased."""
    with tenant_scope(organization_id):
        caller = _caller(organization_id)
        if not caller.organization.is_closing:
            return False
        organizations.keep_open(caller)
    return True


def revoke_key(organization_id: UUID, key_id: UUID) -> bool:
    """End an API key at once."""
    with tenant_scope(organization_id):
        if ApiKey.objects.filter(pk=key_id, revoked_at__isnull=False).exists():
            return False
        keys.revoke(_caller(organization_id), key_id)
    return True


def grant_tier(organization_id: UUID, tier: Tier, reason: str, *, until: datetime | None = None) -> bool:
    """Give the organization a tier that it does not pay for; the latest grant holds until it ends."""
    with tenant_scope(organization_id):
        organization, now = _locked(organization_id), timezone.now()
        latest = TierGrant.objects.order_by("-granted_at", "-pk").first()
        if latest is not None and (latest.tier, latest.until) == (tier, until) and (until is None or until > now):
            return False
        TierGrant.objects.create(
            organization=organization,
            tier=tier,
            reason=reason,
            granted_by=audit.actor().id,
            granted_at=now,
            until=until,
        )
        audit.record("tier.granted", organization, tier=tier.value, until=until.isoformat() if until else None)
    return True


def retry_event(organization_id: UUID, event_id: int) -> bool:
    """Give a parked event back to the relay, which starts counting anew."""
    with tenant_scope(organization_id):
        return outbox.retry_parked(event_id)


# --- People: they belong to several organizations or none; the trail is written in each and in the platform's -------


def record_about(user: User, action: str, **data: object) -> None:
    """Write into the platform's chain and into that of every organization the person belongs to."""
    audit.record_platform(action, user, **data)
    theirs = Membership.objects.filter(user=user).order_by("organization_id").values_list("organization_id", flat=True)
    for organization_id in list(theirs):  # in this order everywhere, or two writers could wait for each other
        with tenant_scope(organization_id):
            audit.record(action, user, **data)


def end_sessions(user: User) -> bool:
    """Sign the person out everywhere."""
    ended = _end_sessions(user)
    if ended:
        record_about(user, "person.sessions_ended", sessions=ended)
    return bool(ended)


def disable_login(user: User) -> bool:
    """Let the person in no more, and sign them out everywhere."""
    locked = _locked_customer(user)
    if not locked.is_active:
        return False
    locked.is_active = False
    locked.save(update_fields=["is_active"])
    record_about(locked, "person.login_disabled", sessions=_end_sessions(locked))
    return True


def enable_login(user: User) -> bool:
    """Let the person in again."""
    locked = _locked_customer(user)
    if locked.is_active:
        return False
    locked.is_active = True
    locked.save(update_fields=["is_active"])
    record_about(locked, "person.login_enabled")
    return True


def reset_factors(user: User, typed_email: str) -> bool:
    """Remove authenticator app, passkeys and recovery codes, end all sessions, and tell the person by e-mail."""
    locked = _locked_customer(user)
    if typed_email.strip().lower() != locked.email.lower():
        raise Refused("email_differs", _("That is not this person’s e-mail address. Nothing was changed."))
    factors = list(Authenticator.objects.filter(user=locked).order_by("pk"))
    if not factors:
        return False
    Authenticator.objects.filter(user=locked).delete()
    record_about(
        locked, "person.factors_reset", factors=[factor.type for factor in factors], sessions=_end_sessions(locked)
    )
    verified = EmailAddress.objects.filter(user=locked, verified=True).order_by("-primary", "pk")
    for email in list(verified.values_list("email", flat=True)):
        transaction.on_commit(partial(_tell_of_reset, email, locked), using=scopes.current().alias, robust=True)
    return True


def _tell_of_reset(email: str, user: User) -> None:
    with timezone.override(user.time_zone):
        get_adapter().send_mail("account/email/factors_reset", email, {"user": user, "timestamp": timezone.now()})


def _locked_customer(user: User) -> User:
    """Read a person for update; staff are changed from the command line, never by a colleague's browser."""
    locked = User.objects.select_for_update().get(pk=user.pk)
    if locked.is_staff or locked.is_superuser:
        raise Refused("person_is_staff", _("This person is staff. That is changed on the command line (staff_user)."))
    return locked


def _end_sessions(user: User) -> int:
    found = list(UserSession.objects.filter(user=user))
    for session in found:
        session.end()
    return len(found)


# --- Staff itself: from the command line ---------------------------------------------------------------------------


def appoint(user: User) -> bool:
    """Make a person staff; whoever types at the command line vouches for the address."""
    EmailAddress.objects.filter(user=user, primary=True).exclude(email=user.email).update(primary=False)
    _address, is_new = EmailAddress.objects.update_or_create(
        user=user, email=user.email, defaults={"verified": True, "primary": True}
    )
    if user.is_staff and not is_new:
        return False
    user.is_staff = True
    user.save(update_fields=["is_staff"])
    audit.record_platform("staff.appointed", user)
    return True


def dismiss(user: User) -> bool:
    """Take staff rights away and end the sessions that had them."""
    if not (user.is_staff or user.is_superuser):
        return False
    user.is_staff = user.is_superuser = False
    user.save(update_fields=["is_staff", "is_superuser"])
    audit.record_platform("staff.dismissed", user, sessions=_end_sessions(user))
    return True

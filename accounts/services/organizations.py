"""Organizations: found, rename, move to another time zone, close, keep."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, outbox, vault
from accounts.access import Caller, Permission, Refused
from accounts.models import Membership, Organization, Role, TradingAccount, User
from accounts.models.people import known_time_zone
from accounts.tenancy import atomic, tenant_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.events import EventName

MAX_OWNED = 20
# Persian words and joined emoji are written with these; everything else that is invisible is refused.
_JOINERS = dict.fromkeys(map(ord, "\u200c\u200d"))
_BLANK_LETTERS = frozenset("\u115f\u1160\u2800\u3164\uffa0")  # letters to Unicode, and nothing to a reader


def is_plain(name: str) -> bool:
    """Tell whether a name shows as what it is: visible, in its own direction, and no link in every letter."""
    visible = name.translate(_JOINERS).strip()
    return bool(visible) and visible.isprintable() and _BLANK_LETTERS.isdisjoint(visible) and "://" not in name


def clean_name(text: str) -> str:
    """Return the name as it will be shown, or refuse it."""
    name = " ".join(text.split())
    if not 1 <= len(name) <= 120:
        raise Refused("name_invalid", _("A name has 1 to 120 characters."))
    if not is_plain(name):
        raise Refused("name_invalid", _("A name has no invisible characters and no web address in it."))
    return name


def found(user: User, name: str, *, is_demo: bool = False) -> Organization:
    """Make an organization with `user` as its owner, its data key and the first entry of its trail."""
    name, organization_id = clean_name(name), new_id()
    with tenant_scope(organization_id, user_id=user.pk), atomic():
        organization = Organization.objects.create(
            id=organization_id, name=name, is_demo=is_demo, trading_zone=user.time_zone
        )
        Membership.objects.create(organization=organization, user=user, role=Role.OWNER)
        vault.create_key(organization_id)
        audit.record("organization.founded", organization, owner=str(user.pk))
    return organization


def make_bare(organization_id: UUID, name: str) -> Organization:
    """Make an organization that nobody belongs to, so that nobody sees it: for rehearsals and measurements."""
    with tenant_scope(organization_id), atomic():
        organization: Organization = Organization.objects.create(id=organization_id, name=name, is_demo=True)
        vault.create_key(organization_id)
    return organization


def found_another(user: User, name: str, mine: Iterable[Membership]) -> Organization:
    """Found one more for somebody with these memberships; each may write letters to strangers, so there is a limit."""
    if sum(one.role == Role.OWNER for one in mine) >= MAX_OWNED:
        sentence = _("You own %(limit)s organizations; that is the limit.") % {"limit": MAX_OWNED}
        raise Refused("too_many_organizations", sentence)
    return found(user, name)


def rename(caller: Caller, name: str) -> Organization:
    caller.require(Permission.MANAGE_ORGANIZATION)
    name = clean_name(name)
    organization = _locked(caller)
    if organization.name != name:
        before, organization.name = organization.name, name
        organization.save(update_fields=["name"])
        audit.record("organization.renamed", organization, before=before, after=name)
    return organization


ZONE_WAIT = timedelta(hours=24)


def change_zone(caller: Caller, zone: str, *, now: datetime) -> Organization:
    """Let the organization's days turn by another zone's midnight, from a moment on that gives nobody a day for free.

    Limits of a day and the daily quota begin anew at midnight, so whoever could move it would have two days in one.
    The day that runs, by the old zone and by the new one, is finished first, and a whole day passes after it.
    """
    caller.require(Permission.MANAGE_ORGANIZATION)
    caller.member()
    try:
        known_time_zone(zone)
    except ValidationError:
        raise Refused("time_zone_unknown", _("“%(name)s” is not a known time zone.") % {"name": zone}) from None
    organization = _locked(caller)
    before = organization.zone_at(now)
    if zone == (organization.next_zone or before):
        return organization
    organization.trading_zone, organization.next_zone, organization.next_zone_from = before, "", None
    if zone != before:
        organization.next_zone = zone
        organization.next_zone_from = max(_next_midnight(one, now) for one in (before, zone)) + ZONE_WAIT
    organization.save(update_fields=["trading_zone", "next_zone", "next_zone_from"])
    since = organization.next_zone_from.isoformat() if organization.next_zone_from else None
    audit.record("organization.zone_changed", organization, before=before, after=zone, holds_from=since)
    return organization


def _next_midnight(zone: str, now: datetime) -> datetime:
    place = ZoneInfo(zone)
    return datetime.combine(now.astimezone(place).date() + timedelta(days=1), time(0), place).astimezone(UTC)


def close(caller: Caller, typed_name: str) -> Organization:
    """Start the grace period, after which everything is erased; auto-trading stops at once."""
    caller.require(Permission.MANAGE_ORGANIZATION)
    organization = _locked(caller)
    if typed_name.strip() != organization.name:
        raise Refused("name_differs", _("Type the organization’s name exactly to close it. Nothing was changed."))
    if organization.closing_at is None:
        organization.closing_at = timezone.now() + settings.CLOSING_GRACE
        organization.save(update_fields=["closing_at"])
        TradingAccount.objects.filter(is_auto_trading=True).update(is_auto_trading=False)
        audit.record("organization.closing", organization, erased_at=organization.closing_at.isoformat())
        outbox.publish(EventName.ORGANIZATION_CLOSING, erased_at=organization.closing_at.isoformat())
    return organization


def keep_open(caller: Caller) -> Organization:
    """Take the closing back; auto-trading stays off until somebody switches it on."""
    caller.require(Permission.MANAGE_ORGANIZATION)
    organization = _locked(caller)
    if organization.closing_at is not None:
        organization.closing_at = None
        organization.save(update_fields=["closing_at"])
        audit.record("organization.kept", organization)
        outbox.publish(EventName.ORGANIZATION_REOPENED)
    return organization


def _locked(caller: Caller) -> Organization:
    return Organization.objects.select_for_update().get(pk=caller.organization_id)

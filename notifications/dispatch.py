"""Who hears about it. Today: e-mails to people.

These are outbox subscribers: they run in the organization's scope and may run twice after a crash, so an e-mail may
rarely arrive twice and is never lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from uuid import UUID

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone, translation

from accounts.models import DataExport, Invitation, Membership, Organization, Role, TradingAccount, User
from accounts.services import members
from mikrobot_platform.kernel.events import Event


def send(name: str, to: User | str, **context: Any) -> None:
    """Render notifications/NAME.txt (first line is the subject) and NAME.html, in the reader's language and zone."""
    is_person = isinstance(to, User)
    language, zone = (to.language, to.time_zone) if isinstance(to, User) else (settings.LANGUAGE_CODE, "UTC")
    context |= {"person": to if is_person else None, "site_url": settings.SITE_URL, "time_zone": zone}
    with translation.override(language), timezone.override(zone):
        subject, _, text = render_to_string(f"notifications/{name}.txt", context).strip().partition("\n")
        html = render_to_string(f"notifications/{name}.html", {**context, "subject": subject})
    address = to.email if isinstance(to, User) else to
    message = EmailMultiAlternatives(subject.strip(), text.strip() + "\n", to=[address])
    message.attach_alternative(html, "text/html")
    message.send()


def _organization(event: Event) -> Organization:
    return Organization.objects.get(pk=event.organization_id)


def _owner() -> User | None:
    membership: Membership | None = Membership.objects.select_related("user").filter(role=Role.OWNER).first()
    return membership.user if membership else None


def _person(event: Event, key: str) -> User | None:
    return User.objects.filter(pk=UUID(str(event.data[key])), is_active=True).first()


def invitation(event: Event) -> None:
    """Send the link, signed now; an invitation that was meanwhile withdrawn or sent again stays silent."""
    row = (
        Invitation.objects.select_related("organization", "invited_by__user")
        .filter(pk=UUID(str(event.data["invitation"])), nonce=event.data["nonce"])
        .first()
    )
    if row is not None and row.is_open():
        send("invitation", row.email, invitation=row, organization=row.organization, link=members.link(row))


def role_changed(event: Event) -> None:
    person = _person(event, "user")
    if person is not None:
        role = Role(str(event.data["after"])).label
        send("role_changed", person, organization=_organization(event), role=role)


def member_removed(event: Event) -> None:
    person = _person(event, "user")
    if person is not None and not event.data.get("by_self"):
        send("member_removed", person, organization=_organization(event))


def ownership_transferred(event: Event) -> None:
    before, after = _person(event, "before"), _person(event, "after")
    for person in (before, after):
        if person is not None:
            send("ownership_transferred", person, organization=_organization(event), successor=after)


def organization_closing(event: Event) -> None:
    organization = _organization(event)
    for row in Membership.objects.select_related("user"):
        send("organization_closing", row.user, organization=organization, is_owner=row.role == Role.OWNER)


def organization_reopened(event: Event) -> None:
    organization = _organization(event)
    for row in Membership.objects.select_related("user"):
        send("organization_reopened", row.user, organization=organization)


def export_ready(event: Event) -> None:
    row = DataExport.objects.select_related("requested_by__user").filter(pk=UUID(str(event.data["export"]))).first()
    if row is not None and row.state == DataExport.State.READY and row.requested_by is not None:
        link = settings.SITE_URL + reverse("organization")
        send("export_ready", row.requested_by.user, organization=_organization(event), export=row, link=link)


def api_key_created(event: Event) -> None:
    owner = _owner()
    if owner is not None:
        send("api_key_created", owner, organization=_organization(event), key=event.data)


def api_key_revoked(event: Event) -> None:
    owner = _owner()
    if owner is not None:
        send("api_key_revoked", owner, organization=_organization(event), key=event.data)


def limit_reached(event: Event) -> None:
    """Warn the owner of a level; of several that were passed in one step, of the highest alone."""
    owner, told = _owner(), event.data
    account = TradingAccount.objects.filter(pk=UUID(str(told["account"]))).first()
    if owner is None or account is None or told["percent"] != told["highest"]:
        return
    figures = {name: f"{Decimal(str(told[name])):,f}" for name in ("room", "allowance", "value", "floor")}
    resets_at, resets_in_s = told["resets_at"], cast("int | None", told["resets_in_s"])
    send(
        "limit_reached",
        owner,
        organization=_organization(event),
        account=account,
        limit={**told, **figures},
        is_used_up=told["percent"] == 100,
        resets_at=None if resets_at is None else datetime.fromisoformat(str(resets_at)),
        resets_in=None if resets_in_s is None else f"{resets_in_s // 3600} h {resets_in_s % 3600 // 60} min",
    )


def program_changed(event: Event) -> None:
    """Tell the owner which rules of a firm are others now, for which accounts."""
    owner = _owner()
    if owner is not None:
        told = [_with_names(one) for one in cast("list[Mapping[str, Any]]", event.data["programs"])]
        send("program_changed", owner, organization=_organization(event), programs=told)


def program_unsure(event: Event) -> None:
    """Tell the owner what is not sure about the rules of a firm, for which accounts."""
    owner = _owner()
    if owner is not None:
        told = [_with_names(one) for one in cast("list[Mapping[str, Any]]", event.data["doubts"])]
        send("program_unsure", owner, organization=_organization(event), doubts=told)


def _with_names(told: Mapping[str, Any]) -> dict[str, Any]:
    """Call the accounts by their names."""
    ids: Iterable[str] = told["accounts"]
    names = TradingAccount.objects.filter(pk__in=[UUID(one) for one in ids]).order_by("name")
    return {**told, "names": list(names.values_list("name", flat=True))}

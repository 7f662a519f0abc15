"""Members: invite, accept, change, remove, hand over, leave."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.core import signing
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, outbox
from accounts.access import Caller, Permission, Refused, caller_for
from accounts.models import Acknowledgement, Invitation, Membership, Organization, Role, User
from accounts.services import people
from accounts.tenancy import atomic, tenant_scope
from mikrobot_platform.kernel.events import EventName

_SALT = "accounts.invitation"
# Letters to people who have not asked for any: enough for a team, too few to pester somebody with.
MAX_A_DAY, MAX_FOR_ONE_A_DAY, MAX_SENT_AGAIN = 50, 3, 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """What an invitation's link says, once its signature has been checked."""

    organization_id: UUID
    invitation_id: UUID
    nonce: int


def invite(caller: Caller, email: str, role: str) -> Invitation:
    """Offer a seat by e-mail. The link is signed when it is sent; no row and no event holds it."""
    caller.require(Permission.MANAGE_MEMBERS)
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise Refused("email_invalid", _("“%(email)s” is not an e-mail address.") % {"email": email}) from None
    _require_grantable(role)
    if caller.organization.is_closing:
        raise Refused("organization_closing", _("This organization is being closed; nobody can be invited."))
    _lock(caller)
    if Membership.objects.filter(user__email=address).exists():
        raise Refused("already_member", _("%(email)s is a member already.") % {"email": address})
    _expire_older(address)
    if Invitation.objects.filter(email=address, accepted_at=None, withdrawn_at=None).exists():
        raise Refused("already_invited", _("%(email)s is invited already. Send it again instead.") % {"email": address})
    today = Invitation.objects.filter(created_at__gte=timezone.now() - timedelta(days=1))
    if today.count() >= MAX_A_DAY:
        sentence = _("%(limit)s invitations a day are the limit. Try again tomorrow.") % {"limit": MAX_A_DAY}
        raise Refused("too_many_invitations", sentence)
    if today.filter(email=address).count() >= MAX_FOR_ONE_A_DAY:
        raise Refused(
            "invited_often", _("%(email)s was invited several times today. Try again tomorrow.") % {"email": address}
        )
    invitation: Invitation = Invitation.objects.create(
        organization_id=caller.organization_id,
        email=address,
        role=role,
        invited_by=caller.member(),
        expires_at=timezone.now() + settings.INVITATION_AGE,
    )
    audit.record("member.invited", invitation, role=role)
    outbox.publish(EventName.MEMBER_INVITED, invitation=str(invitation.pk), nonce=invitation.nonce)
    return invitation


def _expire_older(address: str) -> None:
    """Let an expired invitation make room for a new one."""
    now = timezone.now()
    Invitation.objects.filter(email=address, accepted_at=None, withdrawn_at=None, expires_at__lte=now).update(
        withdrawn_at=now
    )


def send_again(caller: Caller, invitation_id: UUID) -> Invitation:
    """Send a new link, from now on the only one that works."""
    caller.require(Permission.MANAGE_MEMBERS)
    invitation = _waiting(invitation_id)
    if invitation.nonce >= MAX_SENT_AGAIN:
        raise Refused("sent_often", _("This was sent often enough; its last link still works. Ask in another way."))
    invitation.nonce += 1
    invitation.expires_at = timezone.now() + settings.INVITATION_AGE
    invitation.save(update_fields=["nonce", "expires_at"])
    audit.record("member.invited_again", invitation)
    outbox.publish(EventName.MEMBER_INVITED, invitation=str(invitation.pk), nonce=invitation.nonce)
    return invitation


def withdraw(caller: Caller, invitation_id: UUID) -> Invitation:
    caller.require(Permission.MANAGE_MEMBERS)
    invitation = _waiting(invitation_id)
    invitation.withdrawn_at = timezone.now()
    invitation.save(update_fields=["withdrawn_at"])
    audit.record("member.invitation_withdrawn", invitation)
    return invitation


def _waiting(invitation_id: UUID) -> Invitation:
    found = Invitation.objects.select_for_update().filter(pk=invitation_id, accepted_at=None, withdrawn_at=None).first()
    if found is None:
        raise Refused("invitation_gone", _("This invitation was accepted or withdrawn already."))
    return found  # type: ignore[no-any-return]


def link(invitation: Invitation) -> str:
    """Make the address that opens the invitation."""
    token = signing.dumps(
        [invitation.organization_id.hex, invitation.pk.hex, invitation.nonce], salt=_SALT, compress=True
    )
    return settings.SITE_URL + reverse("invitation", args=[token])


def read_link(token: str) -> Link | None:
    """Check a link's signature and age; None when it is not one of ours."""
    try:
        organization, invitation, nonce = signing.loads(token, salt=_SALT, max_age=settings.INVITATION_AGE)
        return Link(organization_id=UUID(organization), invitation_id=UUID(invitation), nonce=int(nonce))
    except (signing.BadSignature, ValueError, TypeError):
        return None


def look_up(token: str) -> Invitation | None:
    """Find the open invitation behind a link, with its organization; None when it no longer opens anything."""
    shown = read_link(token)
    if shown is None:
        return None
    with tenant_scope(shown.organization_id), atomic():
        found: Invitation | None = (
            Invitation.objects.select_related("organization", "invited_by__user")
            .filter(pk=shown.invitation_id, nonce=shown.nonce)
            .first()
        )
    return found if found is not None and found.is_open() else None


def accept(user: User, token: str) -> Membership:
    """Take the seat. Only the invited address may, so a forwarded link is worth nothing."""
    shown = read_link(token)
    if shown is None:
        raise Refused("invitation_gone", _("This link has expired or was replaced by a newer one."))
    with tenant_scope(shown.organization_id, user_id=user.pk), atomic():
        invitation = Invitation.objects.select_for_update().filter(pk=shown.invitation_id, nonce=shown.nonce).first()
        if invitation is None or not invitation.is_open():
            raise Refused(
                "invitation_gone", _("This link has expired, was used already or was replaced by a newer one.")
            )
        if user.email.lower() != invitation.email.lower():
            raise Refused(
                "invitation_for_another",
                _("This invitation was sent to %(email)s. Sign in with that address to accept it.")
                % {"email": invitation.email},
            )
        invitation.accepted_at = timezone.now()
        invitation.save(update_fields=["accepted_at"])
        membership, is_new = Membership.objects.get_or_create(
            organization_id=shown.organization_id, user=user, defaults={"role": invitation.role}
        )
        if is_new:
            audit.record("member.joined", membership, role=membership.role)
            outbox.publish(EventName.MEMBER_JOINED, user=str(user.pk), role=membership.role)
            # The page says so above its button; who signed up for this seat had no organization to record it in.
            people.acknowledge(caller_for(membership), Acknowledgement.Document.TERMS.value, audit.actor().address)
    return membership  # type: ignore[no-any-return]


def change_role(caller: Caller, membership_id: UUID, role: str) -> Membership:
    caller.require(Permission.MANAGE_MEMBERS)
    _require_grantable(role)
    _lock(caller)
    membership = _other_member(membership_id)
    if membership.role != role:
        before, membership.role = membership.role, role
        membership.save(update_fields=["role"])
        audit.record("member.role_changed", membership, before=before, after=role, user=str(membership.user_id))
        outbox.publish(EventName.MEMBER_ROLE_CHANGED, user=str(membership.user_id), before=before, after=role)
    return membership


def remove(caller: Caller, membership_id: UUID) -> None:
    caller.require(Permission.MANAGE_MEMBERS)
    _lock(caller)
    _end(_other_member(membership_id), "member.removed")


def leave(caller: Caller) -> None:
    """Give up one's own seat; an owner hands over first."""
    membership = caller.member()
    _lock(caller)
    current = Membership.objects.get(pk=membership.pk)
    if current.role == Role.OWNER:
        raise Refused("owner_must_transfer", _("You own this organization. Transfer ownership first, or close it."))
    _end(current, "member.left")


def _end(membership: Membership, action: str) -> None:
    user_id = str(membership.user_id)
    audit.record(action, membership, user=user_id, role=membership.role)
    outbox.publish(EventName.MEMBER_REMOVED, user=user_id, by_self=action == "member.left")
    membership.delete()


def transfer(caller: Caller, membership_id: UUID) -> Membership:
    """Make another member the owner and oneself a trader, in one step: there is always exactly one owner."""
    caller.require(Permission.MANAGE_ORGANIZATION)
    _lock(caller)
    successor, before = _other_member(membership_id), Membership.objects.get(pk=caller.member().pk)
    if before.role != Role.OWNER:
        raise Refused("not_allowed", _("Only the owner can transfer ownership."))
    before.role = Role.TRADER
    before.save(update_fields=["role"])
    successor.role = Role.OWNER
    successor.save(update_fields=["role"])
    audit.record(
        "organization.ownership_transferred", successor, before=str(before.user_id), after=str(successor.user_id)
    )
    outbox.publish(EventName.OWNERSHIP_TRANSFERRED, before=str(before.user_id), after=str(successor.user_id))
    return successor


def _other_member(membership_id: UUID) -> Membership:
    found: Membership | None = Membership.objects.select_related("user").filter(pk=membership_id).first()
    if found is None:
        raise Refused("member_unknown", _("This person is not a member any more."))
    if found.role == Role.OWNER:
        raise Refused("owner_fixed", _("The owner’s seat changes only by transferring ownership."))
    return found


def _require_grantable(role: str) -> None:
    if role not in {Role.TRADER, Role.VIEWER}:
        raise Refused("role_invalid", _("Choose trader or viewer."))


def _lock(caller: Caller) -> None:
    """Let changes of one organization's seats happen one after the other."""
    Organization.objects.select_for_update().get(pk=caller.organization_id)

"""The team: invite, change, remove, hand over, leave."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Permission, personal
from accounts.models import Invitation, Membership, Role
from accounts.requests import HouseRequest
from accounts.services import members
from dashboard.forms.members import InviteForm, RoleForm
from dashboard.forms.organizations import TypedNameForm
from dashboard.views.doors import allowed, attempt, caller, confirmed_lately, in_organization, tell

INVITE_FIELDS = {
    "email_invalid": "email",
    "already_member": "email",
    "already_invited": "email",
    "invited_often": "email",
    "role_invalid": "role",
}


@require_safe
@in_organization
def team(request: HouseRequest) -> HttpResponse:
    return _team_page(request, InviteForm())


def _team_page(request: HouseRequest, form: InviteForm, status: int = 200) -> HttpResponse:
    seats = list(Membership.objects.select_related("user").order_by("joined_at"))
    recent = timezone.now() - timedelta(days=7)
    invitations = [
        one
        for one in Invitation.objects.filter(accepted_at=None).order_by("-created_at")
        if one.withdrawn_at is None or one.withdrawn_at > recent
    ]
    open_addresses = {one.email for one in invitations if one.withdrawn_at is None} | {one.user.email for one in seats}
    shown = [one for one in invitations if one.withdrawn_at is None or one.email not in open_addresses]
    context = {"form": form, "seats": seats, "invitations": shown, "now": timezone.now()}
    return render(request, "pages/team.html", context, status=status)


@require_POST
@allowed(Permission.MANAGE_MEMBERS)
def invite(request: HouseRequest) -> HttpResponse:
    form = InviteForm(request.POST)
    if form.is_valid():
        email, role = form.cleaned_data["email"], form.cleaned_data["role"]
        invitation = attempt(form, lambda: members.invite(caller(request), email, role), INVITE_FIELDS)
        if invitation is not None:
            messages.success(request, _("An invitation is on its way to %(email)s.") % {"email": invitation.email})
            return redirect("team")
    return _team_page(request, form, status=422)


@require_POST
@allowed(Permission.MANAGE_MEMBERS)
def invite_again(request: HouseRequest, invitation_id: UUID) -> HttpResponse:
    tell(
        request,
        lambda: members.send_again(caller(request), invitation_id),
        _("A new invitation is on its way. The older link no longer works."),
    )
    return redirect("team")


@require_POST
@allowed(Permission.MANAGE_MEMBERS)
def withdraw(request: HouseRequest, invitation_id: UUID) -> HttpResponse:
    tell(
        request,
        lambda: members.withdraw(caller(request), invitation_id),
        _("The invitation was withdrawn; its link no longer works. You can invite again below."),
    )
    return redirect("team")


@require_POST
@allowed(Permission.MANAGE_MEMBERS)
def change_role(request: HouseRequest, membership_id: UUID) -> HttpResponse:
    form = RoleForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Choose trader or viewer."))
        return redirect("team")
    role = Role(form.cleaned_data["role"])
    tell(
        request,
        lambda: members.change_role(caller(request), membership_id, role),
        _("The role is now %(role)s.") % {"role": role.label},
    )
    return redirect("team")


def _seat(membership_id: UUID) -> Membership:
    seat: Membership | None = Membership.objects.select_related("user").filter(pk=membership_id).first()
    if seat is None:
        raise Http404
    return seat


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_MEMBERS)
def remove(request: HouseRequest, membership_id: UUID) -> HttpResponse:
    """End somebody's membership after a look at who it is."""
    seat = _seat(membership_id)
    if request.method == "POST":
        name = seat.user.get_short_name()
        tell(
            request,
            lambda: members.remove(caller(request), membership_id),
            _("%(name)s is no longer a member.") % {"name": name},
        )
        return redirect("team")
    return render(request, "pages/team_remove.html", {"seat": seat})


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_ORGANIZATION)
@confirmed_lately
def transfer(request: HouseRequest, membership_id: UUID) -> HttpResponse:
    """Make somebody else the owner, once their address was typed."""
    seat = _seat(membership_id)
    label = _("Type “%(email)s” to go on") % {"email": seat.user.email}
    form = TypedNameForm(request.POST if request.method == "POST" else None, label=label)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["typed_name"].strip().lower() != seat.user.email:
            form.add_error("typed_name", _("That is not the address. Nothing was changed."))
        elif attempt(form, lambda: members.transfer(caller(request), membership_id)) is not None:
            name = seat.user.get_short_name()
            messages.success(request, _("%(name)s owns the organization now; you are a trader.") % {"name": name})
            return redirect("team")
    return render(request, "pages/team_transfer.html", {"seat": seat, "form": form}, status=422 if form.errors else 200)


@personal
@require_http_methods(["GET", "HEAD", "POST"])
@in_organization
def leave(request: HouseRequest) -> HttpResponse:
    """Give up one's own seat."""
    if request.method == "POST":
        name = caller(request).organization.name
        if not tell(request, lambda: members.leave(caller(request)), _("You left “%(name)s”.") % {"name": name}):
            return redirect("team")
        return redirect("home")
    return render(request, "pages/team_leave.html")

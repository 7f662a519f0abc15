"""What sign-up asks beyond address and password."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts import audit
from accounts.access import Refused, caller_for
from accounts.auth import address
from accounts.models import Acknowledgement, Membership, User
from accounts.models.people import known_time_zone
from accounts.services import members, organizations, people
from accounts.tenancy import tenant_scope

INVITATION = "invitation"  # session: the link that brought somebody here


def _clean(name: str) -> str:
    try:
        return organizations.clean_name(name)
    except Refused as refusal:
        raise forms.ValidationError(refusal.sentence) from None


class SignupDetails(forms.Form):
    """Name, organization and terms. allauth mixes these fields into its sign-up form and calls `signup`."""

    name = forms.CharField(label=_("Your name"), max_length=120, widget=forms.TextInput({"autocomplete": "name"}))
    organization = forms.CharField(
        label=_("Organization"),
        max_length=120,
        required=False,
        help_text=_("Your firm or team. Leave empty when you trade for yourself."),
        widget=forms.TextInput({"autocomplete": "organization"}),
    )
    time_zone = forms.CharField(required=False, widget=forms.HiddenInput({"data-time-zone": ""}))
    terms = forms.BooleanField(label=_("I accept the terms of service."))
    field_order = ["name", "email", "password1", "password2", "organization", "terms"]

    def clean_name(self) -> str:
        return _clean(str(self.cleaned_data["name"]))

    def clean_organization(self) -> str:
        name = str(self.cleaned_data["organization"])
        return _clean(name) if name.strip() else ""

    def clean_time_zone(self) -> str:
        """Take the browser's zone when we know it; a wrong one is not worth an error."""
        value = str(self.cleaned_data.get("time_zone") or "UTC")
        try:
            known_time_zone(value)
        except forms.ValidationError:
            return "UTC"
        return value

    def signup(self, request: HttpRequest, user: User) -> None:
        """Complete the person; found their organization unless an invitation for this address brought them."""
        data: dict[str, Any] = self.cleaned_data
        user.name, user.time_zone = data["name"], data["time_zone"]
        user.save(update_fields=["name", "time_zone"])
        invitation = members.look_up(str(request.session.get(INVITATION, "")))
        if invitation is not None and invitation.email == user.email:
            return
        who = audit.Actor(kind="user", id=str(user.pk), address=address.of(request))
        with audit.acting_as(who):  # they are not signed in yet, but it is they who do this
            organization = organizations.found(user, data["organization"] or user.get_short_name())
        with tenant_scope(organization.pk, user_id=user.pk), audit.acting_as(who):
            membership = Membership.objects.select_related("organization").get(user=user)
            people.acknowledge(caller_for(membership), Acknowledgement.Document.TERMS.value, address.of(request))

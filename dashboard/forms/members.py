"""Forms about the team."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _

from accounts.models import Role

GRANTABLE = [(Role.VIEWER.value, Role.VIEWER.label), (Role.TRADER.value, Role.TRADER.label)]


class InviteForm(forms.Form):
    """Whom to invite, as what."""

    email = forms.EmailField(label=_("E-mail address"), widget=forms.EmailInput({"autocomplete": "off"}))
    role = forms.ChoiceField(
        label=_("Role"),
        choices=GRANTABLE,
        help_text=_("A viewer sees everything and changes nothing. A trader also manages trading accounts."),
    )


class RoleForm(forms.Form):
    """A member's new role."""

    role = forms.ChoiceField(label=_("Role"), choices=GRANTABLE)

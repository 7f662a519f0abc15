"""The form that makes an API key."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import KeyScope


class KeyForm(forms.Form):
    """A key's name, powers, life and whereabouts."""

    once = forms.CharField(max_length=64, widget=forms.HiddenInput)  # a reload of the answer must not make a second key
    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("What will use it, such as “journal export”."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        choices=KeyScope.choices,
        initial=[KeyScope.READ.value],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Tick as little as will do. No key can invite people, make keys or close the organization."),
    )
    days = forms.TypedChoiceField(
        label=_("Expires"),
        coerce=int,
        empty_value=None,
        required=False,
        initial="90",
        choices=[("30", _("in 30 days")), ("90", _("in 90 days")), ("365", _("in one year")), ("", _("never"))],
    )
    networks = forms.CharField(
        label=_("Only from these addresses"),
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text=_("One address or network a line, such as 203.0.113.0/24. Empty: from everywhere."),
    )

    def expires_at(self) -> datetime | None:
        days = self.cleaned_data.get("days")
        return timezone.now() + timedelta(days=days) if days else None

    def addresses(self) -> list[str]:
        return [part for part in re.split(r"[\s,]+", self.cleaned_data.get("networks", "")) if part]

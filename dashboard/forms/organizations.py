"""Forms about an organization."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from dashboard.forms.people import zone_choices


class NameForm(forms.Form):
    """An organization's name."""

    name = forms.CharField(
        label=_("Name"),
        max_length=120,
        widget=forms.TextInput({"autocomplete": "organization"}),
        help_text=_("Your team sees it in the header and in e-mails."),
    )


class ZoneForm(forms.Form):
    """By whose midnight days turn."""

    time_zone = forms.ChoiceField(
        label=_("Days turn at midnight in"),
        help_text=_(
            "For limits of a day and the daily number of trades. Another zone holds after the day that runs and one"
            " more: no midnight can be moved up."
        ),
    )

    def __init__(self, *args: Any, current_zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = zone_choices(current_zone)  # type: ignore[attr-defined]


class TypedNameForm(forms.Form):
    """The name of what is about to end, typed by hand."""

    typed_name = forms.CharField(widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}))

    def __init__(self, *args: object, label: str, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        self.fields["typed_name"].label = label

"""Forms about the person who is signed in."""

from __future__ import annotations

from functools import cache
from typing import Any
from zoneinfo import available_timezones

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _

from accounts.models.people import Currency, Experience
from dashboard.forms.versions import VersionedForm

_REGIONS = ("Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific")


@cache
def _zones() -> dict[str, list[tuple[str, str]]]:
    """Group the zones by region, once a process: the list is read off the disk, which takes longer than the page."""
    groups: dict[str, list[tuple[str, str]]] = {}
    for name in sorted(available_timezones()):
        region, _slash, place = name.partition("/")
        if region in _REGIONS and place:
            groups.setdefault(region, []).append((name, place.replace("_", " ").replace("/", ", ")))
    return groups


def zone_choices(current: str) -> list[Any]:
    """List the zones by region; the one in use stays choosable even when it is an old name."""
    groups = _zones()
    choices: list[Any] = [("UTC", "UTC"), *groups.items()]
    known = {name for places in groups.values() for name, _label in places} | {"UTC"}
    return choices if current in known else [(current, current), *choices]


class ProfileForm(VersionedForm):
    """What a person says of themselves."""

    name = forms.CharField(
        label=_("Name"), max_length=120, required=False, widget=forms.TextInput({"autocomplete": "name"})
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"), help_text=_("Every time on these pages and in e-mails is in it.")
    )
    currency = forms.ChoiceField(
        label=_("Account currency"),
        choices=Currency.choices,
        help_text=_("Suggested for new accounts."),
    )
    experience = forms.ChoiceField(
        label=_("Trading experience"),
        choices=[("", _("Not said")), *Experience.choices],
        required=False,
    )
    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES)

    def __init__(self, *args: Any, current_zone: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["time_zone"].choices = zone_choices(current_zone)  # type: ignore[attr-defined]

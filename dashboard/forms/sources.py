"""Forms about sources: what one is, how it is read, how its secret is exchanged. Only what matters is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from dashboard import words
from dashboard.forms.people import zone_choices
from dashboard.forms.versions import VersionedForm
from trading.models import Source
from trading.services.sources import ADDRESSED, KINDS, MAX_SHIFT_S, OVERLAP, PER_MINUTE, SIGNED, Setup

SCALE_FIELDS = ("power_scale", "confluence_scale", "confidence_scale")
MAX_SHIFT_H = MAX_SHIFT_S // 3600
_CLOCK = ("clock_zone", "clock_shift")
# Which settings change anything for a kind. The others keep what they were.
MATTERS: Mapping[str, tuple[str, ...]] = {
    SIGNED: ("per_minute", "networks", *_CLOCK),
    ADDRESSED: ("levels", "per_minute", "networks", *SCALE_FIELDS),
    "rest": ("per_minute", *SCALE_FIELDS),
    "manual": ("per_minute", *SCALE_FIELDS),
    "ea_file": _CLOCK,
}


def _scale(label: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=list(words.SCALES.items()))


class SetupForm(VersionedForm):
    """How a source is read, from where and how often it may send."""

    name = forms.CharField(
        label=_("Name"),
        max_length=80,
        help_text=_("As you call it, such as “EURJPY on the VPS”."),
        widget=forms.TextInput({"autocomplete": "off"}),
    )
    levels = forms.ChoiceField(
        label=_("What a bare stop or target means"),
        choices=list(words.LEVELS.items()),
        help_text=_(
            "For PineConnector’s sl=, tp= and price=, which depend on its settings. Our own JSON means prices."
        ),
    )
    per_minute = forms.IntegerField(
        label=_("Messages a minute"),
        min_value=PER_MINUTE.start,
        max_value=PER_MINUTE.stop - 1,
        error_messages=dict.fromkeys(
            ("min_value", "max_value"),
            format_lazy(
                _("Between {low} and {high} messages a minute."), low=PER_MINUTE.start, high=PER_MINUTE.stop - 1
            ),
        ),
        widget=forms.NumberInput({"inputmode": "numeric", "min": PER_MINUTE.start, "max": PER_MINUTE.stop - 1}),
        help_text=_("What comes beyond that is told to wait; nothing that was accepted is lost."),
    )
    networks = forms.CharField(
        label=_("Only from these addresses"),
        required=False,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text=_("One address or network a line, such as 203.0.113.0/24. Empty: from everywhere."),
    )
    power_scale = _scale(_("Its power is given as"))
    confluence_scale = _scale(_("Its confluence is given as"))
    confidence_scale = _scale(_("Its confidence is given as"))
    clock_zone = forms.ChoiceField(
        label=_("Broker’s clock"),
        required=False,
        help_text=_("Three messages are enough to learn it, and later ones check it, also one that you declare."),
    )
    clock_shift = forms.DecimalField(
        label=_("Hours ahead of that zone"),
        required=False,
        min_value=-MAX_SHIFT_H,
        max_value=MAX_SHIFT_H,
        max_digits=6,  # an exponent would be a number, too: 1e999999 has no hours
        decimal_places=4,
        widget=forms.NumberInput({"inputmode": "decimal", "step": "0.25"}),
        help_text=_("Many brokers keep 7 hours ahead of New York, so that their day ends with its."),
    )

    def __init__(
        self, data: Any = None, *, base: Setup, kind: str = "", initial: Mapping[str, Any] | None = None
    ) -> None:
        """Begin with the settings of `base`; a known `kind` leaves only the fields that matter for it."""
        shift = Decimal(base.clock_shift_s) / 3600
        begun = {name: getattr(base, name, None) for name in self.base_fields} | {
            "networks": "\n".join(base.networks),
            "clock_shift": format(shift.normalize(), "f") if shift else None,
        }
        super().__init__(data, initial={**begun, **(initial or {})})
        self.base = base
        zones = [("", _("Learn it from what arrives")), *zone_choices(base.clock_zone or "UTC")]
        self.fields["clock_zone"].choices = zones  # type: ignore[attr-defined]
        if kind:
            for name in set(SetupForm.base_fields) - {"name", "version", *MATTERS.get(kind, ())}:
                del self.fields[name]

    def setup(self, kind: str) -> Setup:
        """Return the settings that were typed; what does not matter for the kind stays as it was."""
        data = self.cleaned_data
        given: dict[str, Any] = {name: data[name] for name in MATTERS.get(kind, ()) if name in data}
        if "networks" in given:
            given["networks"] = [part for part in re.split(r"[\s,]+", given["networks"]) if part]
        if "clock_shift" in given:
            given["clock_shift_s"] = int((given.pop("clock_shift") or Decimal(0)) * 3600)
        return replace(self.base, name=data["name"], **given)

    def fine(self) -> list[forms.BoundField]:
        """List the fields that most people leave alone."""
        return [self[name] for name in self.fields if name not in {"once", "version", "kind", "name", "levels"}]

    def needs_a_look(self) -> bool:
        """Tell whether one of those was refused, so that it must not stay folded away."""
        return any(field.errors for field in self.fine())


class SourceForm(SetupForm):
    """A new source."""

    once = forms.CharField(max_length=64, widget=forms.HiddenInput)  # a reload of the answer must not make a second one
    kind = forms.ChoiceField(
        label=_("Kind"), choices=[(kind, words.SOURCE_KINDS[kind]) for kind in KINDS], widget=forms.RadioSelect
    )
    field_order = ("once", "kind", "name")


class ExchangeForm(forms.Form):
    """How long the old secret still counts beside the new one."""

    once = forms.CharField(max_length=64, widget=forms.HiddenInput)
    overlap = forms.TypedChoiceField(
        label=_("The old one still counts"),
        coerce=lambda hours: timedelta(hours=int(hours)),
        initial=str(int(OVERLAP.total_seconds()) // 3600),
        choices=[
            ("24", _("for 24 hours: time to change it over without losing a message")),
            ("1", _("for one hour")),
            ("0", _("not at all: somebody else may have it")),
        ],
        widget=forms.RadioSelect,
    )


def setup_of(source: Source) -> Setup:
    """Return how a source is set up now."""
    return Setup(**{name: getattr(source, name) for name in Setup.__slots__})

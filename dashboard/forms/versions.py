"""Forms that save several values at once: what somebody else saved meanwhile is not undone without a look at it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from django import forms
from django.utils.translation import gettext as _


class VersionedForm(forms.Form):
    """A form that knows which values it was opened with; they travel as a hidden fingerprint of what was there.

    Built with what is there now as `initial`. When that is not what the form was opened with, it is refused with both
    values of every field that differs; what was typed stays, and sending it once more saves it.
    """

    version = forms.CharField(max_length=64, required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, **more: Any) -> None:
        super().__init__(data, **more)
        self.initial["version"] = self.there = _fingerprint(self._now())

    def _now(self) -> Mapping[str, str]:
        return {name: _text(self.get_initial_for_field(self.fields[name], name)) for name in self._watched()}

    def _watched(self) -> list[str]:
        return [name for name, field in self.fields.items() if name != "version" and not field.widget.is_hidden]

    def clean(self) -> dict[str, Any]:
        found = super().clean() or {}
        sent = found.pop("version", "")
        if sent and sent != self.there:
            self.data = self.data.copy()  # type: ignore[attr-defined]
            self.data["version"] = self.there  # type: ignore[index]
            raise forms.ValidationError(self._both())
        return found

    def _both(self) -> str:
        there = self._now()
        lines = [_("Something else was saved here meanwhile, so nothing was changed. Save again to go on.")]
        for name in self._watched():
            typed = _text(self[name].value())
            if typed != there[name]:
                said = {"field": self.fields[name].label, "now": there[name] or "—", "typed": typed or "—"}
                lines.append(_("%(field)s: it is “%(now)s” now, you typed “%(typed)s”.") % said)
        return " ".join(lines)


def _text(value: object) -> str:
    return "" if value is None else str(value).replace("\r\n", "\n").strip()


def _fingerprint(values: Mapping[str, str]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()

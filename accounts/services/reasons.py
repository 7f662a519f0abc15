"""Reasons: why somebody did what others will ask about. They stand in the trail, where a customer reads them."""

from __future__ import annotations

from django.utils.translation import gettext as _

from accounts.access import Refused
from accounts.services.organizations import is_plain

SHORTEST, LONGEST = 10, 300


def clean_reason(text: str) -> str:
    """Return a reason as it will be shown: one line that says something, or refuse it."""
    reason = " ".join(text.split())
    if not SHORTEST <= len(reason) <= LONGEST or not any(map(str.isalpha, reason)):
        bounds = {"shortest": SHORTEST, "longest": LONGEST}
        raise Refused("reason_missing", _("Say why, in %(shortest)s to %(longest)s characters.") % bounds)
    if not is_plain(reason):
        raise Refused("reason_missing", _("A reason has no invisible characters and no web address in it."))
    return reason

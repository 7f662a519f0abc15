"""The Idempotency-Key, which makes a repetition harmless."""

from __future__ import annotations

from django.utils.translation import gettext as _
from rest_framework.request import Request

from accounts.access import Refused

MAX_KEY = 255


def idempotency_key(request: Request) -> str:
    """Return the key of a request; one without, or with one that nobody could log, is refused."""
    key = request.headers.get("Idempotency-Key", "")
    if not key or len(key) > MAX_KEY or not (key.isascii() and key.isprintable()):
        raise Refused("idempotency_key_missing", _("Send an Idempotency-Key of 1 to 255 plain characters."))
    return str(key)

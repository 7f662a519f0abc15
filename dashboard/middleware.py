"""Pages speak the reader's language in the reader's zone."""

from __future__ import annotations

from collections.abc import Callable
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.utils import timezone, translation

from accounts.models import User


class ReaderMiddleware:
    """Activate the zone and language of the person who reads; visitors read UTC and what their browser asks for."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        user = getattr(request, "user", None)
        if not isinstance(user, User):
            return self.get_response(request)
        language = user.language if user.language in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
        with timezone.override(_zone(user.time_zone)), translation.override(language):
            request.LANGUAGE_CODE = language
            return self.get_response(request)


def _zone(name: str) -> ZoneInfo:
    """Return the zone, or UTC when this machine's database does not have it (any more)."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        return ZoneInfo("UTC")

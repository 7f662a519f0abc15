"""Sessions: a cookie signed so that a copy of the database opens none of them, and an end that is final."""

from __future__ import annotations

import logging
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib.sessions.backends import cached_db
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signing
from django.core.cache import cache
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from redis.exceptions import RedisError

from mikrobot_platform.db import scope as scopes

log = logging.getLogger(__name__)

_signer = signing.Signer(salt="accounts.session")


class SignedSessionMiddleware(SessionMiddleware):
    """Sign the session's key on its way out, and believe none without our signature on its way in."""

    def process_request(self, request: HttpRequest) -> None:
        name = settings.SESSION_COOKIE_NAME
        shown = request.COOKIES.get(name)
        if shown is not None and settings.SESSION_COOKIE_SIGNED:
            try:
                request.COOKIES[name] = _signer.unsign(shown)
            except signing.BadSignature:
                del request.COOKIES[name]
        super().process_request(request)

    def process_response(self, request: HttpRequest, response: HttpResponse) -> HttpResponse:
        response = super().process_response(request, response)
        cookie = response.cookies.get(settings.SESSION_COOKIE_NAME)
        if cookie is not None and cookie.value and settings.SESSION_COOKIE_SIGNED:
            signed = _signer.sign(cookie.value)
            cookie.set(settings.SESSION_COOKIE_NAME, signed, signed)  # its attributes stay
        return response


class SessionStore(cached_db.SessionStore):
    """Django's rows with copies in the cache, where a session that was ended cannot come back from such a copy.

    The row goes when the deed that ended the session commits; until then, and for a blink after, another request of the
    same session may put a copy back. So the end is written down for as long as any copy could live.
    """

    def load(self) -> dict[str, Any]:
        try:
            if self.session_key and cache.get(_ended(self.session_key)):
                return {}
        except RedisError:  # as in Django's own: without a cache the row decides
            log.warning("the cache is not reachable; sessions are read from their rows")
        return super().load()

    def delete(self, session_key: str | None = None) -> None:
        key = session_key or self.session_key
        super().delete(session_key)
        if key:
            end = partial(cache.set, _ended(key), 1, settings.SESSION_COOKIE_AGE)
            transaction.on_commit(end, using=scopes.current().alias, robust=True)


def _ended(key: str) -> str:
    return f"session-ended:{key}"

"""The session cookie: the key that the database knows, signed, so that a copy of the database opens nobody's session."""

from __future__ import annotations

from django.conf import settings
from django.contrib.sessions.middleware import SessionMiddleware
from django.core import signing
from django.http import HttpRequest, HttpResponse

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

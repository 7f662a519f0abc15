"""The outermost layers of every request: its trace id and its log line, and the address that a program meant."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _

from mikrobot_platform import metrics
from mikrobot_platform.kernel import trace

log = logging.getLogger(__name__)
FOR_PROGRAMS = ("hooks", "api")  # the first part of addresses that programs post to
# A request may name any word as its method, and Prometheus keeps a series for every word that it ever saw.
METHODS = frozenset({"GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"})
OTHER = "OTHER"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_BLANK = " \t\r\n\v\f\u00a0\u200b\u2060\ufeff"  # what copying takes along, seen or not


class TraceMiddleware:
    """Give the request a trace id, tell it back in X-Trace-Id, measure and log."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get("X-Trace-Id", "")
        trace_id = trace.start(given)
        began = time.perf_counter()
        response = self.get_response(request)
        seconds = time.perf_counter() - began
        response["X-Trace-Id"] = trace_id
        route = request.resolver_match.route if request.resolver_match else "(none)"
        method = request.method if request.method in METHODS else OTHER
        metrics.REQUESTS.labels(method, route, str(response.status_code)).inc()
        metrics.REQUEST_SECONDS.labels(route).observe(seconds)
        if not request.path.startswith(("/health/", "/static/")):
            log.info(
                "request",
                extra={
                    "method": method,
                    "route": route,
                    "status": response.status_code,
                    "milliseconds": round(seconds * 1000, 1),
                },
            )  # the route, not the path: paths carry invitation and reset links
        return response


class PastedAddressMiddleware:
    """Take an address under /hooks/ or /api/ as it was meant, however it was pasted, and never redirect a POST to it.

    TradingView and MetaTrader keep what a person pasted: without the last slash, with a blank or a line end behind it.
    A 301 turns their POST into a GET, a 404 belongs to nobody's source, and either way a signal is lost where nobody
    looks. What comes without TLS has told its secret on the way; it is refused, and not led where it would work.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        parts = [part for part in (one.strip(_BLANK) for one in request.path_info.split("/")) if part]
        if parts and parts[0] in FOR_PROGRAMS:
            meant = f"/{'/'.join(parts)}/"
            request.path = request.path.removesuffix(request.path_info) + meant
            request.path_info = meant
            if settings.SECURE_SSL_REDIRECT and request.method not in SAFE and not request.is_secure():
                sentence = _("This address takes https only. Exchange the secret: it was sent in the clear.")
                return JsonResponse({"accepted": False, "code": "https_only", "sentence": sentence}, status=403)
        return self.get_response(request)

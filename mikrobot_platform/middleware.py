"""The outermost layer of every request: its trace id and its log line."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

from mikrobot_platform import metrics
from mikrobot_platform.kernel import trace

log = logging.getLogger(__name__)


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
        metrics.REQUESTS.labels(request.method or "?", route, str(response.status_code)).inc()
        metrics.REQUEST_SECONDS.labels(route).observe(seconds)
        if not request.path.startswith(("/health/", "/static/")):
            log.info(
                "request",
                extra={
                    "method": request.method,
                    "route": route,
                    "status": response.status_code,
                    "milliseconds": round(seconds * 1000, 1),
                },
            )  # the route, not the path: paths carry invitation and reset links
        return response

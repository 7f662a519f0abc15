"""What a load balancer and Prometheus are told: names and states, never insides.

Ready means: this process can serve. A silent worker only degrades; were it to take the web out of the load balancer,
it would take the emergency stop with it."""

from __future__ import annotations

import hmac
import threading
import time
from collections.abc import Callable, Iterator, Mapping

import psycopg
import redis
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotFound, JsonResponse
from django.views.decorators.http import require_safe
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from mikrobot_platform import heartbeats, stores
from mikrobot_platform import metrics as counted

KEPT_S = 1.0
OK, DOWN, DEGRADED = "ok", "down", "degraded"


@require_safe
def live(request: HttpRequest) -> HttpResponse:
    """Say that the process answers; nothing else is asked."""
    return _answer({"status": OK}, 200)


@require_safe
def ready(request: HttpRequest) -> HttpResponse:
    """Say whether requests can be served: 503 when not; 200 with the names of what lags behind."""
    states = _recent.states()
    if DOWN in states.values():
        return _answer({"status": DOWN, "checks": states}, 503)
    return _answer({"status": DEGRADED if DEGRADED in states.values() else OK, "checks": states}, 200)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """Render the metrics for the bearer of the token; for everybody else there is no such page."""
    expected = f"Bearer {settings.METRICS_TOKEN}".encode()
    given = request.headers.get("Authorization", "").encode()
    if not settings.METRICS_TOKEN or not hmac.compare_digest(given, expected):
        return HttpResponseNotFound()
    registry = CollectorRegistry()
    registry.register(_Gauges())
    body = counted.page() + generate_latest(registry)
    return HttpResponse(body, content_type="text/plain; version=0.0.4; charset=utf-8")


def _answer(body: Mapping[str, object], status: int) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store"})


_NOBODY = heartbeats.Heartbeat(at=0, host="", pid=0)  # where nobody is to be watched


# --- What is looked at -----------------------------------------------------------------------------------------------
def _database() -> dict[str, str]:
    """Look whether the app role gets in, is harmless, and finds the tables that this version was written for."""
    states = {"database": DOWN, "role": DOWN, "migrations": DOWN}
    try:
        with stores.postgres("default") as cursor:
            states["database"] = OK
            states["role"] = DOWN if stores.powers(cursor) else OK
            states["migrations"] = DOWN if stores.missing_migrations(cursor) else OK
    except psycopg.Error:
        pass  # what was not reached stays down
    return states


def _redis() -> dict[str, str]:
    """Look whether Redis answers, and how old the last signs of life are."""
    try:
        stores.redis_client().ping()
        found, measured = heartbeats.read_all(), heartbeats.read_backlog()
        watcher = heartbeats.read(heartbeats.WATCHER)
        is_watched = heartbeats.is_watcher_expected()
        paper = heartbeats.read(heartbeats.PAPER_VENUE)
        accounts = heartbeats.read(heartbeats.ACCOUNTS) if heartbeats.are_accounts_expected() else _NOBODY
    except redis.RedisError:
        return {"redis": DOWN}
    now = time.time()
    states = {"redis": OK}
    if is_watched:
        is_silent = watcher is None or watcher.age_s(now) > heartbeats.WATCHER_PATIENCE_S
        states[heartbeats.WATCHER] = DEGRADED if is_silent else OK
    if paper is not None:  # one that has shown itself within a day is missed when it is silent
        is_silent = paper.age_s(now) > heartbeats.PAPER_VENUE_PATIENCE_S
        states[heartbeats.PAPER_VENUE] = DEGRADED if is_silent else OK
    if accounts is not _NOBODY:
        is_silent = accounts is None or accounts.age_s(now) > heartbeats.ACCOUNTS_PATIENCE_S
        states[heartbeats.ACCOUNTS] = DEGRADED if is_silent else OK
    for name, beat in found.items():
        patience = heartbeats.PATIENCE_S.get(name, heartbeats.BEAT_PATIENCE_S)
        is_late = beat is None or beat.age_s(now) > patience
        states[name if name == heartbeats.BEAT else f"worker_{name}"] = DEGRADED if is_late else OK
    is_behind = (
        measured is None
        or now - measured.at > heartbeats.OUTBOX_PATIENCE_S
        or measured.backlog.late_s > heartbeats.OUTBOX_PATIENCE_S
        or measured.backlog.parked > 0
    )
    return {**states, "outbox": DEGRADED if is_behind else OK}


class _Recent:
    """Keep the last look for a second, so that asking often costs nothing; who comes first looks, the others wait."""

    def __init__(self, look: Callable[[], dict[str, str]]) -> None:
        self._look = look
        self._lock = threading.Lock()
        self._states: dict[str, str] = {}
        self._until = 0.0

    def states(self) -> dict[str, str]:
        with self._lock:
            if time.monotonic() >= self._until:
                self._states = self._look()
                self._until = time.monotonic() + KEPT_S
            return self._states

    def forget(self) -> None:
        self._until = 0.0


_recent = _Recent(lambda: {**_database(), **_redis()})


class _Gauges:
    """What is measured at the moment of the scrape, rather than counted as it happens."""

    def collect(self) -> Iterator[Metric]:
        try:
            found, measured = heartbeats.read_all(), heartbeats.read_backlog()
            if heartbeats.is_watcher_expected():
                found[heartbeats.WATCHER] = heartbeats.read(heartbeats.WATCHER)
            found[heartbeats.PAPER_VENUE] = heartbeats.read(heartbeats.PAPER_VENUE)
            if heartbeats.are_accounts_expected():
                found[heartbeats.ACCOUNTS] = heartbeats.read(heartbeats.ACCOUNTS)
        except redis.RedisError:
            return  # absent is the honest value; alerts watch for absence
        now = time.time()
        ages = GaugeMetricFamily("mikrobot_heartbeat_age_seconds", "Since the last sign of life", labels=["name"])
        for name, beat in found.items():
            if beat is not None:
                ages.add_metric([name], beat.age_s(now))
        yield ages
        if measured is not None:
            for name, meaning, value in (
                ("waiting", "Events not yet delivered", measured.backlog.waiting),
                ("late_seconds", "How far the relay is behind", measured.backlog.late_s),
                ("oldest_seconds", "Age of the oldest waiting event", measured.backlog.oldest_s),
                ("failing", "Organizations whose next event has failed before", measured.backlog.failing),
                ("given_up", "Events parked until a person looks", measured.backlog.parked),
                ("measured_age_seconds", "Since these figures were measured", now - measured.at),
            ):
                yield GaugeMetricFamily(f"mikrobot_outbox_{name}", meaning, value)


class HealthMiddleware:
    """Answer probes before anything else: they come by address and over http, which the other layers refuse."""

    VIEWS: Mapping[str, Callable[[HttpRequest], HttpResponse]] = {
        "/health/live": live, "/health/ready": ready, "/metrics": metrics
    }  # fmt: skip

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        view = self.VIEWS.get(request.path_info)
        return view(request) if view else self.get_response(request)

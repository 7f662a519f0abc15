"""What a load balancer and Prometheus are told, with everything up and with parts down."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from django.conf import settings
from django.test import Client, RequestFactory

from mikrobot_platform import health, heartbeats, stores
from mikrobot_platform.celery import QUEUES, TIMETABLE, app
from mikrobot_platform.heartbeats import Backlog

NEEDED = {"database", "role", "migrations", "redis"}
WATCHED = {"beat", "worker_signals", "worker_default", "worker_notify", "worker_slow", "outbox"}
ALL_WELL = Backlog(waiting=0, late_s=0.0, oldest_s=0.0, failing=0, parked=0)


@pytest.fixture(autouse=True)
def all_is_well() -> Iterator[None]:
    """Let everybody have shown themselves a moment ago, and forget what was seen before and after."""
    for name in (heartbeats.BEAT, *heartbeats.PATIENCE_S):
        heartbeats.write(name)
    heartbeats.write_backlog(ALL_WELL)
    heartbeats.expect_watcher(0)
    heartbeats.expect_accounts(0)
    health._recent.forget()
    yield
    health._recent.forget()


@pytest.fixture
def no_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(settings.CACHES["default"], "LOCATION", "redis://127.0.0.1:1/1")
    stores.redis_client.cache_clear()
    yield
    stores.redis_client.cache_clear()


def ready() -> tuple[int, dict[str, Any]]:
    answer = Client().get("/health/ready", headers={"host": "10.1.2.3:8000"})
    assert answer["Cache-Control"] == "no-store"
    return answer.status_code, answer.json()


def age(name: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    then = time.time() - seconds
    with monkeypatch.context() as patch:
        patch.setattr(time, "time", lambda: then)
        heartbeats.write(name)


# --- Live and ready --------------------------------------------------------------------------------------------------
def test_live_asks_nobody(no_database: None, no_redis: None) -> None:
    answer = Client().get("/health/live", headers={"host": "10.1.2.3:8000"})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


def test_ready_when_all_is_well() -> None:
    status, body = ready()
    assert (status, body["status"]) == (200, "ok")
    assert body["checks"] == dict.fromkeys(NEEDED | WATCHED, "ok")


@pytest.mark.parametrize("path", ["/health/live", "/health/ready", "/metrics"])
def test_probes_only_read_and_need_no_https(path: str, settings: Any) -> None:
    settings.SECURE_SSL_REDIRECT, settings.METRICS_TOKEN = True, "token"
    bearer = {"authorization": "Bearer token"}
    assert Client().post(path, headers=bearer).status_code == 405
    assert Client().get(path, headers=bearer).status_code == 200
    assert Client().head(path, headers=bearer).status_code == 200


def test_without_a_database_nothing_is_ready(no_database: None) -> None:
    status, body = ready()
    assert (status, body["status"]) == (503, "down")
    assert {name for name, state in body["checks"].items() if state == "down"} == {"database", "role", "migrations"}


def test_without_redis_nothing_is_ready(no_redis: None) -> None:
    status, body = ready()
    assert (status, body["checks"]["redis"], body["checks"]["database"]) == (503, "down", "ok")


def test_nothing_of_the_inside_is_told(no_database: None, no_redis: None) -> None:
    answer = Client().get("/health/ready")
    known = settings.DATABASES["default"]
    for secret in (known["PASSWORD"], known["USER"], known["HOST"], "refused", "Error", "psycopg"):
        assert secret not in answer.content.decode()


def test_a_role_that_could_do_anything_is_not_ready(admin_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = urlsplit(admin_url)
    monkeypatch.setitem(settings.DATABASES["default"], "USER", unquote(parts.username or ""))
    monkeypatch.setitem(settings.DATABASES["default"], "PASSWORD", unquote(parts.password or ""))
    status, body = ready()
    assert (status, body["checks"]["role"], body["checks"]["database"]) == (503, "down", "ok")


def test_an_older_database_is_not_ready_and_a_newer_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = stores._brought_along()
    monkeypatch.setattr(stores, "_brought_along", lambda: brought | {("accounts", "9999_future")})
    assert ready()[1]["checks"]["migrations"] == "down"
    monkeypatch.setattr(stores, "_brought_along", lambda: brought - {max(brought)})
    health._recent.forget()
    assert ready()[0] == 200


@pytest.mark.parametrize("name", [heartbeats.BEAT, *heartbeats.PATIENCE_S])
def test_a_silent_process_degrades_and_leaves_the_web_in_place(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    age(name, 1_000, monkeypatch)
    status, body = ready()
    late = [key for key, state in body["checks"].items() if state != "ok"]
    assert (status, body["status"]) == (200, "degraded")
    assert late == [name if name == heartbeats.BEAT else f"worker_{name}"]


def test_a_paper_venue_that_has_shown_itself_is_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.redis_client().delete("mikrobot:heartbeat:paper_venue")
    health._recent.forget()
    assert "paper_venue" not in ready()[1]["checks"]
    heartbeats.write(heartbeats.PAPER_VENUE)
    health._recent.forget()
    assert ready()[1]["checks"]["paper_venue"] == "ok"
    age(heartbeats.PAPER_VENUE, 21, monkeypatch)
    health._recent.forget()
    status, body = ready()
    assert (status, body["checks"]["paper_venue"]) == (200, "degraded")
    stores.redis_client().delete("mikrobot:heartbeat:paper_venue")


def test_who_watches_accounts_is_missed_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.redis_client().delete("mikrobot:heartbeat:accounts")
    assert "accounts" not in ready()[1]["checks"]
    heartbeats.expect_accounts(2)
    health._recent.forget()
    assert ready()[1]["checks"]["accounts"] == "degraded"
    heartbeats.write(heartbeats.ACCOUNTS)
    health._recent.forget()
    assert (ready()[1]["status"], ready()[1]["checks"]["accounts"]) == ("ok", "ok")


def test_a_watcher_is_missed_where_there_is_something_to_watch(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.redis_client().delete("mikrobot:heartbeat:watcher")
    assert "watcher" not in ready()[1]["checks"]
    heartbeats.expect_watcher(2)
    health._recent.forget()
    assert (ready()[1]["status"], ready()[1]["checks"]["watcher"]) == ("degraded", "degraded")
    heartbeats.write(heartbeats.WATCHER)
    health._recent.forget()
    assert (ready()[1]["status"], ready()[1]["checks"]["watcher"]) == ("ok", "ok")
    age(heartbeats.WATCHER, 21, monkeypatch)
    health._recent.forget()
    status, body = ready()
    assert (status, body["checks"]["watcher"]) == (200, "degraded")


@pytest.mark.parametrize("change", [{"late_s": 61.0}, {"parked": 1}])
def test_an_outbox_that_stands_still_degrades(change: dict[str, Any]) -> None:
    figures = {name: getattr(ALL_WELL, name) for name in Backlog.__slots__}
    heartbeats.write_backlog(Backlog(**{**figures, **change}))
    status, body = ready()
    assert (status, body["status"], body["checks"]["outbox"]) == (200, "degraded", "degraded")


def test_what_another_version_wrote_is_as_good_as_nothing() -> None:
    stores.redis_client().set("mikrobot:heartbeat:slow", '{"when": 1}')
    stores.redis_client().set("mikrobot:outbox", "[]")
    checks = ready()[1]["checks"]
    assert (checks["worker_slow"], checks["outbox"]) == ("degraded", "degraded")


def test_many_questions_cost_one_look() -> None:
    looks: list[int] = []

    def look() -> dict[str, str]:
        looks.append(1)
        return {"redis": "ok"}

    recent = health._Recent(look)
    for _ in range(50):
        assert recent.states() == {"redis": "ok"}
    assert len(looks) == 1


# --- Metrics ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", [None, "", "Bearer", "Bearer ", "Bearer tokem", "token", "Basic token", "Bearer tök"])
def test_metrics_are_not_public(given: str | None, settings: Any) -> None:
    settings.METRICS_TOKEN = "token"
    request = RequestFactory().get("/metrics", headers={} if given is None else {"authorization": given})
    assert health.metrics(request).status_code == 404
    settings.METRICS_TOKEN = ""  # no token: no page, for nobody
    assert health.metrics(request).status_code == 404


def test_metrics_tell_what_is_measured_at_the_scrape(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_TOKEN = "token"
    age("notify", 500, monkeypatch)
    text = Client().get("/metrics", headers={"authorization": "Bearer token", "host": "10.0.0.1"}).content.decode()
    lines = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(lines['mikrobot_heartbeat_age_seconds{name="notify"}']) == pytest.approx(500, abs=5)
    assert float(lines["mikrobot_outbox_waiting"]) == 0
    assert float(lines["mikrobot_outbox_measured_age_seconds"]) < 5
    assert "mikrobot_outbox_parked" in text


def test_no_word_of_a_strangers_becomes_a_series(settings: Any) -> None:
    settings.METRICS_TOKEN = "token"
    for number in range(20):
        Client().generic(f"BREW{number}", f"/no/such/page/{number}")
        Client().generic(f"BREW{number}", "/hooks/tv/nobody/")
    text = Client().get("/metrics", headers={"authorization": "Bearer token", "host": "10.0.0.1"}).content.decode()
    assert "BREW" not in text
    assert "/no/such/page" not in text
    assert 'mikrobot_requests_total{method="OTHER",route="hooks/tv/<str:secret>/",status="405"} ' in text


# --- Signs of life ---------------------------------------------------------------------------------------------------
def test_every_queue_has_its_heartbeat() -> None:
    assert set(heartbeats.PATIENCE_S) == set(QUEUES)
    for queue in QUEUES:
        name = f"{heartbeats.TASK_PREFIX}{queue}"
        assert name in TIMETABLE
        assert app.amqp.router.route({}, name)["queue"].name == queue


def test_a_heartbeat_says_how_long_its_message_had_waited() -> None:
    app.autodiscover_tasks(force=True)
    headers: dict[str, Any] = {}
    heartbeats._note_sending(sender="accounts.beat_slow", headers=headers)
    assert time.time() - headers[heartbeats.SENT_HEADER] < 5
    app.tasks["accounts.beat_slow"].apply(headers={heartbeats.SENT_HEADER: str(time.time() - 7)}, throw=True)
    beat = heartbeats.read_all()["slow"]
    assert beat is not None
    assert beat.waited_s == pytest.approx(7, abs=2)
    assert beat.age_s(time.time()) < 5


def test_other_messages_are_left_alone() -> None:
    headers: dict[str, Any] = {}
    heartbeats._note_sending(sender="accounts.relay_outbox", headers=headers)
    assert headers == {}


def test_beat_goes_on_without_redis(no_redis: None) -> None:
    headers: dict[str, Any] = {}
    heartbeats._note_sending(sender="accounts.beat_slow", headers=headers)
    assert heartbeats.SENT_HEADER in headers

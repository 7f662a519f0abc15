"""News: published with the transaction, delivered once in order, whatever fails, hangs, floods or dies."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from celery import current_app
from django.conf import settings
from django.db import connections, transaction
from django.utils import timezone

from accounts import outbox, outbox_state
from accounts.models import DrillEffect, Membership, Organization, OutboxDelivery, OutboxEvent
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform import heartbeats, stores
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.doctor import State, work
from mikrobot_platform.kernel.events import Event, EventName
from mikrobot_platform.kernel.registry import SUBSCRIBERS
from mikrobot_platform.kernel.trace import trace_id

FIRST, SECOND = "accounts.tests.test_outbox:first", "accounts.tests.test_outbox:second"
handlers: dict[str, Callable[[Event], object]] = {}


def first(event: Event) -> None:
    handlers["first"](event)


def second(event: Event) -> None:
    handlers["second"](event)


@pytest.fixture(autouse=True)
def subscribers(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let drill events go to `first` and `second`, which leave an effect unless a test says otherwise."""
    table = {**SUBSCRIBERS, EventName.DRILL: (FIRST, SECOND)}
    monkeypatch.setattr(outbox, "SUBSCRIBERS", table)
    handlers.update(first=leave_effect, second=lambda event: None)
    yield
    handlers.clear()


def leave_effect(event: Event) -> None:
    DrillEffect.objects.create(
        organization_id=event.organization_id, event_id=event.id, publisher=0, number=event.data["number"], pid=1
    )


@pytest.fixture
def house() -> UUID:
    return make_house()


def make_house() -> UUID:
    organization_id = new_id()
    with tenant_scope(organization_id), atomic():
        Organization.objects.create(id=organization_id, name="House")
    return organization_id


def publish(organization_id: UUID, *numbers: int) -> list[int]:
    with tenant_scope(organization_id), atomic():
        return [outbox.publish(EventName.DRILL, number=number).pk for number in numbers]


def relay(*organization_ids: UUID, limit: int | None = None) -> int:
    return outbox.relay(among=organization_ids, limit=limit)


def effects(organization_id: UUID) -> list[int]:
    with tenant_scope(organization_id), atomic():
        return list(DrillEffect.objects.order_by("pk").values_list("number", flat=True))


def event(pk: int, organization_id: UUID) -> OutboxEvent:
    with tenant_scope(organization_id), atomic():
        found: OutboxEvent = OutboxEvent.objects.get(pk=pk)
    return found


def make_due(organization_id: UUID) -> None:
    """Let the back-off be over."""
    with tenant_scope(organization_id), atomic():
        OutboxEvent.objects.update(due_at=timezone.now() - timedelta(seconds=1))


def fail_on(*numbers: int) -> Callable[[Event], None]:
    def handle(event: Event) -> None:
        leave_effect(event)
        if event.data["number"] in numbers:
            raise ValueError(f"number {event.data['number']} at postgresql://me:hunter2@host/db\nsecond line")

    return handle


# --- The straight way ------------------------------------------------------------------------------------------------
def test_news_arrives_once_in_order(house: UUID) -> None:
    ids = publish(house, *range(250))
    assert relay(house) == 250
    assert effects(house) == list(range(250))
    assert relay(house) == 0
    assert all(event(pk, house).done_at for pk in ids)
    assert effects(house) == list(range(250))


def test_what_was_rolled_back_never_arrives(house: UUID) -> None:
    with tenant_scope(house), atomic():
        outbox.publish(EventName.DRILL, number=1)
        transaction.set_rollback(True)
    assert relay(house) == 0
    assert effects(house) == []


def test_a_subscriber_works_in_the_tenant_with_the_trace_and_so_do_its_commit_hooks(house: UUID) -> None:
    seen: list[tuple[object, ...]] = []

    def look(event: Event) -> None:
        seen.append((scopes.current().organization_id, scopes.current().system, trace_id.get(), event.attempt))
        transaction.on_commit(lambda: seen.append((scopes.current().organization_id,)), using=scopes.current().alias)

    handlers["first"] = look
    token = trace_id.set("ab" * 16)
    publish(house, 1)
    trace_id.reset(token)
    relay(house)
    assert seen == [(house, None, "ab" * 16, 1), (house,)]


def test_every_name_has_a_line_among_the_subscribers() -> None:
    assert set(SUBSCRIBERS) == set(EventName)


# --- What fails ------------------------------------------------------------------------------------------------------
def test_a_failure_holds_back_its_own_organization_and_no_other(house: UUID) -> None:
    other = make_house()
    handlers["first"] = fail_on(2)
    ids = publish(house, 1, 2, 3)
    publish(other, 1, 3)
    assert relay(house, other) == 3
    assert effects(house) == [1]  # nothing of the failed attempt is left
    assert effects(other) == [1, 3]
    row = event(ids[1], house)
    assert (row.attempts, row.done_at, row.parked_at) == (1, None, None)
    assert row.error.startswith("ValueError: number 2 at postgresql://me")
    assert "hunter2" not in row.error
    assert "second" not in row.error
    assert timedelta(0) < row.due_at - timezone.now() < timedelta(seconds=1.2)
    assert relay(house) == 0  # not due yet, and 3 may not overtake
    handlers["first"] = leave_effect
    make_due(house)
    assert relay(house) == 2
    assert effects(house) == [1, 2, 3]


def test_a_subscriber_that_was_done_is_not_asked_again(house: UUID) -> None:
    def refuse(event: Event) -> None:
        raise LookupError

    handlers["second"] = refuse
    publish(house, 1)
    for _ in range(3):
        relay(house)
        make_due(house)
    handlers["second"] = lambda event: None
    assert relay(house) == 1
    assert effects(house) == [1]


def test_a_poison_is_parked_with_an_alarm_and_the_rest_moves_on(house: UUID, caplog: pytest.LogCaptureFixture) -> None:
    handlers["first"] = fail_on(1)
    ids = publish(house, 1, 2)
    for _ in range(outbox.MAX_ATTEMPTS):
        assert effects(house) == []
        relay(house)
        make_due(house)
    relay(house)
    row = event(ids[0], house)
    assert row.parked_at is not None
    assert row.attempts == outbox.MAX_ATTEMPTS
    assert effects(house) == [2]
    alarms = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert [record.__dict__["event_id"] for record in alarms] == [ids[0]]

    found = work.outbox()
    assert found.state is State.FAIL
    assert "parked" in found.sentence

    handlers["first"] = leave_effect
    with tenant_scope(make_house()), atomic():
        assert not outbox.retry_parked(ids[0])  # a stranger's hands
    with tenant_scope(house), atomic():
        assert outbox.retry_parked(ids[0])
        assert not outbox.retry_parked(ids[0])
    assert relay(house) == 1
    assert effects(house) == [2, 1]


def test_what_fails_at_the_commit_is_found_among_many(house: UUID) -> None:
    def break_later(event: Event) -> None:
        leave_effect(event)
        if event.data["number"] == 2:  # a foreign key that PostgreSQL looks at when the transaction ends
            Membership.objects.create(organization_id=house, user_id=new_id(), role="viewer")

    handlers["first"] = break_later
    ids = publish(house, 1, 2, 3)
    relay(house)
    relay(house)
    assert effects(house) == [1]
    row = event(ids[1], house)
    assert row.attempts == 1
    assert row.error.startswith("IntegrityError")


def test_a_subscriber_that_kills_its_connection_is_counted(house: UUID) -> None:
    def cut(event: Event) -> None:
        if event.data["number"] == 2:
            with connections[scopes.ENGINE].cursor() as cursor:
                cursor.execute("select pg_terminate_backend(pg_backend_pid())")
        leave_effect(event)

    handlers["first"] = cut
    ids = publish(house, 1, 2, 3)
    relay(house)
    relay(house)
    assert effects(house) == [1]
    assert event(ids[1], house).attempts == 1


def test_a_name_from_a_newer_version_waits_for_it(house: UUID) -> None:
    ids = publish(house, 1, 2)
    with tenant_scope(house), atomic():
        OutboxEvent.objects.filter(pk=ids[0]).update(name="future.thing")
    for _ in range(outbox.MAX_ATTEMPTS + 2):
        relay(house)
        make_due(house)
    row = event(ids[0], house)
    assert row.parked_at is None
    assert effects(house) == []
    with tenant_scope(house), atomic():
        OutboxEvent.objects.filter(pk=ids[0]).update(published_at=timezone.now() - timedelta(hours=2))
    relay(house)
    assert event(ids[0], house).parked_at is not None
    assert effects(house) == [2]


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 1), (2, 2), (5, 16), (9, 256), (10, 300), (32_000, 300)])
def test_the_back_off_doubles_up_to_five_minutes(attempts: int, seconds: float) -> None:
    assert 0.9 * seconds <= outbox.back_off_s(attempts) <= 1.1 * seconds


# --- Several relays, many organizations ------------------------------------------------------------------------------
def test_a_second_relay_leaves_a_claimed_organization_alone(house: UUID) -> None:
    entered, leave = threading.Event(), threading.Event()

    def linger(event: Event) -> None:
        entered.set()
        assert leave.wait(20)
        leave_effect(event)

    handlers["first"] = linger
    other = make_house()
    publish(house, 1, 2, 3)
    thread = threading.Thread(target=relay, args=(house,))
    thread.start()
    assert entered.wait(20)
    handlers["first"] = leave_effect
    publish(house, 4)
    publish(other, 1)
    assert relay(house, other) == 1
    assert effects(house) == []
    assert effects(other) == [1]
    leave.set()
    thread.join()
    relay(house)
    assert effects(house) == [1, 2, 3, 4]


def test_a_flood_does_not_starve_the_others(house: UUID) -> None:
    order: list[UUID] = []
    handlers["first"] = lambda event: order.append(event.organization_id)
    publish(house, *range(3 * outbox.RUN))
    others = [make_house() for _ in range(5)]
    for other in others:
        publish(other, 1)
    relay(house, *others)
    assert max(order.index(other) for other in others) <= outbox.RUN + len(others)


def test_a_limit_and_a_budget_end_a_run(house: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    woken: list[int] = []
    monkeypatch.setattr(outbox, "wake", lambda: woken.append(1))
    publish(house, *range(5))
    woken.clear()
    assert relay(house, limit=2) == 2
    assert effects(house) == [0, 1]
    assert outbox.relay(among=[house], seconds=-1) == 0
    assert woken == [1]  # what is left is another run's


def test_a_drill_is_left_to_its_own_relays(house: UUID) -> None:
    publish(house, 1)
    assert house not in dict(outbox._due(None))
    assert house in dict(outbox._due([house]))


def test_wakes_are_sent_once_until_a_relay_has_looked(house: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(current_app, "send_task", sent.append)
    stores.redis_client().delete(outbox.WOKEN_KEY)
    for _ in range(2):
        with tenant_scope(house), atomic():
            outbox.publish(EventName.MEMBER_JOINED)
            outbox.publish(EventName.MEMBER_JOINED)
    assert sent == ["accounts.relay_outbox"]
    relay(house)
    with tenant_scope(house), atomic():
        outbox.publish(EventName.MEMBER_JOINED)
    assert len(sent) == 2


def test_publishing_works_without_redis(house: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "redis_client", stores.redis_client.__wrapped__)
    monkeypatch.setitem(settings.CACHES["default"], "LOCATION", "redis://127.0.0.1:1/1")
    with tenant_scope(house), atomic():
        outbox.publish(EventName.MEMBER_JOINED)
    assert relay(house) == 1


# --- Watching and forgetting -----------------------------------------------------------------------------------------
def test_the_backlog_is_measured(house: UUID, monkeypatch: pytest.MonkeyPatch) -> None:
    with system_scope("doctor"):
        before = outbox_state.backlog()
    with tenant_scope(house), atomic():
        first_id = outbox.publish(EventName.MEMBER_JOINED).pk
        outbox.publish(EventName.MEMBER_JOINED)
        OutboxEvent.objects.filter(pk=first_id).update(published_at=timezone.now() - timedelta(days=400))
    with system_scope("doctor"):
        now = outbox_state.backlog()
    assert now.waiting == before.waiting + 2
    assert now.late_s == pytest.approx(400 * 86_400, abs=60)
    assert now.oldest_s == pytest.approx(400 * 86_400, abs=60)
    monkeypatch.setattr(outbox_state, "_measured_at", -outbox_state.MEASURE_EVERY_S)
    outbox_state.publish_backlog()
    measured = heartbeats.read_backlog()
    assert measured is not None
    assert measured.backlog.waiting >= 2
    assert work.outbox().state is State.FAIL
    relay(house)


def test_what_was_delivered_long_ago_is_forgotten_and_nothing_else(house: UUID) -> None:
    ids = publish(house, *range(6))
    relay(house, limit=4)
    with tenant_scope(house), atomic():
        OutboxEvent.objects.filter(pk__in=ids[:3]).update(done_at=timezone.now() - timedelta(days=31))
    outbox_state.forget(batch=1_000_000)  # the walk ends with the first batch that is young; here all are
    with tenant_scope(house), atomic():
        assert list(OutboxEvent.objects.order_by("pk").values_list("pk", flat=True)) == ids[3:]
        assert set(OutboxDelivery.objects.values_list("event_id", flat=True)) == {ids[3]}
    relay(house)


def test_the_head_is_found_through_the_index_of_what_waits(admin_url: str) -> None:
    with psycopg.connect(admin_url) as connection:
        connection.execute("set local enable_seqscan = off")  # a small table is read whole, and rightly
        plan = connection.execute(f"explain {outbox._DUE}".encode()).fetchall()
    assert sum("accounts_outboxevent_waiting" in line[0] for line in plan) == 2


# --- Death -----------------------------------------------------------------------------------------------------------
def test_relays_killed_at_random_lose_repeat_and_disorder_nothing() -> None:
    command = ["drill", "outbox", "--events", "400", "--relays", "2", "--organizations", "5", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "django", *command], capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    assert set(measured) == {"name", "commit", "machine", "parameters", "results"}
    results = measured["results"]
    assert results["published"] == results["effects"] == 400
    assert results["arrived"] >= 400
    assert results["kills"] > 0
    assert not any(results[key] for key in ("lost", "duplicates_of_effect", "out_of_order", "never_published"))
    assert not list((settings.DATA_DIR / "drills").iterdir())

"""The doctor: each check sees its fault, none of them ends in a traceback, and the remedy is said."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.utils import timezone

from accounts import data_keys
from accounts.models import DataExport, Organization
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import make_organization
from mikrobot_platform import heartbeats, stores
from mikrobot_platform.doctor import Check, Finding, State, database, examine, fail, machine, ok, report, warn, work
from mikrobot_platform.doctor.checks import CHECKS
from trading.files import arrivals
from trading.services import files, links
from trading.tests.files import file_source
from trading.tests.files import write as write_file


@pytest.fixture
def vandal(admin_url: str) -> Iterator[psycopg.Cursor[Any]]:
    """Give a superuser's transaction in which anything may be done, because it is never committed."""
    with psycopg.connect(admin_url) as connection:
        with connection.cursor() as cursor:
            yield cursor
        connection.rollback()


@pytest.fixture
def no_redis(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(settings.CACHES["default"], "LOCATION", "redis://:hunter2@127.0.0.1:1/1")
    stores.redis_client.cache_clear()
    yield
    stores.redis_client.cache_clear()


def told(*checks: Check) -> dict[str, Finding]:
    return dict(examine(checks))


# --- The round -------------------------------------------------------------------------------------------------------
def test_a_check_that_raises_has_failed_and_what_stands_on_it_is_not_made() -> None:
    def stumble() -> Finding:
        raise ValueError("first line\nsecond line")

    house = Check("house", lambda: ok("stands"), ("ground",))
    found = told(Check("ground", stumble), house, Check("tree", lambda: ok("")))
    assert found["ground"] == fail("ValueError: first line", found["ground"].remedy)
    assert found["ground"].remedy
    assert found["house"].state is State.FAIL
    assert not found["house"].is_made
    assert found["tree"].state is State.OK


def test_the_report_is_ascii_aligned_and_says_the_remedy() -> None:
    out = io.StringIO()
    findings = [("one", ok("fine")), ("second", warn("Größe", "look")), ("third", fail("broken", "repair"))]
    assert not report.show(findings, out, as_json=False)
    assert out.getvalue().isascii()
    lines = out.getvalue().splitlines()
    assert lines[0] == "ok    one               fine"
    assert lines[2].strip() == "-> look"
    assert lines[4].strip() == "-> repair"
    assert lines[-1] == "1 of 3 checks failed: third."
    assert report.show(findings[:2], io.StringIO(), as_json=False)  # a warning fails nothing


def test_the_object_holds_every_check() -> None:
    out = io.StringIO()
    assert not report.show([("one", ok("fine")), ("two", fail("broken", "repair"))], out, as_json=True)
    assert json.loads(out.getvalue()) == {
        "ok": False,
        "checks": [
            {"name": "one", "state": "ok", "sentence": "fine", "remedy": ""},
            {"name": "two", "state": "fail", "sentence": "broken", "remedy": "repair"},
        ],
    }


def test_the_table_stands_in_an_order_in_which_it_can_be_made() -> None:
    seen: set[str] = set()
    for check in CHECKS:
        assert set(check.needs) <= seen, check.name
        seen.add(check.name)


# --- PostgreSQL ------------------------------------------------------------------------------------------------------
def test_our_own_database_is_well() -> None:
    for look in (database.reachable, database.roles, database.migrations, database.tenants, database.grants):
        assert look().state is State.OK, look()


def test_a_database_that_is_away_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES["default"], "PORT", "1")
    found = database.reachable()
    assert found.state is State.FAIL
    assert "127.0.0.1:1" in found.sentence
    assert "DATABASE_URL" in found.remedy
    assert settings.DATABASES["default"]["PASSWORD"] not in found.sentence


def test_roles_that_are_one_or_too_strong_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(settings.DATABASES, "engine", settings.DATABASES["default"])
    assert "share the role" in database.roles().sentence
    monkeypatch.setitem(settings.DATABASES, "engine", settings.DATABASES["owner"])
    assert "owns tables" in database.roles().sentence


def test_a_missing_migration_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    brought = stores._brought_along()
    monkeypatch.setattr(stores, "_brought_along", lambda: brought | {("accounts", "9999_future")})
    found = database.migrations()
    assert found.state is State.FAIL
    assert "accounts.9999_future" in found.sentence


@pytest.mark.parametrize(
    ("statements", "problem"),
    [
        ((), "leak has no row-level security"),
        (("alter table leak enable row level security",), "leak does not force row-level security"),
        (
            ("alter table leak enable row level security", "alter table leak force row level security"),
            "leak has no policy",
        ),
        (
            (
                "alter table leak enable row level security",
                "alter table leak force row level security",
                "create policy everybody on leak using (true)",
            ),
            "leak has a policy that does not ask for the tenant",
        ),
        (
            (
                "alter table leak enable row level security",
                "alter table leak force row level security",
                "create policy reads on leak for select using (current_setting('app.x') = '')",
                "create policy writes on leak for insert with check (true)",
            ),
            "leak has a policy that does not ask for the tenant",
        ),
    ],
)
def test_a_table_without_its_policy_is_named(
    vandal: psycopg.Cursor[Any], statements: tuple[str, ...], problem: str
) -> None:
    vandal.execute("create table leak (organization_id uuid)")
    for statement in statements:
        vandal.execute(statement.encode())
    found = database.policies(vandal)
    assert (found.state, found.sentence) == (State.FAIL, problem)


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("grant truncate on leak to mikrobot_app", "mikrobot_app may TRUNCATE leak"),
        ("grant trigger on leak to public", "mikrobot_engine may TRIGGER leak"),
        ("grant create on schema public to mikrobot_app", "mikrobot_app may create tables in the schema public"),
    ],
)
def test_a_right_too_many_is_named(vandal: psycopg.Cursor[Any], statement: str, problem: str) -> None:
    vandal.execute("create table leak (id int)")
    vandal.execute(statement.encode())
    found = database.rights(vandal)
    assert found.state is State.FAIL
    assert problem in found.sentence


# --- Redis and work --------------------------------------------------------------------------------------------------
def test_redis_that_is_away_is_said_without_its_password(no_redis: None) -> None:
    found = work.redis_server()
    assert found.state is State.FAIL
    assert "REDIS_URL" in found.remedy
    assert "hunter2" not in found.sentence


@pytest.mark.parametrize(
    ("change", "state", "word"),
    [
        ({}, State.OK, "append-only file on"),
        ({"redis_version": "6.0.16"}, State.FAIL, "6.0.16"),
        ({"maxmemory_policy": "allkeys-lru"}, State.FAIL, "allkeys-lru"),
        ({"aof_last_write_status": "err"}, State.FAIL, "disk"),
        ({"aof_enabled": 0}, State.WARN, "without"),
    ],
)
def test_redis_is_judged(change: dict[str, Any], state: State, word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answers:
        def info(self) -> dict[str, Any]:
            return {"redis_version": "7.2.5", "used_memory": 1, "aof_enabled": 1, **change}

    monkeypatch.setattr(stores, "redis_client", Answers)
    found = work.redis_server()
    assert found.state is state
    assert word in found.sentence


def test_workers_and_beat_are_judged_by_their_last_sign(monkeypatch: pytest.MonkeyPatch) -> None:
    heartbeats.write("signals", sent=time.time() - 1)
    heartbeats.write("default", sent=time.time() - 100)
    heartbeats.write(heartbeats.BEAT)
    assert work.worker("signals").state is State.OK
    assert work.worker("default").state is State.WARN  # it works, but its queue is long
    assert work.beat().state is State.OK
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 60)
    assert work.worker("signals").state is State.FAIL
    assert "60 s ago" in work.worker("signals").sentence
    assert work.beat().state is State.FAIL
    stores.redis_client().delete("mikrobot:heartbeat:signals")
    assert "no worker" in work.worker("signals").sentence


def test_the_watcher_is_judged_where_there_are_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "overview", list)
    assert work.watcher() == ok("no source reads a file")
    monkeypatch.undo()
    source = file_source(PLATFORM_ID)
    stores.redis_client().delete("mikrobot:heartbeat:watcher")
    assert "no watcher" in work.watcher().sentence
    assert work.watcher().state is State.FAIL
    heartbeats.write(heartbeats.WATCHER)
    write_file(source, b"")
    arrivals.look(source, now=timezone.now(), pause=lambda milliseconds: None)
    found = work.watcher()
    assert found.state is State.WARN
    assert ": " in found.sentence
    with monkeypatch.context() as patch:
        now = time.time()
        patch.setattr(time, "time", lambda: now + 21)
        assert work.watcher().state is State.FAIL


def test_the_paper_venue_is_judged_where_one_has_run(monkeypatch: pytest.MonkeyPatch) -> None:
    stores.redis_client().delete("mikrobot:heartbeat:paper_venue")
    assert work.paper_venue() == ok("none has run here for a day")
    heartbeats.write(heartbeats.PAPER_VENUE)
    assert work.paper_venue().state is State.OK
    with monkeypatch.context() as patch:
        now = time.time()
        patch.setattr(time, "time", lambda: now + 21)
        assert work.paper_venue().state is State.FAIL
    stores.redis_client().delete("mikrobot:heartbeat:paper_venue")


def test_who_watches_accounts_is_missed_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = links.Overview(watched=0, positions=0, unprotected=0, silent=0, blocked=0)
    monkeypatch.setattr(links, "overview", lambda now: nothing)
    assert work.accounts().state is State.OK
    monkeypatch.setattr(links, "overview", lambda now: replace(nothing, watched=2, positions=1))
    stores.redis_client().delete("mikrobot:heartbeat:accounts")
    assert work.accounts().state is State.FAIL
    heartbeats.write(heartbeats.ACCOUNTS)
    assert work.accounts().state is State.OK
    for trouble in ({"silent": 1}, {"blocked": 1}):
        monkeypatch.setattr(links, "overview", lambda now, trouble=trouble: replace(nothing, watched=2, **trouble))
        assert work.accounts().state is State.WARN
    monkeypatch.setattr(links, "overview", lambda now: replace(nothing, watched=2, unprotected=1))
    assert work.accounts().state is State.FAIL


def test_work_that_stands_still_is_counted() -> None:
    house = make_organization()
    with tenant_scope(house.pk), atomic():
        export = DataExport.objects.create(requested_at=timezone.now() - timedelta(minutes=11))
    found = work.stuck()
    assert found.state is State.FAIL
    assert not found.sentence.startswith("0 exports")
    with tenant_scope(house.pk), atomic():
        export.state = DataExport.State.FAILED
        export.save(update_fields=["state"])
        Organization.objects.update(closing_at=timezone.now() - timedelta(hours=2))
    found = work.stuck()
    assert found.state is State.FAIL
    assert ", 0 closings" not in found.sentence
    with tenant_scope(house.pk), atomic():
        Organization.objects.update(closing_at=None)


# --- The machine -----------------------------------------------------------------------------------------------------
def test_keys_that_do_not_open_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    make_organization()
    assert machine.keys().state is State.OK
    monkeypatch.setattr(data_keys, "unwrap", lambda text: None)
    assert machine.keys().state is State.FAIL


@pytest.mark.parametrize(("free", "state"), [(100 << 20, State.FAIL), (900 << 20, State.WARN), (5 << 30, State.OK)])
def test_a_full_disk_is_said(free: int, state: State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(total=10 << 30, free=free))
    assert machine.disk().state is state


def test_a_clock_that_is_off_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert machine.clock().state is State.OK
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() - 3.05)
    found = machine.clock()
    assert found.state is State.FAIL
    assert "PostgreSQL +3.0" in found.sentence
    assert "Redis +3.0" in found.sentence


def test_mail_only_warns(settings: Any, tmp_path: Path) -> None:
    settings.EMAIL_FILE_PATH = str(tmp_path / "mail")
    assert machine.mail().state is State.OK
    settings.EMAIL_FILE_PATH, settings.EMAIL_HOST, settings.EMAIL_PORT = None, "127.0.0.1", 1
    assert machine.mail().state is State.WARN


# --- The command -----------------------------------------------------------------------------------------------------
def doctor(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "manage.py", "doctor", *options],
        cwd=settings.BASE_DIR,
        env={**os.environ, "MIKROBOT_BOOTSTRAP": "off", **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_answers_with_every_check_and_its_exit_code() -> None:
    stores.redis_client().delete("mikrobot:heartbeat:slow")
    done = doctor("--json")
    body = json.loads(done.stdout)
    assert done.returncode == 1
    assert not body["ok"]
    assert [check["name"] for check in body["checks"]] == [check.name for check in CHECKS]
    states = {check["name"]: check["state"] for check in body["checks"]}
    assert states["worker_slow"] == "fail"
    for name in ("environment", "database", "roles", "migrations", "tenants", "grants", "clock"):
        assert states[name] == "ok", name


def test_with_everything_down_it_says_so_and_has_no_traceback() -> None:
    dead = "postgresql://someone:hunter2@127.0.0.1:1/nothing"
    done = doctor(DATABASE_URL=dead, DATABASE_ENGINE_URL=dead, REDIS_URL="redis://:hunter2@127.0.0.1:1")
    assert done.returncode == 1
    assert "FAIL  database" in done.stdout
    assert "FAIL  redis" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    assert "hunter2" not in done.stdout + done.stderr


def test_with_nothing_configured_it_says_what_to_do(tmp_path: Path) -> None:
    bare = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG"}}
    done = subprocess.run(
        [sys.executable, "manage.py", "doctor", "--data", str(tmp_path / "none")],
        cwd=settings.BASE_DIR, env={**bare, "MIKROBOT_BOOTSTRAP": "off"},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert f"no MikroBot runs from {tmp_path / 'none'}" in done.stdout
    assert "manage.py up" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr


def test_settings_that_cannot_be_read_are_a_finding() -> None:
    done = doctor("--json", MASTER_KEYS="", MASTER_KEYS_FILE="", REDIS_URL="http://nowhere")
    body = json.loads(done.stdout)
    assert done.returncode == 1
    assert [check["name"] for check in body["checks"]] == ["environment"]
    assert "REDIS_URL" in body["checks"][0]["sentence"]
    assert "Traceback" not in done.stderr

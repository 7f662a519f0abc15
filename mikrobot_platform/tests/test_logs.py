"""Logs: a line of ASCII JSON each, one trace id from the request through its tasks, and nothing that opens a door."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as some

from accounts import outbox
from accounts.auth import keys
from accounts.models import AuditEntry, DataExport, OutboxEvent
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import client_for, team
from mikrobot_platform import logs
from mikrobot_platform.kernel import trace

GIVEN = "0123456789abcdef" * 2
PLANTED = "sesame-Open9"


def record(message: str = "it happened", *args: object, **extra: Any) -> logging.LogRecord:
    made = logging.LogRecord("accounts.test", logging.INFO, __file__, 1, message, args, None)
    vars(made).update(extra)
    return made


def line(made: logging.LogRecord) -> dict[str, Any]:
    text = logs.JsonFormatter().format(made)
    assert text.isascii()
    assert "\n" not in text
    found: dict[str, Any] = json.loads(text)
    return found


# --- The shape -------------------------------------------------------------------------------------------------------
def test_a_line_says_what_when_whose_and_which_request() -> None:
    organization_id, token = uuid4(), trace.trace_id.set(GIVEN)
    try:
        with tenant_scope(organization_id):
            found = line(record("%d letters went to München\nand on", 3, queue="slow", waited=1.5))
    finally:
        trace.trace_id.reset(token)
    assert found["event"] == "3 letters went to München\nand on"
    assert (found["level"], found["logger"], found["queue"], found["waited"]) == ("info", "accounts.test", "slow", 1.5)
    assert (found["trace"], found["organization"]) == (GIVEN, str(organization_id))
    assert found["at"].endswith("+00:00")


def test_an_exception_is_part_of_its_line() -> None:
    made = record()
    try:
        int(f"redis://:{PLANTED}@127.0.0.1/0")
    except ValueError:
        made.exc_info = sys.exc_info()
    found = line(made)
    assert "ValueError" in found["exception"]
    assert PLANTED not in found["exception"]


def test_a_person_at_a_terminal_reads_the_same() -> None:
    text = logs.PlainFormatter().format(record("Grüße", queue="slow", password=PLANTED))
    assert text.isascii()
    assert "accounts.test: Gr\\xfc\\xdfe" in text
    assert "queue=slow" in text
    assert PLANTED not in text


# --- What is masked --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://mikrobot_app:{PLANTED}@db:5432/mikrobot",
        f"redis://:{PLANTED}@127.0.0.1:6379/0",
        f"Authorization: Bearer {PLANTED}",
        f"authorization: basic {PLANTED}",
        f"GET /invitation/{PLANTED}/",
        f"GET /account/confirm-email/{PLANTED}/",
        f"GET /account/password/reset/key/{PLANTED}/",
        f"Error handling request POST /hooks/tv/{PLANTED}",
        f"Not Found: //hooks//tv/%20{PLANTED}%0D%0A/",
        f"<WSGIRequest: POST '/hooks/tv/{PLANTED}/'>",
    ],
)
def test_what_opens_a_door_is_masked_by_its_shape(text: str) -> None:
    found = json.dumps(line(record("%s", text, said=text)))
    assert PLANTED not in found
    assert "***" in found


def test_gunicorns_lines_are_masked_like_all_others(capsys: pytest.CaptureFixture[str]) -> None:
    theirs, root = logging.getLogger("gunicorn.error"), logging.getLogger()
    before, standing = (theirs.handlers[:], theirs.propagate), root.handlers[:]
    theirs.addHandler(logging.StreamHandler(sys.stderr))
    theirs.propagate = False
    ours = logging.StreamHandler(sys.stderr)
    ours.setFormatter(logs.JsonFormatter())
    root.addHandler(ours)
    try:
        theirs.error("Error handling request POST /hooks/tv/%s/", PLANTED)
        assert PLANTED in capsys.readouterr().err, "as gunicorn begins"
        logs.adopt("gunicorn.error")
        theirs.error("Error handling request POST /hooks/tv/%s/", PLANTED)
    finally:
        theirs.handlers[:], theirs.propagate = before
        root.handlers[:] = standing
    [text] = capsys.readouterr().err.splitlines()
    assert json.loads(text)["event"] == "Error handling request POST /hooks/tv/***/"


@pytest.mark.parametrize("method", ["get", "put", "post"])
def test_no_line_of_ours_holds_the_address_of_an_alert(method: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        assert getattr(Client(), method)(f"/hooks/tv/{PLANTED}").status_code in {404, 405}
    assert PLANTED not in "".join(logs.JsonFormatter().format(one) for one in caplog.records)


@given(organization_id=some.uuids())
def test_an_api_key_keeps_its_prefix_and_loses_its_secret(organization_id: UUID) -> None:
    text, prefix, _digest = keys.make(organization_id)
    found = json.dumps(line(record("refused %s", text, given=text)))
    assert text.rpartition("_")[2] not in found
    assert prefix in found


@pytest.mark.parametrize(
    "name", ["password", "new_password", "secret_key", "token", "credentials", "api_key", "cookie", "otp"]
)
def test_what_is_called_a_secret_is_masked_by_its_name(name: str) -> None:
    assert line(record(**{name: PLANTED}))[name] == "***"


# --- One trace -------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("given", ["", "x" * 32, GIVEN.upper(), f"{GIVEN}0", f"{GIVEN}\n{GIVEN}"])
def test_a_trace_that_is_not_ours_is_not_repeated(given: str) -> None:
    assert trace.start(given) != given
    assert len(trace.start(given)) == 32


def test_one_trace_leads_from_the_request_through_the_news_to_the_task(caplog: pytest.LogCaptureFixture) -> None:
    """Ask for an export over HTTP, relay the news, and let a real worker take the job from the real broker."""
    cast, given = team(), trace.start()
    with caplog.at_level(logging.INFO, logger="mikrobot_platform.middleware"):
        answer = client_for(cast.alice).post(reverse("export_request"), headers={"X-Trace-Id": given})
    assert answer["X-Trace-Id"] == given
    assert "request" in [one.getMessage() for one in caplog.records]
    trace.start()  # whatever comes now must have carried it along
    with tenant_scope(cast.house.pk), atomic():
        assert OutboxEvent.objects.get(name="export.requested").trace_id == given
    assert outbox.relay(among={cast.house.pk}) == 1
    with worker("slow"):
        _wait_for_export(cast.house.pk)
    with tenant_scope(cast.house.pk), atomic():
        assert AuditEntry.objects.get(action="export.requested").trace_id == given
        assert AuditEntry.objects.get(action="export.ready").trace_id == given
        assert OutboxEvent.objects.get(name="export.ready").trace_id == given


@contextmanager
def worker(queue: str) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "mikrobot_platform.celery", "worker", "--queues", queue]
    options = ["--pool", "solo", "--without-mingle", "--without-gossip", "--without-heartbeat"]
    process = subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def _wait_for_export(organization_id: UUID) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with tenant_scope(organization_id), atomic():
            if DataExport.objects.get().state != DataExport.State.WAITING:
                return
        time.sleep(0.05)
    pytest.fail("no worker took the job")


def test_the_log_names_the_route_and_not_the_path(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="mikrobot_platform.middleware"):
        Client().get(f"/invitation/{PLANTED}/")
    (found,) = [line(one) for one in caplog.records if one.getMessage() == "request"]
    assert found["route"] == "invitation/<str:token>/"
    assert PLANTED not in json.dumps(found)

"""Exports: everything of one's own, nothing of a neighbour's, no secret, made once, gone in time."""

from __future__ import annotations

import csv
import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import uuid4
from zipfile import ZipFile

import pytest
from celery import current_app
from django.contrib.postgres.fields import ArrayField
from django.core.files.storage import default_storage
from django.db import connections, models
from django.utils import timezone

from accounts import archive, audit, export, outbox
from accounts.access import Refused
from accounts.models import AuditEntry, DataExport, DataKey, OutboxDelivery, OutboxEvent, Role
from accounts.models.audit import PLATFORM_ID
from accounts.models.fields import SealedField
from accounts.services import keys, members
from accounts.tasks import build_export
from accounts.tenancy import NoTenant, atomic, tenant_scope
from accounts.tests.people import Team, accept_documents, make_account, team
from accounts.tests.test_vault import store, trail
from mikrobot_platform.kernel.events import Event, EventName
from trading.models import Follow, Strategy
from trading.tests.sources import make_source, push, sent

State = DataExport.State
FORMULA = "=HYPERLINK(1)"


@pytest.fixture(scope="module")
def cast() -> Team:
    return team()


def ask(cast: Team) -> DataExport:
    """Ask for an export, after whatever an earlier test left waiting."""
    with tenant_scope(cast.house.pk), atomic():
        DataExport.objects.filter(state=State.WAITING).update(state=State.FAILED)
        return export.request(cast.as_alice)


def made(row: DataExport) -> DataExport:
    """Run the job as a worker would."""
    with tenant_scope(row.organization_id):
        headers = build_export.house_headers()
    build_export.apply(args=(str(row.pk),), headers=headers, throw=True)
    with tenant_scope(row.organization_id), atomic():
        fresh: DataExport = DataExport.objects.get(pk=row.pk)
    return fresh


@contextmanager
def opened(row: DataExport) -> Iterator[ZipFile]:
    with tenant_scope(row.organization_id), atomic(), export.open_file(row) as file, ZipFile(file) as zipped:
        yield zipped


def table(zipped: ZipFile, name: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(zipped.read(f"{name}.json"))
    return rows


def fill(cast: Team) -> dict[str, str]:
    """Put a row into every table of the organization; return the secrets that must not come out."""
    accept_documents(cast.as_alice)
    account = store(make_account(cast.as_alice, f"Exported {uuid4().hex[:6]}"), {"password": "sesame-export"})
    with tenant_scope(cast.house.pk), atomic():
        members.invite(cast.as_alice, f"guest-{uuid4().hex}@example.com", Role.VIEWER)
        key, text = keys.create(cast.as_alice, name="robot", scopes=["read"])
        audit.record("test.formula", FORMULA, note=FORMULA)
        outbox.publish(EventName.DRILL, n=1)
        OutboxDelivery.objects.create(event_id=1, subscriber=f"test-{uuid4().hex}")
        wrapped = DataKey.objects.get(retired_at=None).wrapped
        Follow.objects.create(account=account, strategy=Strategy.objects.filter(organization_id=PLATFORM_ID).first())
    source = make_source(cast.house.pk, "ea_push")
    for sequence in (1, 3, 3):
        sent(source, push(source, sequence), now=timezone.now())
    return {
        "plaintext": "sesame-export", "sealed": str(account.credentials), "key": text,
        "digest": bytes(key.digest).hex(), "wrapped": wrapped, "password": cast.alice.password,
    }  # fmt: skip


def test_everything_of_ones_own_is_in_the_zip_and_no_secret(cast: Team) -> None:
    secrets = fill(cast)
    make_account(cast.as_charlie, "Charlies secret account")
    row = made(ask(cast))
    assert row.state == State.READY
    assert row.error == ""
    with opened(row) as zipped:
        assert zipped.testzip() is None
        names = set(zipped.namelist())
        for entry in zipped.infolist():
            assert entry.date_time[0] >= 2025, entry.filename
            assert entry.external_attr >> 16 == 0o600, entry.filename
        everything = b"\n".join(zipped.read(name) for name in sorted(names)).decode()
        readme = zipped.read("README.txt").decode()

        expected = {f"{model._meta.label_lower}.json" for model in archive.tenant_models() if model is not AuditEntry}
        assert names == expected | {"README.txt", "organization.json", "members.json", "audit.json", "audit.csv"}
        for model in archive.tenant_models():
            if model is not AuditEntry:
                with tenant_scope(cast.house.pk), atomic():
                    there = set(
                        map(str, model.objects.filter(organization_id=cast.house.pk).values_list("pk", flat=True))
                    )
                rows = table(zipped, model._meta.label_lower)
                assert {str(one["id"]) for one in rows} <= there
                assert rows or not there, model._meta.label

        assert table(zipped, "organization")[0]["name"] == "Alice and friends"
        people = {one["email"]: (one["name"], one["role"]) for one in table(zipped, "members")}
        assert people == {
            cast.alice.email: ("Alice", "owner"),
            cast.bob.email: ("Bob", "viewer"),
            cast.tess.email: ("Tess", "trader"),
        }  # fmt: skip
        accounts = table(zipped, "accounts.tradingaccount")
        assert accounts[0]["credentials_at"] is None or "T" in accounts[0]["credentials_at"]
        assert "credentials" not in accounts[0]
        assert set(table(zipped, "accounts.datakey")[0]) == {
            "id", "organization_id", "version", "created_at", "retired_at",
        }  # fmt: skip
    for name, secret in secrets.items():
        assert secret not in everything, name
    for word in ("Charlie", str(cast.other.pk), cast.charlie.email, str(cast.charlie.pk)):
        assert word not in everything
    for left_out in (
        "accounts.apikey.digest", "accounts.tradingaccount.credentials", "accounts.datakey.wrapped",
        "accounts.invitation.nonce",
    ):  # fmt: skip
        assert left_out in readme
    assert row.size > 1000
    assert row.expires_at is not None
    assert row.expires_at > timezone.now() + timedelta(days=6)
    assert [entry.subject for entry in trail(cast.house.pk, "export.downloaded")][-1] == f"dataexport:{row.pk}"


def test_the_trail_comes_with_its_hashes_and_no_formula(cast: Team) -> None:
    fill(cast)
    with opened(made(ask(cast))) as zipped:
        exact = table(zipped, "audit")
        rows = list(csv.DictReader(io.StringIO(zipped.read("audit.csv").decode())))
    assert [one["sequence"] for one in exact] == list(range(1, len(exact) + 1))
    assert [one["previous"] for one in exact] == ["00" * 32, *(one["hash"] for one in exact[:-1])]
    assert [one["hash"] for one in rows] == [one["hash"] for one in exact]
    assert FORMULA in [one["subject"] for one in exact]
    subjects = [one["subject"] for one in rows]
    assert f"'{FORMULA}" in subjects
    assert not any(cell.startswith(("=", "+", "-", "@", "\t")) for one in rows for cell in one.values())


class Unknown(models.TextField):  # type: ignore[type-arg]
    """A column type that does not exist yet."""


@pytest.mark.parametrize(
    ("field", "goes_in"),
    [
        (models.CharField(name="name"), True),
        (models.JSONField(name="data"), True),
        (models.DecimalField(name="size"), True),
        (ArrayField(models.CharField(), name="networks"), True),
        (models.DateTimeField(name="credentials_at"), True),
        (models.BinaryField(name="picture"), False),
        (SealedField(name="note"), False),
        (Unknown(name="note"), False),
        (models.FileField(name="note"), False),
        (ArrayField(models.BinaryField(), name="networks"), False),
        (models.CharField(name="bot_token"), False),
        (models.TextField(name="wrapped"), False),
        (models.PositiveIntegerField(name="nonce"), False),
        (models.JSONField(name="secret_data"), False),
        (ArrayField(models.CharField(), name="recovery_seed"), False),
    ],
)
def test_a_column_that_is_not_known_to_be_harmless_stays_out(field: Any, goes_in: bool) -> None:
    assert archive.is_exported(field) is goes_in


def test_an_export_grows_by_pages(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive, "PAGE", 3)
    for _number in range(8):
        with tenant_scope(cast.house.pk), atomic():
            outbox.publish(EventName.DRILL, n=1)
    row = made(ask(cast))
    with tenant_scope(cast.house.pk), atomic():
        published = set(OutboxEvent.objects.filter(name=EventName.DRILL).values_list("id", flat=True))
    with opened(row) as zipped:
        exported = [one["id"] for one in table(zipped, "accounts.outboxevent")]
    assert len(exported) == len(set(exported))
    assert published <= set(exported)


# --- Who and when ----------------------------------------------------------------------------------------------------
def test_only_the_owner_asks_and_once_at_a_time(cast: Team) -> None:
    for caller in (cast.as_bob, cast.as_tess):
        with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused, match="role"):
            export.request(caller)
    row = ask(cast)
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused) as caught:
        export.request(cast.as_alice)
    assert caught.value.code == "export_waiting"
    made(row)
    assert made(ask(cast)).state == State.READY
    with tenant_scope(cast.other.pk), atomic():
        assert not DataExport.objects.exists()


def test_two_requests_at_the_same_moment_become_one() -> None:
    cast = team()
    caller, outcomes, both = cast.as_alice, list[str](), threading.Barrier(2)

    def go() -> None:
        both.wait()
        try:
            with tenant_scope(cast.house.pk), atomic():
                export.request(caller)
            outcomes.append("asked")
        except Refused as refusal:
            outcomes.append(refusal.code)
        connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["asked", "export_waiting"]


def test_the_news_of_a_request_queues_the_job_for_its_organization(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, list[str], dict[str, str]]] = []
    monkeypatch.setattr(current_app, "send_task", lambda name, args, headers: sent.append((name, args, headers)))
    row = ask(cast)
    event = Event(
        id=1, organization_id=cast.house.pk, name=EventName.EXPORT_REQUESTED, data={"export": str(row.pk)},
        published_at=timezone.now(), trace_id="a" * 32,
    )  # fmt: skip
    sent.clear()
    with tenant_scope(cast.house.pk), atomic():
        export.build(event)
        assert sent == [], "not before the news is committed"
    ((name, args, headers),) = sent
    assert (name, args) == (build_export.name, [str(row.pk)])
    assert headers["mikrobot_organization"] == str(cast.house.pk)
    assert set(headers) >= {"mikrobot_organization", "mikrobot_trace"}
    build_export.apply(args=tuple(args), headers=headers, throw=True)
    with tenant_scope(cast.house.pk), atomic():
        assert DataExport.objects.get(pk=row.pk).state == State.READY


def test_the_job_runs_in_its_own_organization_only(cast: Team) -> None:
    row = ask(cast)
    with tenant_scope(cast.other.pk):
        headers = build_export.house_headers()
    build_export.apply(args=(str(row.pk),), headers=headers, throw=True)
    with tenant_scope(cast.house.pk), atomic():
        assert DataExport.objects.get(pk=row.pk).state == State.WAITING
    with pytest.raises(NoTenant):
        build_export.apply_async([str(row.pk)])


def test_the_job_may_run_twice(cast: Team) -> None:
    row = made(ask(cast))
    again = made(row)
    assert (again.file, again.size, again.finished_at) == (row.file, row.size, row.finished_at)
    ready = trail(cast.house.pk, "export.ready")
    assert len([entry for entry in ready if entry.subject == f"dataexport:{row.pk}"]) == 1


# --- When it goes wrong ----------------------------------------------------------------------------------------------
def test_a_failure_is_said_and_can_be_asked_again(
    cast: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def break_down(_file: object) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("select 1/0")

    monkeypatch.setattr(archive, "write", break_down)
    with caplog.at_level(logging.ERROR):
        row = made(ask(cast))
    assert row.state == State.FAILED
    assert row.error.startswith("Something went wrong")
    assert "an export failed" in caplog.text
    assert (row.file, row.size) == ("", 0)
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused):
        export.open_file(row)
    monkeypatch.undo()
    assert made(ask(cast)).state == State.READY


def test_a_full_disk_leaves_no_half_file(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_space(*_: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(default_storage, "save", no_space)
    row = made(ask(cast))
    assert (row.state, row.error) == (State.FAILED, "The file could not be stored. Please try again later.")
    assert not default_storage.exists(f"{export.folder(cast.house.pk)}/{row.pk}.zip")


def test_what_stands_still_is_queued_again_and_given_up_in_the_end(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    queued: list[str] = []
    monkeypatch.setattr(export, "_queue", lambda _organization, export_id, _trace="": queued.append(export_id))
    row = ask(cast)
    export.requeue_waiting()
    assert str(row.pk) not in queued, "it is fresh"

    def age(by: timedelta) -> None:
        with tenant_scope(cast.house.pk), atomic():
            DataExport.objects.filter(pk=row.pk).update(requested_at=timezone.now() - by)

    age(timedelta(minutes=10))
    export.requeue_waiting()
    export.requeue_waiting()
    assert queued.count(str(row.pk)) == 1, "once in a while, not at every sweep"
    age(timedelta(hours=13))
    export.requeue_waiting()
    with tenant_scope(cast.house.pk), atomic():
        fresh = DataExport.objects.get(pk=row.pk)
    assert fresh.state == State.FAILED
    assert fresh.error


# --- The end ---------------------------------------------------------------------------------------------------------
def test_a_file_expires(cast: Team) -> None:
    row = made(ask(cast))
    assert default_storage.exists(row.file)
    with tenant_scope(cast.house.pk), atomic():
        DataExport.objects.filter(pk=row.pk).update(expires_at=timezone.now())
        row.refresh_from_db()
        with pytest.raises(Refused, match="expired"):
            export.open_file(row)
    assert export.forget_expired() >= 1
    assert not default_storage.exists(row.file)
    with tenant_scope(cast.house.pk), atomic():
        row.refresh_from_db()
    assert (row.state, row.file) == (State.EXPIRED, "")
    assert export.forget_expired() == 0


def test_a_missing_file_is_refused(cast: Team) -> None:
    row = made(ask(cast))
    default_storage.delete(row.file)
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused) as caught:
        export.open_file(row)
    assert caught.value.code == "export_gone"

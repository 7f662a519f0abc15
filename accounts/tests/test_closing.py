"""The end of an organization: nothing of it is left but its chain, and nobody else notices."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connections

from accounts import archive, audit_chain, closing, data_keys, export
from accounts.closing import erasable
from accounts.models import AuditEntry, DataExport, DataKey, Membership, Organization, User
from accounts.services import organizations
from accounts.tasks import sweep_organizations
from accounts.tenancy import atomic, person_scope, system_scope, tenant_scope
from accounts.tests.people import Team, join, make_account, team
from accounts.tests.test_export import ask, fill, made
from accounts.tests.test_vault import SECRET, reveal, store, trail
from accounts.vault import Sealed


@pytest.fixture
def cast() -> Team:
    return team()


def close(cast: Team, *, since: timedelta = timedelta(days=15)) -> None:
    """Ask for the end; `since` lets the time pass."""
    with tenant_scope(cast.house.pk), atomic():
        organizations.close(cast.as_alice, cast.house.name)
        row = Organization.objects.get(pk=cast.house.pk)
        assert row.closing_at is not None
        row.closing_at -= since
        row.save(update_fields=["closing_at"])


def tables_with(admin_url: str, needle: str) -> set[str]:
    """Look through the whole database, past every policy, for a text."""
    found = set()
    with psycopg.connect(admin_url) as admin:
        tables = [row[0] for row in admin.execute("select tablename from pg_tables where schemaname = 'public'")]
        for table in tables:
            statement = psycopg.sql.SQL("select exists(select from {table} t where strpos(t::text, %s) > 0)")
            row = admin.execute(statement.format(table=psycopg.sql.Identifier(table)), [needle]).fetchone()
            if row is not None and row[0]:
                found.add(table)
    return found


def exists(organization_id: UUID) -> bool:
    with tenant_scope(organization_id), atomic():
        return Organization.objects.filter(pk=organization_id).exists()


def test_before_its_time_nothing_happens(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    close(cast, since=timedelta(0))
    assert closing.erase(cast.house.pk) is False
    sweep_organizations.apply(throw=True)
    assert exists(cast.house.pk)
    assert reveal(account) == SECRET


def test_who_changes_their_mind_keeps_everything(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    close(cast)
    with tenant_scope(cast.house.pk), atomic():
        organizations.keep_open(cast.as_alice)
    assert closing.erase(cast.house.pk) is False
    assert reveal(account) == SECRET


def test_when_it_is_due_nothing_is_left_but_the_chain(cast: Team, admin_url: str) -> None:
    fill(cast)
    row = made(ask(cast))
    orphan = default_storage.save(f"{export.folder(cast.house.pk)}/orphan.zip", ContentFile(b"left by a crash"))
    account = store(make_account(cast.as_alice, "Named by Alice"))
    neighbour = store(make_account(cast.as_charlie))
    before = {model: count(model, cast.other.pk) for model in archive.tenant_models()}
    close(cast)
    assert closing.erase(cast.house.pk) is True
    assert closing.erase(cast.house.pk) is False, "twice is once"

    assert not exists(cast.house.pk)
    assert tables_with(admin_url, str(cast.house.pk)) == {"accounts_auditentry"}
    assert tables_with(admin_url, "Named by Alice") == set()
    for model in archive.tenant_models():
        assert count(model, cast.house.pk) == 0 or model is AuditEntry, model._meta.label
    assert not default_storage.exists(row.file)
    assert not default_storage.exists(orphan)
    assert not default_storage.exists(export.folder(cast.house.pk))
    with pytest.raises(Sealed):
        reveal(account)

    (last,) = trail(cast.house.pk, "organization.erased")
    assert last.data["rows"]["accounts.tradingaccount"] == 2
    assert last.data["rows"]["accounts.membership"] == 3
    assert trail(cast.house.pk, "vault.shredded")[0].data == {"keys": 1}
    with system_scope("doctor"):
        assert AuditEntry.objects.filter(organization_id=UUID(int=0), subject=str(cast.house.pk)).exists()
    assert audit_chain.verify(cast.house.pk) == []
    with tenant_scope(cast.house.pk), atomic():
        entries = list(AuditEntry.objects.values_list("data", "subject"))
    written = str(entries)
    for word in (cast.alice.email, cast.bob.email, "Alice", "@example.com"):
        assert word not in written, "the chain outlives the people in it"

    assert {model: count(model, cast.other.pk) for model in before if model is not AuditEntry} == {
        model: number for model, number in before.items() if model is not AuditEntry
    }
    assert reveal(neighbour) == SECRET


def count(model: Any, organization_id: UUID) -> int:
    with tenant_scope(organization_id), atomic():
        return int(model.objects.filter(organization_id=organization_id).count())


def test_people_keep_their_login_and_their_other_houses(cast: Team) -> None:
    join(cast.other, cast.bob, "viewer")  # type: ignore[arg-type]
    close(cast)
    closing.erase(cast.house.pk)
    assert User.objects.filter(pk__in=[cast.alice.pk, cast.bob.pk, cast.tess.pk], is_active=True).count() == 3
    with person_scope(cast.bob.pk), atomic():
        assert [one.organization_id for one in Membership.objects.all()] == [cast.other.pk]
    with person_scope(cast.alice.pk), atomic():
        assert not Membership.objects.exists()


def test_the_timetable_erases_what_is_due(cast: Team) -> None:
    close(cast)
    sweep_organizations.apply(throw=True)
    assert not exists(cast.house.pk)
    assert exists(cast.other.pk)


def test_one_that_fails_holds_up_nobody_and_loses_nothing(
    cast: Team, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stuck = team()
    account = store(make_account(stuck.as_alice))
    close(stuck, since=timedelta(days=20))  # its turn comes first
    close(cast)
    shred = data_keys.shred

    def fail_once(organization_id: UUID) -> int:
        deleted = shred(organization_id)
        if organization_id == stuck.house.pk:
            raise OSError("pulled the plug")
        return deleted

    monkeypatch.setattr(data_keys, "shred", fail_once)
    assert closing.erase_due() >= 1
    assert "could not be erased" in caplog.text
    assert not exists(cast.house.pk)
    assert exists(stuck.house.pk)
    assert reveal(account) == SECRET, "all of it or nothing"
    monkeypatch.undo()
    assert closing.erase_due() >= 1
    assert not exists(stuck.house.pk)


def test_two_sweeps_erase_once(cast: Team) -> None:
    close(cast)
    outcomes: list[bool] = []

    def go() -> None:
        outcomes.append(closing.erase(cast.house.pk))
        connections.close_all()

    threads = [threading.Thread(target=go) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, True]
    assert len(trail(cast.house.pk, "organization.erased")) == 1


def test_every_table_has_its_place_in_the_order() -> None:
    order = erasable()
    assert set(order) == set(archive.tenant_models()) - {AuditEntry}
    place = {model: number for number, model in enumerate(order)}
    assert place[DataExport] < place[Membership]
    for model in order:
        for field in model._meta.concrete_fields:
            if field.related_model in place and field.related_model is not model:
                assert place[model] < place[field.related_model]


def test_shredding_alone_makes_secrets_unreadable_in_every_process(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    answers: list[str] = []

    def elsewhere() -> None:
        try:
            reveal(account)
        except Sealed as error:
            answers.append(str(error))
        connections.close_all()

    assert reveal(account) == SECRET
    data_keys.shred(cast.house.pk)
    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(answers) == 1
    with tenant_scope(cast.house.pk), atomic():
        assert not DataKey.objects.exists()

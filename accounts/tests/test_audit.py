"""The audit trail: linked by PostgreSQL, changed by nobody, and where somebody does, found with its place."""

from __future__ import annotations

import csv
import io
import json
import stat
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections
from django.db.utils import DatabaseError
from django.utils import timezone

from accounts import audit, audit_chain, audit_heads
from accounts.audit_chain import Break
from accounts.models import AuditEntry
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.doctor import State, machine

TODAY = date(2026, 11, 20)
REFUSED = r"permission denied|append-only"


@pytest.fixture(autouse=True)
def heads_folder(tmp_path: Path, settings: Any) -> Path:
    settings.AUDIT_HEADS_DIR = tmp_path / "heads"
    return tmp_path / "heads"


@pytest.fixture
def vandal(admin_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give somebody who has the superuser's password and switches the triggers off."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection


@pytest.fixture
def chain(vandal: psycopg.Connection[Any]) -> Iterator[UUID]:
    """Give an organization with six entries; its chain goes in the end, so that no other test finds it broken."""
    organization_id = new_id()
    write(organization_id, 6)
    yield organization_id
    vandal.execute("delete from accounts_auditentry where organization_id = %s", [organization_id])


def write(organization_id: UUID, count: int) -> None:
    for number in range(count):
        with tenant_scope(organization_id), atomic():
            audit.record("account.renamed", f"tradingaccount:{number}", name=f"Größe {number}", before=None)


def rehash(vandal: psycopg.Connection[Any], organization_id: UUID, sequence: int) -> None:
    """Link the chain anew from an entry on, as a careful forger would."""
    for place in range(sequence, 100):
        done = vandal.execute(
            "update accounts_auditentry e set previous = p.hash, hash = accounts_audit_digest(e, p.hash)"
            " from accounts_auditentry p where e.organization_id = %s and e.sequence = %s"
            " and p.organization_id = e.organization_id and p.sequence = e.sequence - 1",
            [organization_id, place],
        )
        if not done.rowcount:
            return


# --- The chain -------------------------------------------------------------------------------------------------------
def test_entries_are_linked_and_hold(chain: UUID) -> None:
    with tenant_scope(chain), atomic():
        entries = list(AuditEntry.objects.order_by("sequence"))
    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6]
    assert bytes(entries[0].previous) == bytes(32)
    for earlier, later in pairwise(entries):
        assert bytes(later.previous) == bytes(earlier.hash)
    assert audit_chain.verify(chain) == []


@pytest.mark.parametrize(
    "change",
    [
        "data = jsonb_set(data, '{name}', '\"Größe 9\"')",
        "at = at + interval '1 microsecond'",
        "actor_id = 'x'",
        "action = 'account.renamee'",
        "subject = 'tradingaccount:9'",
        "address = '10.0.0.1'",
        "trace_id = 'f'",
        "hash = set_byte(hash, 31, get_byte(hash, 31) # 1)",
        "id = id + 1000000",
    ],
)
def test_one_changed_byte_is_found_with_its_place(chain: UUID, vandal: psycopg.Connection[Any], change: str) -> None:
    vandal.execute(
        f"update accounts_auditentry set {change} where organization_id = %s and sequence = 3".encode(), [chain]
    )
    found = audit_chain.verify(chain)
    assert found[0] == Break(organization_id=chain, sequence=3, problem="the entry was changed")
    assert {one.sequence for one in found} <= {3, 4}
    assert found[0] in audit_chain.verify()  # also among all chains

    told = machine.audit()
    assert told.state is State.FAIL
    if f"organization {chain}" in told.sentence:  # another test may be breaking its own chain at this moment
        assert "position 3" in told.sentence


def test_a_missing_entry_is_found(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    vandal.execute("delete from accounts_auditentry where organization_id = %s and sequence = 3", [chain])
    assert audit_chain.verify(chain) == [
        Break(organization_id=chain, sequence=4, problem="an entry before this one is missing")
    ]


def test_a_missing_beginning_is_found(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    vandal.execute("delete from accounts_auditentry where organization_id = %s and sequence = 1", [chain])
    assert [found.sequence for found in audit_chain.verify(chain)] == [2]


def test_two_exchanged_entries_are_found(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    for old, new in ((3, -1), (4, 3), (-1, 4)):
        vandal.execute(
            "update accounts_auditentry set sequence = %s where organization_id = %s and sequence = %s",
            [new, chain, old],
        )
    assert [found.sequence for found in audit_chain.verify(chain)] == [3, 4, 5]


@pytest.mark.parametrize("change", ["update accounts_auditentry set action = 'x'", "delete from accounts_auditentry"])
@pytest.mark.parametrize("alias", [scopes.APP, scopes.ENGINE, "owner"])
def test_nobody_changes_the_trail(chain: UUID, alias: str, change: str) -> None:
    enter = tenant_scope(chain) if alias != scopes.ENGINE else system_scope("audit.verify")
    with pytest.raises(DatabaseError, match=REFUSED), enter, connections[alias].cursor() as cursor:
        cursor.execute(change)
    assert audit_chain.verify(chain) == []


@pytest.mark.parametrize("alias", [scopes.APP, scopes.ENGINE, "owner"])
def test_nobody_empties_the_trail(chain: UUID, alias: str) -> None:
    with pytest.raises(DatabaseError, match=REFUSED), connections[alias].cursor() as cursor:
        cursor.execute("truncate accounts_auditentry cascade")
    assert audit_chain.verify(chain) == []


def test_a_forger_cannot_choose_place_or_hash(chain: UUID) -> None:
    with tenant_scope(chain), atomic(), connection.cursor() as cursor:
        cursor.execute(
            "insert into accounts_auditentry (organization_id, sequence, at, actor_kind, actor_id, action, subject,"
            " data, trace_id, previous, hash) values (%s, 99, now(), 'user', '', 'x', '', '{}', '', '', '')",
            [chain],
        )
    with tenant_scope(chain), atomic():
        assert AuditEntry.objects.order_by("-sequence").values_list("sequence", flat=True)[0] == 7
    assert audit_chain.verify(chain) == []


# --- Exported heads --------------------------------------------------------------------------------------------------
def mine(breaks: list[Break], organization_id: UUID) -> list[tuple[int, str]]:
    return [(found.sequence, found.problem) for found in breaks if found.organization_id == organization_id]


def test_a_day_is_exported_once_for_the_owner_alone(chain: UUID, heads_folder: Path) -> None:
    path = audit_heads.export_heads(TODAY)
    text = path.read_text()
    write(chain, 1)
    assert audit_heads.export_heads(TODAY).read_text() == text
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [file.name for file in heads_folder.iterdir()] == ["2026-11-20.jsonl"]
    heads = {head.organization_id: head for head in audit_heads.read(path)}
    assert heads[chain].sequence == 6
    assert audit_heads.check_heads() == []


def test_a_tail_that_was_cut_off_is_found(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    audit_heads.export_heads(TODAY)
    vandal.execute("delete from accounts_auditentry where organization_id = %s and sequence > 4", [chain])
    assert audit_chain.verify(chain) == []  # what is left is a chain
    expected = [(6, "the trail reached this entry on 2026-11-20 and is shorter now")]
    assert mine(audit_heads.check_heads(), chain) == expected


def test_a_trail_that_was_written_anew_is_found(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    audit_heads.export_heads(TODAY)
    vandal.execute("update accounts_auditentry set action = 'x' where organization_id = %s and sequence = 4", [chain])
    vandal.execute(
        "update accounts_auditentry e set hash = accounts_audit_digest(e, e.previous)"
        " where organization_id = %s and sequence = 4",
        [chain],
    )
    rehash(vandal, chain, 5)
    assert audit_chain.verify(chain) == []
    assert mine(audit_heads.check_heads(), chain) == [(6, "this is not the entry that was exported on 2026-11-20")]


def test_a_cut_stays_found_after_the_trail_has_grown_again(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    audit_heads.export_heads(TODAY)
    vandal.execute("delete from accounts_auditentry where organization_id = %s and sequence > 4", [chain])
    write(chain, 5)
    for day in (1, 2):
        broken = {found.organization_id for found in audit_heads.check_heads()}
        assert chain in broken
        audit_heads.export_heads(TODAY + timedelta(days=day), broken=broken)
    assert [sequence for sequence, _problem in mine(audit_heads.check_heads(), chain)] == [6]


def test_a_whole_chain_that_is_gone_is_found(chain: UUID, vandal: psycopg.Connection[Any]) -> None:
    audit_heads.export_heads(TODAY)
    vandal.execute("delete from accounts_auditentry where organization_id = %s", [chain])
    audit_heads.export_heads(TODAY + timedelta(days=1))
    assert [sequence for sequence, _problem in mine(audit_heads.check_heads(), chain)] == [6]


def test_a_forged_file_is_found(chain: UUID) -> None:
    path = audit_heads.export_heads(TODAY)
    text = path.read_text()
    other_day = path.with_name("2026-11-19.jsonl")
    for forged in (text.replace('"sequence": 6', '"sequence": 5'), "", "{}\n", text.splitlines()[-1]):
        path.write_text(forged)
        assert "2026-11-20.jsonl" in audit_heads.check_heads()[0].problem
    path.write_text(text)
    assert audit_heads.check_heads() == []
    other_day.write_text(text)  # yesterday's place for today's file
    assert "2026-11-19.jsonl" in audit_heads.check_heads()[0].problem


def test_a_key_that_was_exchanged_still_reads_the_file(chain: UUID, settings: Any) -> None:
    audit_heads.export_heads(TODAY)
    settings.SECRET_KEY, settings.SECRET_KEY_FALLBACKS = "y" * 60, [settings.SECRET_KEY]
    assert audit_heads.check_heads() == []
    settings.SECRET_KEY_FALLBACKS = []
    assert "SECRET_KEY_FALLBACKS" in audit_heads.check_heads()[0].problem


def test_the_daily_run_verifies_alarms_and_exports(
    chain: UUID, vandal: psycopg.Connection[Any], heads_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    vandal.execute("update accounts_auditentry set action = 'x' where organization_id = %s and sequence = 2", [chain])
    assert audit_heads.daily() >= 1
    alarms = [record.__dict__ for record in caplog.records if record.getMessage() == "the audit trail is broken"]
    assert (chain, 2) in [(alarm["chain"], alarm["position"]) for alarm in alarms]
    path = heads_folder / f"{timezone.now().date()}.jsonl"
    assert chain not in {head.organization_id for head in audit_heads.read(path)}  # it had no good head yet
    assert audit_heads.daily() == 0  # done for today


# --- A tenant's own trail --------------------------------------------------------------------------------------------
def test_a_tenant_downloads_its_own_trail_and_no_formula(chain: UUID) -> None:
    with tenant_scope(chain), atomic():
        audit.record("account.renamed", "=HYPERLINK(1)", name='a "quoted", name\nwith a line')
    write(new_id(), 2)  # somebody else's
    with tenant_scope(chain), atomic():
        text = io.StringIO(newline="")
        csv.writer(text).writerows(audit_chain.rows_for_download())
    rows = list(csv.DictReader(io.StringIO(text.getvalue(), newline="")))
    assert [row["sequence"] for row in rows] == [str(number) for number in range(1, 8)]
    assert rows[6]["subject"] == "'=HYPERLINK(1)"
    assert json.loads(rows[6]["data"])["name"] == 'a "quoted", name\nwith a line'
    for earlier, later in pairwise(rows):
        assert later["previous"] == earlier["hash"]

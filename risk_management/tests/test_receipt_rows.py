"""Receipts in the database: written once, linked per organization, changed by nobody, verified by whoever has them."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connections
from django.db.utils import DatabaseError
from django.utils import timezone

from accounts import closing
from accounts.models import Organization
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests import people
from accounts.tests.people import client_for, team
from mikrobot_platform.db.ids import new_id
from risk_management.models import Receipt, ReceiptChain, SharedFacts
from risk_management.rules import VERSION, verify_receipts
from risk_management.rules.facts import Missing
from risk_management.rules.receipt import GENESIS, StoredFacts, entry
from risk_management.rules.receipt import again as make_again
from risk_management.services import SCOPE, receipts
from risk_management.tests.rows import decide, facts_of

VERIFIER = Path(verify_receipts.__file__)


@pytest.fixture
def vandal(admin_url: str) -> Iterator[psycopg.Connection[Any]]:
    """Give somebody who has the superuser's password and switches the triggers off."""
    with psycopg.connect(admin_url, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        yield connection


def chain_of(organization_id: UUID) -> list[Receipt]:
    with tenant_scope(organization_id), atomic():
        return list(Receipt.objects.order_by("position"))


def lines_of(organization_id: UUID) -> list[str]:
    with tenant_scope(organization_id), atomic():
        return "".join(receipts.chain()).splitlines()


def is_whole(organization_id: UUID) -> bool:
    chain = chain_of(organization_id)
    assert [row.position for row in chain] == list(range(1, len(chain) + 1))
    return verify_receipts.broken(lines_of(organization_id))[0] == ""


# --- Writing ---------------------------------------------------------------------------------------------------------
def test_a_batch_is_linked_per_organization() -> None:
    one, other = new_id(), new_id()
    decide([facts_of(one), facts_of(other), facts_of(one), facts_of(one)])
    decide([facts_of(other), facts_of(one)])
    chain = chain_of(one)
    assert [row.position for row in chain] == [1, 2, 3, 4]
    assert chain[0].previous == GENESIS
    for earlier, later in pairwise(chain):
        assert later.previous == earlier.hash
    assert "\n".join(lines_of(one)) == "\n".join(entry(row.previous, row.body) for row in chain)
    assert is_whole(one)
    assert is_whole(other)
    assert len(chain_of(other)) == 2


def test_columns_say_what_the_body_says() -> None:
    house, account = new_id(), new_id()
    written = decide([facts_of(house, account, quota_used=Missing("how many trades were made today"))])
    (row,) = chain_of(house)
    assert written == {account: row.pk}
    said = row.said
    assert (said["verdict"], said["code"], said["account"]) == (row.verdict, row.code, str(row.account_id))
    assert said["signal"] == str(row.signal_id)
    assert (row.verdict, row.code) == ("refused", "gate.fact_missing")
    assert row.evidence == {"fact": "how many trades were made today"}
    assert "how many trades were made today" in row.sentence
    assert row.facts_sha256 == said["facts"]


def test_the_second_write_changes_nothing_and_answers_with_nothing() -> None:
    house, signal = new_id(), new_id()
    accounts = [facts_of(house) for _ in range(3)]
    assert len(decide(accounts[:2], signal_id=signal)) == 2
    before = chain_of(house)
    assert decide(accounts[:2], signal_id=signal) == {}
    later = decide(accounts, signal_id=signal, now=before[0].at + timedelta(seconds=5))
    assert set(later) == {UUID(accounts[2].account)}  # what is in the answer may go on to an order
    assert [row.body for row in chain_of(house)[:2]] == [row.body for row in before]
    assert is_whole(house)


def test_a_batch_is_of_one_signal_and_moment() -> None:
    from risk_management.rules.receipt import Clerk
    from risk_management.tests import gate_facts

    one, other = facts_of(new_id()), facts_of(new_id())
    early = Clerk(gate_facts.shared(), now=gate_facts.NOW).receipts([one])[0]
    late = Clerk(gate_facts.shared(), now=gate_facts.NOW + timedelta(seconds=1)).receipts([other])[0]
    with system_scope(SCOPE), pytest.raises(ValueError, match="one moment"):
        receipts.write(new_id(), [(one, early), (other, late)])


def test_writers_side_by_side_make_one_chain() -> None:
    """Twelve threads write for three organizations in different orders, half of them the same signals."""
    houses, signals = [new_id() for _ in range(3)], [new_id() for _ in range(6)]
    accounts = [facts_of(house) for house in houses for _ in range(4)]
    new: list[int] = []
    problems: list[BaseException] = []
    start = threading.Barrier(12)

    def work(number: int) -> None:
        try:
            start.wait()
            shard = accounts if number % 2 else accounts[::-1]
            new.append(len(decide(shard, signal_id=signals[number % 6])))
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert sum(new) == 6 * 12
    for house in houses:
        assert len(chain_of(house)) == 6 * 4
        assert is_whole(house)


def test_facts_of_the_platforms_signals_are_shared_and_an_organizations_own_are_not() -> None:
    cast = team()
    decide([facts_of(cast.house.pk)])
    decide([facts_of(cast.house.pk)], owner=cast.house.pk)
    platforms, own = chain_of(cast.house.pk)
    with tenant_scope(cast.other.pk), atomic():
        assert SharedFacts.objects.filter(sha256=platforms.shared_sha256).exists()
        assert not SharedFacts.objects.filter(sha256=own.shared_sha256).exists()


# --- Changed by nobody -----------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    "statement",
    [
        "update risk_management_receipt set verdict = 'taken' where organization_id = %s",
        "delete from risk_management_receipt where organization_id = %s",
        "update risk_management_sharedfacts set text = '' where organization_id = %s",
    ],
)
@pytest.mark.parametrize("alias", ["default", "engine"])
def test_receipts_are_append_only(alias: str, statement: str) -> None:
    house = new_id()
    decide([facts_of(house)])
    scope = system_scope(SCOPE) if alias == "engine" else tenant_scope(house)
    refused = pytest.raises(DatabaseError, match=r"permission denied|append-only")
    with refused, scope, atomic(), connections[alias].cursor() as cursor:
        cursor.execute(statement, [house])
    assert is_whole(house)


def test_the_web_cannot_write_receipts() -> None:
    cast = team()
    with (
        pytest.raises(DatabaseError, match="permission denied"),
        tenant_scope(cast.house.pk),
        atomic(),
    ):
        receipts.write(new_id(), _paper(facts_of(cast.house.pk)))


def _paper(facts: Any) -> Any:
    from risk_management.rules.receipt import Clerk
    from risk_management.tests import gate_facts

    return [(facts, Clerk(gate_facts.shared(), now=gate_facts.NOW).receipts([facts])[0])]


def test_receipts_go_with_their_organization_when_its_time_has_come() -> None:
    cast = team()
    decide([facts_of(cast.house.pk)], owner=cast.house.pk)
    with tenant_scope(cast.house.pk), atomic():
        Organization.objects.update(closing_at=timezone.now() - timedelta(seconds=1))
    assert closing.erase(cast.house.pk)
    with system_scope(SCOPE):
        for model in (Receipt, ReceiptChain, SharedFacts):
            assert not model.objects.filter(organization_id=cast.house.pk).exists()


# --- Found by the customer's verifier --------------------------------------------------------------------------------
def verdict_of(organization_id: UUID, tmp_path: Path, *more: str) -> tuple[int, str]:
    """Run the stand-alone verifier as a customer would, on the downloaded file."""
    file = tmp_path / "receipts.jsonl"
    file.write_text("".join(f"{line}\n" for line in lines_of(organization_id)), encoding="ascii")
    done = subprocess.run(
        [sys.executable, "-I", str(VERIFIER), str(file), *more], capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout


def five(house: UUID) -> None:
    for _ in range(5):
        decide([facts_of(house)])


def test_an_untouched_chain_holds(tmp_path: Path) -> None:
    house = new_id()
    five(house)
    code, told = verdict_of(house, tmp_path)
    assert (code, told.startswith("5 receipts hold.")) == (0, True)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ("body = replace(body, '\"not_asked\":0', '\"not_asked\":1') where position = 3", "entry 3"),
        ("body = overlay(body placing '3' from position('2026' in body) for 1) where position = 2", "entry 2"),
        ("hash = overlay(hash placing '!' from 9 for 1) where position = 4", "entry 4"),
        ("previous = overlay(previous placing '!' from 9 for 1) where position = 4", "entry 4"),
    ],
)
def test_one_changed_byte_is_found(change: str, told: str, tmp_path: Path, vandal: psycopg.Connection[Any]) -> None:
    house = new_id()
    five(house)
    before = lines_of(house)
    done = vandal.execute(f"update risk_management_receipt set {change} and organization_id = %s".encode(), [house])
    assert done.rowcount == 1
    assert lines_of(house) != before
    code, said = verdict_of(house, tmp_path)
    assert code == 1
    assert told in said


def test_a_missing_entry_is_found(tmp_path: Path, vandal: psycopg.Connection[Any]) -> None:
    house = new_id()
    five(house)
    vandal.execute("delete from risk_management_receipt where position = 2 and organization_id = %s", [house])
    code, told = verdict_of(house, tmp_path)
    assert (code, "entry 2" in told) == (1, True)


def test_reordered_entries_are_found(tmp_path: Path, vandal: psycopg.Connection[Any]) -> None:
    house = new_id()
    five(house)
    for before, after in ((2, 99), (3, 2), (99, 3)):
        vandal.execute(
            "update risk_management_receipt set position = %s where position = %s and organization_id = %s",
            [after, before, house],
        )
    code, told = verdict_of(house, tmp_path)
    assert (code, "entry 2" in told) == (1, True)


def test_an_end_that_was_cut_off_is_found_by_the_hash_that_was_noted(
    tmp_path: Path, vandal: psycopg.Connection[Any]
) -> None:
    house = new_id()
    five(house)
    noted = chain_of(house)[-1].hash
    assert verdict_of(house, tmp_path, noted)[0] == 0
    vandal.execute("delete from risk_management_receipt where position = 5 and organization_id = %s", [house])
    assert verdict_of(house, tmp_path)[0] == 0
    assert verdict_of(house, tmp_path, noted)[0] == 1


# --- Decided again ---------------------------------------------------------------------------------------------------
def test_the_stored_facts_give_the_same_receipt() -> None:
    house = new_id()
    decide([facts_of(house), facts_of(house, limits=Missing("what the account allows"))])
    for row in chain_of(house):
        with tenant_scope(house), atomic():
            made = receipts.again(row)
        assert made is not None
        assert made.is_identical


def test_changed_facts_give_another_receipt(vandal: psycopg.Connection[Any]) -> None:
    house = new_id()
    written = decide([facts_of(house)])
    vandal.execute(
        "update risk_management_receipt set facts = replace(facts, '\"quota_used\":3', '\"quota_used\":4')"
        " where organization_id = %s",
        [house],
    )
    found = receipts.find(next(iter(written.values())))
    assert found is not None
    assert found[1] is not None
    assert not found[1].is_identical


@pytest.mark.parametrize(
    ("change", "is_same"),
    [
        (("", ""), True),
        (('"quota_used":3', '"quota_used":4'), False),  # nothing else comes of it, but it is not what was seen
    ],
)
def test_a_receipt_from_before_the_rules_changed_can_be_made_again(change: tuple[str, str], is_same: bool) -> None:
    """receipt_gate_1.json was written under gate/1, before strategies and follows could hold a number of positions."""
    told = json.loads(Path(__file__).with_name("receipt_gate_1.json").read_text(encoding="ascii"))
    seen = StoredFacts(told["shared"], told["account"].replace(*change), datetime.fromisoformat(told["at"]))
    said = json.loads(told["body"])
    paper = replace(make_again(seen), facts=seen, text=told["body"])
    facts = facts_of(UUID(said["organization"]), UUID(said["account"]))
    with system_scope(SCOPE):
        receipt_id = receipts.write(new_id(), [(facts, paper)])[UUID(said["account"])]
    found = receipts.find(receipt_id)
    assert found is not None
    assert found[1] is not None
    assert (found[0].body, found[1].is_identical, found[1].is_same) == (told["body"], False, is_same)
    assert (found[1].code, json.loads(found[1].text)["versions"]["gate"]) == (said["code"], VERSION)


# --- Over the API ----------------------------------------------------------------------------------------------------
def test_receipts_are_listed_a_page_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = team()
    monkeypatch.setattr(receipts, "PAGE", 2)
    account = people.make_account(cast.as_alice)
    for number in range(5):
        decide([facts_of(cast.house.pk, account.pk if number % 2 else None)])
    bob = client_for(cast.bob)
    found: list[int] = []
    address: str | None = "/api/v1/receipts/"
    while address:
        body = bob.get(address).json()
        found += [row["position"] for row in body["results"]]
        address = None if body["before"] is None else f"/api/v1/receipts/?before={body['before']}"
    assert found == [5, 4, 3, 2, 1]
    mine = bob.get(f"/api/v1/receipts/?account={account.pk}").json()
    assert [row["position"] for row in mine["results"]] == [4, 2]
    assert mine["before"] is None
    assert bob.get("/api/v1/receipts/?account=nonsense").status_code == 400
    assert client_for(cast.charlie).get("/api/v1/receipts/").json()["results"] == []


def test_one_receipt_shows_every_rule_and_a_stranger_none() -> None:
    cast = team()
    receipt_id = next(iter(decide([facts_of(cast.house.pk)]).values()))
    address = f"/api/v1/receipts/{receipt_id}/"
    body = client_for(cast.bob).get(address).json()
    assert body["body"] == chain_of(cast.house.pk)[0].said
    assert body["is_made_again"] is True
    assert client_for(cast.charlie).get(address).status_code == 404


def test_the_chain_is_downloaded_and_verified(tmp_path: Path) -> None:
    cast = team()
    five(cast.house.pk)
    answer = client_for(cast.bob).get("/api/v1/receipts/chain/")
    assert answer["Content-Type"] == "application/jsonl"
    lines = answer.getvalue().decode("ascii").splitlines()
    assert verify_receipts.broken(lines) == ("", chain_of(cast.house.pk)[-1].hash)
    assert client_for(cast.charlie).get("/api/v1/receipts/chain/").getvalue() == b""


def test_a_customer_finds_with_the_downloaded_script_which_receipt_was_tampered_with(
    tmp_path: Path, vandal: psycopg.Connection[Any]
) -> None:
    """All of it from outside: script and chain come through the API, and the script runs where nothing of ours is."""
    cast = team()
    bob = client_for(cast.bob)
    five(cast.house.pk)
    script, before, after = (tmp_path / name for name in ("verify_receipts.py", "before.jsonl", "after.jsonl"))
    script.write_bytes(bob.get("/api/v1/receipts/verifier/").getvalue())
    before.write_bytes(bob.get("/api/v1/receipts/chain/").getvalue())
    victim = chain_of(cast.house.pk)[2]
    vandal.execute(
        "update risk_management_receipt set body = replace(body, %s, %s) where id = %s",
        ['"verdict":"taken"', '"verdict":"refused"', victim.pk],
    )
    after.write_bytes(bob.get("/api/v1/receipts/chain/").getvalue())

    def run(*arguments: object) -> tuple[int, str]:
        command = [sys.executable, "-I", script.name, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env={})
        return done.returncode, done.stdout

    code, said = run(before.name)
    assert (code, said.startswith("5 receipts hold. The last hash is ")) == (0, True)
    code, said = run(after.name)
    assert code == 1
    assert said.startswith(f"BROKEN: entry 3 (signal {victim.signal_id}, account {victim.account_id}, ")
    assert "was changed after it was written" in said


# --- On the command line ---------------------------------------------------------------------------------------------
def test_the_command_prints_every_rule_with_its_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    from django.core.management import call_command

    house = new_id()
    receipt_id = next(iter(decide([facts_of(house)]).values()))
    call_command("receipt", str(receipt_id), "--again")
    told = capsys.readouterr().out
    for name, _word, _numbers in chain_of(house)[0].said["rules"]:
        assert name in told
    assert "identical" in told
    call_command("receipt", str(receipt_id), "--json", "--again")
    found = json.loads(capsys.readouterr().out)
    assert found["again"] == {"is_identical": True, "is_same": True}
    assert found["body"] == chain_of(house)[0].said


def test_the_command_knows_no_receipt_that_is_not_there() -> None:
    from django.core.management import CommandError, call_command

    with pytest.raises(CommandError, match="no receipt"):
        call_command("receipt", str(new_id()))


# --- The cost --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("houses", [1, 1000])
def test_a_thousand_receipts_of_one_or_of_a_thousand_organizations(houses: int) -> None:
    ids = [new_id() for _ in range(houses)]
    accounts = [facts_of(ids[number % houses]) for number in range(1000)]
    assert len(decide(accounts)) == 1000
    assert is_whole(ids[0])
    assert is_whole(ids[-1])

"""Rotation while the service runs: nothing is lost, nobody is stopped, what is interrupted goes on."""

from __future__ import annotations

import json
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from cryptography.fernet import Fernet
from django.apps import apps
from django.core.management import CommandError, call_command
from django.db import connections
from pytest_django import Settings

from accounts import audit_chain, data_keys, key_providers, vault
from accounts.key_providers import FileKeyProvider
from accounts.models import DataKey, TradingAccount
from accounts.models.fields import SealedField
from accounts.platform_box import Unreadable, platform_decrypt, platform_encrypt
from accounts.rotation import Unfinished, data, master
from accounts.services import trading_accounts
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, make_account, make_user, team
from accounts.tests.test_vault import SECRET, put_text, reveal, store, text_of, trail

pytestmark = pytest.mark.early

NOW = timedelta(0)


@pytest.fixture
def cast() -> Team:
    return team()


@pytest.fixture
def keys() -> FileKeyProvider:
    """Give the suite's own key file: everybody in this run follows it."""
    provider = key_providers.provider()
    assert isinstance(provider, FileKeyProvider)
    return provider


def rotate(*arguments: str) -> str:
    out = StringIO()
    call_command("rotate_keys", *arguments, stdout=out)
    return out.getvalue()


def versions(organization_id: UUID) -> list[int]:
    with tenant_scope(organization_id), atomic():
        return list(DataKey.objects.order_by("version").values_list("version", flat=True))


@contextmanager
def running(*workers: Callable[[], None]) -> Iterator[None]:
    """Run the workers again and again beside the block; the first thing that goes wrong in them is raised."""
    stop, troubles = threading.Event(), list[BaseException]()

    def loop(work: Callable[[], None]) -> None:
        try:
            while not stop.is_set():
                work()
        except BaseException as trouble:  # raised below
            troubles.append(trouble)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=loop, args=[work]) for work in workers]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if troubles:
        raise troubles[0]


# --- Master keys -----------------------------------------------------------------------------------------------------
def test_a_new_master_key_takes_over_and_the_old_one_can_go(cast: Team, keys: FileKeyProvider) -> None:
    account = store(make_account(cast.as_alice))
    person = make_user()
    totp = Authenticator.objects.create(user=person, type="totp", data={"secret": platform_encrypt("JBSWY3DP")})
    codes = RecoveryCodes.activate(person)
    codes.instance.data |= {"used_mask": 5}
    codes.instance.save()
    before, seed = codes.get_unused_codes(), codes.instance.data["seed"]
    first_before, old_keys = keys.fingerprints()[0], keys.keys()

    assert "put first" in rotate("--master")
    assert keys.fingerprints()[0] != first_before
    assert reveal(account) == SECRET
    assert "removed" in rotate("--drop-old")
    assert first_before not in keys.fingerprints()
    assert len(keys.fingerprints()) == 1

    assert reveal(account) == SECRET
    totp.refresh_from_db()
    assert platform_decrypt(totp.data["secret"]) == "JBSWY3DP"
    again = Authenticator.objects.get(pk=codes.instance.pk)
    assert RecoveryCodes(again).get_unused_codes() == before
    assert again.data["used_mask"] == 5
    for token in (again.data["seed"], totp.data["secret"]):
        assert not any(master._opens(key, token) for key in old_keys)
    with pytest.raises(Unreadable):
        platform_decrypt(seed)
    with tenant_scope(cast.house.pk), atomic():
        assert not any(master._opens(key, DataKey.objects.get().wrapped) for key in old_keys)
    assert trail(cast.house.pk, "secret.revealed")[-1].data["purpose"] == "test"


def test_an_interrupted_master_rotation_goes_on_without_another_key(cast: Team, keys: FileKeyProvider) -> None:
    account = store(make_account(cast.as_alice))
    name = keys.put_first(Fernet.generate_key().decode())  # and the machine stopped here
    assert master.stale_keys() > 0
    said = rotate("--master")
    assert "no new key" in said
    assert keys.fingerprints()[0] == name
    assert master.stale_keys() == 0
    assert reveal(account) == SECRET


def test_keys_from_the_environment_are_wrapped_under_the_first(cast: Team, settings: Settings) -> None:
    account = store(make_account(cast.as_alice))
    held = Path(settings.MASTER_KEYS_FILE).read_text(encoding="ascii").split()
    new = Fernet.generate_key().decode()
    mine = [cast.house.pk]
    try:
        settings.MASTER_KEYS_FILE, settings.MASTER_KEYS = "", [new, *held]
        assert master.rewrap_keys(mine) == 1
        assert master.rewrap_keys(mine) == 0
        settings.MASTER_KEYS = [new]
        assert reveal(account) == SECRET
    finally:
        settings.MASTER_KEYS = [*held, new]
        master.rewrap_keys(mine)


def test_an_operator_is_told_which_key_to_take_out(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.MASTER_KEYS_FILE, settings.MASTER_KEYS = "", [new, old]
    # Other tests' keys open with neither of the two, so there is nothing to do here but to tell.
    lines: list[str] = []
    master.drop_old(lines.append)
    assert any(f"key 2 of MASTER_KEYS (fingerprint {key_providers.fingerprint(old)})" in line for line in lines)
    assert not any(old in line or new in line for line in lines)
    settings.MASTER_KEYS = [new]
    lines.clear()
    master.drop_old(lines.append)
    assert "nothing to drop" in lines[0]


def test_a_key_file_that_cannot_be_written_is_for_its_owner(
    cast: Team, keys: FileKeyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As with a secret that Kubernetes mounts: it is changed elsewhere, the rest goes as usual."""
    store(make_account(cast.as_alice))

    def read_only(*_: object) -> str:
        raise OSError(30, "Read-only file system")

    put_first = keys.put_first
    monkeypatch.setattr(keys, "put_first", read_only)
    monkeypatch.setattr(keys, "drop", read_only)
    with pytest.raises(CommandError, match="put a new key on its first line"):
        rotate("--master")
    name = put_first(Fernet.generate_key().decode())
    assert f"everything opens with master key {name}" in rotate("--master")
    said = rotate("--drop-old")
    assert all(f"(fingerprint {older}) any more: remove it there" in said for older in keys.fingerprints()[1:])


def test_a_lost_master_key_is_said(cast: Team, settings: Settings) -> None:
    settings.MASTER_KEYS_FILE, settings.MASTER_KEYS = "", [Fernet.generate_key().decode()]
    with pytest.raises(CommandError, match="open with none of the master keys"):
        rotate("--drop-old")


def test_no_key_is_dropped_while_an_older_writer_is_at_work(
    cast: Team, keys: FileKeyProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = make_user()
    sealed, go_on = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with tenant_scope(cast.house.pk), atomic():
            Authenticator.objects.create(user=person, type="totp", data={"secret": platform_encrypt("LATE")})
            sealed.set()
            go_on.wait(20)
        connections.close_all()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    assert sealed.wait(20)
    master.rotate(lambda _line: None)
    count = len(keys.fingerprints())
    monkeypatch.setattr(master, "LONGEST_TRANSACTION_S", 0.2)
    with pytest.raises(Unfinished, match="transactions stay open"):
        master.drop_old(lambda _line: None)
    assert len(keys.fingerprints()) == count
    monkeypatch.undo()
    threading.Timer(0.3, go_on.set).start()
    master.drop_old(lambda _line: None)
    writer.join()
    assert len(keys.fingerprints()) == 1
    assert platform_decrypt(Authenticator.objects.get(user=person).data["secret"]) == "LATE"


# --- Data keys -------------------------------------------------------------------------------------------------------
def test_every_sealed_column_of_every_model_is_found() -> None:
    found = {(model._meta.label, field) for model, field in data.sealed_fields()}
    assert ("accounts.TradingAccount", "credentials") in found
    assert found == {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.get_fields()
        if isinstance(field, SealedField)
    }


def test_a_data_key_is_replaced_and_deleted(cast: Team) -> None:
    accounts = [store(make_account(cast.as_alice, f"Number {number}"), number) for number in range(5)]
    closed = make_account(cast.as_alice, "Without")
    with tenant_scope(cast.house.pk), atomic():
        trading_accounts.close(cast.as_alice, closed.pk)  # takes its credentials with it
    neighbour = store(make_account(cast.as_charlie))
    loaded_before = TradingAccount(pk=accounts[0].pk, organization_id=cast.house.pk, credentials=text_of(accounts[0]))
    untouched = text_of(neighbour)

    said = rotate("--data", "--organization", str(cast.house.pk), "--now")
    assert "data key version 2, 5 secrets re-sealed, 1 old keys deleted" in said
    assert versions(cast.house.pk) == [2]
    assert [reveal(account) for account in accounts] == list(range(5))
    assert all(text_of(account).startswith("v1:2:") for account in accounts)
    assert reveal(loaded_before) == 0, "a row that was loaded before still opens"
    assert text_of(closed) == "None"
    assert text_of(neighbour) == untouched
    assert [entry.data for entry in trail(cast.house.pk, "vault.resealed")] == [{"version": 2, "count": 5}]
    assert trail(cast.house.pk, "vault.key_created")[0].subject == "datakey:2"
    assert trail(cast.house.pk, "vault.key_deleted")[0].subject == "datakey:1"
    assert len(trail(cast.house.pk, "secret.revealed")) == 6, "re-sealing is nobody's reveal"
    assert audit_chain.verify(cast.house.pk) == []


def test_an_old_key_stays_an_hour(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    stale = text_of(account)
    data.rotate(cast.house.pk, lambda _line: None)
    assert versions(cast.house.pk) == [1, 2]
    put_text(account, stale)  # somebody saved a row that was loaded before
    assert reveal(account) == SECRET
    assert data.delete_retired_everywhere() == 0
    with tenant_scope(cast.house.pk), atomic():
        row = DataKey.objects.get(version=1)
        row.retired_at -= timedelta(hours=2)
        row.save()
    assert data.delete_retired_everywhere() == 1
    assert versions(cast.house.pk) == [2]
    assert reveal(account) == SECRET
    assert text_of(account).startswith("v1:2:")


def test_an_interrupted_data_rotation_goes_on_without_another_key(cast: Team) -> None:
    accounts = [store(make_account(cast.as_alice, f"Number {number}"), number) for number in range(3)]
    with tenant_scope(cast.house.pk):
        data._new_version()  # and the machine stopped here
    data.rotate(cast.house.pk, lambda _line: None, grace=NOW)
    assert versions(cast.house.pk) == [2]
    assert [reveal(account) for account in accounts] == [0, 1, 2]


def test_a_text_that_does_not_open_keeps_its_key_and_stops_nobody(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "PASSES", 2)
    good, bad = store(make_account(cast.as_alice)), store(make_account(cast.as_alice, "Spoiled"))
    spoiled = text_of(bad)[:-6]
    put_text(bad, spoiled)
    lines: list[str] = []
    data.rotate(cast.house.pk, lines.append, grace=NOW)
    assert "1 left for another run" in lines[0]
    assert versions(cast.house.pk) == [1, 2]
    assert text_of(bad) == spoiled
    data.rotate(cast.house.pk, lines.append, grace=NOW)
    assert versions(cast.house.pk) == [1, 3]
    assert reveal(good) == SECRET


def test_a_key_is_not_deleted_under_a_writer(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "PASSES", 3)
    account = make_account(cast.as_alice)
    sealed, go_on = threading.Event(), threading.Event()

    def slow_writer() -> None:
        with tenant_scope(cast.house.pk), atomic():
            row = TradingAccount.locked(account.pk)
            row.credentials = vault.seal(row, "credentials", SECRET)
            sealed.set()
            go_on.wait(20)
            row.save(update_fields=["credentials"])
        connections.close_all()

    writer = threading.Thread(target=slow_writer)
    writer.start()
    assert sealed.wait(20)
    data.rotate(cast.house.pk, lambda _line: None, grace=NOW)
    assert versions(cast.house.pk) == [1, 2], "its text is not to be seen yet, so its key stays"
    go_on.set()
    writer.join()
    assert text_of(account).startswith("v1:1:")
    data.rotate(cast.house.pk, lambda _line: None, grace=NOW)
    assert versions(cast.house.pk) == [2]
    assert reveal(account) == SECRET


def test_an_erased_organization_is_passed_over(cast: Team) -> None:
    data_keys.shred(cast.house.pk)
    lines: list[str] = []
    data.rotate(cast.house.pk, lines.append)
    assert "nothing to rotate" in lines[0]
    assert versions(cast.house.pk) == []


@pytest.mark.parametrize("arguments", [[], ["--organization", "00000000-0000-0000-0000-000000000001", "--master"]])
def test_the_command_asks_for_what_it_needs(arguments: list[str]) -> None:
    with pytest.raises(CommandError):
        rotate(*arguments)


# --- Under load ------------------------------------------------------------------------------------------------------
def test_rotation_under_load_loses_nothing(cast: Team, keys: FileKeyProvider) -> None:
    """Seal, replace and reveal without a pause while both kinds of keys are rotated again and again."""
    accounts = [store(make_account(cast.as_alice, f"Load {number}"), {"n": 0}) for number in range(6)]
    still = [store(make_account(cast.as_alice, f"Still {number}"), {"n": number}) for number in range(3)]
    locks, written = [threading.Lock() for _ in accounts], [0] * len(accounts)
    reveals, replaced = [0], [0]

    def replace(number: int) -> None:
        with locks[number]:
            with tenant_scope(cast.house.pk), atomic():
                row = TradingAccount.locked(accounts[number].pk)
                row.credentials = vault.seal(row, "credentials", {"n": written[number] + 1})
                row.save(update_fields=["credentials"])
            written[number] += 1
            replaced[0] += 1

    def look(number: int) -> None:
        with locks[number]:
            assert reveal(accounts[number]) == {"n": written[number]}
        reveals[0] += 1

    def look_at_the_still() -> None:
        for number, account in enumerate(still):
            assert reveal(account) == {"n": number}

    def found_another() -> None:
        someone = make_account(team().as_charlie)
        assert reveal(store(someone)) == SECRET

    rounds = 4
    began = time.monotonic()
    with running(
        lambda: replace(secrets.randbelow(6)),
        lambda: replace(secrets.randbelow(6)),
        lambda: look(secrets.randbelow(6)),
        look_at_the_still,
        found_another,
    ):
        for _round in range(rounds):
            master.rotate(lambda _line: None)
            data.rotate(cast.house.pk, lambda _line: None, grace=NOW)
            master.drop_old(lambda _line: None)
            data.rotate(cast.house.pk, lambda _line: None, grace=NOW)
    assert len(keys.fingerprints()) == 1
    data.rotate(cast.house.pk, lambda _line: None, grace=NOW)
    assert [reveal(account) for account in accounts] == [{"n": number} for number in written]
    assert [reveal(account) for account in still] == [{"n": number} for number in range(3)]
    current = versions(cast.house.pk)
    assert len(current) == 1
    assert current[0] > rounds
    assert min(reveals[0], replaced[0]) > rounds, "there was no load"
    assert audit_chain.verify(cast.house.pk) == []
    assert trail(cast.house.pk, "secret.unreadable") == []
    print(json.dumps({"seconds": round(time.monotonic() - began, 1), "reveals": reveals[0], "replaced": replaced[0]}))


def test_only_ciphertext_is_in_the_log_of_a_rotation(cast: Team, caplog: pytest.LogCaptureFixture) -> None:
    store(make_account(cast.as_alice), {"password": "needle-in-the-log"})
    said: list[Any] = []
    data.rotate(cast.house.pk, said.append, grace=NOW)
    assert "needle" not in caplog.text + str(said)


def test_the_engine_role_cannot_change_keys_of_all_organizations_at_once(cast: Team) -> None:
    """The scope may look everywhere; to write it has to step into one organization."""
    from accounts.tenancy import system_scope

    with system_scope("vault.rotate"):
        assert DataKey.objects.filter(organization_id=cast.house.pk).update(wrapped="gone") == 0

"""The vault: a secret opens where it was sealed and nowhere else, and never unseen."""

from __future__ import annotations

import stat
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from cryptography.fernet import Fernet
from django.db import connection
from pytest_django import Settings

from accounts import audit_chain, data_keys, key_providers, vault
from accounts.key_providers import EnvKeyProvider, FileKeyProvider, NoMasterKey
from accounts.models import AuditEntry, DataKey, TradingAccount
from accounts.platform_box import Unreadable, platform_decrypt, platform_encrypt
from accounts.tenancy import NoTenant, ScopeError, atomic, tenant_scope
from accounts.tests.people import Team, make_account, team
from accounts.vault import Sealed

SECRET = {"login": "4711", "password": "sesame-öffne-dich"}


@pytest.fixture
def cast() -> Team:
    return team()


def store(account: TradingAccount, value: object = SECRET) -> TradingAccount:
    with tenant_scope(account.organization_id), atomic():
        account.credentials = vault.seal(account, "credentials", value)
        account.save(update_fields=["credentials"])
    return account


def reveal(account: TradingAccount) -> Any:
    with tenant_scope(account.organization_id):
        return vault.reveal(account, "credentials", purpose="test")


def trail(organization_id: UUID, action: str) -> list[AuditEntry]:
    with tenant_scope(organization_id), atomic():
        return list(AuditEntry.objects.filter(action=action).order_by("sequence"))


def put_text(account: TradingAccount, text: str | None) -> None:
    with tenant_scope(account.organization_id), atomic():
        TradingAccount.objects.filter(pk=account.pk).update(credentials=text)


def text_of(account: TradingAccount) -> str:
    with tenant_scope(account.organization_id), atomic():
        return str(TradingAccount.objects.values_list("credentials", flat=True).get(pk=account.pk))


@pytest.mark.parametrize("value", [SECRET, "text", ["a", 1, None], {"empty": {}}, "", 0, False])
def test_what_was_sealed_comes_back(cast: Team, value: object) -> None:
    assert reveal(store(make_account(cast.as_alice), value)) == value


def test_a_sealed_text_shows_nothing_and_never_repeats(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    first, second = text_of(account), text_of(store(account))
    assert first.startswith("v1:1:gAAAA")
    assert first != second
    assert not any(part in first for part in ("4711", "sesame", "login", str(account.pk)))


def test_several_are_opened_together_and_what_cannot_be_is_said_of_it_alone(cast: Team) -> None:
    accounts = [store(make_account(cast.as_alice, f"Account {number}")) for number in range(3)]
    with tenant_scope(cast.house.pk), atomic():
        TradingAccount.objects.filter(pk=accounts[1].pk).update(credentials=accounts[0].credentials)
    with tenant_scope(cast.house.pk):
        found = vault.reveal_all(accounts, "credentials", purpose="test")
    assert [isinstance(found[one.pk], vault.Sealed) for one in accounts] == [False, True, False]
    assert found[accounts[0].pk] == SECRET
    opened, unreadable = trail(cast.house.pk, "secret.revealed"), trail(cast.house.pk, "secret.unreadable")
    assert {entry.subject for entry in opened} == {f"tradingaccount:{accounts[number].pk}" for number in (0, 2)}
    assert [entry.subject for entry in unreadable] == [f"tradingaccount:{accounts[1].pk}"]
    assert audit_chain.verify(cast.house.pk) == []


def test_every_reveal_is_in_the_trail_before_the_value_is_out(cast: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    account = store(make_account(cast.as_alice))
    reveal(account)
    (entry,) = trail(cast.house.pk, "secret.revealed")
    assert entry.subject == f"tradingaccount:{account.pk}"
    assert entry.data == {"field": "credentials", "purpose": "test"}

    def refuse(*args: object, **data: object) -> None:
        raise OSError("the trail cannot be written")

    monkeypatch.setattr("accounts.audit.record_each", refuse)
    with pytest.raises(OSError, match="trail"):
        reveal(account)


def test_inside_a_transaction_nothing_is_revealed(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(RuntimeError, match="durable"):
        vault.reveal(account, "credentials", purpose="test")
    assert trail(cast.house.pk, "secret.revealed") == []


def test_outside_a_transaction_nothing_is_sealed(cast: Team) -> None:
    account = make_account(cast.as_alice)
    with tenant_scope(cast.house.pk), pytest.raises(ScopeError, match="transaction"):
        vault.seal(account, "credentials", SECRET)


def test_a_reveal_states_its_purpose(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    with tenant_scope(cast.house.pk), pytest.raises(ValueError, match="purpose"):
        vault.reveal(account, "credentials", purpose="")


def test_a_secret_moved_to_another_row_does_not_open(cast: Team) -> None:
    account, other = store(make_account(cast.as_alice)), make_account(cast.as_alice, "Second")
    put_text(other, text_of(account))
    with pytest.raises(Sealed, match="another place") as caught:
        reveal(other)
    assert "sesame" not in str(caught.value)
    assert [entry.subject for entry in trail(cast.house.pk, "secret.unreadable")] == [f"tradingaccount:{other.pk}"]
    assert reveal(account) == SECRET


def test_a_secret_moved_to_another_organization_does_not_open(cast: Team, admin_url: str) -> None:
    account, stolen = store(make_account(cast.as_alice)), make_account(cast.as_charlie)
    put_text(stolen, text_of(account))
    with pytest.raises(Sealed):
        reveal(stolen)
    # Not even when the thief can take the data key along, past every policy.
    with psycopg.connect(admin_url) as admin:
        admin.execute(
            "update accounts_datakey set wrapped = (select wrapped from accounts_datakey where organization_id = %s)"
            " where organization_id = %s",
            [cast.house.pk, cast.other.pk],
        )
    with pytest.raises(Sealed, match="another place"):
        reveal(stolen)
    # Nor when the thief's row takes over the id.
    with tenant_scope(cast.other.pk):
        stolen.pk = account.pk
        with pytest.raises(Sealed):
            vault.reveal(stolen, "credentials", purpose="test")


def test_a_row_of_another_organization_is_refused(cast: Team) -> None:
    account = store(make_account(cast.as_alice))
    with tenant_scope(cast.other.pk):
        with pytest.raises(ScopeError):
            vault.reveal(account, "credentials", purpose="test")
        with atomic(), pytest.raises(ScopeError):
            vault.seal(account, "credentials", SECRET)
    with pytest.raises(NoTenant):
        vault.reveal(account, "credentials", purpose="test")


def test_only_sealed_fields_are_sealed(cast: Team) -> None:
    account = make_account(cast.as_alice)
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(TypeError, match="not a sealed field"):
        vault.seal(account, "name", "x")
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(TypeError, match="not a sealed field"):
        vault.seal(cast.alice, "email", "x")


def _flip(text: str) -> str:
    middle = len(text) // 2
    return text[:middle] + ("A" if text[middle] != "A" else "B") + text[middle + 1 :]


@pytest.mark.parametrize(
    "spoil",
    [
        _flip,
        lambda text: text[:-4],
        lambda text: text.replace("v1:1:", "v1:2:"),
        lambda text: text.replace("v1:", "v9:"),
        lambda text: text.replace("v1:1:", "v1:-1:"),
        lambda text: "v1:1:",
        lambda text: "sesame",
        lambda text: None,
    ],
)
def test_a_changed_text_does_not_open(cast: Team, spoil: Callable[[str], str | None]) -> None:
    account = store(make_account(cast.as_alice))
    put_text(account, spoil(text_of(account)))
    with pytest.raises(Sealed):
        reveal(account)


def test_without_its_key_a_secret_is_gone(cast: Team) -> None:
    account, neighbour = store(make_account(cast.as_alice)), store(make_account(cast.as_charlie))
    assert data_keys.shred(cast.house.pk) == 1
    with pytest.raises(Sealed, match="keys are gone"):
        reveal(account)
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Sealed, match="no data key"):
        vault.seal(account, "credentials", SECRET)
    # A new key under the same number does not bring it back.
    data_keys.create_key(cast.house.pk)
    with pytest.raises(Sealed):
        reveal(account)
    assert [entry.data for entry in trail(cast.house.pk, "vault.shredded")] == [{"keys": 1}]
    assert reveal(neighbour) == SECRET


def test_a_dump_of_the_database_holds_no_secret_in_clear(cast: Team, admin_url: str) -> None:
    mark = f"clear-{uuid4().hex}"
    account = store(make_account(cast.as_alice), {"password": mark})
    put_text(account, text_of(account))
    box = platform_encrypt(mark)
    assert mark not in box
    with tenant_scope(cast.house.pk), atomic():
        wrapped = DataKey.objects.get().wrapped
    data_key = data_keys.unwrap(wrapped)
    assert data_key is not None
    bare = key_providers.master().decrypt(wrapped).decode()
    with psycopg.connect(admin_url) as admin:
        tables = [row[0] for row in admin.execute("select tablename from pg_tables where schemaname = 'public'")]
        assert "accounts_tradingaccount" in tables
        for table in tables:
            statement = psycopg.sql.SQL("select count(*) from {table} t where strpos(t::text, %s) > 0").format(
                table=psycopg.sql.Identifier(table)
            )
            for needle in (mark, bare):
                assert admin.execute(statement, [needle]).fetchone() == (0,), table
    assert reveal(account) == {"password": mark}


# --- The platform's box ----------------------------------------------------------------------------------------------
def test_the_platforms_box_opens_its_own_only() -> None:
    box = platform_encrypt("JBSWY3DPEHPK3PXP")
    assert platform_decrypt(box) == "JBSWY3DPEHPK3PXP"
    for text in (_flip(box), "JBSWY3DPEHPK3PXP", "", Fernet(Fernet.generate_key()).encrypt(b"x").decode()):
        with pytest.raises(Unreadable):
            platform_decrypt(text)


# --- Where master keys come from -------------------------------------------------------------------------------------
def test_keys_from_the_environment_come_in_order(settings: Settings) -> None:
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    settings.MASTER_KEYS_FILE, settings.MASTER_KEYS = "", [old]
    box = platform_encrypt("x")
    settings.MASTER_KEYS = [new, old]
    assert platform_decrypt(box) == "x"
    assert Fernet(new).decrypt(platform_encrypt("y")) == b"y"
    settings.MASTER_KEYS = [new]
    with pytest.raises(Unreadable):
        platform_decrypt(box)
    for texts in ([], ["short"], [new, "nonsense" * 8]):
        with pytest.raises(NoMasterKey) as caught:
            EnvKeyProvider(texts)
        assert "nonsense" not in str(caught.value)
        assert "short" not in str(caught.value)


def test_a_running_process_follows_the_key_file(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    old = Fernet.generate_key().decode()
    path.write_text(f"# the platform's\n\n{old}\n")
    path.chmod(0o600)
    provider, same_file = FileKeyProvider(str(path)), FileKeyProvider(str(path))
    assert provider.fingerprints() == (key_providers.fingerprint(old),)
    before = provider.keys()
    assert provider.keys() is before, "an unchanged file is not read again"

    name = same_file.put_first(Fernet.generate_key().decode())
    assert provider.fingerprints() == (name, key_providers.fingerprint(old))
    assert provider.keys()[1].decrypt(before[0].encrypt(b"x")) == b"x"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600

    assert same_file.drop([name]) == 0, "the current key stays whatever is asked"
    assert same_file.drop([key_providers.fingerprint(old)]) == 1
    assert provider.fingerprints() == (name,)
    assert old not in path.read_text()
    assert {one.name for one in tmp_path.iterdir()} == {"master.keys", "master.keys.lock"}


def test_many_changers_of_the_key_file_lose_no_key(tmp_path: Path) -> None:
    path = tmp_path / "master.keys"
    path.write_text(Fernet.generate_key().decode())
    added: list[str] = []

    def add() -> None:
        added.append(FileKeyProvider(str(path)).put_first(Fernet.generate_key().decode()))

    threads = [threading.Thread(target=add) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(added) < set(FileKeyProvider(str(path)).fingerprints())
    assert len(FileKeyProvider(str(path)).keys()) == 13


@pytest.mark.parametrize("content", [b"", b"# nothing\n", b"not a key\n", "schlüssel\n".encode("latin-1")])
def test_a_bad_key_file_is_refused_without_showing_it(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "master.keys"
    path.write_bytes(content)
    with pytest.raises(NoMasterKey, match=r"master\.keys") as caught:
        FileKeyProvider(str(path)).keys()
    assert "not a key\n" not in str(caught.value)
    with pytest.raises(NoMasterKey, match="cannot be read"):
        FileKeyProvider(str(tmp_path / "absent")).keys()


def test_the_wrapped_key_opens_with_a_master_key_only(cast: Team, settings: Settings) -> None:
    account = store(make_account(cast.as_alice))
    settings.MASTER_KEYS_FILE, settings.MASTER_KEYS = "", [Fernet.generate_key().decode()]
    with pytest.raises(Sealed, match="key of this secret is gone"):
        reveal(account)
    assert not connection.in_atomic_block

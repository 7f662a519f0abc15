"""Trading accounts: off by default, complete or refused, credentials in and never out."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError
from django.test import Client

from accounts import vault
from accounts.access import Refused
from accounts.models import AccountStatus, AuditEntry, TradingAccount
from accounts.services import keys, organizations, trading_accounts
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, accept_documents, make_account, team

PROP = {"kind": "prop", "firm": "FTMO", "program": "2-Step", "phase": "evaluation", "size": Decimal(100_000)}


@pytest.fixture
def cast() -> Team:
    return team()


def test_a_demo_account_starts_ready_and_switched_off(cast: Team) -> None:
    account = make_account(cast.as_tess)
    assert (account.status, account.is_auto_trading) == (AccountStatus.READY, False)


def test_a_token_of_ours_is_made_when_none_is_given(cast: Team) -> None:
    accounts = [make_account(cast.as_tess, name) for name in ("One", "Two")]
    with tenant_scope(cast.house.pk):
        tokens = {vault.reveal(account, "credentials", purpose="test")["access_token"] for account in accounts}
    assert len(tokens) == 2
    assert min(map(len, tokens)) >= 43


@pytest.mark.parametrize("kind", ["live", "prop"])
def test_nothing_but_a_demo_without_acknowledgement(cast: Team, kind: str) -> None:
    fields = PROP if kind == "prop" else {"kind": kind}
    with pytest.raises(Refused) as refusal:
        make_account(cast.as_alice, **fields)
    assert refusal.value.code.endswith("_not_acknowledged")
    accept_documents(cast.as_alice)
    assert make_account(cast.as_alice, **fields).kind == kind
    with pytest.raises(Refused):  # alice's acknowledgement is hers, not the team's
        make_account(cast.as_tess, "Another", **fields)


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"venue": "nowhere"}, "venue_unknown"),
        ({"kind": "casino"}, "kind_invalid"),
        ({"currency": "XXX"}, "currency_invalid"),
        ({"name": ""}, "name_invalid"),
        ({"name": "x" * 81}, "name_invalid"),
        ({"size": Decimal("NaN")}, "size_invalid"),
        ({"size": Decimal("-1")}, "size_invalid"),
        ({**PROP, "firm": " "}, "prop_incomplete"),
        ({**PROP, "phase": "dreaming"}, "prop_incomplete"),
        ({**PROP, "size": None}, "prop_incomplete"),
        ({"credentials": {"root_password": "x"}}, "credential_unknown"),
        ({"credentials": {"access_token": "x" * 2001}}, "credential_too_long"),
    ],
)
def test_what_is_refused(cast: Team, fields: dict[str, Any], code: str) -> None:
    accept_documents(cast.as_alice)
    with pytest.raises(Refused) as refusal:
        make_account(cast.as_alice, **{"name": "Account", **fields})
    assert refusal.value.code == code
    with tenant_scope(cast.house.pk), atomic():
        assert not TradingAccount.objects.exists()


def test_names_are_unique_among_open_accounts(cast: Team) -> None:
    first = make_account(cast.as_alice, "Twin")
    with pytest.raises(Refused, match="already"):
        make_account(cast.as_alice, "Twin")
    with tenant_scope(cast.house.pk), atomic():
        trading_accounts.close(cast.as_alice, first.pk)
    make_account(cast.as_alice, "Twin")
    make_account(cast.as_charlie, "Twin")


def test_credentials_are_sealed_and_never_shown(cast: Team) -> None:
    secret = "pa55-word-of-the-broker"
    account = make_account(cast.as_alice, credentials={"access_token": secret})
    assert account.credentials is not None
    assert secret not in account.credentials
    with tenant_scope(cast.house.pk), atomic():
        _key, text = keys.create(cast.as_alice, name="robot", scopes=["read"])
        trail = str(list(AuditEntry.objects.values()))
    answer = Client().get(f"/api/v1/accounts/{account.pk}/", headers={"Authorization": f"Bearer {text}"})
    assert secret not in answer.text
    assert account.credentials not in answer.text
    assert answer.json()["credentials_at"] is not None
    assert secret not in trail
    with tenant_scope(cast.house.pk):
        assert vault.reveal(account, "credentials", purpose="test") == {"access_token": secret}


def test_replacing_needs_something_to_replace_with(cast: Team) -> None:
    account = make_account(cast.as_alice, credentials={"access_token": "first"})
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused, match="stay"):
        trading_accounts.replace_credentials(cast.as_alice, account.pk, {"access_token": ""})
    with tenant_scope(cast.house.pk), atomic():
        changed = trading_accounts.replace_credentials(cast.as_alice, account.pk, {"access_token": "second"})
    with tenant_scope(cast.house.pk):
        assert vault.reveal(changed, "credentials", purpose="test") == {"access_token": "second"}


def test_pausing_and_closing_switch_trading_off(cast: Team) -> None:
    account = make_account(cast.as_alice, credentials={"access_token": "x"})
    with tenant_scope(cast.house.pk), atomic():
        assert trading_accounts.set_auto_trading(cast.as_tess, account.pk, True).is_auto_trading
        paused = trading_accounts.pause(cast.as_tess, account.pk, "news ahead")
        assert (paused.is_auto_trading, paused.status_reason) == (False, "news ahead")
        with pytest.raises(Refused, match="resume it first"):
            trading_accounts.set_auto_trading(cast.as_tess, account.pk, True)
        assert not trading_accounts.resume(cast.as_tess, account.pk).is_auto_trading
        closed = trading_accounts.close(cast.as_tess, account.pk)
        assert (closed.status, closed.credentials) == (AccountStatus.CLOSED, None)
        with pytest.raises(Refused, match="closed"):
            trading_accounts.resume(cast.as_tess, account.pk)


def test_the_database_refuses_a_paused_account_that_trades(cast: Team) -> None:
    account = make_account(cast.as_alice)
    with pytest.raises(IntegrityError), tenant_scope(cast.house.pk), atomic():
        TradingAccount.objects.filter(pk=account.pk).update(status="paused", is_auto_trading=True)


def test_a_viewer_and_a_stranger_change_nothing(cast: Team) -> None:
    account = make_account(cast.as_alice)
    for who, scope, code in (
        (cast.as_bob, cast.house.pk, "not_allowed"),
        (cast.as_charlie, cast.other.pk, "account_unknown"),
    ):
        with tenant_scope(scope), atomic(), pytest.raises(Refused) as refusal:
            trading_accounts.set_auto_trading(who, account.pk, True)
        assert refusal.value.code == code


def test_closing_the_organization_stops_trading_at_once(cast: Team) -> None:
    account = make_account(cast.as_alice)
    with tenant_scope(cast.house.pk), atomic():
        trading_accounts.set_auto_trading(cast.as_alice, account.pk, True)
        organizations.close(cast.as_alice, cast.house.name)
        assert not TradingAccount.objects.get(pk=account.pk).is_auto_trading
        with pytest.raises(Refused, match="being closed"):
            trading_accounts.set_auto_trading(cast.as_alice, account.pk, True)

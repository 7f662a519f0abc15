"""A lockout holds a login at a venue: closing the account and opening the same one again does not get around it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from django.utils import timezone

from accounts.access import Refused
from accounts.models import AccountStatus, TradingAccount
from accounts.services import trading_accounts
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, client_for, make_account, team
from risk_management.models import Level, Switch
from risk_management.services import switches
from risk_management.tests.test_switches import as_staff

LOGIN = {"access_token": "one and the same"}


def locked(cast: Team) -> tuple[TradingAccount, Switch]:
    account, now = make_account(cast.as_alice, "Locked", credentials=LOGIN), timezone.now()
    with tenant_scope(cast.house.pk), atomic():
        row = switches.lock_out(account.pk, "your loss of a day was reached", now=now, until=now + timedelta(hours=5))
    return account, row


def statuses(cast: Team) -> dict[str, str]:
    with tenant_scope(cast.house.pk), atomic():
        return dict(TradingAccount.objects.values_list("name", "status"))


def do(cast: Team, deed: str, account: TradingAccount, *more: Any) -> None:
    with tenant_scope(cast.house.pk), atomic():
        getattr(trading_accounts, deed)(cast.as_alice, account.pk, *more)


def test_an_account_that_is_locked_out_does_not_come_back_as_another() -> None:
    cast = team()
    other = make_account(cast.as_alice, "Other")
    account, _row = locked(cast)
    with pytest.raises(Refused, match="locked out") as refused:
        do(cast, "close", account)
    assert refused.value.code == "account_locked_out"
    with pytest.raises(Refused, match="none is opened there"):
        make_account(cast.as_alice, "Again", credentials=LOGIN)
    with pytest.raises(Refused, match="Until that ends these stay"):
        do(cast, "replace_credentials", other, LOGIN)
    assert statuses(cast) == {"Locked": AccountStatus.READY, "Other": AccountStatus.READY}
    make_account(cast.as_charlie, "Theirs")  # nobody else is held by it


def test_positions_of_a_locked_account_can_still_be_left() -> None:
    """Exits need a login that works, and another account may be closed whatever holds this one."""
    cast = team()
    other = make_account(cast.as_alice, "Other")
    account, _row = locked(cast)
    do(cast, "replace_credentials", account, {"access_token": "a new password"})
    do(cast, "pause", account, "")
    do(cast, "close", other)
    assert statuses(cast) == {"Locked": AccountStatus.PAUSED, "Other": AccountStatus.CLOSED}


def test_it_is_over_with_the_lockout() -> None:
    cast = team()
    account, row = locked(cast)
    with as_staff():
        assert switches.lift_as_staff(row.pk, "the figures were wrong", now=timezone.now())
    do(cast, "close", account)
    make_account(cast.as_alice, "Again", credentials=LOGIN)


def test_a_switch_that_is_no_lockout_holds_no_account() -> None:
    cast = team()
    account, now = make_account(cast.as_alice), timezone.now()
    with tenant_scope(cast.house.pk), atomic():
        switches.switch_off(cast.as_alice, Level.ACCOUNT, "too fast today", now=now, target=account.pk)
        switches.switch_off(
            cast.as_alice, Level.ORGANIZATION, "enough for today", now=now, is_lockout=True
        )  # holds whatever there is and whatever will be
    do(cast, "close", account)
    make_account(cast.as_alice, "Again")


def test_pages_and_programs_say_so() -> None:
    cast = team()
    account, _row = locked(cast)
    people.accept_documents(cast.as_alice)
    alice = client_for(cast.alice)
    people_page = alice.post(reverse("trading_account_close", args=[account.pk]), {"typed_name": "Locked"})
    assert "locked out" in people_page.content.decode()
    with system_scope("staff"):
        assert TradingAccount.objects.get(pk=account.pk).status == AccountStatus.READY

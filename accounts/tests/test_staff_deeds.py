"""What staff may do: with a reason, once, within one organization; and how somebody becomes staff."""

from __future__ import annotations

import json
from collections.abc import Iterator
from unittest import mock
from uuid import uuid4

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
)
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import audit, outbox
from accounts.admin.base import record_url
from accounts.models import (
    DataKey,
    KeyScope,
    Organization,
    OutboxEvent,
    User,
)
from accounts.services import keys, organizations, trading_accounts
from accounts.services import staff as deeds
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import PASSWORD, accept_documents, client_for, make_account, make_user, team
from accounts.tests.staff_desk import (
    REASON,
    again,
    deed_url,
    desk,
    do,
    entries,
    platform_entries,
    staff_user,
)
from mikrobot_platform.kernel.events import EventName


@pytest.fixture(autouse=True)
def no_broker() -> Iterator[None]:
    with mock.patch("accounts.outbox.wake"):
        yield


# --- What can be done -----------------------------------------------------------------------------------------------
def test_suspending_shuts_out_stops_and_is_lifted() -> None:
    cast = team()
    accept_documents(cast.as_alice)
    account = make_account(cast.as_alice)
    with tenant_scope(cast.house.pk), atomic():
        trading_accounts.set_auto_trading(cast.as_alice, account.pk, True)
        keys.create(cast.as_alice, name="robot", scopes=[KeyScope.READ])
    client = desk()
    for _ in range(2):
        assert do(client, cast.house, "suspend").status_code == 302
    house = again(cast.house)
    assert (house.is_suspended, house.suspended_reason) == (True, "Because the owner asked for it")
    assert not again(account).is_auto_trading
    assert not cast.as_alice.can_change
    (entry,) = entries(cast.house, "organization.suspended")
    assert (entry.actor_kind, entry.data["reason"]) == ("staff", "Because the owner asked for it")
    for _ in range(2):
        do(client, cast.house, "lift")
    assert not again(cast.house).is_suspended
    assert cast.as_alice.can_change
    assert not again(account).is_auto_trading
    assert len(entries(cast.house, "organization.suspension_lifted")) == 1
    assert not again(cast.other).is_suspended


def test_auto_trading_stops_on_every_account_of_one_organization() -> None:
    cast = team()
    running = []
    for who in (cast.as_alice, cast.as_charlie):
        accept_documents(who)
        for name in ("One", "Two"):
            account = make_account(who, name)
            with tenant_scope(who.organization_id), atomic():
                running.append(trading_accounts.set_auto_trading(who, account.pk, True))
    client = desk()
    for _ in range(2):
        do(client, cast.house, "stop-auto-trading")
    assert [again(account).is_auto_trading for account in running] == [False, False, True, True]
    assert len(entries(cast.house, "trading_account.auto_trading_off")) == 2


def test_a_key_is_revoked_once() -> None:
    cast = team()
    with tenant_scope(cast.house.pk), atomic():
        key, _text = keys.create(cast.as_alice, name="robot", scopes=[KeyScope.READ])
    client = desk()
    for _ in range(2):
        do(client, key, "revoke")
    assert again(key).revoked_at is not None
    assert len(entries(cast.house, "api_key.revoked")) == 1


def test_a_closing_is_cancelled_once() -> None:
    cast = team()
    with tenant_scope(cast.house.pk), atomic():
        organizations.close(cast.as_alice, cast.house.name)
    client = desk()
    for _ in range(2):
        do(client, cast.house, "cancel-closing")
    assert not again(cast.house).is_closing
    assert len(entries(cast.house, "organization.kept")) == 1


def test_parked_news_goes_back_to_the_relay_once() -> None:
    cast = team()
    with tenant_scope(cast.house.pk), atomic():
        event = outbox.publish(EventName.DRILL, n=1)
        OutboxEvent.objects.filter(pk=event.pk).update(parked_at=timezone.now(), attempts=9, error="gave up")
    client = desk()
    assert str(event.pk) in client.get(reverse("admin:accounts_outboxevent_changelist")).content.decode()
    for _ in range(2):
        do(client, event, "retry")
    event = again(event)
    assert (event.parked_at, event.attempts, event.error) == (None, 0, "")
    assert len(entries(cast.house, "outbox.retried")) == 1
    outbox.wake.assert_called()  # type: ignore[attr-defined]


def test_sessions_end_and_a_login_is_disabled_and_enabled() -> None:
    cast = team()
    alice = client_for(cast.alice)
    alice.get(reverse("account_email"))
    assert alice.get(reverse("account_email")).status_code == 200
    client = desk()
    for _ in range(2):
        do(client, cast.alice, "end-sessions")
    assert alice.get(reverse("account_email")).status_code == 302
    assert len(entries(cast.house, "person.sessions_ended")) == 1
    assert len(platform_entries("person.sessions_ended", f"user:{cast.alice.pk}")) == 1

    alice = client_for(cast.alice)
    alice.get(reverse("account_email"))
    for _ in range(2):
        do(client, cast.alice, "disable-login")
    assert not again(cast.alice).is_active
    assert alice.get(reverse("account_email")).status_code == 302
    assert not Client().login(email=cast.alice.email, password=PASSWORD)
    for _ in range(2):
        do(client, cast.alice, "enable-login")
    assert again(cast.alice).is_active
    assert [len(entries(cast.house, f"person.login_{what}")) for what in ("disabled", "enabled")] == [1, 1]
    assert entries(cast.other, "person.login_disabled") == []


def test_factors_are_reset_only_when_asked_twice_and_the_person_is_told() -> None:
    cast = team()
    TOTP.activate(cast.alice, generate_totp_secret())
    RecoveryCodes.activate(cast.alice)
    alice, client = client_for(cast.alice), desk()
    alice.get(reverse("account_email"))
    mail.outbox.clear()

    asked = do(client, cast.alice, "reset-factors")
    assert asked.status_code == 200
    assert "typed" in asked.content.decode()
    refused = do(client, cast.alice, "reset-factors", typed=cast.bob.email)
    assert refused.status_code == 200
    assert do(client, cast.alice, "reset-factors", typed="").status_code == 200
    assert Authenticator.objects.filter(user=cast.alice).count() == 2
    assert mail.outbox == []

    assert do(client, cast.alice, "reset-factors", typed=cast.alice.email.upper()).status_code == 302
    assert do(client, cast.alice, "reset-factors", typed=cast.alice.email).status_code == 302
    assert not Authenticator.objects.filter(user=cast.alice).exists()
    assert alice.get(reverse("account_email")).status_code == 302
    (entry,) = entries(cast.house, "person.factors_reset")
    assert sorted(entry.data["factors"]) == ["recovery_codes", "totp"]
    assert [message.to for message in mail.outbox] == [[cast.alice.email]]
    assert "recovery codes" in str(mail.outbox[0].body)


def test_a_reason_is_asked_for_and_strange_deeds_do_not_exist() -> None:
    cast = team()
    client = desk()
    assert client.get(deed_url(cast.house, "suspend")).status_code == 200
    for reason in ("short", "\u200b" * 10, "." * 10):
        assert client.post(deed_url(cast.house, "suspend"), {"reason": reason}).status_code == 200
    assert not again(cast.house).is_suspended
    assert do(client, cast.house, "erase").status_code == 404
    for row_id in (uuid4(), "x", "1"):
        url = reverse("admin:accounts_organization_deed", args=[row_id, "suspend"])
        assert client.post(url, {"reason": REASON}).status_code == 404
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = client.cookies
    assert do(strict, cast.house, "suspend").status_code == 403
    assert not again(cast.house).is_suspended


def test_staff_do_not_change_staff_nor_their_own_rights() -> None:
    colleague, user = staff_user(), staff_user()
    client = desk(user)
    for code in ("disable-login", "reset-factors"):
        answer = do(client, colleague, code, typed=colleague.email)
        assert answer.status_code == 200
        assert "staff_user" in answer.content.decode()
    assert again(colleague).is_active
    assert Authenticator.objects.filter(user=colleague).exists()
    client.post(record_url(user), {"is_superuser": "on", "is_staff": "on", "name": "Root"})
    client.post(
        reverse("admin:accounts_user_changelist"), {"action": "delete_selected", "_selected_action": str(user.pk)}
    )
    after = again(user)
    assert (after.is_superuser, after.is_staff, after.name) == (False, True, "Sam")


def test_a_viewer_of_some_organization_may_be_staff() -> None:
    cast = team()
    User.objects.filter(pk=cast.bob.pk).update(is_staff=True)
    bob = User.objects.get(pk=cast.bob.pk)
    TOTP.activate(bob, generate_totp_secret())
    client = desk(bob)
    assert client.get(record_url(cast.house)).status_code == 200
    do(client, cast.house, "suspend")
    assert again(cast.house).is_suspended


def test_a_deed_without_the_narrowing_is_refused_by_the_database() -> None:
    cast = team()
    with system_scope("staff"):
        assert Organization.objects.filter(pk=cast.house.pk).update(name="Stolen") == 0
        assert DataKey.objects.count() == 0
    assert again(cast.house).name == cast.house.name
    with system_scope("staff"), audit.acting_as(audit.Actor(kind="staff", reason=REASON)):
        assert deeds.suspend(cast.house.pk, REASON)
    assert json.dumps(entries(cast.house, "organization.suspended")[0].data) == json.dumps({"reason": REASON})


# --- Making staff ---------------------------------------------------------------------------------------------------
def test_staff_are_made_promoted_and_dismissed_on_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    email = f"new-{uuid4().hex}@Example.com"
    for _ in range(2):
        call_command("staff_user", email, "--no-password", "--name", "New Person")
    user = User.objects.get(email=email.lower())
    assert (user.is_staff, user.is_superuser, user.has_usable_password()) == (True, False, False)
    assert EmailAddress.objects.get(user=user).verified
    assert len(platform_entries("staff.appointed", f"user:{user.pk}")) == 1

    customer = make_user("carol")
    assert "a new person was made, who signs in with a password set at http" in capsys.readouterr().out
    call_command("staff_user", customer.email)
    assert User.objects.get(pk=customer.pk).is_staff
    client = client_for(customer)
    client.get(reverse("account_email"))
    call_command("staff_user", customer.email, "--dismiss")
    assert not User.objects.get(pk=customer.pk).is_staff
    assert client.get(reverse("account_email")).status_code == 302
    for wrong in ("nobody", f"{uuid4().hex}@example.com"):
        with pytest.raises(CommandError):
            call_command("staff_user", wrong, "--dismiss")
    told = capsys.readouterr().out
    assert "is staff." in told
    assert "/admin/ opens to them after a sign-in with a second factor" in told
    assert "new person" not in told


def test_createsuperuser_makes_somebody_who_can_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    email = f"root-{uuid4().hex}@example.com"
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--no-input", email=email, verbosity=0)
    assert EmailAddress.objects.get(email=email).verified
    client = Client()
    client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    assert client.get(reverse("admin:index")).status_code == 403  # signed in; the second factor is still to come

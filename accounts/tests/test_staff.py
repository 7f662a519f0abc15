"""Staff pages: who gets in, what is written down about it, what can be done, and that no secret ever shows."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from unittest import mock
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import time_machine
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.internal.flows.login import record_authentication
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib import admin
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connections
from django.http import HttpRequest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import audit, outbox, vault
from accounts.admin.base import RecordAdmin, list_url, record_url
from accounts.admin.people import found_people
from accounts.models import (
    Acknowledgement,
    ApiKey,
    AuditEntry,
    DataExport,
    DataKey,
    KeyScope,
    Organization,
    OutboxEvent,
    SignIn,
    TradingAccount,
    User,
)
from accounts.models.audit import PLATFORM_ID
from accounts.services import keys, members, organizations, trading_accounts
from accounts.services import staff as deeds
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import PASSWORD, Team, accept_documents, client_for, make_account, make_user, team
from mikrobot_platform.kernel.events import EventName

REASON = "Alice asked why her account stands still"


@pytest.fixture(autouse=True)
def no_broker() -> Iterator[None]:
    with mock.patch("accounts.outbox.wake"):
        yield


def staff_user(**fields: object) -> User:
    user = make_user("sam", is_staff=True, **fields)
    TOTP.activate(user, generate_totp_secret())
    return user


def use_factor(client: Client, user: User) -> None:
    """Put into the session what allauth puts there after a right code."""
    request, session = HttpRequest(), client.session
    request.session = session
    factor = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    record_authentication(request, user, method="mfa", id=factor.pk, type=factor.type)
    session.save()


def desk(user: User | None = None, *, reason: str = REASON) -> Client:
    """Return the browser of a member of staff who signed in with a second factor and said why."""
    user = user or staff_user()
    client = client_for(user)
    use_factor(client, user)
    if reason:
        assert client.post(reverse("admin:scope"), {"reason": reason, "ticket": "T-17"}).status_code == 302
    return client


def entries(organization: Organization, action: str) -> list[AuditEntry]:
    with tenant_scope(organization.pk), atomic():
        return list(AuditEntry.objects.filter(action=action).order_by("sequence"))


def platform_entries(action: str, subject: str) -> list[AuditEntry]:
    with system_scope("staff"):
        return list(AuditEntry.objects.filter(organization_id=PLATFORM_ID, action=action, subject=subject))


def deed_url(row: Any, code: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_deed", args=[row.pk, code])


def do(client: Client, row: Any, code: str, **fields: str) -> Any:
    return client.post(deed_url(row, code), {"reason": "Because the owner asked for it", **fields})


def again(row: Any) -> Any:
    with system_scope("staff"):
        return type(row).objects.get(pk=row.pk)


@dataclass(frozen=True, slots=True)
class Full:
    """An organization with one of everything, and every secret that is kept about it."""

    cast: Team
    rows: list[Any]
    secrets: set[str]


def full() -> Full:
    cast = team()
    accept_documents(cast.as_alice)
    account = make_account(cast.as_alice)
    signed_in = [client_for(user) for user in (cast.alice, cast.bob)]
    for client in signed_in:
        client.get(reverse("account_email"))
    TOTP.activate(cast.alice, generate_totp_secret())
    RecoveryCodes.activate(cast.alice)
    device = uuid4().bytes * 2
    sign_in = SignIn.objects.create(
        user=cast.alice, outcome="success", method="password", device=device, client="Firefox"
    )
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sealed = vault.seal(account, "credentials", {"access_token": "very secret"})
        TradingAccount.objects.filter(pk=account.pk).update(credentials=sealed, credentials_at=timezone.now())
        key, key_text = keys.create(cast.as_alice, name="robot", scopes=[KeyScope.READ], networks=["10.0.0.0/8"])
        invitation = members.invite(cast.as_alice, f"guest-{uuid4().hex}@example.com", "viewer")
        export = DataExport.objects.create(requested_by=cast.as_alice.membership, file="exports/private-name.zip")
        parked = outbox.publish(EventName.DRILL, n=1)
        OutboxEvent.objects.filter(pk=parked.pk).update(parked_at=timezone.now(), attempts=9, error="gave up")
        data_key, agreed = DataKey.objects.get(), Acknowledgement.objects.first()
        entry = AuditEntry.objects.order_by("-sequence").first()
    digest = bytes(key.digest)
    secrets = {
        "very secret",
        sealed,
        key_text,
        key_text.rpartition("_")[2],
        digest.hex(),
        base64.b64encode(digest).decode(),
        repr(digest)[2:-1],
        data_key.wrapped,
        device.hex(),
        cast.alice.password,
        cast.bob.password,
        members.link(invitation),
        members.link(invitation).rstrip("/").rpartition("/")[2],
        export.file,
        *UserSession.objects.filter(user__in=[cast.alice, cast.bob]).values_list("session_key", flat=True),
    }
    for factor in Authenticator.objects.filter(user=cast.alice):
        secrets |= {value for value in factor.data.values() if isinstance(value, str)}
    assert all(len(secret) > 10 for secret in secrets)
    membership = cast.as_bob.membership
    return Full(
        cast=cast,
        secrets=secrets,
        rows=[cast.house, cast.alice, account, key, invitation, export, parked, agreed, entry, membership, sign_in],
    )


def addresses() -> list[str]:
    """Return every address of the site, with ids of nothing where ids belong."""

    def walk(patterns: Any, prefix: str) -> Iterator[str]:
        for one in patterns:
            route = prefix + str(one.pattern)
            if isinstance(one, URLResolver):
                yield from walk(one.url_patterns, route)
            elif isinstance(one, URLPattern):
                yield route

    site = next(one for one in get_resolver().url_patterns if getattr(one, "namespace", None) == "admin")
    assert isinstance(site, URLResolver)
    routes = walk(site.url_patterns, "/" + str(site.pattern))
    routes = (re.sub(r"<str:object_id>", str(uuid4()), route).replace("<slug:code>", "suspend") for route in routes)
    return [re.sub(r"\^.*", "accounts/", route) for route in routes]


# --- Who gets in ----------------------------------------------------------------------------------------------------
def test_strangers_get_nothing_and_nothing_happens() -> None:
    cast = team()
    visitor, alice = Client(), client_for(cast.alice)
    assert len(addresses()) > 30
    for url in addresses():
        if url.endswith(("/login/", "/logout/")):
            continue
        for method in ("get", "post"):
            answer = getattr(visitor, method)(url)
            assert answer.status_code == 302, url
            assert answer.headers["Location"].startswith(reverse("account_login")), url
            assert getattr(alice, method)(url).status_code == 404, url
    for client in (visitor, alice):
        do(client, cast.house, "suspend")
        do(client, cast.alice, "disable-login")
    assert not again(cast.house).is_suspended
    assert again(cast.alice).is_active
    assert entries(cast.house, "staff.looked") == []


def test_staff_without_a_second_factor_are_told_what_to_do_and_nothing_happens() -> None:
    cast = team()
    bare, enrolled = make_user("sam", is_staff=True), staff_user()
    for user, way in ((bare, "mfa_index"), (enrolled, "mfa_reauthenticate")):
        client = client_for(user)
        answer = client.get(record_url(cast.house))
        assert answer.status_code == 403
        assert reverse(way) in answer.content.decode()
        assert cast.house.name not in answer.content.decode()
        assert client.post(reverse("admin:scope"), {"reason": REASON}).status_code == 403
        assert do(client, cast.house, "suspend").status_code == 403
    assert not again(cast.house).is_suspended


def test_a_factor_that_is_gone_or_somebody_elses_does_not_count() -> None:
    user = staff_user()
    client = desk(user)
    assert client.get(reverse("admin:index")).status_code == 200
    Authenticator.objects.filter(user=user).delete()
    assert client.get(reverse("admin:index")).status_code == 403

    thief, other = staff_user(), staff_user()
    client = client_for(thief)
    session = client.session
    factor = Authenticator.objects.get(user=other)
    session[AUTHENTICATION_METHODS_SESSION_KEY] = [{"method": "mfa", "id": factor.pk, "type": "totp", "at": 1.0}]
    session.save()
    assert client.get(reverse("admin:index")).status_code == 403


def test_a_real_sign_in_with_a_code_gets_in() -> None:
    user = make_user("sam", is_staff=True)
    secret = generate_totp_secret()
    TOTP.activate(user, secret)
    client = Client()
    answer = client.post(reverse("account_login") + "?next=/admin/", {"login": user.email, "password": PASSWORD})
    assert answer.headers["Location"].startswith(reverse("mfa_authenticate"))
    assert client.get(reverse("admin:index")).status_code == 302  # the password alone opens nothing
    code = format_hotp_value(hotp_value(secret, next(iter(yield_hotp_counters_from_time()))))
    client.post(reverse("mfa_authenticate"), {"code": code})
    answer = client.get(reverse("admin:index"))
    assert answer.headers["Location"].startswith(reverse("admin:scope"))


def test_the_admin_has_no_door_of_its_own() -> None:
    client = Client()
    for method in ("get", "post"):
        answer = getattr(client, method)("/admin/login/", {"username": "a@example.com", "password": PASSWORD})
        assert answer.headers["Location"].startswith(reverse("account_login"))
    for path in ("password_change/", "jsi18n/", "autocomplete/", "r/1/1/", "accounts/user/add/", "auth/group/"):
        assert desk().get("/admin/" + path).status_code == 404, path


def test_an_api_key_beside_the_session_opens_nothing() -> None:
    client = desk()
    answer = client.get(reverse("admin:index"), headers={"Authorization": "Bearer mk_x_y_z"})
    assert answer.status_code == 404


def test_rights_end_with_the_flag() -> None:
    user = staff_user()
    client = desk(user)
    User.objects.filter(pk=user.pk).update(is_staff=False)
    assert client.get(reverse("admin:index")).status_code == 404


# --- The stated scope -----------------------------------------------------------------------------------------------
def test_nothing_shows_before_a_reason_is_stated() -> None:
    cast = team()
    client = desk(reason="")
    answer = client.get(record_url(cast.house))
    assert answer.status_code == 302
    assert urlsplit(answer.headers["Location"]).path == reverse("admin:scope")
    assert do(client, cast.house, "suspend").status_code == 302
    assert not again(cast.house).is_suspended
    for reason in ("", "short", " " * 20, "x" * 301):
        assert client.post(reverse("admin:scope"), {"reason": reason}).status_code == 200
        assert client.get(reverse("admin:index")).status_code == 302
    assert entries(cast.house, "staff.looked") == []


def test_the_statement_is_audited_shown_and_ends() -> None:
    user = staff_user()
    client = desk(user)
    (stated,) = platform_entries("staff.scope_stated", f"user:{user.pk}")
    assert (stated.actor_kind, stated.actor_id, stated.data["reason"]) == ("staff", str(user.pk), f"{REASON} [T-17]")
    page = client.get(reverse("admin:index")).content.decode()
    assert REASON in page
    assert "30 more minutes" in page
    with time_machine.travel(timezone.now() + settings.STAFF_SCOPE_AGE + timedelta(seconds=1)):
        assert client.get(reverse("admin:index")).status_code == 302
    assert client.get(reverse("admin:scope_end")).status_code == 405
    client.post(reverse("admin:scope_end"))
    assert client.get(reverse("admin:index")).status_code == 302
    assert len(platform_entries("staff.scope_ended", f"user:{user.pk}")) == 1


def test_the_statement_leads_on_within_the_site_only() -> None:
    client = desk(reason="")
    for wanted, led in (
        ("/admin/accounts/user/", "/admin/accounts/user/"),
        ("https://evil.example/admin/", "/admin/"),
        ("//evil.example/admin/", "/admin/"),
        ("/account/logout/", "/admin/"),
    ):
        answer = client.post(reverse("admin:scope"), {"reason": REASON, "next": wanted})
        assert answer.headers["Location"] == led


def test_customers_see_that_staff_looked_and_why() -> None:
    made = full()
    cast, user = made.cast, staff_user()
    client = desk(user)
    for row in made.rows:
        if type(row) not in admin.site._registry:
            continue
        url = record_url(row)
        if row is cast.alice:
            assert client.get(url).status_code == 200
            continue
        before = len(entries(cast.house, "staff.looked"))
        assert client.get(url).status_code == 200, url
        looked = entries(cast.house, "staff.looked")[before:]
        assert [one.subject for one in looked] == [audit.subject_of(row)]
        assert (looked[0].actor_kind, looked[0].actor_id) == ("staff", str(user.pk))
        assert looked[0].data["reason"] == f"{REASON} [T-17]"
    assert f"user:{cast.alice.pk}" in [one.subject for one in entries(cast.house, "staff.looked")]
    client.get(list_url(TradingAccount, organization_id=cast.house.pk))
    assert entries(cast.house, "staff.looked")[-1].subject == "tradingaccount:list"
    assert entries(cast.other, "staff.looked") == []


def test_lists_of_customers_things_need_an_organization() -> None:
    client = desk()
    for url in (
        reverse("admin:accounts_apikey_changelist"),
        list_url(ApiKey, organization_id=uuid4()),
        list_url(ApiKey, organization_id="x"),
    ):
        assert client.get(url).headers["Location"] == reverse("admin:accounts_organization_changelist")


# --- Finding --------------------------------------------------------------------------------------------------------
def test_a_customer_is_found_by_any_address_name_or_id() -> None:
    cast = team()
    word = f"Zoe{uuid4().hex[:8]}"
    User.objects.filter(pk=cast.bob.pk).update(name=f"Anna-Maria {word}")
    other_address = f"second-{uuid4().hex}@example.com"
    EmailAddress.objects.create(user=cast.bob, email=other_address, verified=True, primary=False)
    name = f"Quant {uuid4().hex[:8]} Ltd"
    with tenant_scope(cast.house.pk), atomic():
        organizations.rename(cast.as_alice, name)
    client = desk()
    terms = [cast.bob.email, cast.bob.email.upper()[:20], other_address[:20], word.lower(), word[:6], f"anna {word}"]
    for term in terms:
        page = client.get(reverse("admin:index"), {"q": term}).content.decode()
        assert record_url(cast.bob) in page, term
        assert record_url(cast.house) in page, term
        assert record_url(cast.other) not in page, term
    for term in (name, name.lower()[:12], str(cast.house.pk)):
        page = client.get(reverse("admin:index"), {"q": term}).content.decode()
        assert record_url(cast.house) in page, term
    for model, term in ((User, cast.bob.email), (Organization, name)):
        assert client.get(list_url(model, q=term)).status_code == 200
    for term in ("'", "\\", "a:*|b & !", "%", "\x00", "🙂", "x" * 254):
        assert client.get(reverse("admin:index"), {"q": term}).status_code == 200, term


@pytest.mark.parametrize(
    ("term", "index"),
    [("alice@exam", "accounts_user_email"), ("alice", "accounts_user_words")],
)
def test_people_are_found_through_an_index(term: str, index: str) -> None:
    assert index in _plan(lambda: found_people(term).order_by())


@pytest.mark.parametrize(
    ("choose", "index"),
    [
        (
            lambda: Organization.objects.filter(search_name__gte="acme", search_name__lt="acmf"),
            "accounts_organization_search",
        ),
        (lambda: Organization.objects.filter(suspended_at__isnull=False), "accounts_organization_suspend"),
        (lambda: Organization.objects.filter(closing_at__isnull=False), "accounts_organization_closing"),
        (lambda: OutboxEvent.objects.filter(parked_at__isnull=False).order_by("-pk"), "accounts_outboxevent_parked"),
    ],
)
def test_row_level_security_leaves_the_indexes_usable(choose: Any, index: str) -> None:
    assert index in _plan(choose)


def _plan(rows: Callable[[], Any]) -> str:
    """Ask PostgreSQL, as the engine role under the policies, how it would read if tables were large."""
    with system_scope("staff"), connections["engine"].cursor() as cursor:
        cursor.execute("set local enable_seqscan = off")
        return str(rows().explain())


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
    assert client.post(deed_url(cast.house, "suspend"), {"reason": "short"}).status_code == 200
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


# --- What never shows -----------------------------------------------------------------------------------------------
def test_the_site_shows_only_what_was_written_for_it() -> None:
    assert all(isinstance(one, RecordAdmin) for one in admin.site._registry.values())
    names = {model._meta.label for model in admin.site._registry}
    assert names == {
        f"accounts.{name}"
        for name in (
            "Acknowledgement",
            "ApiKey",
            "AuditEntry",
            "DataExport",
            "Invitation",
            "Membership",
            "Organization",
            "OutboxEvent",
            "TradingAccount",
            "User",
        )
    }


def test_no_secret_is_rendered_and_no_page_breaks_the_policy() -> None:
    made = full()
    client = desk()
    of_kind = {type(row): row for row in made.rows}
    pages = {reverse("admin:index"), reverse("admin:index") + f"?q={made.cast.alice.email}", reverse("admin:scope")}
    for model, model_admin in admin.site._registry.items():
        assert isinstance(model_admin, RecordAdmin)
        row = of_kind[model]
        pages |= {record_url(row), *(deed_url(row, deed.code) for deed in model_admin.deeds)}
        pages.add(
            list_url(model, organization_id=made.cast.house.pk) if model_admin.is_of_organization else list_url(model)
        )
    pages |= {
        list_url(OutboxEvent, state="waiting"),
        list_url(Organization, state="closing"),
        record_url(made.cast.bob),
    }
    assert len(pages) > 30
    for url in sorted(pages):
        answer = client.get(url)
        assert answer.status_code == 200, url
        text = answer.content.decode()
        unescaped = text.replace("&amp;", "&").replace("&#x27;", "'").replace("&quot;", '"').replace("&lt;", "<")
        for secret in made.secrets:
            assert secret not in text, url
            assert secret not in unescaped, url
        assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)|javascript:", text), url
        assert "unsafe" not in answer.headers["Content-Security-Policy"]
        assert "no-store" in answer.headers["Cache-Control"]


def test_the_pages_say_what_support_needs() -> None:
    made = full()
    client = desk()
    page = client.get(record_url(made.cast.house)).content.decode()
    for word in (
        made.cast.alice.email,
        made.cast.bob.email,
        "Paper one",
        "robot",
        "gave up",
        "Signed in",
        "Terms of service",
    ):
        assert word in page, word
    page = client.get(record_url(made.cast.alice)).content.decode()
    for word in ("Authenticator app", "Recovery codes", made.cast.house.name, "Firefox"):
        assert word in page, word


def test_a_page_costs_few_queries(django_assert_max_num_queries: Any) -> None:
    made = full()
    client = desk()
    for url, most in (
        (record_url(made.cast.house), 24),
        (record_url(made.cast.alice), 22),
        (list_url(Organization), 10),
    ):
        client.get(url)
        with django_assert_max_num_queries(most, using="engine"):
            client.get(url)


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
    assert "is staff." in capsys.readouterr().out


def test_createsuperuser_makes_somebody_who_can_sign_in(monkeypatch: pytest.MonkeyPatch) -> None:
    email = f"root-{uuid4().hex}@example.com"
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", PASSWORD)
    call_command("createsuperuser", "--no-input", email=email, verbosity=0)
    assert EmailAddress.objects.get(email=email).verified
    client = Client()
    client.post(reverse("account_login"), {"login": email, "password": PASSWORD})
    assert client.get(reverse("admin:index")).status_code == 403  # signed in; the second factor is still to come


def test_a_deed_without_the_narrowing_is_refused_by_the_database() -> None:
    cast = team()
    with system_scope("staff"):
        assert Organization.objects.filter(pk=cast.house.pk).update(name="Stolen") == 0
        assert DataKey.objects.count() == 0
    assert again(cast.house).name == cast.house.name
    with system_scope("staff"), audit.acting_as(audit.Actor(kind="staff", reason=REASON)):
        assert deeds.suspend(cast.house.pk, REASON)
    assert json.dumps(entries(cast.house, "organization.suspended")[0].data) == json.dumps({"reason": REASON})

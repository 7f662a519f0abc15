"""Staff pages: who gets in, what is written down about it, and that no secret ever shows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import pytest
import time_machine
from allauth.account.authentication import AUTHENTICATION_METHODS_SESSION_KEY
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import (
    TOTP,
    format_hotp_value,
    generate_totp_secret,
    hotp_value,
    yield_hotp_counters_from_time,
)
from django.conf import settings
from django.contrib import admin
from django.db import connections
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse
from django.utils import timezone

from accounts import audit
from accounts.admin.base import RecordAdmin, list_url, record_url
from accounts.admin.people import found_people
from accounts.models import (
    ApiKey,
    Organization,
    OutboxEvent,
    TradingAccount,
    User,
)
from accounts.services import organizations
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import PASSWORD, client_for, make_user, team
from accounts.tests.staff_desk import (
    REASON,
    again,
    deed_url,
    desk,
    do,
    entries,
    full,
    platform_entries,
    staff_user,
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
    for reason in ("", "short", " " * 20, "x" * 301, "\u200b" * 10, "\u3164" * 10, "." * 12, "as \u202easked for"):
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
    } | {"risk_management.AccountProgram", "risk_management.Receipt", "risk_management.Switch", "trading.RawSignal"}


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

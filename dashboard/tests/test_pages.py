"""Pages: everybody sees what is theirs, a viewer sees no lever, a refusal stands beside what was typed."""

from __future__ import annotations

import json
import re
import secrets
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core import mail
from django.core.cache import cache
from django.db import connections
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext, override_settings
from django.urls import reverse
from django.utils import timezone

from accounts import audit
from accounts.models import ApiKey, AuditEntry, Invitation, Membership, Organization, Role, TradingAccount, User
from accounts.platform_box import platform_encrypt
from accounts.services import keys, members
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import PASSWORD, Team, client_for, make_account, make_organization, make_user, team
from dashboard.views.errors import server_error
from trading.models import RawSignal, Source
from trading.pipeline import receive
from trading.services import sources
from trading.services.reception import Knock, signed
from trading.tests.sources import push, swept

BUDGETS: dict[str, int] = json.loads((Path(__file__).parent / "query_budgets.json").read_text())


def confirmed(user: User) -> Client:
    """Return a browser whose person has just proved again who they are."""
    client = client_for(user)
    session = client.session  # the page itself allows ten proofs a minute
    session["account_authentication_methods"] = [{"method": "password", "at": time.time(), "reauthenticated": True}]
    session["account_authentication_methods_user"] = str(user.pk)
    session.save()
    return client


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    """A team with something on every page."""
    cast = team()
    make_account(cast.as_alice, "Paper one")
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        keys.create(cast.as_alice, name="journal", scopes=["read"], networks=["203.0.113.0/24"])
        members.invite(cast.as_alice, f"guest-{uuid4().hex}@example.com", "viewer")
        source, _secret = sources.make(cast.as_alice, sources.SIGNED, sources.Setup(name="Expert Advisor"))
    now = timezone.now()
    for _time in range(2):
        receive(source, push(source, 1), now=now)
    swept(source, now)
    signed(source.pk, Knock(body=b"{}", headers={}, declared_bytes=2, address=None), now=now)
    return cast


@pytest.fixture(scope="module", name="ids")
def shared_ids(cast: Team) -> dict[str, list[Any]]:
    """What the addresses with an id in them need."""
    with tenant_scope(cast.house.pk), atomic():
        account, key = TradingAccount.objects.get(), ApiKey.objects.get()
        seat = Membership.objects.get(user=cast.bob)
        source = Source.objects.get(organization_id=cast.house.pk)
        raw = RawSignal.objects.latest("pk")
    return {
        "trading_account": [account.pk],
        "trading_account_close": [account.pk],
        "key_revoke": [key.pk],
        "source": [source.pk],
        "source_secret": [source.pk],
        "source_message": [source.pk, raw.pk],
        "team_remove": [seat.pk],
        "team_transfer": [seat.pk],
        "document": ["risk"],
    }


class Markup(HTMLParser):
    """What a page consists of, as far as these tests look."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


# --- Every page ------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", sorted(BUDGETS))
def test_a_page_is_whole_and_within_its_budget(name: str, cast: Team, ids: dict[str, list[Any]]) -> None:
    client = confirmed(cast.alice)
    address = reverse(name, args=ids.get(name, []))
    client.get(address)  # allauth's session row is written once
    with CaptureQueriesContext(connections["default"]) as queries:
        answer = client.get(address)
    assert answer.status_code == 200, answer.headers.get("Location")
    statements = [
        query["sql"] for query in queries if not query["sql"].startswith(("BEGIN", "COMMIT", "SAVEPOINT", "RELEASE"))
    ]
    assert len(statements) <= BUDGETS[name], "\n".join(statements)

    page = Markup(answer.content.decode())
    assert [one.get("lang") for one in page.every("html")] == ["en"]
    assert len(page.every("h1")) == 1
    ids_on_page = [str(one["id"]) for _tag, one in page.tags if one.get("id")]
    assert len(ids_on_page) == len(set(ids_on_page)), "an id stands twice"
    labelled = {one.get("for") for one in page.every("label")}
    for tag in ("input", "select", "textarea"):
        for control in page.every(tag):
            if control.get("type") != "hidden":
                assert control.get("id") in labelled, control
    assert not [one for _tag, one in page.tags if "style" in one], "inline style"
    assert not [name for _tag, one in page.tags for name in one if name.startswith("on")], "inline script"
    for script in page.every("script"):
        assert script.get("src") or script.get("type") == "application/json"
    assert all(
        form.get("method", "get") == "get" or "csrfmiddlewaretoken" in answer.content.decode()
        for form in page.every("form")
    )


def test_the_first_view_is_small(cast: Team) -> None:
    """Under 100 kB compressed without fonts (INTERFACE.md); uncompressed is a stricter measure."""
    static = Path(__file__).parent.parent / "static" / "house"
    weight = sum(file.stat().st_size for file in static.rglob("*") if file.suffix in {".css", ".js", ".svg"})
    assert weight + len(client_for(cast.alice).get(reverse("home")).content) < 100_000


# --- Viewers ---------------------------------------------------------------------------------------------------------
PERSONAL_ACTIONS = {
    "theme",
    "organization_switch",
    "account_logout",
    "acknowledgements",
    "audit_check",
    "profile",
    "team_leave",
}


@pytest.mark.parametrize(
    "name",
    [
        "home",
        "trading_accounts",
        "trading_account",
        "team",
        "keys",
        "sources",
        "source",
        "source_message",
        "audit_trail",
        "organization",
    ],
)
def test_a_viewer_sees_everything_and_no_lever(name: str, cast: Team, ids: dict[str, list[Any]]) -> None:
    answer = client_for(cast.bob).get(reverse(name, args=ids.get(name, [])))
    assert answer.status_code == 200
    allowed = {reverse(one) for one in PERSONAL_ACTIONS}
    forms = [form for form in Markup(answer.content.decode()).every("form") if form.get("method") == "post"]
    assert {str(form["action"]) for form in forms} <= allowed
    for lever in (
        "Connect an account",
        "Make a key",
        "Send the invitation",
        "Remove…",
        "Revoke…",
        "Close…",
        "Make a source",
        "Switch it",
    ):
        assert lever not in answer.content.decode()


@pytest.mark.parametrize(
    "name",
    [
        "trading_account_new",
        "key_new",
        "key_revoke",
        "source_new",
        "source_secret",
        "team_remove",
        "organization_close",
    ],
)
def test_a_viewer_is_refused_with_a_reason(name: str, cast: Team, ids: dict[str, list[Any]]) -> None:
    answer = client_for(cast.bob).get(reverse(name, args=ids.get(name, [])))
    assert answer.status_code == 403
    assert "Ask the organization" in answer.content.decode()


def test_a_trader_manages_accounts_and_nothing_else(cast: Team) -> None:
    tess = client_for(cast.tess)
    assert tess.get(reverse("trading_account_new")).status_code == 200
    answer = tess.post(reverse("team_invite"), {"email": "x@example.com", "role": "viewer"})
    assert answer.status_code == 403
    with tenant_scope(cast.house.pk), atomic():
        assert not Invitation.objects.filter(email="x@example.com").exists()


# --- Organization ----------------------------------------------------------------------------------------------------
def test_the_owner_renames_and_what_was_typed_stays_after_a_refusal() -> None:
    cast = team()
    alice = client_for(cast.alice)
    refused = alice.post(reverse("organization_rename"), {"name": "bad\u202ename"})
    assert refused.status_code == 422
    assert "A name has no invisible characters" in refused.content.decode()
    assert "bad\u202ename" in refused.content.decode()
    assert alice.post(reverse("organization_rename"), {"name": "New name"}).status_code == 302
    assert "New name" in alice.get(reverse("home")).content.decode()


def test_closing_needs_a_fresh_proof_and_the_name_and_can_be_taken_back() -> None:
    cast = team()
    asked = client_for(cast.alice).get(reverse("organization_close"))
    assert asked.status_code == 302
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    alice = confirmed(cast.alice)
    assert alice.post(reverse("organization_close"), {"typed_name": "something else"}).status_code == 422
    assert not _organization(cast).is_closing
    assert alice.post(reverse("organization_close"), {"typed_name": cast.house.name}).status_code == 302
    assert _organization(cast).is_closing
    assert "is being closed" in alice.get(reverse("team")).content.decode()
    alice.post(reverse("organization_keep_open"))
    assert not _organization(cast).is_closing


def _organization(cast: Team) -> Organization:
    with tenant_scope(cast.house.pk), atomic():
        return Organization.objects.get()


def test_a_person_without_an_organization_is_offered_one_and_a_member_may_found_another() -> None:
    newcomer = make_user("newcomer")
    client = client_for(newcomer)
    assert "You are not in an organization yet" in client.get(reverse("home")).content.decode()
    assert client.get(reverse("team"))["Location"] == reverse("home")
    for name in ("First house", "Second house"):
        assert client.post(reverse("organization_new"), {"name": name}).status_code == 302
        assert name in client.get(reverse("home")).content.decode()
    first = next(
        one for one in client.get(reverse("home")).context["memberships"] if one.organization.name == "First house"
    )
    client.post(reverse("organization_switch"), {"organization": str(first.organization_id)})
    assert client.get(reverse("home")).context["organization"].name == "First house"
    assert client.post(reverse("organization_switch"), {"organization": str(uuid4())}).status_code == 404


# --- Team ------------------------------------------------------------------------------------------------------------
def test_an_invitation_is_sent_again_withdrawn_and_offered_again() -> None:
    cast = team()
    alice, email = client_for(cast.alice), f"guest-{uuid4().hex}@example.com"
    alice.post(reverse("team_invite"), {"email": email.upper(), "role": "trader"})
    with tenant_scope(cast.house.pk), atomic():
        invitation = Invitation.objects.get(email=email)
        first = members.link(invitation)
    twice = alice.post(reverse("team_invite"), {"email": email, "role": "viewer"})
    assert twice.status_code == 422
    assert "is invited already" in twice.content.decode()
    assert f'value="{email}"' in twice.content.decode()
    alice.post(reverse("team_invite_again", args=[invitation.pk]))
    assert Client().get(first.replace("http://localhost:8000", "")).status_code == 410
    answer = alice.post(reverse("team_withdraw", args=[invitation.pk]), follow=True)
    assert "Invite again" in answer.content.decode()
    assert (
        "was accepted or withdrawn already"
        in alice.post(reverse("team_withdraw", args=[invitation.pk]), follow=True).content.decode()
    )


def test_the_invited_person_accepts_and_another_one_is_told_why_not() -> None:
    cast, guest = team(), make_user("guest")
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        link = members.link(members.invite(cast.as_alice, guest.email, "viewer"))
    address = link.replace("http://localhost:8000", "")
    visitor = Client().get(address)
    assert "Sign in to accept" in visitor.content.decode()
    # charlie has a house of his own: the page must still open, and refuse him by name
    wrong = client_for(cast.charlie)
    assert guest.email in wrong.get(address).content.decode()
    assert "Only that address can accept it" in wrong.get(address).content.decode()
    assert wrong.post(address).status_code == 422
    make_organization(guest, "Guest's own")
    client = client_for(guest)
    assert client.post(address, follow=True).context["organization"].pk == cast.house.pk
    assert client.get(address).status_code == 410


def test_roles_change_members_go_and_ownership_moves() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    with tenant_scope(cast.house.pk), atomic():
        bob, tess = Membership.objects.get(user=cast.bob), Membership.objects.get(user=cast.tess)
    alice.post(reverse("team_role", args=[bob.pk]), {"role": "trader"})
    alice.post(reverse("team_role", args=[tess.pk]), {"role": "owner"})
    assert _roles(cast) == {cast.alice.pk: Role.OWNER, cast.bob.pk: Role.TRADER, cast.tess.pk: Role.TRADER}
    alice.post(reverse("team_remove", args=[tess.pk]))
    assert cast.tess.pk not in _roles(cast)
    assert alice.post(reverse("team_transfer", args=[bob.pk]), {"typed_name": "bob"}).status_code == 422
    alice.post(reverse("team_transfer", args=[bob.pk]), {"typed_name": cast.bob.email})
    assert _roles(cast) == {cast.alice.pk: Role.TRADER, cast.bob.pk: Role.OWNER}
    refused = client_for(cast.bob).post(reverse("team_leave"), follow=True)
    assert "Transfer ownership first" in refused.content.decode()
    client_for(cast.alice).post(reverse("team_leave"))
    assert _roles(cast) == {cast.bob.pk: Role.OWNER}


def _roles(cast: Team) -> dict[Any, str]:
    with tenant_scope(cast.house.pk), atomic():
        return dict(Membership.objects.values_list("user_id", "role"))


def test_a_viewer_may_leave() -> None:
    cast = team()
    answer = client_for(cast.bob).post(reverse("team_leave"), follow=True)
    assert "You are not in an organization yet" in answer.content.decode()


# --- Keys ------------------------------------------------------------------------------------------------------------
def test_a_key_is_shown_once_and_a_reload_makes_no_second_one() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    form = {
        "once": alice.get(reverse("key_new")).context["form"]["once"].value(),
        "name": "journal",
        "scopes": ["read"],
        "days": "30",
    }
    refused = alice.post(reverse("key_new"), {**form, "networks": "here"})
    assert refused.status_code == 422
    assert "is not an address or network" in refused.content.decode()
    made = alice.post(reverse("key_new"), form)
    (text,) = re.findall(r"mk_\w+", made.content.decode())
    assert "no-store" in made["Cache-Control"]
    assert f"{settings.SITE_URL}/api/v1/organization/" in made.content.decode()
    again = alice.post(reverse("key_new"), form, follow=True)
    assert "was made already" in again.content.decode()
    assert text not in again.content.decode()
    with tenant_scope(cast.house.pk), atomic():
        key = ApiKey.objects.get()
    alice.post(reverse("key_revoke", args=[key.pk]))
    assert "revoked" in alice.get(reverse("keys")).content.decode()


# --- Trading accounts ------------------------------------------------------------------------------------------------
def test_a_prop_account_asks_for_its_facts_and_the_documents_and_keeps_what_was_typed() -> None:
    cast = team()
    tess = client_for(cast.tess)
    typed = {
        "venue": "paper",
        "name": "FTMO 100k",
        "kind": "prop",
        "currency": "USD",
        "credential_access_token": "s3cret-token",
    }
    refused = tess.post(reverse("trading_account_new"), typed)
    page = refused.content.decode()
    assert refused.status_code == 422
    assert "A prop account needs this." in page
    assert 'value="FTMO 100k"' in page
    assert "s3cret-token" not in page
    whole = typed | {
        "firm": "FTMO",
        "program": "2-Step",
        "phase": "verification",
        "size": "100000",
        "accept_risk": "on",
        "accept_terms": "on",
    }
    made = tess.post(reverse("trading_account_new"), whole, follow=True)
    assert "stored since" in made.content.decode()
    assert "s3cret-token" not in made.content.decode()
    with tenant_scope(cast.house.pk), atomic():
        account = TradingAccount.objects.get()
    assert not account.is_auto_trading
    assert "You have an account called" in tess.post(reverse("trading_account_new"), whole).content.decode()

    tess.post(reverse("trading_account_auto_trading", args=[account.pk]), {"on": "1"})
    assert _account(cast).is_auto_trading
    tess.post(reverse("trading_account_pause", args=[account.pk]), {"reason": "holiday"})
    assert "holiday" in tess.get(reverse("trading_account", args=[account.pk])).content.decode()
    assert not _account(cast).is_auto_trading
    blocked = tess.post(reverse("trading_account_auto_trading", args=[account.pk]), {"on": "1"}, follow=True)
    assert "resume it first" in blocked.content.decode()
    tess.post(reverse("trading_account_resume", args=[account.pk]))
    tess.post(reverse("trading_account_rename", args=[account.pk]), {"name": "FTMO one"})
    empty = tess.post(reverse("trading_account_credentials", args=[account.pk]), {"credential_access_token": ""})
    assert "the stored credentials stay" in empty.content.decode()
    before = _account(cast).credentials
    tess.post(reverse("trading_account_credentials", args=[account.pk]), {"credential_access_token": "other"})
    assert _account(cast).credentials != before
    assert tess.post(reverse("trading_account_close", args=[account.pk]), {"typed_name": "no"}).status_code == 422
    tess.post(reverse("trading_account_close", args=[account.pk]), {"typed_name": "FTMO one"})
    closed = _account(cast)
    assert (closed.status, closed.credentials) == ("closed", None)
    assert "destroyed" in tess.get(reverse("trading_account", args=[account.pk])).content.decode()


def _account(cast: Team) -> TradingAccount:
    with tenant_scope(cast.house.pk), atomic():
        account: TradingAccount = TradingAccount.objects.get()
    return account


# --- People ----------------------------------------------------------------------------------------------------------
def test_times_are_told_in_the_readers_zone() -> None:
    cast = team()
    alice = client_for(cast.alice)
    given = {"name": "Alice", "time_zone": "Asia/Tokyo", "currency": "EUR", "experience": "some", "language": "en"}
    assert alice.post(reverse("profile"), {**given, "time_zone": "Mars/Base"}).status_code == 422
    alice.post(reverse("profile"), given)
    cast.alice.refresh_from_db()
    assert (cast.alice.time_zone, cast.alice.currency) == ("Asia/Tokyo", "EUR")
    page = alice.get(reverse("home")).content.decode()
    assert re.search(r'<time datetime="[^"]+\+00:00" title="[^"]+ JST"', page) or "Asia/Tokyo" in page


def test_the_password_goes_only_when_a_passkey_is_there() -> None:
    cast = team()
    alice = confirmed(cast.alice)
    assert "Add a passkey first" in alice.get(reverse("password_remove")).content.decode()
    alice.post(reverse("password_remove"))
    cast.alice.refresh_from_db()
    assert cast.alice.has_usable_password()


def test_removing_the_password_ends_other_sessions_and_is_told() -> None:
    cast = team()
    elsewhere, alice = client_for(cast.alice), confirmed(cast.alice)
    Authenticator.objects.create(user=cast.alice, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop"})
    alice.post(reverse("password_remove"))
    cast.alice.refresh_from_db()
    assert not cast.alice.has_usable_password()
    assert "Your password was removed" in [letter.subject for letter in mail.outbox if cast.alice.email in letter.to]
    assert alice.get(reverse("profile")).status_code == 200
    assert elsewhere.get(reverse("profile")).status_code == 302
    with tenant_scope(cast.house.pk), atomic():
        assert AuditEntry.objects.filter(action="person.password_removed", actor_id=str(cast.alice.pk)).exists()


def test_an_acceptance_is_recorded_for_a_viewer_too() -> None:
    cast = team()
    bob = client_for(cast.bob)
    assert "Tick the box" in bob.post(reverse("acknowledgements"), {"document": "risk"}, follow=True).content.decode()
    bob.post(reverse("acknowledgements"), {"document": "risk", "accept": "on"})
    with tenant_scope(cast.house.pk), atomic():
        assert AuditEntry.objects.filter(action="risk.acknowledged", actor_id=str(cast.bob.pk)).exists()


def test_the_second_step_offers_a_passkey_only_to_somebody_who_has_one() -> None:
    person = make_user("otto")
    Authenticator.objects.create(user=person, type=Authenticator.Type.TOTP, data={"secret": platform_encrypt("A" * 32)})
    client = Client()
    client.post(reverse("account_login"), {"login": person.email, "password": PASSWORD})
    page = client.get(reverse("mfa_authenticate")).content.decode()
    assert "code from your authenticator app" in page
    assert "mfa_webauthn_authenticate" not in page


# --- Trail -----------------------------------------------------------------------------------------------------------
def test_the_trail_is_filtered_paged_downloaded_and_checked() -> None:
    cast = team()
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        for number in range(60):
            audit.record("api_key.created", prefix=f"number-{number}")
    cache.delete(f"audit-check:{cast.house.pk}:running")
    alice = client_for(cast.alice)
    first = alice.get(reverse("audit_trail")).content.decode()
    assert "number-59" in first
    assert "number-1<" not in first
    older = re.search(r'href="\?([^"]*before=[^"]*)"', first)
    assert older is not None
    assert "Created the organization" in alice.get(f"{reverse('audit_trail')}?{older[1]}").content.decode()
    assert "number-" not in alice.get(reverse("audit_trail"), {"group": "organization"}).content.decode()
    for nonsense in ({"group": "x"}, {"who": "x"}, {"before": "x"}, {"before": "9" * 30}):
        assert alice.get(reverse("audit_trail"), nonsense).status_code == 200
    csv = alice.get(reverse("audit_download")).getvalue().decode()
    assert csv.count("\n") == 62
    assert "number-33" in csv
    checked = client_for(cast.bob).post(reverse("audit_check"), follow=True).content.decode()
    assert "the chain is whole" in checked
    assert "less than a minute ago" in alice.post(reverse("audit_check"), follow=True).content.decode()


# --- Doors for visitors ----------------------------------------------------------------------------------------------
def test_light_and_dark_are_remembered_and_a_foreign_address_is_not_followed() -> None:
    client = Client()
    answer = client.post(reverse("theme"), {"theme": "dark", "next": "https://example.com/"})
    assert answer["Location"] == "/"
    assert 'data-theme="dark"' in client.get(reverse("landing")).content.decode()
    client.post(reverse("theme"), {"theme": "system"})
    assert "data-theme" not in client.get(reverse("landing")).content.decode()
    client.cookies["theme"] = '"><script>'
    assert "data-theme" not in client.get(reverse("landing")).content.decode()


def test_the_local_mailbox_exists_at_home_only(tmp_path: Path) -> None:
    letter = "Subject: Hello\nTo: a@example.com\nDate: Fri, 20 Nov 2026 12:22:17 -0000\n\nSee http://localhost/x\n"
    (tmp_path / "20261120-1.log").write_text(letter + "-" * 79 + "\n")
    with override_settings(EMAIL_FILE_PATH=str(tmp_path)):
        assert Client().get(reverse("local_mail")).status_code == 404
    with override_settings(EMAIL_FILE_PATH=str(tmp_path), IS_LOCAL=True):
        assert "Hello" in Client().get(reverse("local_mail")).content.decode()
        page = Client().get(reverse("local_letter", args=["20261120-1-0"])).content.decode()
        assert 'href="http://localhost/x"' in page
        assert Client().get(reverse("local_letter", args=["..%2f..%2fetc"])).status_code == 404
        assert Client(REMOTE_ADDR="203.0.113.9").get(reverse("local_mail")).status_code == 404
        for header in ("X-Forwarded-For", "Via", "Forwarded"):  # a proxy on this machine that we were not told of
            assert Client(headers={header: "203.0.113.9"}).get(reverse("local_mail")).status_code == 404


def test_a_reached_limit_says_when_to_come_back() -> None:
    client = Client(REMOTE_ADDR=f"203.0.113.{secrets.randbelow(200) + 50}")
    answers = [client.post(reverse("account_signup"), {}) for _time in range(41)]  # 20 a minute, which may turn once
    assert answers[-1].status_code == 429
    assert answers[-1]["Retry-After"] == "60"
    assert "Too many attempts" in answers[-1].content.decode()


def test_errors_are_pages_with_a_sentence() -> None:
    cast = team()
    missing = client_for(cast.alice).get("/nowhere/")
    assert (missing.status_code, "does not exist" in missing.content.decode()) == (404, True)
    strict = Client(enforce_csrf_checks=True)
    refused = strict.post(reverse("theme"), {"theme": "dark"})
    assert (refused.status_code, "open too long" in refused.content.decode()) == (403, True)
    api = Client().get("/api/v1/nowhere/")
    assert (api.status_code, api["Content-Type"]) == (404, "application/problem+json")


def test_a_broken_page_is_told_without_the_database() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.content.decode()

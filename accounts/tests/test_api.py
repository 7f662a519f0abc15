"""The REST doors: what each says, how it pages, how it refuses."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from accounts import audit
from accounts.api.views import PAGE
from accounts.models import AccountStatus, TradingAccount
from accounts.services import keys
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, client_for, make_account, team


@pytest.fixture
def cast() -> Team:
    return team()


def machine(cast: Team, *scopes: str) -> Client:
    """Give a client that shows a key of alice's house with every request."""
    with tenant_scope(cast.house.pk), atomic():
        _key, text = keys.create(cast.as_alice, name="robot", scopes=scopes or ("read",))
    return Client(headers={"authorization": f"Bearer {text}"})


def stored(account: TradingAccount) -> TradingAccount:
    with tenant_scope(account.organization_id), atomic():
        return TradingAccount.objects.get(pk=account.pk)  # type: ignore[no-any-return]


def test_the_organization_says_what_the_caller_may(cast: Team) -> None:
    answer = machine(cast, "read", "admin").get("/api/v1/organization/")
    assert answer.json() == {
        "id": str(cast.house.pk), "name": cast.house.name, "closing_at": None,
        "permissions": ["manage_accounts", "view"],
    }  # fmt: skip


def test_members_are_listed_as_they_joined(cast: Team) -> None:
    found = machine(cast).get("/api/v1/members/").json()["results"]
    assert [(one["email"], one["role"]) for one in found] == [
        (cast.alice.email, "owner"), (cast.bob.email, "viewer"), (cast.tess.email, "trader"),
    ]  # fmt: skip


def test_an_account_is_opened_shown_and_closed(cast: Team) -> None:
    robot = machine(cast, "admin")
    body = {"name": "By robot", "venue": "paper", "kind": "demo", "currency": "USD", "size": "10000.50"}
    made = robot.post("/api/v1/accounts/", body, content_type="application/json")
    assert made.status_code == 201
    shown = robot.get(f"/api/v1/accounts/{made.json()['id']}/").json()
    assert shown == made.json()
    assert (shown["name"], shown["size"], shown["status"]) == ("By robot", "10000.5", "ready")
    assert shown["is_auto_trading"] is False
    assert shown in robot.get("/api/v1/accounts/").json()["results"]
    assert robot.delete(f"/api/v1/accounts/{shown['id']}/").status_code == 204
    assert robot.get(f"/api/v1/accounts/{shown['id']}/").json()["status"] == "closed"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "invalid"),
        ({"size": "much"}, 400, "invalid"),
        ({"venue": "moon"}, 404, "venue_unknown"),
        ({"currency": "XXX"}, 422, "currency_invalid"),
        ({"kind": "live"}, 403, "person_required"),
    ],
)
def test_a_refusal_has_one_shape(cast: Team, body: dict[str, str], status: int, code: str) -> None:
    given = {"name": "n", "venue": "paper", "kind": "demo", "currency": "USD", **body} if body else {}
    answer = machine(cast, "admin").post("/api/v1/accounts/", given, content_type="application/json")
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["status"], problem["code"]) == (status, code)
    assert problem["type"].endswith(code)
    assert problem["detail"]
    assert ("fields" in problem) == (status == 400)
    with tenant_scope(cast.house.pk), atomic():
        assert not TradingAccount.objects.exists()


@pytest.mark.parametrize("verb", ["get", "delete"])
def test_what_is_not_there_and_what_is_somebody_elses_look_alike(cast: Team, verb: str) -> None:
    theirs = make_account(cast.as_charlie, "Not yours")
    ask: Any = getattr(machine(cast, "admin"), verb)
    answers = [ask(f"/api/v1/accounts/{one}/") for one in (uuid4(), theirs.pk)]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert answers[0].content == answers[1].content
    assert stored(theirs).status == AccountStatus.READY


def test_the_trail_pages_by_number_and_loses_nothing(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        for number in range(PAGE + 5):
            audit.record("test.counted", number=number)
    robot, seen, before = machine(cast), [], ""
    for _ in range(10):
        page = robot.get(f"/api/v1/audit/?before={before}").json()
        seen += [one["sequence"] for one in page["results"]]
        if page["before"] is None:
            break
        before = page["before"]
    assert seen == list(range(seen[0], 0, -1))
    assert len(seen) > PAGE + 5


def test_a_session_may_read_and_sends_changes_with_its_token_only(cast: Team) -> None:
    assert client_for(cast.bob).get("/api/v1/members/").status_code == 200
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(cast.alice)
    body = {"name": "Forged", "venue": "paper", "kind": "demo", "currency": "USD"}
    assert browser.post("/api/v1/accounts/", body, content_type="application/json").status_code == 403
    with tenant_scope(cast.house.pk), atomic():
        assert not TradingAccount.objects.exists()


def test_only_json_is_read(cast: Team) -> None:
    answer = machine(cast, "admin").post("/api/v1/accounts/", {"name": "form"})
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


@pytest.mark.parametrize("body", ["[" * 100_000, '{"a":' * 20_000 + "1" + "}" * 20_000])
def test_a_body_too_deep_to_read_is_the_callers_mistake(cast: Team, body: str) -> None:
    answer = machine(cast, "admin").post("/api/v1/accounts/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["code"] == "parse_error"

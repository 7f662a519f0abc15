"""Addresses as people paste them: what was meant is taken, and a POST is never redirected to where it gets lost."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import quote

import pytest
from django.test import Client, override_settings
from django.urls import URLResolver, get_resolver

from accounts.tests.people import Team, team
from trading.tests.sources import push, rows
from trading.tests.test_hooks import OWN, made
from trading.tests.test_rest_and_tickets import BODY, robot

PASTED = [
    "{}", "{}/", "{}//", "{} ", "{} /", "{}\r\n", "{}\r\n/", "{}\t/ ", " {}/", "{}\u00a0", "{}\u200b/", "/{}/",
]  # fmt: skip


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


def quoted(path: str) -> str:
    """Write a path as it travels."""
    return quote(path, safe="/")


@pytest.mark.parametrize("pasted", PASTED)
def test_an_alert_comes_in_however_its_address_was_pasted(cast: Team, pasted: str) -> None:
    tv = made(cast, "tradingview")
    answer = Client().post(quoted(f"/hooks/tv/{pasted.format(tv.secret)}"), OWN, content_type="application/json")
    assert (answer.status_code, answer.json()["accepted"]) == (200, True), answer.content
    assert len(rows(tv.source)[1]) == 1


@pytest.mark.parametrize("pasted", PASTED)
def test_a_signed_message_comes_in_however_its_source_was_pasted(cast: Team, pasted: str) -> None:
    ea = made(cast)
    answer = ea.post(push(ea.source, 1).body, path=quoted(f"/hooks/ea/{pasted.format(ea.source.pk)}"))
    assert (answer.status_code, answer.json()["accepted"]) == (200, True), answer.content


def test_a_program_may_leave_the_last_slash_out(cast: Team) -> None:
    headers = {"Idempotency-Key": "pasted"}
    sent = robot(cast).post("/api/v1/signals", json.dumps(BODY), content_type="application/json", headers=headers)
    assert (sent.status_code, sent.json()["accepted"]) == (201, True)
    assert robot(cast, "read").get(f"/api/v1/signals/{sent.json()['id']}").status_code == 200


@pytest.mark.parametrize(
    "path", ["/hooks", "/hooks/tv", "/hooks/tv/", "/hooks/ea/x", "/api", "/api/v1/nothing", "/api/v1"]
)
def test_what_leads_nowhere_is_said_to_and_not_redirected(path: str) -> None:
    assert Client().post(path, OWN, content_type="application/json").status_code == 404


def test_a_page_is_redirected_as_before() -> None:
    assert Client().get("/sources").status_code == 301


def test_no_address_of_a_program_ends_without_a_slash() -> None:
    """Every address is given its last slash, so one that has none would be out of reach."""

    def ends(found: URLResolver, before: str = "") -> Iterator[str]:
        for one in found.url_patterns:
            path = before + str(one.pattern)
            yield from ends(one, path) if isinstance(one, URLResolver) else [path]

    known = [path for path in ends(get_resolver()) if path.startswith(("hooks/", "api/"))]
    assert len(known) > 5
    assert [path for path in known if not path.endswith("/")] == []


@override_settings(SECURE_SSL_REDIRECT=True)
def test_what_was_sent_in_the_clear_is_refused_and_not_led_on(cast: Team) -> None:
    tv = made(cast, "tradingview")
    path, robots = f"/hooks/tv/{tv.secret}", "/api/v1/signals/"
    answer = Client().post(path, OWN, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "https_only")
    assert rows(tv.source) == ([], [])
    assert Client().post(robots, BODY, content_type="application/json").status_code == 403
    assert Client().post(path, OWN, content_type="application/json", secure=True).status_code == 200
    assert Client().post("/sources/new/", {}).status_code == 301, "pages are led to https"

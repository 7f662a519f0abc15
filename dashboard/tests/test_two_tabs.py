"""Two tabs of one browser: what one of them changed is not undone, and not done elsewhere, by the other."""

from __future__ import annotations

import html
import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, Invitation, Membership, Organization, Role, TradingAccount, User
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, join, make_account, team
from dashboard.tests.test_pages import confirmed
from dashboard.tests.test_sources import EA, TV, form_of
from trading.models import Source
from trading.tests.sources import make_source

ELSEWHERE = "This form was opened in another organization"


@pytest.fixture(name="cast")
def own_cast() -> Team:
    """Alice belongs to two organizations, and owns the first."""
    cast = team()
    join(cast.other, cast.alice, Role.TRADER)
    return cast


def go_to(browser: Client, organization: Organization) -> None:
    assert browser.post(reverse("organization_switch"), {"organization": str(organization.pk)}).status_code == 302


def hidden_in(page: str, action: str = "") -> dict[str, str]:
    """Return what a form on a page sends without being asked."""
    start = page.index(f'action="{action}"') if action else page.index("<main")
    inside = page[start : page.index("</form>", start)]
    fields = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', inside)
    return {name: html.unescape(value) for name, value in fields if name != "csrfmiddlewaretoken"}


def rows_of(cast: Team, model: Any) -> int:
    count = 0
    for house in (cast.house, cast.other):
        with tenant_scope(house.pk), atomic():
            count += model.objects.filter(organization_id=house.pk).count()
    return count


# --- Another organization ---------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "model", "typed"),
    [
        ("source_new", Source, {"kind": EA, "name": "My EA", "per_minute": "77"}),
        ("key_new", ApiKey, {"name": "my robot", "scopes": "read", "days": "30"}),
        ("trading_account_new", TradingAccount, {"venue": "paper", "name": "Mine", "kind": "demo", "currency": "USD"}),
        ("team_invite", Invitation, {"email": "new@example.com", "role": "viewer"}),
    ],
)
def test_what_is_made_is_made_where_its_form_was_opened(
    name: str, model: Any, typed: dict[str, str], cast: Team
) -> None:
    alice = confirmed(cast.alice)
    go_to(alice, cast.house)
    before = rows_of(cast, model)
    page = alice.get(reverse("team" if name == "team_invite" else name)).content.decode()
    sent = hidden_in(page, reverse(name) if name == "team_invite" else "") | typed
    if name == "source_new":
        sent = form_of(alice, EA) | sent
    assert sent["for_organization"] == str(cast.house.pk)
    join_as_owner(cast)
    go_to(alice, cast.other)
    refused = alice.post(reverse(name), sent)
    said = html.unescape(refused.content.decode())
    assert refused.status_code == 422
    assert ELSEWHERE in said
    assert typed.get("name", typed.get("email", "")) in said, "what was typed is still there"
    assert rows_of(cast, model) == before
    again = sent | hidden_in(refused.content.decode(), reverse(name) if name == "team_invite" else "")
    assert again["for_organization"] == str(cast.other.pk)
    assert alice.post(reverse(name), again).status_code in {200, 302}, "who goes on here may"
    assert rows_of(cast, model) == before + 1


def join_as_owner(cast: Team) -> None:
    with tenant_scope(cast.other.pk), atomic():
        Membership.objects.filter(role=Role.OWNER).update(role=Role.TRADER)
        Membership.objects.filter(user=cast.alice).update(role=Role.OWNER)


def test_a_button_of_the_other_organization_says_why_it_is_not_here(cast: Team) -> None:
    account, source = make_account(cast.as_alice), make_source(cast.house.pk, EA)
    alice, mark = confirmed(cast.alice), {"for_organization": str(cast.house.pk)}
    go_to(alice, cast.other)
    for address, typed in (
        (reverse("source_switch", args=[source.pk]), {"on": "0"}),
        (reverse("source_change", args=[source.pk]), {"name": "x"}),
        (reverse("trading_account_pause", args=[account.pk]), {"reason": ""}),
        (reverse("organization_rename"), {"name": "x"}),  # a trader here, the owner there
    ):
        answer = alice.post(address, typed | mark)
        assert answer.status_code == 403
        assert ELSEWHERE in html.unescape(answer.content.decode())
    with tenant_scope(cast.house.pk), atomic():
        assert Source.objects.get(pk=source.pk).is_enabled
        assert Organization.objects.get(pk=cast.house.pk).name == cast.house.name


MARKED = ["source_new", "team", "organization", "organization_close", "key_new", "team_leave"]


@pytest.mark.parametrize("name", MARKED)
def test_every_form_of_an_organization_is_marked(name: str, cast: Team) -> None:
    page = confirmed(cast.alice).get(reverse(name)).content.decode()
    main = page[page.index("<main") : page.index("</main>")]
    for form in re.findall(r"<form.*?</form>", main, re.DOTALL):
        assert ('name="for_organization"' in form) == ("csrfmiddlewaretoken" in form), form


# --- The same row -----------------------------------------------------------------------------------------------------
def test_a_setup_that_changed_meanwhile_is_shown_and_not_undone(cast: Team) -> None:
    source = make_source(cast.house.pk, TV)
    alice, address = confirmed(cast.alice), reverse("source_change", args=[source.pk])
    first, second = (setup_page(alice, source) for _ in range(2))
    assert alice.post(address, first | {"per_minute": "120"}).status_code == 302
    refused = alice.post(address, second | {"levels": "pips"})
    said = html.unescape(refused.content.decode())
    assert refused.status_code == 422
    assert "Messages a minute: it is “120” now, you typed “60”." in said
    with tenant_scope(cast.house.pk), atomic():
        row = Source.objects.get(pk=source.pk)
    assert (row.per_minute, row.levels) == (120, source.levels)
    fresh = hidden_in(refused.content.decode(), address)["version"]
    assert fresh != second["version"]
    assert alice.post(address, second | {"levels": "pips", "version": fresh}).status_code == 302, "now it is known"
    with tenant_scope(cast.house.pk), atomic():
        row = Source.objects.get(pk=source.pk)
    assert (row.per_minute, row.levels) == (60, "pips")


def setup_page(browser: Client, source: Source) -> dict[str, str]:
    form = browser.get(reverse("source", args=[source.pk])).context["form"]
    values = {name: form[name].value() for name in form.fields}
    return {name: str(value) for name, value in values.items() if value is not None}


def test_a_profile_that_changed_meanwhile_is_not_undone(cast: Team) -> None:
    alice, address = confirmed(cast.alice), reverse("profile")
    form = alice.get(address).context["form"]
    opened = {name: form[name].value() for name in form.fields}
    assert alice.post(address, opened | {"time_zone": "Asia/Tokyo"}).status_code == 302
    refused = alice.post(address, opened | {"currency": "EUR"})
    assert refused.status_code == 422
    assert "it is “Asia/Tokyo” now, you typed “UTC”" in html.unescape(refused.content.decode())
    user = User.objects.get(pk=cast.alice.pk)
    assert (user.time_zone, user.currency) == ("Asia/Tokyo", "USD")


def test_the_same_form_sent_again_is_no_conflict(cast: Team) -> None:
    source = make_source(cast.house.pk, EA)
    alice, address = confirmed(cast.alice), reverse("source_change", args=[source.pk])
    name = f"Renamed {uuid4().hex[:6]}"
    assert alice.post(address, setup_page(alice, source) | {"name": name}).status_code == 302
    assert alice.post(address, setup_page(alice, source) | {"name": name}).status_code == 302

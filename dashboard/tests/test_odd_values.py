"""Whatever is typed into whichever field is answered: with a page, a redirect or a refusal, and never with a fault."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from urllib.parse import quote_plus
from uuid import uuid4

import pytest
from django import forms
from django.test import Client
from django.urls import reverse

import dashboard.forms
from accounts.models import Membership
from accounts.services import keys
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, make_account, team
from accounts.tests.staff_desk import deed_url, desk
from dashboard.forms.versions import VersionedForm
from dashboard.tests.test_pages import confirmed
from trading.services import sources
from trading.tests.sources import make_source

pytestmark = pytest.mark.early

ODD = [
    "1e999999", "-1e999999", "9" * 5_000, "NaN", "-Infinity", "1e14", "٣", "\x00", "a\x00b", "\ud800", "\u202e",
    "\u200b" * 12, "'\"<>&;%s{}", "é" * 400, "\r\nSet-Cookie: a=b", "\U0010ffff",
]  # fmt: skip
CHOSEN = {
    "kind", "levels", "power_scale", "confluence_scale", "confidence_scale", "clock_zone", "role", "scopes", "days",
    "time_zone", "currency", "experience", "language", "overlap", "phase", "venue", "accept_risk", "accept_terms", "on",
}  # fmt: skip


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


def body_of(values: dict[str, str]) -> bytes:
    """Write a form as a browser that minds nothing would: halves of characters as the three bytes that they are."""
    return b"&".join(
        f"{quote_plus(name)}={quote_plus(value.encode('utf-8', 'surrogatepass'))}".encode()
        for name, value in values.items()
    )


def doors(cast: Team) -> dict[str, tuple[str, dict[str, str]]]:
    """Give every form there is: where it is sent and what is typed into it when nothing is odd."""
    house = cast.house
    account = make_account(cast.as_alice, f"Account {uuid4().hex[:6]}")
    ea = make_source(house.pk, sources.SIGNED)
    with tenant_scope(house.pk), atomic():
        key, _text = keys.create(cast.as_alice, name="robot", scopes=["read"])
        seat = Membership.objects.get(user=cast.bob)
    setup = {
        "once": "x", "kind": sources.SIGNED, "name": "S", "levels": "unknown", "per_minute": "60", "networks": "",
        "power_scale": "percent", "confluence_scale": "L0-L4", "confidence_scale": "C1-C3", "clock_zone": "UTC",
        "clock_shift": "2",
    }  # fmt: skip
    return {
        "KeyForm": (reverse("key_new"), {"once": "x", "name": "k", "scopes": "read", "days": "30", "networks": ""}),
        "InviteForm": (reverse("team_invite"), {"email": "a@example.com", "role": "viewer"}),
        "RoleForm": (reverse("team_role", args=[seat.pk]), {"role": "viewer"}),
        "NameForm": (reverse("organization_rename"), {"name": "House"}),
        "ZoneForm": (reverse("organization_zone"), {"time_zone": "UTC"}),
        "TypedNameForm": (reverse("organization_close"), {"typed_name": "not so"}),
        "ProfileForm": (
            reverse("profile"),
            {"name": "A", "time_zone": "UTC", "currency": "USD", "experience": "", "language": "en"},
        ),
        "SourceForm": (reverse("source_new"), setup),
        "SetupForm": (reverse("source_change", args=[ea.pk]), setup),
        "ExchangeForm": (reverse("source_secret", args=[ea.pk]), {"once": "x", "overlap": "24"}),
        "AccountForm": (
            reverse("trading_account_new"),
            {"venue": "paper", "name": "Fuzz", "kind": "prop", "currency": "USD", "firm": "FTMO", "program": "2-Step",
             "phase": "evaluation", "size": "1000", "accept_risk": "on", "accept_terms": "on",
             "credential_access_token": "x"},
        ),
        "AccountNameForm": (reverse("trading_account_rename", args=[account.pk]), {"name": "Account"}),
        "CredentialsForm": (
            reverse("trading_account_credentials", args=[account.pk]),
            {"credential_access_token": "x"},
        ),
        "PauseForm": (reverse("trading_account_pause", args=[account.pk]), {"reason": ""}),
        "no form": (reverse("trading_account_auto_trading", args=[account.pk]), {"on": "1"}),
        "no form, next": (reverse("acknowledgements"), {"document": "risk", "accept": "on", "next": "/home/"}),
        "no form, theme": (reverse("theme"), {"theme": "dark", "next": "/home/"}),
        "no form, key": (reverse("key_revoke", args=[key.pk]), {"on": "x"}),
        "no form, house": (reverse("organization_switch"), {"organization": "x"}),
    }  # fmt: skip


def test_every_form_of_a_page_is_tried(cast: Team) -> None:
    tried = {name.split()[0] for name in doors(cast)}
    folder = Path(dashboard.forms.__file__).parent
    modules = [import_module(f"dashboard.forms.{path.stem}") for path in folder.glob("[a-z]*.py")]
    known = {
        name
        for module in modules
        for name, found in inspect.getmembers(module, inspect.isclass)
        if issubclass(found, forms.BaseForm) and found.__module__ == module.__name__ and found is not VersionedForm
    }
    assert known <= tried


def spoilt(values: dict[str, str]) -> Iterator[dict[str, str]]:
    for name in values:
        for odd in ODD[::5] if name in CHOSEN else ODD:
            yield values | {name: odd}
        yield {other: value for other, value in values.items() if other != name}
    yield dict.fromkeys(values, ODD[0])


NAMES = (
    "KeyForm", "InviteForm", "RoleForm", "NameForm", "ZoneForm", "TypedNameForm", "ProfileForm", "SourceForm",
    "SetupForm", "ExchangeForm", "AccountForm", "AccountNameForm", "CredentialsForm",
    "PauseForm", "no form", "no form, next", "no form, theme", "no form, key", "no form, house",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_whatever_is_typed_is_answered(name: str, cast: Team) -> None:
    alice = confirmed(cast.alice)
    address, values = doors(cast)[name]
    answered = set()
    for typed in spoilt(values):
        answer = alice.post(address, body_of(typed), content_type="application/x-www-form-urlencoded")
        answered.add(answer.status_code)
    assert answered <= {200, 302, 400, 403, 404, 422}


@pytest.mark.parametrize("code", ["suspend", "lift"])
def test_whatever_staff_type_is_answered(code: str, cast: Team) -> None:
    client = desk()
    for address, values in (
        (deed_url(cast.other, code), {"reason": "Because the owner asked for it"}),
        (reverse("admin:scope"), {"reason": "Because the owner asked for it", "ticket": "T-1", "next": "/admin/"}),
    ):
        for typed in spoilt(values):
            answer = client.post(address, body_of(typed), content_type="application/x-www-form-urlencoded")
            assert answer.status_code in {200, 302, 400, 403, 404}


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("audit_trail", ["group", "who", "before"]),
        ("sources", ["all"]),
        ("trading_account_new", ["venue"]),
        ("api-audit", ["before"]),
        ("api-receipts", ["before", "after", "account", "signal"]),
        ("account_login", ["next"]),
    ],
)
def test_whatever_stands_in_an_address_is_answered(name: str, asked: list[str], cast: Team) -> None:
    alice = confirmed(cast.alice)
    for one in asked:
        for odd in ODD:
            answer = alice.get(f"{reverse(name)}?{body_of({one: odd}).decode()}")
            assert answer.status_code < 500


@pytest.mark.parametrize("model", ["accounts_user", "accounts_organization", "trading_rawsignal"])
def test_whatever_staff_look_for_is_answered(model: str) -> None:
    client = desk()
    for one in ("q", "state", "p", "organization_id", "o", "state__exact"):
        for odd in ODD:
            answer = client.get(f"{reverse(f'admin:{model}_changelist')}?{body_of({one: odd}).decode()}")
            assert answer.status_code < 500


@pytest.mark.parametrize("field", ["name", "venue", "kind", "currency", "firm", "phase", "size", "credentials"])
def test_whatever_a_program_sends_is_answered(field: str, cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        _key, text = keys.create(cast.as_alice, name="robot", scopes=["read", "admin"])
    robot = Client(headers={"authorization": f"Bearer {text}"})
    whole = {
        "name": "Fuzz", "venue": "paper", "kind": "demo", "currency": "USD", "size": "1000", "credentials": {},
        "firm": "", "program": "", "phase": "",
    }  # fmt: skip
    for odd in [*ODD, *BARE, [], {}, {"a": "\ud800"}, {"access_token": ["\x00"]}]:
        body = json.dumps(whole | {field: odd})
        for spelled in (body, body.replace(f'"{odd}"', str(odd)) if odd in BARE else body):
            answer = robot.post("/api/v1/accounts/", spelled.encode(), content_type="application/json")
            assert answer.status_code < 500, (odd, answer.content)


BARE = ["1e999999", "-1e400", "NaN", "Infinity", "9" * 5_000]

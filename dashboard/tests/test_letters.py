"""Letters: every one has a subject, a plain text, an HTML twin that says the same, and its reason at the end."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from allauth.core.context import request_context
from django.conf import settings
from django.template.loader import render_to_string
from django.test import RequestFactory
from django.utils import timezone

from accounts.auth.adapters import AccountAdapter
from accounts.models import Organization, User
from accounts.tests.people import make_user
from dashboard.templatetags.letters import twin

ALLAUTH = sorted(
    f"{folder}/email/{file.name.removesuffix('_message.txt')}"
    for folder in ("account", "mfa")
    for file in (Path(settings.BASE_DIR) / "dashboard" / "templates" / folder / "email").glob("*_message.txt")
    if not file.name.startswith("base_")
)
OURS = sorted(file.stem for file in (Path(settings.BASE_DIR) / "notifications/templates/notifications").glob("*.txt"))


def context() -> dict[str, object]:
    organization = Organization(name="A & B <House>", created_at=timezone.now(), closing_at=timezone.now())
    person = User(email="p@example.com", name="Pat <b>")
    return {
        "request": RequestFactory().get("/"),
        "email": "p@example.com",
        "user": person,
        "person": person,
        "key": {"name": "k"},
        "organization": organization,
        "link": f"{settings.SITE_URL}/link/",
        "site_url": settings.SITE_URL,
        "role": "Viewer",
        "activate_url": f"{settings.SITE_URL}/confirm/",
        "password_reset_url": f"{settings.SITE_URL}/reset/",
        "time_zone": "UTC",
        "signup_url": f"{settings.SITE_URL}/signup/",
        "ip": "203.0.113.9",
        "user_agent": "Mozilla",
        "timestamp": timezone.now(),
    }


def check(subject: str, text: str, html: str) -> None:
    assert subject.strip()
    assert "\n" not in subject.strip()
    assert len(subject.strip()) < 80
    body, rule, why = text.partition("\n--\n")
    assert rule, "the reason is missing"
    assert body.strip()
    assert "MikroBot sent this" in why
    for left in ("{{", "{%", "None", "Hello from"):
        assert left not in text + html
    assert "<House>" not in html
    assert "<b>" not in html
    assert '<p class="foot">' in html
    for address in re.findall(r"https?://\S+", text):
        assert f'href="{address}"' in html


@pytest.mark.parametrize("name", ALLAUTH)
def test_a_letter_about_the_account_is_whole(name: str) -> None:
    given = context()
    check(
        render_to_string(f"{name}_subject.txt", given),
        render_to_string(f"{name}_message.txt", given),
        render_to_string(f"{name}_message.html", given),
    )


@pytest.mark.parametrize("name", OURS)
def test_a_letter_about_the_organization_is_whole(name: str) -> None:
    given = context() | {"invitation": {"email": "p@example.com", "get_role_display": "Viewer"}}
    subject, _newline, text = render_to_string(f"notifications/{name}.txt", given).strip().partition("\n")
    check(subject, text, render_to_string(f"notifications/{name}.html", given))


def test_a_twin_escapes_what_a_person_typed_and_makes_its_link_a_button() -> None:
    link = f"{settings.SITE_URL}/?a=1&b=2"
    html = twin(f'Hello <script>alert("x")</script>\n\nOpen it:\n{link}\n\n--\nBecause <you> asked.')
    assert "<script>" not in html
    assert f'<a class="button" href="{settings.SITE_URL}/?a=1&amp;b=2">Open it</a>' in html
    assert "Because &lt;you&gt; asked." in html


def test_what_somebody_typed_is_no_link_of_ours() -> None:
    """A name is in every invitation; it must not become a button that leads elsewhere."""
    host = settings.SITE_URL + ".example"
    for text in (
        "Locked. Unlock it here:\nhttps://elsewhere.example/",
        f"Go to {host}/ now",
        "See https://a.example/x",
    ):
        assert "href" not in twin(text)


def test_a_change_of_the_sign_in_is_told_in_the_persons_zone_and_names_the_browser(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    person = make_user("zoe", time_zone="Asia/Tokyo")
    agent = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36"
    request = RequestFactory().get("/", headers={"user-agent": agent})
    letters: list[str] = []

    def keep(prefix: str, _email: str, given: dict[str, object]) -> None:
        letters.append(render_to_string(f"{prefix}_message.txt", {**context(), **given}))

    at = datetime(2026, 11, 20, 13, 14, tzinfo=UTC)
    with request_context(request):
        adapter = AccountAdapter()
        monkeypatch.setattr(adapter, "send_mail", keep)
        adapter.send_notification_mail("account/email/password_changed", person, {"timestamp": at}, person.email)
    assert "When: 20 Nov 2026, 22:14 JST" in letters[0]
    assert "With: Chrome on Linux" in letters[0]
    assert "Mozilla" not in letters[0]

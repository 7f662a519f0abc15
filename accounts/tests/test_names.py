"""Names: one visible line, whoever reads it and wherever."""

from __future__ import annotations

from typing import Any
from unittest.mock import ANY
from uuid import uuid4

import pytest
from django.core import mail
from django.test import Client
from django.urls import reverse

from accounts.access import Refused
from accounts.models import User
from accounts.services.organizations import clean_name, is_plain
from accounts.services.people import update_profile
from accounts.tests.people import PASSWORD, make_user

LETTER = "Bob\n\nYour account is locked. Unlock it here:\nhttps://elsewhere.example/"
NEW = "staple of a wrong battery"
BAD = ["https://elsewhere.example/", "in\u202evisible", "zero\u200bwidth", "\u200d", "bell\x07"]
GOOD = ["Zoë O’Neil", "علی‌رضا", "👩‍💻 desk", "株式会社", "A & B <House>"]


@pytest.mark.parametrize("name", BAD)
def test_a_name_that_hides_something_is_refused(name: str) -> None:
    with pytest.raises(Refused) as refusal:
        clean_name(name)
    assert refusal.value.code == "name_invalid"
    user = make_user()
    with pytest.raises(Refused):
        update_profile(user, name=name, time_zone="UTC", currency="USD")


@pytest.mark.parametrize("name", GOOD)
def test_a_name_in_any_script_is_taken(name: str) -> None:
    assert is_plain(name)
    assert clean_name(f"  {name}\n") == name


@pytest.mark.parametrize(("field", "value"), [("name", LETTER), ("organization", "in\u202evisible")])
def test_sign_up_refuses_such_a_name_beside_its_field(field: str, value: str) -> None:
    email = f"new-{uuid4().hex}@example.com"
    given = {
        "name": "Bob",
        "email": email,
        "password1": PASSWORD,
        "password2": PASSWORD,
        "organization": "",
        "terms": "on",
        field: value,
    }
    page = Client().post(reverse("account_signup"), given)
    assert page.status_code == 200
    assert page.context["form"].errors == {field: ANY}
    assert not User.objects.filter(email=email).exists()


@pytest.mark.parametrize("host", ["testserver", "localhost:9999"])
def test_links_in_letters_lead_to_our_own_address(host: str, settings: Any) -> None:
    """The port is whatever the request says, and one of several allowed hosts may not be ours alone."""
    settings.SITE_URL = "https://app.example.com"
    settings.ALLOWED_HOSTS = ["testserver", "localhost"]
    user = make_user()
    client = Client(headers={"host": host})
    client.post(reverse("account_reset_password"), {"email": user.email})
    client.force_login(user)
    client.post(reverse("account_change_password"), {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW})
    asked, told = (str(one.body) for one in mail.outbox if one.to == [user.email])
    assert "https://app.example.com/account/password/reset/key/" in asked
    assert "https://app.example.com/account/password/reset/\n" in told
    assert host not in asked + told

"""A session is opened by its signed cookie alone."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.usersessions.models import UserSession
from django.conf import settings as house_settings
from django.core import signing
from django.test import Client

from accounts.tests.people import PASSWORD, make_organization, make_user

NAME = house_settings.SESSION_COOKIE_NAME


@pytest.fixture
def signed_in(settings: Any) -> Client:
    settings.SESSION_COOKIE_SIGNED = True
    user = make_user("sid")
    make_organization(user)
    client = Client()
    assert client.post("/account/login/", {"login": user.email, "password": PASSWORD}).status_code == 302
    client.user = user  # type: ignore[attr-defined]
    return client


def test_the_signed_cookie_opens_the_session_and_keeps_its_attributes(signed_in: Client) -> None:
    assert signed_in.get("/home/").status_code == 200
    cookie = signed_in.cookies[NAME]
    assert ":" in cookie.value
    assert (cookie["httponly"], cookie["samesite"], cookie["path"]) == (True, "Lax", "/")
    assert cookie["max-age"]


def test_what_the_database_holds_opens_nothing(signed_in: Client) -> None:
    stored = UserSession.objects.get(user=signed_in.user).session_key  # type: ignore[attr-defined]
    assert signed_in.cookies[NAME].value.startswith(stored + ":")
    forged = signing.Signer(key="another", salt="accounts.session").sign(stored)
    for shown in (stored, f"{stored}:", f"{stored}:x", forged, ""):
        thief = Client()
        thief.cookies[NAME] = shown
        assert thief.get("/home/").status_code == 302


def test_signing_out_takes_the_cookie_back(signed_in: Client) -> None:
    before = signed_in.cookies[NAME].value
    signed_in.post("/account/logout/")
    assert signed_in.cookies[NAME].value == "" or signed_in.cookies[NAME].value != before
    thief = Client()
    thief.cookies[NAME] = before
    assert thief.get("/home/").status_code == 302

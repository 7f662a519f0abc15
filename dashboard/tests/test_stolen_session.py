"""Somebody else's hands on an open session: what decides who gets in asks for a proof first."""

from __future__ import annotations

import pytest
from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.test import Client
from django.urls import reverse

from accounts.models import User
from accounts.tests.people import PASSWORD, client_for, make_organization, make_user

NEW_PASSWORD = "staple of a wrong battery"


@pytest.fixture(name="user")
def person_with_two_addresses() -> User:
    user = make_user("victim")
    EmailAddress.objects.create(user=user, email=f"second-{user.email}", verified=True, primary=False)
    return user


def prove(client: Client) -> None:
    client.post(reverse("account_reauthenticate"), {"password": PASSWORD})


def addresses(user: User) -> set[tuple[str, bool]]:
    return set(EmailAddress.objects.filter(user=user).values_list("email", "primary"))


@pytest.mark.parametrize("deed", ["action_add", "action_primary", "action_remove"])
def test_addresses_ask_for_a_proof(user: User, deed: str) -> None:
    """An address of one's own as the main one would be a way in for ever, by a password reset."""
    client, before = client_for(user), addresses(user)
    email = f"mine-{user.email}" if deed == "action_add" else f"second-{user.email}"
    asked = client.post(reverse("account_email"), {deed: "", "email": email})
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    assert addresses(user) == before
    prove(client)
    client.post(reverse("account_email"), {deed: "", "email": email})
    assert addresses(user) != before


def test_a_first_password_asks_for_a_proof(user: User) -> None:
    """Where passkeys are the only way in, a password would be a second one."""
    user.set_unusable_password()
    user.save()
    Authenticator.objects.create(user=user, type=Authenticator.Type.TOTP, data={"secret": "x"})
    client = client_for(user)
    client.post(reverse("account_set_password"), {"password1": NEW_PASSWORD, "password2": NEW_PASSWORD})
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert NEW_PASSWORD not in str(dict(client.session))
    assert "reauthenticate" in client.get(reverse("account_set_password"))["Location"]
    assert Client().get(reverse("account_set_password"))["Location"].startswith(reverse("account_login"))


def test_no_browser_keeps_a_page_for_the_next_at_the_desk() -> None:
    """After signing out, the way back shows what the browser kept."""
    owner = make_user("owner")
    make_organization(owner)
    client = client_for(owner)
    for path in ("home", "team", "audit_trail", "audit_download", "security", "account_email", "api-members"):
        assert "no-store" in client.get(reverse(path))["Cache-Control"], path
    assert not Client().get(reverse("landing")).has_header("Cache-Control")

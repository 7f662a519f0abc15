"""Who has been at the door, and what it takes to get in."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from allauth.mfa.adapter import get_adapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal import auth as totp
from allauth.usersessions.models import UserSession
from django.conf import settings as django_settings
from django.contrib.auth.hashers import Argon2PasswordHasher
from django.core import mail
from django.test import Client

from accounts.access import Refused
from accounts.models import AuditEntry, Membership, SignIn, User
from accounts.services import people as people_services
from accounts.tenancy import atomic, person_scope, tenant_scope
from accounts.tests.people import PASSWORD, make_organization, make_user, team


@pytest.fixture(autouse=True)
def outbox(settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    mail.outbox = []


def sign_in(client: Client, user: User, password: str = PASSWORD, **extra: Any) -> Any:
    return client.post("/account/login/", {"login": user.email, "password": password}, **extra)


def mails_to(user: User) -> list[str]:
    return [str(message.subject) for message in mail.outbox if user.email in message.to]


def test_a_sign_in_is_remembered_with_address_and_client() -> None:
    user = make_user("anna")
    make_organization(user)
    client = Client(headers={"User-Agent": "Browser/1"})
    assert sign_in(client, user, REMOTE_ADDR="203.0.113.5").status_code == 302
    row = SignIn.objects.get(user=user)
    assert (row.outcome, row.method, row.address, row.client) == ("success", "password", "203.0.113.5", "Browser/1")
    assert client.cookies[django_settings.DEVICE_COOKIE_NAME]["httponly"]


def test_a_new_device_is_told_by_mail_and_a_known_one_is_not() -> None:
    user = make_user("anna")
    make_organization(user)
    home = Client()
    sign_in(home, user)
    assert mails_to(user) == []  # the very first one is no news
    home.post("/account/logout/")
    sign_in(home, user)
    assert mails_to(user) == []
    sign_in(Client(), user)
    assert len(mails_to(user)) == 1


def test_a_sign_in_stands_in_the_trail_of_every_organization() -> None:
    user = make_user("anna")
    houses = [make_organization(user, "One"), make_organization(user, "Two")]
    sign_in(Client(), user)
    for house in houses:
        with tenant_scope(house.pk), atomic():
            assert AuditEntry.objects.order_by("-sequence")[0].action == "person.signed_in"


def test_failures_are_kept_and_the_sixth_is_locked() -> None:
    user = make_user("anna")
    client = Client()
    for number in range(6):
        answer = sign_in(client, user, "wrong" + str(number), REMOTE_ADDR=f"198.51.100.{number}")
        assert answer.status_code == 200
    outcomes = list(SignIn.objects.filter(user=user).order_by("at", "pk").values_list("outcome", flat=True))
    assert outcomes == ["failed"] * 5 + ["locked"]
    sign_in(client, user, REMOTE_ADDR="198.51.100.99")  # the right password has to wait as well
    assert not SignIn.objects.filter(user=user, outcome="success").exists()


def test_an_unknown_address_leaves_no_trace() -> None:
    before = SignIn.objects.count()
    Client().post("/account/login/", {"login": "nobody@example.com", "password": "x"})
    assert SignIn.objects.count() == before


def test_factors_are_encrypted_at_rest() -> None:
    user = make_user("anna")
    secret = totp.generate_totp_secret()
    totp.TOTP.activate(user, secret)
    stored = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP).data
    assert secret not in str(stored)
    assert stored["secret"].startswith("gAAAA")
    assert get_adapter().decrypt(stored["secret"]) == secret


def test_a_password_change_ends_other_sessions_and_is_told() -> None:
    cast = team()
    here, elsewhere = Client(), Client()
    sign_in(here, cast.alice)
    sign_in(elsewhere, cast.alice)
    answer = here.post(
        "/account/password/change/",
        {"oldpassword": PASSWORD, "password1": "another long one", "password2": "another long one"},
    )
    assert answer.status_code == 302
    assert elsewhere.get("/home/").status_code == 302
    assert here.get("/home/").status_code == 200
    assert UserSession.objects.filter(user=cast.alice).count() == 1
    assert any("password" in subject.lower() for subject in mails_to(cast.alice))
    with tenant_scope(cast.house.pk), atomic():
        assert AuditEntry.objects.filter(action="person.password_changed").exists()


def test_a_password_goes_only_when_a_passkey_is_there() -> None:
    user = make_user("anna")
    with pytest.raises(Refused, match="passkey first"):
        people_services.remove_password(user)
    passkey = Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Key"})
    people_services.remove_password(user)
    user.refresh_from_db()
    assert not user.has_usable_password()
    assert not get_adapter().can_delete_authenticator(passkey)  # it is the only way in now
    Authenticator.objects.create(user=user, type=Authenticator.Type.WEBAUTHN, data={"name": "Second"})
    assert get_adapter().can_delete_authenticator(passkey)


def sign_up(client: Client, email: str, **fields: str) -> Any:
    return client.post(
        "/account/signup/",
        {
            "email": email,
            "password1": PASSWORD,
            "password2": PASSWORD,
            "name": "Nina New",
            "terms": "on",
            "organization": "",
            "time_zone": "Europe/Helsinki",
            **fields,
        },
    )


def test_sign_up_founds_an_organization_with_accepted_terms() -> None:
    email = make_user("template").email.replace("template", "nina")
    assert sign_up(Client(), email, organization="Nina Trading").status_code == 302
    user = User.objects.get(email=email)
    assert (user.name, user.time_zone) == ("Nina New", "Europe/Helsinki")
    with person_scope(user.pk), atomic():
        seat = Membership.objects.select_related("organization").get()
        assert (seat.role, seat.organization.name) == ("owner", "Nina Trading")
    with tenant_scope(seat.organization_id), atomic():
        assert people_services.has_acknowledged(user.pk, "terms")
        assert not people_services.has_acknowledged(user.pk, "risk")
    assert len(mails_to(user)) == 1  # the link to confirm


def test_sign_up_without_terms_keeps_what_was_typed_and_makes_nobody() -> None:
    email = make_user("template").email.replace("template", "nina")
    answer = sign_up(Client(), email, terms="")
    assert answer.status_code == 200
    assert email in answer.text
    assert not User.objects.filter(email=email).exists()


def test_sign_up_with_a_known_address_tells_only_its_owner() -> None:
    known = make_user("known")
    answer = sign_up(Client(), known.email.upper())
    assert answer.status_code == 302  # exactly as for a new one
    assert User.objects.filter(email__iexact=known.email).count() == 1
    assert len(mails_to(known)) == 1


def test_a_sign_up_with_a_known_address_hashes_a_password_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing is the slow part by design; without it, one stop watch would tell who has an account."""
    hashed: list[str] = []
    encode = Argon2PasswordHasher.encode

    def counted(*given: Any, **named: Any) -> str:
        hashed.append("one")
        return encode(*given, **named)

    monkeypatch.setattr(Argon2PasswordHasher, "encode", counted)
    counts, known = [], make_user().email
    for email in (known, known, f"new-{uuid4().hex}@example.com"):  # the second time no letter is sent so soon
        hashed.clear()
        form = {"name": "Nia", "email": email, "password1": PASSWORD, "password2": PASSWORD, "terms": "on"}
        assert Client().post("/account/signup/", form).status_code == 302
        counts.append(len(hashed))
    assert counts == [1, 1, 1]

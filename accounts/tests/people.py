"""The cast: alice owns, bob is on her team and may look, tess trades, charlie is a stranger with a house of his own.

Tests commit for real in a throw-away database; every test makes its own people, so nothing needs to be cleaned up.
"""

from __future__ import annotations

import itertools
import secrets
from dataclasses import dataclass
from functools import cache
from typing import Any

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.test import Client

from accounts.access import Caller, caller_for
from accounts.models import Acknowledgement, Membership, Organization, Role, TradingAccount, User
from accounts.services import organizations, people, trading_accounts
from accounts.tenancy import atomic, tenant_scope

PASSWORD = "correct horse battery"
_numbers = itertools.count(1)


@cache
def _hashed_password() -> str:
    """Hash once a run: Argon2 takes its time by design, and a cast of four would pay it four times a test."""
    return make_password(PASSWORD)


def make_user(name: str = "someone", **fields: object) -> User:
    """Make a person with a verified address that no other test has."""
    email = f"{name}-{next(_numbers)}-{secrets.token_hex(4)}@example.com"
    user = User(email=email, name=name.title(), password=_hashed_password(), **fields)
    user.save()
    EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def make_organization(owner: User | None = None, name: str = "House") -> Organization:
    return organizations.found(owner or make_user("owner"), name)


def join(organization: Organization, user: User, role: Role) -> Membership:
    """Seat somebody without the invitation's detour."""
    with tenant_scope(organization.pk), atomic():
        row: Membership = Membership.objects.create(organization=organization, user=user, role=role)
    return row


def caller(organization: Organization, user: User) -> Caller:
    """Act as a member, the way the middleware would."""
    with tenant_scope(organization.pk, user_id=user.pk), atomic():
        return caller_for(Membership.objects.select_related("organization", "user").get(user=user))


def client_for(user: User) -> Client:
    """Return a browser in which the person is signed in."""
    client = Client()
    client.force_login(user)
    return client


@dataclass(frozen=True, slots=True)
class Team:
    """Two houses that must never see each other."""

    alice: User
    bob: User
    tess: User
    charlie: User
    house: Organization
    other: Organization

    @property
    def as_alice(self) -> Caller:
        return caller(self.house, self.alice)

    @property
    def as_bob(self) -> Caller:
        return caller(self.house, self.bob)

    @property
    def as_tess(self) -> Caller:
        return caller(self.house, self.tess)

    @property
    def as_charlie(self) -> Caller:
        return caller(self.other, self.charlie)


def team() -> Team:
    alice, bob, tess, charlie = (make_user(name) for name in ("alice", "bob", "tess", "charlie"))
    house, other = make_organization(alice, "Alice and friends"), make_organization(charlie, "Charlie alone")
    join(house, bob, Role.VIEWER)
    join(house, tess, Role.TRADER)
    return Team(alice, bob, tess, charlie, house, other)


def accept_documents(who: Caller) -> None:
    """Accept terms and risk warning as `who`."""
    with tenant_scope(who.organization_id), atomic():
        for document in Acknowledgement.Document.values:
            people.acknowledge(who, document)


def set_zone(organization: Organization, zone: str) -> None:
    """Let the organization's days turn by a zone's midnight, as if they always had."""
    with tenant_scope(organization.pk), atomic():
        Organization.objects.filter(pk=organization.pk).update(trading_zone=zone)


def make_account(who: Caller, name: str = "Paper one", **fields: Any) -> TradingAccount:
    """Open a demo account on the paper venue."""
    draft = trading_accounts.AccountDraft(
        **{"name": name, "venue": "paper", "kind": "demo", "currency": "USD", **fields}
    )
    with tenant_scope(who.organization_id), atomic():
        return trading_accounts.open_account(who, draft)

"""A first house to look at: three people and a paper account, marked as demo everywhere. Only on one's own machine.

Nothing in it is invented: it is made by the same services that customers use, and shows no results: there are none.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from allauth.account.models import EmailAddress
from django.conf import settings

from accounts.access import caller_for
from accounts.models import Acknowledgement, Membership, Organization, Role, TradingAccount, User
from accounts.services import organizations, people, trading_accounts
from accounts.tenancy import atomic, person_scope, tenant_scope

CAST = (
    ("owner@demo.example", "Demo Owner", Role.OWNER),
    ("trader@demo.example", "Demo Trader", Role.TRADER),
    ("viewer@demo.example", "Demo Viewer", Role.VIEWER),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoHouse:
    """How to get in."""

    emails: tuple[str, ...]
    password_file: Path


def make() -> DemoHouse:
    """Make the demo house, or find it; running it again changes nothing."""
    if settings.MODE not in {"local", "test"}:
        raise RuntimeError("the demo house is for one's own machine; this is " + settings.MODE)
    password_file = settings.DATA_DIR / "secrets" / "demo-password"
    password = _password(password_file)
    users = [_person(email, name, password) for email, name, _role in CAST]
    owner = users[0]
    with person_scope(owner.pk), atomic():
        known = Membership.objects.select_related("organization").filter(organization__is_demo=True).first()
    organization = known.organization if known else organizations.found(owner, "Demo house", is_demo=True)
    _furnish(organization, users)
    return DemoHouse(emails=tuple(email for email, _name, _role in CAST), password_file=password_file)


def _password(path: Path) -> str:
    """Keep one random password for the demo's people, readable by this system user alone."""
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    password = secrets.token_urlsafe(12)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(password + "\n")
    return password


def _person(email: str, name: str, password: str) -> User:
    user = User.objects.filter(email=email).first()
    if user is None:
        user = User.objects.create_user(email, password, name=name)
        EmailAddress.objects.create(user=user, email=email, verified=True, primary=True)
    return user


def _furnish(organization: Organization, users: list[User]) -> None:
    with tenant_scope(organization.pk, user_id=users[0].pk), atomic():
        for user, (_email, _name, role) in zip(users, CAST, strict=True):
            Membership.objects.get_or_create(organization=organization, user=user, defaults={"role": role})
        owner = caller_for(Membership.objects.select_related("organization").get(role=Role.OWNER))
        for document in Acknowledgement.Document.values:
            people.acknowledge(owner, document)
        if not TradingAccount.objects.exists():
            trading_accounts.open_account(
                owner,
                trading_accounts.AccountDraft(name="Paper 10k", venue="paper", kind="demo", currency="USD"),
            )

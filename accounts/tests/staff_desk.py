"""A staff desk for tests: a browser with a second factor and a reason, and a customer who has one of everything."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from allauth.account.internal.flows.login import record_authentication
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import (
    TOTP,
    generate_totp_secret,
)
from allauth.usersessions.models import UserSession
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from accounts import outbox, vault
from accounts.models import (
    Acknowledgement,
    AuditEntry,
    DataExport,
    DataKey,
    KeyScope,
    Organization,
    OutboxEvent,
    SignIn,
    TradingAccount,
    User,
)
from accounts.models.audit import PLATFORM_ID
from accounts.services import keys, members
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import Team, accept_documents, client_for, make_account, make_user, team
from mikrobot_platform.kernel.events import EventName
from risk_management.models import Receipt, Switch
from risk_management.tests.rows import decide, facts_of, told_program
from trading.models import RawSignal
from trading.tests.sources import make_source, rest, sent

REASON = "Alice asked why her account stands still"


def staff_user(**fields: object) -> User:
    user = make_user("sam", is_staff=True, **fields)
    TOTP.activate(user, generate_totp_secret())
    return user


def use_factor(client: Client, user: User) -> None:
    """Put into the session what allauth puts there after a right code."""
    request, session = HttpRequest(), client.session
    request.session = session
    factor = Authenticator.objects.get(user=user, type=Authenticator.Type.TOTP)
    record_authentication(request, user, method="mfa", id=factor.pk, type=factor.type)
    session.save()


def desk(user: User | None = None, *, reason: str = REASON) -> Client:
    """Return the browser of a member of staff who signed in with a second factor and said why."""
    user = user or staff_user()
    client = client_for(user)
    use_factor(client, user)
    if reason:
        assert client.post(reverse("admin:scope"), {"reason": reason, "ticket": "T-17"}).status_code == 302
    return client


def entries(organization: Organization, action: str) -> list[AuditEntry]:
    with tenant_scope(organization.pk), atomic():
        return list(AuditEntry.objects.filter(action=action).order_by("sequence"))


def platform_entries(action: str, subject: str) -> list[AuditEntry]:
    with system_scope("staff"):
        return list(AuditEntry.objects.filter(organization_id=PLATFORM_ID, action=action, subject=subject))


def deed_url(row: Any, code: str) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_deed", args=[row.pk, code])


def do(client: Client, row: Any, code: str, **fields: str) -> Any:
    return client.post(deed_url(row, code), {"reason": "Because the owner asked for it", **fields})


def again(row: Any) -> Any:
    with system_scope("staff"):
        return type(row).objects.get(pk=row.pk)


@dataclass(frozen=True, slots=True)
class Full:
    """An organization with one of everything, and every secret that is kept about it."""

    cast: Team
    rows: list[Any]
    secrets: set[str]


def full() -> Full:
    cast = team()
    accept_documents(cast.as_alice)
    account = make_account(cast.as_alice)
    signed_in = [client_for(user) for user in (cast.alice, cast.bob)]
    for client in signed_in:
        client.get(reverse("account_email"))
    TOTP.activate(cast.alice, generate_totp_secret())
    RecoveryCodes.activate(cast.alice)
    device = uuid4().bytes * 2
    sign_in = SignIn.objects.create(
        user=cast.alice, outcome="success", method="password", device=device, client="Firefox"
    )
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sealed = vault.seal(account, "credentials", {"access_token": "very secret"})
        TradingAccount.objects.filter(pk=account.pk).update(credentials=sealed, credentials_at=timezone.now())
        key, key_text = keys.create(cast.as_alice, name="robot", scopes=[KeyScope.READ], networks=["10.0.0.0/8"])
        invitation = members.invite(cast.as_alice, f"guest-{uuid4().hex}@example.com", "viewer")
        export = DataExport.objects.create(requested_by=cast.as_alice.membership, file="exports/private-name.zip")
        parked = outbox.publish(EventName.DRILL, n=1)
        OutboxEvent.objects.filter(pk=parked.pk).update(parked_at=timezone.now(), attempts=9, error="gave up")
        data_key, agreed = DataKey.objects.get(), Acknowledgement.objects.first()
        entry = AuditEntry.objects.order_by("-sequence").first()
    delivered = sent(make_source(cast.house.pk), rest(), now=timezone.now())
    with tenant_scope(cast.house.pk), atomic():
        message = RawSignal.objects.get(pk=delivered.raw_id)
        switch = Switch.objects.create(
            level="account", account_id=account.pk, reason="a test", set_at=timezone.now(), set_by_kind="system"
        )
    (receipt_id,) = decide([facts_of(cast.house.pk, account.pk)]).values()
    with tenant_scope(cast.house.pk), atomic():
        receipt = Receipt.objects.get(pk=receipt_id)
    program = told_program(cast)
    digest = bytes(key.digest)
    secrets = {
        "very secret",
        sealed,
        key_text,
        key_text.rpartition("_")[2],
        digest.hex(),
        base64.b64encode(digest).decode(),
        repr(digest)[2:-1],
        data_key.wrapped,
        device.hex(),
        cast.alice.password,
        cast.bob.password,
        members.link(invitation),
        members.link(invitation).rstrip("/").rpartition("/")[2],
        export.file,
        *UserSession.objects.filter(user__in=[cast.alice, cast.bob]).values_list("session_key", flat=True),
    }
    for factor in Authenticator.objects.filter(user=cast.alice):
        secrets |= {value for value in factor.data.values() if isinstance(value, str)}
    assert all(len(secret) > 10 for secret in secrets)
    membership = cast.as_bob.membership
    return Full(
        cast=cast,
        secrets=secrets,
        rows=[
            cast.house,
            cast.alice,
            account,
            key,
            invitation,
            export,
            parked,
            agreed,
            entry,
            membership,
            sign_in,
            message,
            switch,
            receipt,
            program,
        ],
    )

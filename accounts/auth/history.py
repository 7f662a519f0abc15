"""Who has been at the door: sign-ins, failures, new devices, and security changes in the trail of each organization.

allauth tells about these through signals; `connect` is the one place where they are listened to (called by apps.py).
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import replace
from typing import Any
from uuid import UUID

from allauth.account import signals as account_signals
from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from allauth.mfa import signals as mfa_signals
from allauth.usersessions.models import UserSession
from django.conf import settings
from django.db import transaction
from django.http import HttpRequest, HttpResponse

from accounts import audit
from accounts.auth import address
from accounts.models import Membership, SignIn, User
from accounts.tenancy import person_scope, tenant_scope
from mikrobot_platform.db import scope as scopes

DEVICE_AGE_S = 400 * 24 * 3600  # browsers cap cookies at 400 days
_METHODS = {
    "password": "password",
    "totp": "authenticator code",
    "recovery_codes": "recovery code",
    "webauthn": "passkey",
    "password_reset": "password reset",
}


def note_success(request: HttpRequest, user: User) -> None:
    """Write down a sign-in; tell the person by e-mail when it comes from a device that was not seen before."""
    token = request.COOKIES.get(settings.DEVICE_COOKIE_NAME, "")
    if not 20 <= len(token) <= 100:
        token = secrets.token_urlsafe(32)
    device = hashlib.sha256(token.encode()).digest()
    seen = SignIn.objects.filter(user=user, outcome=SignIn.Outcome.SUCCESS)
    is_first, is_known = not seen.exists(), seen.filter(device=device).exists()
    row = SignIn.objects.create(
        user=user,
        outcome=SignIn.Outcome.SUCCESS,
        method=_method(request, user),
        address=address.of(request),
        client=_client(request),
        device=device,
    )
    request.device_token = token  # type: ignore[attr-defined]
    note_in_trails(user, "person.signed_in", method=row.method, new_device=not is_known)
    if not is_known and not is_first:
        get_adapter(request).send_notification_mail("account/email/new_device", user, {"sign_in": row})


def note_failure(request: HttpRequest, email: str, outcome: SignIn.Outcome) -> None:
    """Write down a failed attempt at an address that exists; about others nothing is kept."""
    user = User.objects.filter(email=email.strip().lower()).first()
    if user is not None:
        SignIn.objects.create(
            user=user, outcome=outcome, method="password", address=address.of(request), client=_client(request)
        )


def remember_device(request: HttpRequest, response: HttpResponse) -> None:
    """Give the browser its device cookie after a sign-in, so that it is known next time."""
    token = getattr(request, "device_token", None)
    if token:
        response.set_cookie(
            settings.DEVICE_COOKIE_NAME,
            token,
            max_age=DEVICE_AGE_S,
            secure=settings.IS_HTTPS,
            httponly=True,
            samesite="Lax",
        )


def note_in_trails(user: User, action: str, **data: object) -> None:
    """Write a person's security event into the trail of every organization they belong to.

    The organization in scope gets it in this transaction, the others right after its commit.
    """
    who = audit.Actor(kind="user", id=str(user.pk), address=audit.actor().address, reason=audit.actor().reason)
    here = scopes.current().organization_id

    def elsewhere() -> None:
        with person_scope(user.pk), transaction.atomic():
            others: list[UUID] = list(
                Membership.objects.exclude(organization_id=here).values_list("organization_id", flat=True)
            )
        for organization_id in others:
            with tenant_scope(organization_id), transaction.atomic(), audit.acting_as(who):
                audit.record(action, user, **data)

    if here is not None:
        with audit.acting_as(who):
            audit.record(action, user, **data)
    transaction.on_commit(elsewhere, using=scopes.current().alias)


def end_other_sessions(request: HttpRequest | None, user: User) -> int:
    """End every session of the person but the one they are using."""
    current = request.session.session_key if request is not None else None
    ended = 0
    for session in UserSession.objects.filter(user=user).exclude(session_key=current):
        session.end()
        ended += 1
    return ended


def _method(request: HttpRequest, user: User) -> str:
    words = []
    for record in get_authentication_records(request, user):
        method = record.get("type") if record.get("method") == "mfa" else record.get("method")
        words.append(_METHODS.get(str(method), str(method)))
    return " and ".join(dict.fromkeys(words))[:40]


def _client(request: HttpRequest) -> str:
    return request.headers.get("User-Agent", "")[:300]


def _on_sign_in(request: HttpRequest, user: User, **_: Any) -> None:
    note_success(request, user)


def _on_mfa_failure(request: HttpRequest, user: User, **_: Any) -> None:
    SignIn.objects.create(
        user=user,
        outcome=SignIn.Outcome.FAILED,
        method="second factor",
        address=address.of(request),
        client=_client(request),
    )


def _says(action: str, *, ends_sessions: bool = False) -> Any:
    """Make a receiver that writes `action` into the person's trails."""

    def receive(request: HttpRequest | None = None, user: User | None = None, **given: Any) -> None:
        if user is None:
            user = given["email_address"].user
        authenticator = given.get("authenticator")
        extra = {"factor": str(authenticator.type)} if authenticator is not None else {}
        who = audit.actor()
        if who.address is None and request is not None:  # allauth tells of TOTP and codes after the commit
            who = replace(who, address=address.of(request))
        with audit.acting_as(who):
            note_in_trails(user, action, **extra)
        if ends_sessions:
            end_other_sessions(request, user)

    return receive


def connect() -> None:
    """Listen to allauth."""
    heard = {
        account_signals.user_logged_in: _on_sign_in,
        account_signals.password_set: _says("person.password_set", ends_sessions=True),
        account_signals.password_changed: _says("person.password_changed", ends_sessions=True),
        account_signals.password_reset: _says("person.password_reset", ends_sessions=True),
        account_signals.email_confirmed: _says("person.email_confirmed"),
        account_signals.email_added: _says("person.email_added"),
        account_signals.email_removed: _says("person.email_removed"),
        account_signals.email_changed: _says("person.email_changed", ends_sessions=True),
        mfa_signals.authenticator_added: _says("person.factor_added", ends_sessions=True),
        mfa_signals.authenticator_removed: _says("person.factor_removed", ends_sessions=True),
        mfa_signals.authenticator_reset: _says("person.factor_reset", ends_sessions=True),
        mfa_signals.authentication_failed: _on_mfa_failure,
    }
    for signal, receiver in heard.items():
        signal.connect(receiver, weak=False, dispatch_uid=f"accounts.auth.history.{id(signal)}")

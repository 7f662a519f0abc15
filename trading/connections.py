"""Secrets, where they are opened: those of sources to check what claims to come from there, accounts' to sign in.

An organization's secret is opened by the vault, which writes each opening into its trail; the platform's own by the
master keys. What was opened stays in this process's memory for a while, because a signature is checked with every
message. A secret is never changed, only ended, so what is remembered of one that is still listed is right.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from uuid import UUID

from django.db import connections as databases

from accounts import platform_box, vault
from accounts.models import TradingAccount
from accounts.tenancy import atomic, tenant_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.scope import Scope
from trading.models import Source, SourceSecret

REMEMBER_S = 600
PURPOSE, OPEN_SESSION = "check_signature", "open_session"

_opened: dict[UUID, tuple[int, bytes]] = {}  # id of a secret -> second in which it was opened, the secret
_lock = threading.Lock()


def make_text() -> str:
    """Make a secret: 256 bits as text that fits into an address."""
    return secrets.token_urlsafe(32)


def digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def seal(row: SourceSecret, text: str) -> None:
    """Close a secret up for its row; the caller stores the row in the same transaction."""
    row.sealed = platform_box.platform_encrypt(text) if row.is_of_platform else vault.seal(row, "sealed", text)


def signing(source: Source, rows: Sequence[SourceSecret]) -> list[bytes]:
    """Open the secrets with which a message of this source may be signed. No transaction may be open.

    One that cannot be opened any more raises vault.Sealed or platform_box.Unreadable: a fault of ours.
    """
    return [_open(source, row) for row in rows if row.sealed]


def _open(source: Source, row: SourceSecret) -> bytes:
    second = int(time.monotonic())
    with _lock:
        opened_at, secret = _opened.get(row.pk, (0, b""))
        if secret and second - opened_at < REMEMBER_S:
            return secret
    if row.is_of_platform:
        text = platform_box.platform_decrypt(row.sealed or "")
    else:
        with tenant_scope(source.organization_id):
            text = str(vault.reveal(row, "sealed", purpose=PURPOSE))
    with _lock:
        for old in [pk for pk, (since, _secret) in _opened.items() if second - since >= REMEMBER_S]:
            del _opened[old]
        _opened[row.pk] = (second, text.encode())
    return text.encode()


def account_credentials(accounts: Sequence[tuple[UUID, UUID]]) -> dict[UUID, Mapping[str, str] | Exception]:
    """Open what accounts sign in to their venues with, given as organization and account; the openings stand in trails.

    Return it, or why it cannot be opened, by account. In a thread that has no connection of its own: the one that it
    needs is given back.
    """
    owners: dict[UUID, list[UUID]] = defaultdict(list)
    for organization_id, account_id in accounts:
        owners[organization_id].append(account_id)
    found: dict[UUID, Mapping[str, str] | Exception] = {}
    try:
        for organization_id, ids in owners.items():
            with scopes.enter(Scope(organization_id=organization_id, alias=scopes.ENGINE)):
                found |= _credentials(ids)
    finally:
        databases.close_all()
    return found


def _credentials(ids: Sequence[UUID]) -> dict[UUID, Mapping[str, str] | Exception]:
    found: dict[UUID, Mapping[str, str] | Exception] = {pk: LookupError("the account is gone") for pk in ids}
    with atomic():
        rows = list(TradingAccount.objects.filter(pk__in=ids))
    opened = vault.reveal_all([row for row in rows if row.credentials], "credentials", purpose=OPEN_SESSION)
    for row in rows:
        secret = opened.get(row.pk, {})
        found[row.pk] = secret if isinstance(secret, vault.Sealed) else {**secret, "currency": row.currency}
    return found

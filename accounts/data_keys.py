"""Data keys: one current per organization, stored as only the platform's master keys open them.

Under the vault (which reads values) stand the exchange and the destruction of keys, which do not: this page is what all
three share. Nothing is kept in memory between calls, so a rotation or a shredding counts at once, in every process.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from cryptography.fernet import Fernet, InvalidToken
from django.db import connections

from accounts import audit, key_providers
from accounts.models.vault import DataKey
from accounts.tenancy import atomic, tenant_scope
from mikrobot_platform.db import scope as scopes

FORMAT = "v1"
# A key can be exchanged between two of our statements; once happens, three times in a row is a fault.
ATTEMPTS = 3


class Sealed(Exception):
    """Raised when something cannot be sealed or does not open here. The message never holds content."""


class CurrentKey(NamedTuple):
    """The data key that seals now."""

    version: int
    fernet: Fernet


def create_key(organization_id: UUID) -> DataKey:
    """Give a new organization its first data key, in the transaction that founds it."""
    with tenant_scope(organization_id), atomic():
        row: DataKey = DataKey.objects.create(organization_id=organization_id, version=1, wrapped=new_wrapped_key())
    return row


def new_wrapped_key() -> str:
    """Make a data key and return it as only the master keys can open it."""
    return key_providers.master().encrypt(Fernet.generate_key()).decode("ascii")


def shred(organization_id: UUID) -> int:
    """Delete every data key of the organization: what they sealed cannot be read any more, here and in later dumps.

    Dumps made before still hold the wrapped keys; they close for good when the master key of their time is dropped.
    """
    with tenant_scope(organization_id), atomic():
        deleted, _by_model = DataKey.objects.all().delete()
        audit.record("vault.shredded", keys=deleted)
    return deleted


def current_key() -> CurrentKey:
    """Read the data key that seals now and hold it against deletion until the transaction ends."""
    organization_id = scopes.organization()
    for _attempt in range(ATTEMPTS):
        with connections[scopes.current().alias].cursor() as cursor:
            # KEY SHARE: any number of writers beside each other, and beside a re-wrapping; only a deletion waits.
            cursor.execute(
                "select version, wrapped from accounts_datakey where organization_id = %s and retired_at is null"
                " for key share",
                [organization_id],
            )
            found = cursor.fetchone()
        if found is not None and (fernet := unwrap(found[1])) is not None:
            return CurrentKey(found[0], fernet)
    raise Sealed("this organization has no data key that the master keys open; nothing can be sealed")


def unwrap(wrapped: str) -> Fernet | None:
    """Open a data key with the master keys as they are now; None when none of them fits."""
    try:
        return Fernet(key_providers.master().decrypt(wrapped))
    except InvalidToken:
        return None


def split(text: str) -> tuple[int, str]:
    """Take a sealed text apart: the version of its data key and the token."""
    found, _, rest = text.partition(":")
    version, _, token = rest.partition(":")
    if found != FORMAT or not version.isascii() or not version.isdigit() or not token:
        raise Sealed("this is not a sealed text")
    return int(version), token

"""The vault: an organization's secrets, sealed with its own data key.

What must stay true:
- A sealed text opens only in the organization, record and field for which it was sealed; they travel inside it.
- Nobody holds a plaintext whose opening is not in the audit trail already.

Opened by accounts.services, trading.connections and notifications.dispatch only (import-linter). A renamed model
must re-seal its fields: its label stands in every sealed text.
"""

from __future__ import annotations

import hmac
import json
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django.db import connections, models, transaction

from accounts import audit
from accounts.data_keys import ATTEMPTS, FORMAT, Sealed, create_key, current_key, split, unwrap
from accounts.models.base import TenantRow
from accounts.models.fields import SealedField
from accounts.models.vault import DataKey
from mikrobot_platform import metrics
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.scope import ScopeError

__all__ = ["Sealed", "create_key", "reveal", "seal"]


def seal(record: models.Model, field: str, value: object) -> str:
    """Close `value` (anything that JSON can hold) up for one field of one record; return the text to store there.

    Call it in the transaction that stores the text: the data key stays locked against deletion until that commits, so a
    rotation never takes away the key of a text that it cannot see yet.
    """
    context = _context(record, field)
    if not connections[scopes.current().alias].in_atomic_block:
        raise ScopeError("seal in the transaction that stores the text, so that its key cannot be rotated away before")
    key = current_key()
    plain = json.dumps({**context, "value": value}, separators=(",", ":")).encode()
    return f"{FORMAT}:{key.version}:{key.fernet.encrypt(plain).decode('ascii')}"


def reveal(record: models.Model, field: str, *, purpose: str) -> Any:
    """Open what is stored in `record`'s field, for a stated purpose, and return the value.

    1. The stored text is read anew, with the organization's keys, in one statement: a rotation since `record` was
       loaded changes nothing.
    2. "secret.revealed" (or "secret.unreadable") is written to the organization's trail and committed.
    3. Only then the value is returned, or Sealed raised.

    Step 2 needs a transaction of its own: inside an open one a roll-back would erase the entry of a secret that is
    already out. Calling this there is therefore an error (RuntimeError), by design; requests and tenant tasks hold one.
    """
    context = _context(record, field)
    if not purpose:
        raise ValueError("a reveal states its purpose")
    with transaction.atomic(using=scopes.current().alias, durable=True):
        try:
            value, problem = _open_stored(record, field, context), None
        except Sealed as error:
            value, problem = None, error
        action = "secret.revealed" if problem is None else "secret.unreadable"
        audit.record(action, record, field=field, purpose=purpose)
    if problem is not None:
        raise problem
    metrics.REVEALS.labels(purpose).inc()
    return value


def _context(record: models.Model, field: str) -> dict[str, str]:
    """Say where a value belongs, and refuse places that are not this organization's sealed fields."""
    if not isinstance(record, TenantRow) or not isinstance(record._meta.get_field(field), SealedField):
        raise TypeError(f"{record._meta.label}.{field} is not a sealed field of a tenant's record")
    organization_id = scopes.organization()
    if record.organization_id not in {None, organization_id}:
        raise ScopeError(f"this {record._meta.label} belongs to another organization")
    if record.pk is None:
        raise Sealed("a record needs its id before anything can be sealed for it")
    return {
        "organization": str(organization_id),
        "record": f"{_model(record)._meta.label_lower}:{record.pk}",
        "field": field,
    }


def _model(record: models.Model) -> type[models.Model]:
    model = record._meta.concrete_model
    assert model is not None
    return model


def _open_stored(record: models.Model, field: str, context: dict[str, str]) -> Any:
    stored = _model(record)._base_manager.filter(organization_id=scopes.organization(), pk=record.pk).values(field)
    for _attempt in range(ATTEMPTS):
        keys = {
            version: (wrapped, text)
            for version, wrapped, text in DataKey.objects.values_list("version", "wrapped", models.Subquery(stored))
        }
        if not keys:
            raise Sealed("the organization's data keys are gone; what they sealed cannot be read any more")
        text = next(iter(keys.values()))[1]
        if not text:
            raise Sealed("nothing is stored there")
        version, token = split(text)
        fernet = unwrap(keys[version][0]) if version in keys else None
        if fernet is not None:
            return _open(fernet, token, context)
    raise Sealed("the key of this secret is gone")


def _open(fernet: Fernet, token: str, context: dict[str, str]) -> Any:
    try:
        inside = json.loads(fernet.decrypt(token))
        value = inside.pop("value")
    except (InvalidToken, ValueError, KeyError, TypeError, AttributeError):
        raise Sealed("this secret was changed, or sealed for somebody else") from None
    if not hmac.compare_digest(_canonical(inside), _canonical(context)):
        raise Sealed("this secret was sealed for another place")
    return value


def _canonical(context: dict[str, str]) -> bytes:
    return json.dumps(context, sort_keys=True).encode()

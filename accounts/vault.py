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
from collections.abc import Mapping, Sequence
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

__all__ = ["Sealed", "create_key", "reveal", "reveal_all", "seal"]


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

    1. The stored text is read anew, then the organization's keys: a rotation meanwhile changes nothing.
    2. "secret.revealed" (or "secret.unreadable") is written to the organization's trail and committed.
    3. Only then the value is returned, or Sealed raised.

    Step 2 needs a transaction of its own: inside an open one a roll-back would erase the entry of a secret that is
    already out. Calling this there is therefore an error (RuntimeError), by design; requests and tenant tasks hold one.
    """
    found = reveal_all([record], field, purpose=purpose)[record.pk]
    if isinstance(found, Sealed):
        raise found
    return found


def reveal_all(records: Sequence[models.Model], field: str, *, purpose: str) -> dict[Any, Any | Sealed]:
    """Open one field of several records as `reveal` does, all in one transaction; return value or problem by id."""
    contexts = {record.pk: _context(record, field) for record in records}
    if not purpose:
        raise ValueError("a reveal states its purpose")
    if not records:
        return {}
    with transaction.atomic(using=scopes.current().alias, durable=True):
        found = _open_stored(_model(records[0]), field, contexts)
        for action, is_open in (("secret.revealed", True), ("secret.unreadable", False)):
            subjects = [record for record in records if isinstance(found[record.pk], Sealed) is not is_open]
            audit.record_each(action, subjects, field=field, purpose=purpose)
    metrics.REVEALS.labels(purpose).inc(sum(not isinstance(value, Sealed) for value in found.values()))
    return found


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


def _open_stored(model: type[models.Model], field: str, contexts: Mapping[Any, dict[str, str]]) -> dict[Any, Any]:
    """Open stored texts; those whose key was rotated away between the two reads are read again."""
    found: dict[Any, Any] = {}
    rows = model._base_manager.filter(organization_id=scopes.organization())
    for _attempt in range(ATTEMPTS):
        left = [pk for pk in contexts if pk not in found]
        stored = dict(rows.filter(pk__in=left).values_list("pk", field))
        keys = {version: unwrap(wrapped) for version, wrapped in DataKey.objects.values_list("version", "wrapped")}
        for pk in left:
            try:
                value = _open(stored.get(pk), keys, contexts[pk])
            except Sealed as problem:
                found[pk] = problem
            except _KeyGone:
                continue
            else:
                found[pk] = value
        if len(found) == len(contexts):
            return found
    return {**{pk: Sealed("the key of this secret is gone") for pk in contexts}, **found}


class _KeyGone(Exception):
    """Raised when the key that a text names is not there (any more)."""


def _open(text: str | None, keys: Mapping[int, Fernet | None], context: dict[str, str]) -> Any:
    if not keys:
        raise Sealed("the organization's data keys are gone; what they sealed cannot be read any more")
    if not text:
        raise Sealed("nothing is stored there")
    version, token = split(text)
    fernet = keys.get(version)
    if fernet is None:
        raise _KeyGone
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

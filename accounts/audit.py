"""The audit trail: what was done, by whom, from where; a hash chain per organization that PostgreSQL links.

Rows are never changed: triggers refuse UPDATE, DELETE and TRUNCATE to everybody. Someone with the owner role could
still switch triggers off, so accounts/audit_chain.py recomputes every chain, and accounts/audit_heads.py keeps the
heads where the database cannot reach.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db import models, transaction
from django.utils import timezone

from accounts.models.audit import PLATFORM_ID, AuditEntry
from mikrobot_platform import metrics
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel.trace import trace_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who acts: a user, an API key, a member of staff, or the system itself."""

    kind: str = "system"
    id: str = ""
    address: str | None = None
    reason: str = ""  # staff state one; it stands in every entry they cause


SYSTEM = Actor()
_actor: ContextVar[Actor] = ContextVar("actor", default=SYSTEM)


def actor() -> Actor:
    return _actor.get()


@contextmanager
def acting_as(who: Actor) -> Iterator[None]:
    """Attribute what is recorded inside to `who`."""
    token = _actor.set(who)
    try:
        yield
    finally:
        _actor.reset(token)


def subject_of(row: models.Model) -> str:
    return f"{row._meta.model_name}:{row.pk}"


def record(action: str, subject: models.Model | str = "", /, **data: object) -> AuditEntry:
    """Write into the current organization's chain what is being done, in the same transaction. No secrets in `data`."""
    return _write(scopes.organization(), action, subject, data)


def record_platform(action: str, subject: models.Model | str = "", /, **data: object) -> AuditEntry:
    """Write into the platform's own chain; needs a system scope."""
    return _write(PLATFORM_ID, action, subject, data)


def record_of(owner_id: UUID, action: str, subject: models.Model | str = "", /, **data: object) -> AuditEntry:
    """Write into the chain of whoever owns what is done: an organization or, with the id zero, the platform."""
    return (record_platform if owner_id == PLATFORM_ID else record)(action, subject, **data)


def record_each(action: str, subjects: Sequence[models.Model], /, **data: object) -> None:
    """Write one entry for each subject into the current organization's chain."""
    AuditEntry.objects.bulk_create([_entry(scopes.organization(), action, subject, data) for subject in subjects])


def _write(organization_id: UUID, action: str, subject: models.Model | str, data: Mapping[str, object]) -> AuditEntry:
    entry = _entry(organization_id, action, subject, data)
    entry.save(force_insert=True)
    return entry


def _entry(organization_id: UUID, action: str, subject: models.Model | str, data: Mapping[str, object]) -> AuditEntry:
    who = actor()
    return AuditEntry(
        organization_id=organization_id,
        at=timezone.now(),
        actor_kind=who.kind,
        actor_id=who.id,
        action=action,
        subject=subject if isinstance(subject, str) else subject_of(subject),
        data={**data, "reason": who.reason} if who.reason else dict(data),
        address=who.address,
        trace_id=trace_id.get(),
    )


_noted: set[tuple[int, str, date]] = set()
_noted_lock = threading.Lock()


def note_system_scope(name: str) -> None:
    """Write down that tenants are being crossed: a person's every time, a worker's once per process and day.

    A relay enters its scope every few seconds; an entry each would bury the ones that matter. The metric counts all.
    The entry commits by itself, unless a transaction of the engine is open already.
    """
    metrics.SYSTEM_SCOPES.labels(name).inc()
    who = actor()
    key = (os.getpid(), name, timezone.now().date())
    with _noted_lock:
        if who.kind == "system" and key in _noted:
            return
        _noted.add(key)
    with transaction.atomic(using=scopes.ENGINE):
        record_platform("scope.entered", name)

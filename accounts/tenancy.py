"""Scopes: a tenant's, a person's, or a named piece of the platform that crosses tenants.

Isolation holds three times: the manager refuses to answer without a scope and filters inside one, save() refuses
another tenant's row (accounts/models/base.py), and PostgreSQL's row-level security does the same to raw SQL
(mikrobot_platform/db/operations.py).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import transaction

from accounts import audit
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.scope import NoTenant, Scope, ScopeError

__all__ = ["SYSTEM_SCOPES", "NoTenant", "ScopeError", "atomic", "person_scope", "system_scope", "tenant_scope"]

# Who may cross tenants, and what for. Which tables each may read or write stands in the policies of the migrations;
# test_tenancy.py compares both. Adding one is a review, not a convenience.
SYSTEM_SCOPES: dict[str, str] = {
    "outbox.relay": "find organizations with unsent news, then work in each of them",
    "organization.sweep": "find organizations whose closing is due, exports that stand still or have expired",
    "vault.rotate": "find organizations and people whose keys are re-wrapped, re-sealed or deleted",
    "audit.verify": "walk every audit chain, export its head",
    "signals.door": "find the source that a message names, before entering its owner's ledger",
    "signals.platform": "keep the ledger of the platform's own sources, which every tenant may read",
    "signals.sweep": "find messages and signals that stand still, then move each on in its own ledger",
    "gate.decide": "read the facts of a shard of accounts, decide, write their receipts",
    "orders.carry": "send the orders of a batch of accounts, and write down what their venues say",
    "gate.days": "find accounts whose day turned unseen, then close it in each organization",
    "gate.programs": "find prop accounts whose owner does not know yet what changed, then tell it in each organization",
    "doctor": "look, change nothing",
    "staff": "staff pages, with a stated reason",
}


@contextmanager
def tenant_scope(organization_id: UUID, *, user_id: UUID | None = None) -> Iterator[None]:
    """Work as one organization. Inside a system scope this narrows it, on the same connection and transaction."""
    before = scopes.current()
    with scopes.enter(Scope(organization_id=organization_id, user_id=user_id or before.user_id, alias=before.alias)):
        yield


@contextmanager
def person_scope(user_id: UUID) -> Iterator[None]:
    """Work as a person who has not chosen an organization: sees own memberships and nothing else."""
    with scopes.enter(Scope(user_id=user_id)):
        yield


@contextmanager
def system_scope(name: str) -> Iterator[None]:
    """Cross tenants under a name from SYSTEM_SCOPES, in one transaction of the engine role; the use is audited.

    A person's use is written down every time; a worker's at first use in each process and day (accounts/audit.py). The
    entry commits before the work begins: it stands even when the work fails, and its chain is not held meanwhile.
    """
    if name not in SYSTEM_SCOPES:
        raise ScopeError(f"there is no system scope {name!r}")
    with scopes.enter(Scope(system=name, alias=scopes.ENGINE)):
        audit.note_system_scope(name)
        with transaction.atomic(using=scopes.ENGINE):
            yield


@contextmanager
def atomic() -> Iterator[None]:
    """Open a transaction on the connection of the current scope."""
    with transaction.atomic(using=scopes.current().alias):
        yield

"""Who the database is working for: the one ContextVar that decides which rows exist.

A scope is entered, never assigned; the backend (base.py) tells PostgreSQL about it at every BEGIN, so a connection that
comes back from a pool never carries the last tenant along. Without a scope there are no tenant rows at all.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast
from uuid import UUID

from psycopg.pq import TransactionStatus

if TYPE_CHECKING:
    from mikrobot_platform.db.base import DatabaseWrapper

APP = "default"
ENGINE = "engine"


class ScopeError(RuntimeError):
    """Raised when code would leave the tenant it stands in, or asks for rows without standing in one."""


class NoTenant(ScopeError):
    """Raised when tenant rows are asked for and nobody said whose."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """A tenant, a person who has not chosen one yet, or a named piece of the platform that crosses tenants."""

    organization_id: UUID | None = None
    user_id: UUID | None = None
    system: str | None = None
    alias: str = APP

    def parameters(self) -> tuple[str, str, str]:
        return (str(self.organization_id or ""), str(self.user_id or ""), self.system or "")


NOBODY = Scope()
_current: ContextVar[Scope] = ContextVar("scope", default=NOBODY)


def current() -> Scope:
    return _current.get()


def organization() -> UUID:
    """Return the organization whose scope this is, or raise."""
    organization_id = current().organization_id
    if organization_id is None:
        raise NoTenant("no organization is in scope; enter one with tenant_scope(organization_id)")
    return organization_id


_TELL = (
    "select set_config('app.organization_id', %s, true), set_config('app.user_id', %s, true),"
    " set_config('app.system_scope', %s, true)"
)


def begin(connection: DatabaseWrapper, scope: Scope) -> None:
    """Begin a transaction and tell it whose it is, in one message."""
    with connection.wrap_database_errors:
        connection.connection.execute(f"begin; {_TELL}", scope.parameters())


def send(connection: DatabaseWrapper, scope: Scope) -> None:
    """Tell an open transaction whose it is; the setting ends with the transaction (PgBouncer-safe)."""
    with connection.wrap_database_errors:
        connection.connection.execute(_TELL, scope.parameters())
    connection.scope = scope


@contextmanager
def enter(scope: Scope) -> Iterator[None]:
    """Work as `scope`: also inside an open transaction, unless that one belongs to another tenant already."""
    from django.db import connections

    connection = cast("DatabaseWrapper", connections[scope.alias])
    inside = connection.in_atomic_block
    held = connection.scope if inside else NOBODY
    if held.organization_id is not None and held.organization_id != scope.organization_id:
        raise ScopeError("a transaction of another organization is open; finish it before entering this one")
    if inside:
        send(connection, scope)
    token = _current.set(scope)
    try:
        yield
    finally:
        _current.reset(token)
        # After an error the transaction refuses statements; its rollback restores the earlier setting for us.
        raw = connection.connection
        if inside and raw is not None and raw.info.transaction_status == TransactionStatus.INTRANS:
            send(connection, held)
        elif inside:
            connection.scope = held

"""The PostgreSQL backend that sets the tenant at every BEGIN."""

from __future__ import annotations

import time
from typing import Any
from weakref import WeakKeyDictionary

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper
from psycopg import Connection
from psycopg_pool import ConnectionPool

from mikrobot_platform.db import scope as scopes

CHECKED_S = 1.0
_checked_at: WeakKeyDictionary[Connection[Any], float] = WeakKeyDictionary()


class DatabaseWrapper(PostgresWrapper):
    """Announce the current scope when a transaction begins; outside of one nobody sees tenant rows."""

    scope: scopes.Scope = scopes.NOBODY

    @property
    def pool(self) -> Any:
        """Have connections looked at when they are lent out, but each at most once a second."""
        found = super().pool
        if found is not None and self.settings_dict["CONN_HEALTH_CHECKS"]:
            found._check = check_now_and_then
        return found

    def _set_autocommit(self, autocommit: bool) -> None:
        """Begin and announce in one message: psycopg's own BEGIN would be one more round trip in every transaction."""
        scope = scopes.NOBODY if autocommit else scopes.current()
        if scope is scopes.NOBODY:
            super()._set_autocommit(autocommit)  # type: ignore[misc]
        else:
            super()._set_autocommit(True)  # type: ignore[misc]
            scopes.begin(self, scope)
        self.scope = scope

    def close(self) -> Any:
        self.scope = scopes.NOBODY
        return super().close()


def check_now_and_then(connection: Connection[Any]) -> None:
    """Look whether a connection still has its server: a round trip, which a second of many requests pays once."""
    now = time.monotonic()
    if now - _checked_at.get(connection, -CHECKED_S) >= CHECKED_S:
        ConnectionPool.check_connection(connection)
        _checked_at[connection] = now

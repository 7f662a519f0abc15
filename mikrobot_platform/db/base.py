"""The PostgreSQL backend that sets the tenant at every BEGIN."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper

from mikrobot_platform.db import scope as scopes


class DatabaseWrapper(PostgresWrapper):
    """Announce the current scope when a transaction begins; outside of one nobody sees tenant rows."""

    scope: scopes.Scope = scopes.NOBODY

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

"""The PostgreSQL backend that sets the tenant at every BEGIN."""

from __future__ import annotations

from typing import Any

from django.db.backends.postgresql.base import DatabaseWrapper as PostgresWrapper

from mikrobot_platform.db import scope as scopes


class DatabaseWrapper(PostgresWrapper):
    """Announce the current scope when a transaction begins; outside of one nobody sees tenant rows."""

    scope: scopes.Scope = scopes.NOBODY

    def set_autocommit(self, autocommit: bool, force_begin_transaction_with_broken_autocommit: bool = False) -> None:
        super().set_autocommit(autocommit, force_begin_transaction_with_broken_autocommit)
        if autocommit:
            self.scope = scopes.NOBODY
        elif (scope := scopes.current()) is not scopes.NOBODY:
            scopes.send(self, scope)

    def close(self) -> Any:
        self.scope = scopes.NOBODY
        return super().close()

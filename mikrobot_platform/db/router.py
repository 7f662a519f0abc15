"""Which role a query runs as: the app role, or the engine role inside a system scope; only the owner migrates."""

from __future__ import annotations

from typing import Any

from mikrobot_platform.db import scope


class ScopeRouter:
    """Follow the scope, so that no caller names a database alias by hand."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return scope.current().alias

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return scope.current().alias

    def allow_relation(self, first: Any, second: Any, **hints: Any) -> bool:
        return True  # three roles, one database

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"

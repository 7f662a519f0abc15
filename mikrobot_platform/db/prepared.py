"""Statements that are asked all the time: planned once in a connection, with their values sent apart from them.

Django writes values into the text of a statement, so that PostgreSQL reads and plans every one anew; of a short
statement that is most of the work. Behind PgBouncer nothing is kept (settings.py), and only the planning is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import connections
from psycopg import Cursor

from mikrobot_platform.db import scope as scopes


def ask(statement: str, values: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement in the transaction of the current scope; return its rows.

    A value whose type does not follow from where it stands needs a cast, as in `%(name)s::text`.
    """
    connection: Any = connections[scopes.current().alias]
    connection.ensure_connection()
    with connection.make_cursor(Cursor(connection.connection)) as cursor:
        cursor.execute(statement, values)
        told = cursor.pgresult
        return list(cursor.fetchall()) if told is not None and told.nfields else []

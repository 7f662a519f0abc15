"""Statements that are asked all the time: planned once in a connection, with their values sent apart from them.

Django writes values into the text of a statement, so that PostgreSQL reads and plans every one anew; of a short
statement that is most of the work. Behind PgBouncer nothing is kept (settings.py), and only the planning is lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connections
from psycopg import Cursor
from psycopg.types.datetime import TimestamptzLoader

from mikrobot_platform.db import scope as scopes


def ask(statement: str, values: Mapping[str, Any] | Sequence[Any]) -> list[tuple[Any, ...]]:
    """Run one statement in the transaction of the current scope; return its rows.

    A value whose type does not follow from where it stands needs a cast, as in `%(name)s::text`. Moments are read by
    psycopg itself: they come in UTC, as from Django's own reader, which is Python and takes ten times as long.
    """
    connection: Any = connections[scopes.current().alias]
    connection.ensure_connection()
    with connection.make_cursor(Cursor(connection.connection)) as cursor:
        cursor.adapters.register_loader("timestamptz", TimestamptzLoader)
        cursor.execute(statement, values)
        told = cursor.pgresult
        return list(cursor.fetchall()) if told is not None and told.nfields else []


def array(values: Iterable[UUID | Decimal | date | int | str | None]) -> str:
    """Write ids, figures, moments or words of our own as the text of an array, for `%(name)s::uuid[]` and the like.

    psycopg writes a list one by one in Python. Nothing is quoted here: texts of others are handed over as lists.
    """
    return f"{{{','.join(['NULL' if value is None else str(value) for value in values])}}}"

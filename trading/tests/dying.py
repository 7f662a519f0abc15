"""A process that dies at one step of its work, for tests of what whoever comes next makes of it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from unittest.mock import patch

import psycopg
from django.db import InterfaceError, connections
from django.db.utils import DatabaseError

PATIENCE_S = 30


class Died(BaseException):
    """The process is gone: nothing that catches exceptions catches this."""


def live(work: Callable[[], Any], *, dies_at: int | None = None, is_after: bool = False) -> int:
    """Do some work, and die at one statement or commit, before or after it; return how many there were.

    A process is a thread here, with connections of its own. The dead one's is closed in the middle of whatever it did,
    and not one statement more is sent. The server notices a moment later and lets its rows go; that is waited for,
    because who comes next passes over rows that somebody holds.
    """
    steps, server = 0, 0

    def begin() -> None:
        nonlocal server
        connection: Any = connections["engine"]
        connection.ensure_connection()
        raw, commit = connection.connection, connection._commit
        server = raw.info.backend_pid

        def count(act: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == dies_at and is_after:
                act()
            if dies_at is not None and steps >= dies_at:
                raw.close()
                raise Died
            return act()

        with (
            connection.execute_wrapper(lambda execute, *given: count(lambda: execute(*given))),
            patch.object(connection, "_commit", lambda: count(commit)),
            suppress(Died, DatabaseError, InterfaceError),
        ):
            work()
        connection.connection = None
        connection.pool.putconn(raw)

    with ThreadPoolExecutor(1) as one:
        one.submit(begin).result()
    if dies_at is not None and steps >= dies_at:
        _await_the_end_of(server)
    return steps


def _await_the_end_of(server: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(os.environ["MIKROBOT_TEST_ADMIN_URL"], autocommit=True) as admin:
        while admin.execute("select 1 from pg_stat_activity where pid = %s", [server]).fetchone():
            assert time.monotonic() < deadline, "the server holds on to a connection that was closed"

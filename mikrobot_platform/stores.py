"""Straight lines to PostgreSQL and Redis with short time-outs, past every pool, for those who must know at once.

Health, doctor and heartbeats ask here; nothing that serves customers works through these."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import psycopg
import redis
from django.conf import settings
from django.db.migrations.loader import MigrationLoader
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE_S = 2


@contextmanager
def postgres(alias: str) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """Open one transaction of the role behind `alias` on a connection of its own; it sees no tenant's rows."""
    known: dict[str, Any] = settings.DATABASES[alias]
    options = {name: value for name, value in known.get("OPTIONS", {}).items() if name != "pool"}
    with (
        psycopg.connect(
            dbname=known["NAME"],
            user=known["USER"],
            password=known["PASSWORD"],
            host=known["HOST"],
            port=known["PORT"] or None,
            **{**options, "connect_timeout": PATIENCE_S, "tcp_user_timeout": PATIENCE_S * 1000},
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("select set_config('statement_timeout', %s, true)", [f"{PATIENCE_S}s"])
        yield cursor


def powers(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[str]:
    """Name what the role may do that it must not: each would make row-level security a suggestion."""
    cursor.execute(
        """
        select r.rolsuper, r.rolbypassrls, exists (
            select from pg_class c join pg_namespace n on n.oid = c.relnamespace
            where n.nspname = 'public' and c.relkind in ('r', 'p') and pg_has_role(r.oid, c.relowner, 'MEMBER')
        ) from pg_roles r where r.rolname = current_user
        """
    )
    found = cursor.fetchone() or (True, True, True)
    names = ("is a superuser", "bypasses row-level security", "owns tables, or may become their owner")
    return [name for name, holds in zip(names, found, strict=True) if holds]


def missing_migrations(cursor: psycopg.Cursor[tuple[Any, ...]]) -> list[str]:
    """Name the migrations that this version of the code brings along and the database has not seen."""
    cursor.execute("select app, name from django_migrations")
    return sorted(f"{app}.{name}" for app, name in _brought_along() - set(cursor.fetchall()))


@lru_cache(maxsize=1)
def _brought_along() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).disk_migrations)


@lru_cache(maxsize=1)
def redis_client() -> redis.Redis:
    """Give the shared client of the cache database; it asks once and never again, and survives a fork."""
    return redis.Redis.from_url(
        settings.CACHES["default"]["LOCATION"],
        socket_timeout=PATIENCE_S,
        socket_connect_timeout=PATIENCE_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )

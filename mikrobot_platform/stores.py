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
from redis.backoff import NoBackoff
from redis.retry import Retry

PATIENCE_S = 2


@contextmanager
def postgres(alias: str) -> Iterator[psycopg.Cursor[tuple[Any, ...]]]:
    """Open one transaction of the role behind `alias` on a connection of its own; it sees no tenant's rows."""
    known: dict[str, Any] = settings.DATABASES[alias]
    options = {name: value for name, value in known.get("OPTIONS", {}).items() if name != "pool"}
    with psycopg.connect(
        dbname=known["NAME"],
        user=known["USER"],
        password=known["PASSWORD"],
        host=known["HOST"],
        port=known["PORT"] or None,
        **{**options, "connect_timeout": PATIENCE_S, "tcp_user_timeout": PATIENCE_S * 1000},
    ) as connection, connection.cursor() as cursor:
        cursor.execute("select set_config('statement_timeout', %s, true)", [f"{PATIENCE_S}s"])
        yield cursor


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

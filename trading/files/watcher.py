"""The watcher: reads every file the moment it is written, and hands what it read to the ledger.

Four threads, so that nobody who waits is anybody who reads:
1. The system's announcements come in (events.py) and are read at once.
2. Every 250 ms each file is looked at, for those that nobody announces, and for those that were not whole.
3. What was read waits in memory until the database has it (`Backlog`).
4. The main thread asks every two seconds which files there are, and gives a sign of life.

Whatever breaks ends the process; who started it starts it again. Until then the poll of the timetable goes on.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter, deque
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import redis
from django.db import connections
from django.utils import timezone

from mikrobot_platform import heartbeats
from mikrobot_platform.kernel import trace
from trading import pipeline
from trading.files import arrivals, disk
from trading.files.disk import Version
from trading.files.events import Events, Told
from trading.files.sights import Sight
from trading.files.watched import Watched
from trading.models import Source

log = logging.getLogger(__name__)

POLL_MS = 250
REFRESH_MS = 2_000
RETRY_MS = 500
LAST_TRIES_MS = 3_000  # for what still waits when we are asked to stop
MOST_BYTES = 64 << 20
OVERHEAD = 1_000  # of a waiting sight, beside its bytes


class Backlog:
    """Hold what was read until the database has it. When it is full the oldest goes, and is counted as missed."""

    def __init__(self, most_bytes: int = MOST_BYTES) -> None:
        self._most = most_bytes
        self._waiting: deque[tuple[Source, Sight]] = deque()
        self._bytes = 0
        self._dropped: Counter[UUID] = Counter()
        self._changed = threading.Condition()
        self._is_closed = False

    def put(self, source: Source, sight: Sight) -> None:
        with self._changed:
            self._waiting.append((source, sight))
            self._bytes += _cost(sight)
            while self._bytes > self._most and len(self._waiting) > 1:
                whose, oldest = self._waiting.popleft()
                self._bytes -= _cost(oldest)
                self._dropped[whose.pk] += oldest.missed + isinstance(oldest.found, Version)
            self._changed.notify()

    def take(self) -> tuple[Source, Sight] | None:
        """Wait for the oldest, and add to it what was dropped before it; None when all is done."""
        with self._changed:
            while not self._waiting and not self._is_closed:
                self._changed.wait()
            if not self._waiting:
                return None
            source, sight = self._waiting.popleft()
            self._bytes -= _cost(sight)
            dropped = self._dropped.pop(source.pk, 0)
            return source, replace(sight, missed=sight.missed + dropped) if dropped else sight

    def close(self) -> None:
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def __len__(self) -> int:
        return len(self._waiting)


def _cost(sight: Sight) -> int:
    return OVERHEAD + (len(sight.found.body) if isinstance(sight.found, Version) else 0)


class Broken(Exception):
    """Raised when a part of the watcher has ended that must not: its reason stands in the log."""


class Watcher:
    """Watch every file of every source, or of some, until asked to stop."""

    def __init__(self, *, among: Collection[UUID] = (), backlog: Backlog | None = None) -> None:
        self._among = frozenset(among)
        self._backlog = backlog or Backlog()
        self._events = Events(self._told)
        self._files: dict[UUID, Watched] = {}
        self._by_path: dict[Path, Watched] = {}
        self._stirred = threading.Event()  # somebody wants to be looked at sooner
        self._stop = threading.Event()
        self._is_down = False  # the database, as far as we have said
        self._is_mute = False  # Redis, likewise

    def run(self, stop: threading.Event) -> None:
        """Work until STOP; then bring what was read to the ledger, if it can be reached."""
        self._stop = stop
        threads = [
            threading.Thread(target=work, name=name, daemon=True)
            for name, work in (("look", self._look), ("store", self._store))
        ]
        self._events.start()
        for thread in threads:
            thread.start()
        try:
            while not stop.is_set():
                self._refresh()
                self._give_a_sign()
                if not self._events.is_alive or not all(thread.is_alive() for thread in threads):
                    raise Broken
                stop.wait(REFRESH_MS / 1000)
        finally:
            stop.set()
            self._stirred.set()
            self._events.stop()
            self._backlog.close()
            for thread in threads:
                thread.join((LAST_TRIES_MS + RETRY_MS) / 1000)
            if left := len(self._backlog):
                log.error("what was read last could not be stored", extra={"sights": left})
            connections.close_all()

    # --- which files there are ---
    def _refresh(self) -> None:
        """Take up sources that were added, drop those that were switched off; while nobody can say, keep them all."""
        try:
            found = {source.pk: source for source in arrivals.sources()}
            found = {pk: source for pk, source in found.items() if not self._among or pk in self._among}
        except pipeline.NOT_ITS_FAULT:
            self._say_down()
            connections.close_all()
            found = {pk: watched.source for pk, watched in self._files.items()}
        kept = {
            pk: watched
            for pk, watched in self._files.items()
            if pk in found and found[pk].path == watched.source.path and found[pk].answers == watched.source.answers
        }
        self._files = {pk: kept.get(pk) or Watched(source, self._backlog.put) for pk, source in found.items()}
        self._by_path = {disk.home() / watched.source.path: watched for watched in self._files.values()}
        self._events.follow({path.parent for path in self._by_path if disk.is_plain(path.parent)})
        self._stirred.set()

    def _give_a_sign(self) -> None:
        if self._among:
            return  # it would speak for the files that nobody watches
        try:
            heartbeats.write(heartbeats.WATCHER)
            self._is_mute = False
        except redis.RedisError as error:
            if not self._is_mute:
                log.warning("a sign of life could not be given", extra={"error": type(error).__name__})
            self._is_mute = True

    # --- reading ---
    def _told(self, path: Path, told: Told) -> None:
        watched = self._by_path.get(path)
        if watched is not None and watched.told(told, now=timezone.now(), now_ms=_now_ms()):
            self._stirred.set()

    def _look(self) -> None:
        while not self._stop.is_set():
            files = list(self._files.values())
            for watched in files:
                watched.look(now=timezone.now(), now_ms=_now_ms())
            now_ms = _now_ms()
            self._stirred.wait(min((watched.due_ms(now_ms, POLL_MS) for watched in files), default=POLL_MS) / 1000)
            self._stirred.clear()

    # --- storing ---
    def _store(self) -> None:
        stopped_ms = None
        while (item := self._backlog.take()) is not None:
            while not self._is_stored(*item):
                if self._stop.is_set():
                    stopped_ms = stopped_ms or _now_ms()
                    if _now_ms() - stopped_ms > LAST_TRIES_MS:
                        log.error("a file's text could not be stored before the end")
                        return
                time.sleep(RETRY_MS / 1000)
        connections.close_all()

    def _is_stored(self, source: Source, sight: Sight) -> bool:
        """Bring one sight to the ledger; False when the database cannot be reached, and it must be tried again."""
        trace.start()
        try:
            arrivals.receive(source, sight, now=timezone.now())
        except pipeline.NOT_ITS_FAULT:
            self._say_down()
            connections.close_all()
            return False
        except Exception:
            # A fault of ours; the next one must not wait for it. Whatever stands in the file the poll finds as well.
            log.exception("a file's text could not be stored", extra={"source": str(source.pk)})
        if self._is_down:
            self._is_down = False
            log.info("the database is there again")
        return True

    def _say_down(self) -> None:
        if not self._is_down:
            log.warning("the database does not answer; what is read waits in memory", exc_info=True)
        self._is_down = True


def _now_ms() -> int:
    return time.monotonic_ns() // 1_000_000

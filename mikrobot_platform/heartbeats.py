"""Signs of life in Redis: the beat's when it sends, a worker's when it answers, the outbox's figures at times, the
watchers' while there are files or accounts to watch, and the paper venue's where one runs.

Beat sends `accounts.beat_<queue>` into every queue; whoever works on that queue writes down when. So a silent beat and
a silent worker look different: the first stops sending, the second stops answering what was sent."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import redis
from celery import signals

from mikrobot_platform.stores import redis_client

log = logging.getLogger(__name__)

SENT_HEADER = "mikrobot_sent"
TASK_PREFIX = "accounts.beat_"
BEAT = "beat"
WATCHER = "watcher"
PAPER_VENUE = "paper_venue"
ACCOUNTS = "accounts"  # the process that watches accounts
# Queue -> seconds of silence after which something is wrong; `slow` may sit behind a job of five minutes (time limit).
PATIENCE_S: Mapping[str, float] = {"signals": 20.0, "default": 20.0, "notify": 60.0, "slow": 900.0}
BEAT_PATIENCE_S = 20.0
WATCHER_PATIENCE_S = 20.0
PAPER_VENUE_PATIENCE_S = 20.0
ACCOUNTS_PATIENCE_S = 20.0
OUTBOX_PATIENCE_S = 60.0
KEPT_S = 24 * 3600  # after a day, "never" says enough

_KEY = "mikrobot:heartbeat:"
_BACKLOG_KEY = "mikrobot:outbox"
_FILES_KEY = "mikrobot:files"
_ACCOUNTS_KEY = "mikrobot:accounts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heartbeat:
    """One sign of life: when, from which process, and how long the message for it had waited in its queue."""

    at: float
    host: str
    pid: int
    waited_s: float = 0.0

    def age_s(self, now: float) -> float:
        return max(0.0, now - self.at)


def write(name: str, *, sent: float | None = None) -> None:
    """Give a sign of life under a name: a queue, or the beat."""
    now = time.time()
    waited = max(0.0, now - sent) if sent else 0.0
    beat = {"at": now, "host": socket.gethostname(), "pid": os.getpid(), "waited_s": waited}
    redis_client().set(_KEY + name, json.dumps(beat), ex=KEPT_S)


def read_all() -> dict[str, Heartbeat | None]:
    """Read every sign of life that there should be; None is one that never was, or is older than a day."""
    names = [BEAT, *PATIENCE_S]
    return dict(zip(names, map(_parse, redis_client().mget([_KEY + name for name in names])), strict=True))


def _parse(raw: Any) -> Heartbeat | None:
    try:
        return Heartbeat(**json.loads(raw)) if raw else None
    except (TypeError, ValueError):
        return None  # written by another version: as good as none, for the few seconds until the next


def read(name: str) -> Heartbeat | None:
    """Read one sign of life; None as in `read_all`."""
    return _parse(redis_client().get(_KEY + name))


def expect_watcher(files: int) -> None:
    """Leave word how many files there are to watch; where there are none, a silent watcher is nobody's trouble."""
    redis_client().set(_FILES_KEY, files, ex=KEPT_S)


def is_watcher_expected() -> bool:
    return bool(int(str(redis_client().get(_FILES_KEY) or 0)))


def expect_accounts(accounts: int) -> None:
    """Leave word how many accounts there are to watch; where there are none, nobody has to."""
    redis_client().set(_ACCOUNTS_KEY, accounts, ex=KEPT_S)


def are_accounts_expected() -> bool:
    return bool(int(str(redis_client().get(_ACCOUNTS_KEY) or 0)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """What the outbox looked like at a moment: how much waits, how late the relay is, what was given up on."""

    waiting: int
    late_s: float  # since the longest due head of an organization could have been delivered
    oldest_s: float  # since the oldest waiting head was published
    failing: int  # organizations whose next event has failed before
    parked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """A backlog and when it was measured."""

    backlog: Backlog
    at: float


def write_backlog(backlog: Backlog) -> None:
    """Leave the outbox's figures where health and metrics find them without crossing tenants."""
    figures = {name: getattr(backlog, name) for name in Backlog.__slots__}
    redis_client().set(_BACKLOG_KEY, json.dumps({"at": time.time(), **figures}), ex=KEPT_S)


def read_backlog() -> Measured | None:
    """Read the last figures, None when there are none."""
    raw = redis_client().get(_BACKLOG_KEY)
    try:
        values = json.loads(str(raw)) if raw else None
        return Measured(at=values.pop("at"), backlog=Backlog(**values)) if values else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


@signals.before_task_publish.connect
def _note_sending(sender: str = "", headers: dict[str, Any] | None = None, **_: Any) -> None:
    """Stamp a heartbeat's message with the time, and count the sending as the beat's own sign of life."""
    if not sender.startswith(TASK_PREFIX) or headers is None:
        return
    headers[SENT_HEADER] = time.time()
    _try_to_write(BEAT)


@signals.beat_init.connect
def _beat_began(**_: Any) -> None:
    """Show at once that beat is there."""
    _try_to_write(BEAT)


@signals.worker_ready.connect
def _worker_began(sender: Any = None, **_: Any) -> None:
    """Show at once which queues somebody works on, instead of after beat's next round."""
    for queue in getattr(getattr(sender, "task_consumer", None), "queues", ()):
        name = getattr(queue, "name", queue)
        if name in PATIENCE_S:
            _try_to_write(name)


def _try_to_write(name: str) -> None:
    try:
        write(name)
    except redis.RedisError as error:
        log.warning("a sign of life could not be given", extra={"of": name, "error": error.__class__.__name__})

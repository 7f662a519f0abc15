"""Redis, the processes behind the web, and the work that should not stand still."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import redis
from django.utils import timezone

from accounts import outbox_state
from accounts.models import DataExport, Organization
from accounts.tenancy import system_scope
from mikrobot_platform import heartbeats, stores
from mikrobot_platform.doctor import Finding, fail, ok, told, warn
from risk_management.services import program_news
from trading.services import files, links

EXPORT_PATIENCE = timedelta(minutes=10)
CLOSING_PATIENCE = timedelta(hours=1)
BEAT_LAG_S = 10.0
OLDEST_REDIS = (6, 2)


def redis_server() -> Finding:
    try:
        info: dict[str, Any] = stores.redis_client().info()
    except redis.RedisError as error:
        return fail(f"Redis does not answer ({told(error)})", "Start it, or correct REDIS_URL.")
    version = str(info.get("redis_version", "0"))
    sentence = f"Redis {version}, {int(info.get('used_memory', 0)) / 2**20:.1f} MB used"
    policy, has_file = info.get("maxmemory_policy", "noeviction"), bool(info.get("aof_enabled"))
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_REDIS:
        return fail(sentence, "Upgrade to Redis 6.2 or newer, or Valkey.")
    if policy != "noeviction":
        return fail(f"{sentence}; it evicts keys ({policy})", "Set maxmemory-policy noeviction; work would vanish.")
    if has_file and info.get("aof_last_write_status", "ok") != "ok":
        return fail(f"{sentence}; its last write to disk failed", "Look at Redis's disk and log.")
    if not has_file:
        return warn(f"{sentence}, without an append-only file", "Set appendonly yes, or a crash empties the queues.")
    return ok(f"{sentence}, append-only file on")


def worker(queue: str) -> Finding:
    """Look when somebody last worked on a queue."""
    beat = heartbeats.read_all()[queue]
    remedy = f"Start a worker for the queue {queue}, or look into its log."
    if beat is None:
        return fail(f"no worker has shown itself on {queue} yet, or for a day", remedy)
    age = beat.age_s(time.time())
    who = f"{beat.host} (process {beat.pid})"
    sentence = f"last seen {age:.0f} s ago on {who}; its message had waited {beat.waited_s:.1f} s"
    if age > heartbeats.PATIENCE_S[queue]:
        return fail(sentence, remedy)
    if beat.waited_s > heartbeats.PATIENCE_S[queue]:
        return warn(sentence, f"The queue {queue} is too long for its workers: start more.")
    return ok(sentence)


def beat() -> Finding:
    """Look when beat last sent what it sends every five seconds."""
    found = heartbeats.read_all()[heartbeats.BEAT]
    if found is None:
        return fail("beat has sent nothing yet, or for a day", "Start beat; without it nothing is swept.")
    lag = found.age_s(time.time())
    sentence = f"last sent {lag:.0f} s ago on {found.host} (process {found.pid})"
    if lag > heartbeats.BEAT_PATIENCE_S:
        return fail(sentence, "Start beat, or look into its log; without it nothing is swept.")
    return warn(sentence, "Beat is slow: look at the machine's load.") if lag > BEAT_LAG_S else ok(sentence)


def watcher() -> Finding:
    """Look whether somebody watches the signal files, and how these stand."""
    lines = [line for line in files.overview() if line.source.is_enabled]
    if not lines:
        return ok("no source reads a file")
    found = heartbeats.read(heartbeats.WATCHER)
    remedy = "Start `manage.py watch_files`, or look into its log; until then files are looked at every 5 s."
    if found is None:
        return fail("no watcher has shown itself yet, or for a day", remedy)
    age = found.age_s(time.time())
    missed = sum(line.missed for line in lines)
    sentence = f"last seen {age:.0f} s ago on {found.host} (process {found.pid}); {len(lines)} files, {missed} missed"
    if age > heartbeats.WATCHER_PATIENCE_S:
        return fail(sentence, remedy)
    wrong = [f"{line.source.name}: {line.file.sentence}" for line in lines if line.file and line.file.code]
    if wrong:
        return warn(f"{sentence}. {wrong[0]}", "`manage.py source_file list` shows how each file stands.")
    return ok(sentence)


def paper_venue() -> Finding:
    """Look whether the paper venue lives, where one has run."""
    found = heartbeats.read(heartbeats.PAPER_VENUE)
    if found is None:
        return ok("none has run here for a day")
    age = found.age_s(time.time())
    sentence = f"last seen {age:.0f} s ago on {found.host} (process {found.pid})"
    if age > heartbeats.PAPER_VENUE_PATIENCE_S:
        return fail(sentence, "Start `manage.py paper_venue`, or look into its log; no paper account can trade.")
    return ok(sentence)


def accounts() -> Finding:
    """Look whether somebody watches the accounts, and how these stand with their venues."""
    now = timezone.now()
    with system_scope("doctor"):
        found = links.overview(now=now)
    if not found.watched:
        return ok("no account has anything at a venue or follows a strategy")
    beat = heartbeats.read(heartbeats.ACCOUNTS)
    remedy = "Start `manage.py watch_accounts`, or look into its log; until then nobody looks after open positions."
    if beat is None:
        return fail("nobody who watches accounts has shown himself yet, or for a day", remedy)
    age = beat.age_s(time.time())
    sentence = (
        f"last seen {age:.0f} s ago on {beat.host} (process {beat.pid}); {found.watched} accounts,"
        f" {found.positions} open positions"
    )
    if age > heartbeats.ACCOUNTS_PATIENCE_S:
        return fail(sentence, remedy)
    if found.unprotected:
        return fail(f"{sentence}; {found.unprotected} positions have no stop", "Look at them at their venues now.")
    if found.silent or found.blocked:
        return warn(
            f"{sentence}; {found.silent} accounts do not answer, entries wait on {found.blocked}",
            "Staff pages, Trading accounts: the reason stands with each of them.",
        )
    return ok(sentence)


def outbox() -> Finding:
    with system_scope("doctor"):
        found = outbox_state.backlog()
    sentence = f"{found.waiting} waiting, relay {found.late_s:.0f} s behind, oldest {found.oldest_s:.0f} s"
    if found.parked:
        return fail(
            f"{found.parked} events are parked after too many failures; {sentence}",
            "Staff pages, Outbox, Parked: read the error, repair its cause, then deliver again.",
        )
    if found.late_s > heartbeats.OUTBOX_PATIENCE_S:
        return fail(sentence, "Look whether a worker serves the queue default, and into its log.")
    if found.failing:
        return warn(f"{sentence}; {found.failing} organizations wait after a failure", "Look into the workers' log.")
    return ok(sentence)


def programs() -> Finding:
    """Look whether somebody has verified the prop firms' rules lately, and whether every account's are known."""
    with system_scope("doctor"):
        found = program_news.overview(now=timezone.now())
    sentence = f"{found.editions} programs in force, {len(found.stale)} not verified for 30 days"
    if found.accounts:
        sentence += f"; {found.unknown} of {found.accounts} prop accounts are under none that is known"
    if found.stale:
        return warn(
            f"{sentence}; the oldest: {found.stale[0]}",
            "Read the firm's page; a changed rule makes a new file in compliance/programs, else set `verified`.",
        )
    if found.unknown:
        return warn(sentence, "Staff pages, Programs told: which accounts, and why. They get advice only.")
    return ok(sentence)


def stuck() -> Finding:
    """Look for exports nobody builds and closings nobody carries out."""
    now = timezone.now()
    with system_scope("doctor"):
        exports = DataExport.objects.filter(
            state=DataExport.State.WAITING, requested_at__lt=now - EXPORT_PATIENCE
        ).count()
        closings = Organization.objects.filter(closing_at__lt=now - CLOSING_PATIENCE).count()
    if exports or closings:
        return fail(
            f"{exports} exports have waited for more than 10 minutes, {closings} closings are overdue",
            "Look into the log of the workers for the queues slow and default.",
        )
    return ok("no export and no closing is overdue")

"""What is around us: settings, the audit trail and its exported heads, keys, disk, clocks, mail."""

from __future__ import annotations

import os
import shutil
import smtplib
import time
from datetime import date, timedelta
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from accounts import audit_chain, audit_heads, data_keys
from accounts.models import AuditEntry, DataKey
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform import stores
from mikrobot_platform.doctor import Finding, fail, ok, told, warn
from mikrobot_platform.environment import NOTHING_CONFIGURED

CLOCK_S = 2.0
DISK_FAIL, DISK_WARN = 200 << 20, 1 << 30
HEADS_PATIENCE = timedelta(days=2)


def environment() -> Finding:
    if settings.MODE == NOTHING_CONFIGURED:
        return fail(
            f"nothing is configured, and no MikroBot runs from {settings.DATA_DIR}",
            "Start one with `python3 manage.py up`, name its data with --data DIR, or set what .env.example lists.",
        )
    return ok(f"mode {settings.MODE}, site {settings.SITE_URL}, data in {settings.DATA_DIR}")


def audit() -> Finding:
    """Recompute every chain and look for every exported head."""
    breaks = [*audit_chain.verify(), *audit_heads.check_heads()]
    if breaks:
        first = breaks[0]
        is_platform = first.organization_id == PLATFORM_ID
        whose = "the platform's chain" if is_platform else f"organization {first.organization_id}"
        more = f" ({len(breaks) - 1} further places)" if len(breaks) > 1 else ""
        return fail(
            f"the audit trail is broken: {whose}, position {first.sequence}: {first.problem}{more}",
            "Somebody changed the database past the application: keep it as it is and compare with a backup.",
        )
    with system_scope("doctor"):
        entries, chains = AuditEntry.objects.count(), AuditEntry.objects.values("organization_id").distinct().count()
        first_at = AuditEntry.objects.order_by("pk").values_list("at", flat=True).first()
    sentence = f"{entries} entries in {chains} chains hold"
    exported = max((path.stem for path in audit_heads.folder().glob("*.jsonl")), default="")
    is_old = first_at is not None and first_at < timezone.now() - HEADS_PATIENCE
    if is_old and (not exported or date.fromisoformat(exported) < (timezone.now() - HEADS_PATIENCE).date()):
        return warn(
            f"{sentence}; heads were last exported {exported or 'never'}",
            "Look whether a worker serves the queue slow, and that it may write to audit-heads in DATA_DIR.",
        )
    return ok(f"{sentence}; heads {f'exported {exported} are all there' if exported else 'not exported yet'}")


def keys() -> Finding:
    """Look whether the master keys still open every organization's data key; nothing that those seal is opened."""
    with system_scope("doctor"):
        wrapped = DataKey.objects.values_list("organization_id", "wrapped").iterator(chunk_size=2_000)
        states = [(organization_id, data_keys.unwrap(text) is not None) for organization_id, text in wrapped]
    closed = [organization_id for organization_id, opens in states if not opens]
    if closed:
        return fail(
            f"{len(closed)} of {len(states)} data keys do not open, the first of organization {closed[0]}",
            "Put the master key that wrapped them back into MASTER_KEYS; without it their secrets are lost.",
        )
    return ok(f"the master keys open all {len(states)} data keys")


def disk() -> Finding:
    folder = _existing(Path(settings.DATA_DIR))
    usage = shutil.disk_usage(folder)
    sentence = f"{usage.free / 2**30:.1f} GB free of {usage.total / 2**30:.0f} at {folder}"
    if usage.free < DISK_FAIL:
        return fail(sentence, "Free some space: PostgreSQL stops when it cannot write.")
    return warn(sentence, "Free some space soon.") if usage.free < DISK_WARN else ok(sentence)


def _existing(path: Path) -> Path:
    return path if path.exists() or path == path.parent else _existing(path.parent)


def clock() -> Finding:
    """Compare our clock with PostgreSQL's and Redis's, each asked in the middle of its round trip."""
    began = time.time()
    with stores.postgres("default") as cursor:
        began = time.time()
        cursor.execute("select extract(epoch from clock_timestamp())::float8")
        row = cursor.fetchone()
    postgres = float(row[0] if row else 0) - (began + time.time()) / 2
    began = time.time()
    seconds, microseconds = stores.redis_client().time()
    redis = seconds + microseconds / 1e6 - (began + time.time()) / 2
    sentence = f"PostgreSQL {postgres:+.3f} s, Redis {redis:+.3f} s from here"
    if max(abs(postgres), abs(redis)) > CLOCK_S:
        return fail(sentence, "Let NTP set the clocks: due times and codes depend on them.")
    return ok(sentence)


def mail() -> Finding:
    """Look whether mail could leave; nothing is sent, and nothing but mail fails without it."""
    if settings.EMAIL_FILE_PATH:
        folder = _existing(Path(settings.EMAIL_FILE_PATH))
        if not os.access(folder, os.W_OK):
            return warn(f"mail cannot be written to {settings.EMAIL_FILE_PATH}", "Make the folder writable.")
        return ok(f"mail is written to {settings.EMAIL_FILE_PATH}")
    place = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    try:
        kind = smtplib.SMTP_SSL if settings.EMAIL_USE_SSL else smtplib.SMTP
        with kind(settings.EMAIL_HOST, settings.EMAIL_PORT, timeout=5) as server:
            server.noop()
    except (OSError, smtplib.SMTPException) as error:
        return warn(f"the mail server {place} does not answer ({told(error)})", "Start it, or correct EMAIL_URL.")
    return ok(f"the mail server {place} answers")

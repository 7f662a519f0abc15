"""Celery: queues, routes and the timetable, each as one table.

The broker delivers at least once and sometimes to two workers at once; no task may rely on it. Tasks are doors: they
enter a scope (accounts/jobs.py), call one thing, and may run twice.
"""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from kombu import Queue

from mikrobot_platform.kernel.undisturbed import settle
from mikrobot_platform.turns import Turn

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mikrobot_platform.settings")

app = Celery("mikrobot")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Without this Celery's Django fix-up opens a new database connection for every task.
app.conf.CELERY_DB_REUSE_MAX = 100_000

# signals: fan-out, submit, exits; nothing slow ever enters.
QUEUES = ("signals", "default", "notify", "slow")
app.conf.task_queues = [Queue(name) for name in QUEUES]
app.conf.task_default_queue = "default"
app.conf.task_create_missing_queues = False

# Task -> queue; what does not stand here goes to `default`.
ROUTES: dict[str, str] = {
    "accounts.beat_signals": "signals",
    "trading.carry_on": "signals",
    "trading.plan_shards": "signals",
    "trading.poll_files": "signals",
    "trading.sweep_signals": "signals",
    "accounts.beat_notify": "notify",
    "accounts.beat_slow": "slow",
    "accounts.build_export": "slow",
    "accounts.verify_audit": "slow",
}
app.conf.task_routes = {name: {"queue": queue} for name, queue in ROUTES.items()}

# What happens by itself: task -> seconds between runs.
TIMETABLE: dict[str, float] = {
    "accounts.beat_default": 5.0,
    "accounts.beat_signals": 5.0,
    "accounts.beat_notify": 5.0,
    "accounts.beat_slow": 5.0,
    "accounts.relay_outbox": 5.0,
    "trading.poll_files": 5.0,
    "trading.sweep_signals": 5.0,
    "trading.carry_on": 5.0,
    "trading.forget_signals": 60.0,
    "trading.catch_up": 30.0,
    "accounts.sweep_organizations": 60.0,
    "risk_management.turn_days": 60.0,
    "risk_management.tell_programs": 3600.0,  # tells once what is new; a restarted beat forgets a longer time
    "accounts.verify_audit": 3600.0,  # does its work once a day; a restarted beat forgets when it last asked
    "accounts.forget": 3600.0,
}
# One after the other: all at once they would keep whoever brings a signal waiting for a tenth of a second.
APART_S = 5.0 / len(TIMETABLE)
app.conf.beat_schedule = {
    name: {"task": name, "schedule": Turn(seconds, place * APART_S), "options": {"expires": max(seconds, 10.0)}}
    for place, (name, seconds) in enumerate(TIMETABLE.items())
}


@signals.worker_process_init.connect
def _freeze_what_was_loaded(**_: Any) -> None:
    """Take what was loaded out of garbage collection, as in the web's processes (gunicorn_conf.py)."""
    settle()


@signals.setup_logging.connect
def _keep_our_logs(**_: Any) -> None:
    """Stop Celery from replacing the log configuration (apps.py has set it)."""

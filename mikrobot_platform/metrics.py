"""Counters and timings for Prometheus; several processes add up through PROMETHEUS_MULTIPROC_DIR."""

from __future__ import annotations

import os
from pathlib import Path

from django.conf import settings

if settings.PROMETHEUS_MULTIPROC_DIR:
    # prometheus_client reads the variable when it is imported.
    Path(settings.PROMETHEUS_MULTIPROC_DIR).mkdir(parents=True, exist_ok=True)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = settings.PROMETHEUS_MULTIPROC_DIR

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, multiprocess

REQUESTS = Counter("mikrobot_requests", "Requests answered", ["method", "route", "status"])
REQUEST_SECONDS = Histogram("mikrobot_request_seconds", "Time to answer", ["route"])
TASKS = Counter("mikrobot_tasks", "Tasks finished", ["task", "outcome"])
TASK_SECONDS = Histogram("mikrobot_task_seconds", "Time in a task", ["task"])
SYSTEM_SCOPES = Counter("mikrobot_system_scopes", "Times a system scope was entered", ["scope"])
OUTBOX_DELIVERED = Counter("mikrobot_outbox_delivered", "Events handled", ["event"])
OUTBOX_FAILED = Counter("mikrobot_outbox_failed", "Attempts that failed", ["event"])
OUTBOX_PARKED = Counter("mikrobot_outbox_parked", "Events given up on", ["event"])
AUDIT_BREAKS = Counter("mikrobot_audit_breaks", "Places where an audit chain did not hold")
REVEALS = Counter("mikrobot_vault_reveals", "Secrets opened", ["purpose"])


def page() -> bytes:
    """Render what all processes counted."""
    if settings.PROMETHEUS_MULTIPROC_DIR:
        registry = CollectorRegistry()
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
    return generate_latest()

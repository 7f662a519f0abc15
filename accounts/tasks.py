"""Doors for Celery: each enters a scope and calls one thing."""

from __future__ import annotations

from celery import shared_task

from accounts.jobs import HouseTask


@shared_task(name="accounts.relay_outbox", base=HouseTask)
def relay_outbox() -> int:
    """Deliver waiting news until none is due."""
    from accounts import outbox

    return outbox.relay()

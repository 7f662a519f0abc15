"""Doors for Celery: each calls one thing."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.jobs import HouseTask


@shared_task(name="trading.sweep_signals", base=HouseTask)
def sweep_signals() -> int:
    """Read the messages that stand still, judge the signals that wait, and carry on with those that were taken."""
    from trading import carrying, sweep

    found = sweep.sweep(now=timezone.now())
    return found + carrying.carry_signals(now=timezone.now())


@shared_task(name="trading.carry_on", base=HouseTask)
def carry_on() -> int:
    """Find shards and orders that stand still, and move them on."""
    from trading import carrying

    return carrying.carry_on(now=timezone.now())


@shared_task(name="trading.plan_shards", base=HouseTask)
def plan_shards() -> int:
    """Decide for the accounts of shards that wait, and send their orders."""
    from trading import carrying

    return carrying.plan_shards(now=timezone.now())


@shared_task(name="trading.catch_up", base=HouseTask)
def catch_up() -> int:
    """Look at the accounts that nobody has looked at in time."""
    from trading import catching_up

    return catching_up.catch_up(now=timezone.now())


@shared_task(name="trading.poll_files", base=HouseTask)
def poll_files() -> int:
    """Look at every file that a source reads, as the watcher does, in case that nobody else does."""
    from trading.files import arrivals

    return arrivals.poll(now=timezone.now())


@shared_task(name="trading.forget_signals", base=HouseTask)
def forget_signals() -> None:
    """Delete what only had to be kept for a while."""
    from trading import sweep

    sweep.forget(now=timezone.now())

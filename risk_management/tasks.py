"""Doors for Celery: each calls one thing."""

from __future__ import annotations

from celery import shared_task
from django.utils import timezone

from accounts.jobs import HouseTask


@shared_task(name="risk_management.turn_days", base=HouseTask)
def turn_days() -> int:
    """Close the days that turned while nobody looked."""
    from risk_management.services import states

    return states.turn_days(now=timezone.now())


@shared_task(name="risk_management.tell_programs", base=HouseTask)
def tell_programs() -> int:
    """Tell owners which rules of their firms changed, and which are not sure."""
    from risk_management.services import program_news

    return program_news.tell(now=timezone.now())

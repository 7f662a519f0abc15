"""The subscriber of drill events: arrives in a file before it works, and leaves one row as its effect."""

from __future__ import annotations

import os
import time

from accounts.models.drills import DrillEffect
from mikrobot_platform.kernel.events import Event

# Set by the relay processes of the drill, which alone are given a drill's events.
_arrivals: int | None = None


def log_arrivals_to(path: str) -> None:
    """Write every arrival in this process into a file that outlives a killed process."""
    global _arrivals  # noqa: PLW0603 - one file per process
    _arrivals = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)


def effect(event: Event) -> None:
    """Say that the event arrived, then write its effect in the relay's transaction."""
    if _arrivals is not None:
        # One system clock for all processes, so the arrivals of several files can be put in order.
        os.write(_arrivals, f"{time.monotonic_ns()} {event.organization_id} {event.id}\n".encode())
    DrillEffect.objects.create(
        organization_id=event.organization_id,
        event_id=event.id,
        publisher=event.data["publisher"],
        number=event.data["number"],
        pid=os.getpid(),
    )

"""Doors for Celery: each enters a scope and calls one thing."""

from __future__ import annotations

from uuid import UUID

from celery import shared_task

from accounts.jobs import HouseTask, TenantTask
from mikrobot_platform import heartbeats  # at once: beat stamps what it sends


@shared_task(name="accounts.relay_outbox", base=HouseTask)
def relay_outbox() -> int:
    """Deliver waiting news until none is due, and say how the outbox stands."""
    from accounts import outbox, outbox_state

    left_outbox = outbox.relay()
    outbox_state.publish_backlog()
    return left_outbox


@shared_task(name="accounts.sweep_organizations", base=HouseTask)
def sweep_organizations() -> None:
    """Erase the organizations whose grace period is over; queue the exports that stand still."""
    from accounts import closing, export

    closing.erase_due()
    export.requeue_waiting()


@shared_task(name="accounts.build_export", base=TenantTask)
def build_export(export_id: str) -> None:
    """Make the zip that somebody asked for."""
    from accounts import export

    export.make(UUID(export_id))


@shared_task(name="accounts.forget", base=HouseTask)
def forget() -> None:
    """Delete what nobody needs any more (accounts/forgetting.py)."""
    from accounts import forgetting

    forgetting.forget_all()


@shared_task(name="accounts.verify_audit", base=HouseTask)
def verify_audit() -> int:
    """Recompute every audit chain, look for the exported heads, export today's."""
    from accounts import audit_heads

    return audit_heads.daily()


# --- Signs of life: one task a queue, sent by beat (mikrobot_platform/heartbeats.py) ----------------------------------
def _beat(task: HouseTask, queue: str) -> None:
    sent = task.header(heartbeats.SENT_HEADER)
    heartbeats.write(queue, sent=float(sent) if sent else None)


@shared_task(name="accounts.beat_signals", base=HouseTask, bind=True)
def beat_signals(self: HouseTask) -> None:
    """Show that somebody works on `signals`."""
    _beat(self, "signals")


@shared_task(name="accounts.beat_default", base=HouseTask, bind=True)
def beat_default(self: HouseTask) -> None:
    """Show that somebody works on `default`."""
    _beat(self, "default")


@shared_task(name="accounts.beat_notify", base=HouseTask, bind=True)
def beat_notify(self: HouseTask) -> None:
    """Show that somebody works on `notify`."""
    _beat(self, "notify")


@shared_task(name="accounts.beat_slow", base=HouseTask, bind=True)
def beat_slow(self: HouseTask) -> None:
    """Show that somebody works on `slow`."""
    _beat(self, "slow")

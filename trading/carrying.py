"""What was decided goes on: signals to shards, shards to orders, orders to their venues; and what stands still again.

The fast way is straight through: whoever has judged a signal fans it out, and plans and sends the first shard itself,
while the other shards go to whoever is free. The same look, every few seconds, finds what a dead process left behind.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from uuid import UUID

import redis
from celery import current_app
from kombu.exceptions import OperationalError as BrokerError

from accounts.tenancy import system_scope
from mikrobot_platform.kernel.orders import OrderState
from trading import planning, sending
from trading.models import Order, Shard, Signal, SignalState

log = logging.getLogger(__name__)

BATCH = 200
# An order that is younger is on its way with whoever planned it; a shard that is younger is with whoever was asked.
GRACE = timedelta(seconds=3)


def carry_on(*, now: datetime, among: Collection[UUID] | None = None) -> int:
    """Move on what waits, newest step first so that nothing is done twice in one look; return how much there was."""
    shards = plan_shards(now=now, among=among, grace=GRACE)
    return _forgotten(now, among) + _orders(now, among) + shards + carry_signals(now=now, among=among)


def plan_shard(shard_id: UUID, *, now: datetime) -> int:
    """Decide a shard and send its orders."""
    planned = planning.plan(shard_id, now=now)
    return sending.submit([one.order_id for one in planned], now=now)


def carry_signals(*, now: datetime, among: Collection[UUID] | None = None) -> int:
    """Fan out what was judged and taken."""
    with system_scope("signals.sweep"):
        rows = Signal.objects.filter(state=SignalState.VALID, fanned_at=None).order_by("received_at")
        rows = rows if among is None else rows.filter(organization_id__in=among)
        waiting = list(rows.values_list("organization_id", "pk")[:BATCH])
    for organization_id, signal_id in waiting:
        shards = planning.fan_out(organization_id, signal_id, now=now)
        if len(shards) > 1:
            _ask_for_help()
        for shard_id in shards:  # one that somebody else has taken meanwhile costs a look
            plan_shard(shard_id, now=now)
    return len(waiting)


def _ask_for_help() -> None:
    """Let whoever is free take the shards that this process does not."""
    try:
        current_app.send_task("trading.plan_shards")
    except (BrokerError, redis.RedisError):
        log.warning("the broker is not reachable; shards will be planned by the timetable")


def plan_shards(*, now: datetime, among: Collection[UUID] | None = None, grace: timedelta = timedelta(0)) -> int:
    """Plan shards that wait, oldest first; one that somebody else holds is theirs."""
    with system_scope(planning.SCOPE):
        rows = Shard.objects.filter(planned_at=None, created_at__lte=now - grace).order_by("created_at")
        rows = rows if among is None else rows.filter(organization_id__in=among)
        waiting = list(rows.values_list("pk", flat=True)[:BATCH])
    for shard_id in waiting:
        plan_shard(shard_id, now=now)
    return len(waiting)


def _orders(now: datetime, among: Collection[UUID] | None) -> int:
    """Send what was planned and not sent; what has become too old meanwhile is withdrawn."""
    with system_scope(sending.SCOPE):
        rows = Order.objects.filter(state=OrderState.PLANNED.value, decided_at__lte=now - GRACE).order_by("decided_at")
        rows = rows if among is None else rows.filter(organization_id__in=among)
        waiting = list(rows.values_list("pk", flat=True)[:BATCH])
    sending.submit(waiting, now=now)
    return len(waiting)


def _forgotten(now: datetime, among: Collection[UUID] | None) -> int:
    """Say of orders whose sender has fallen silent that nobody knows what came of them; the venue will be asked."""
    with system_scope(sending.SCOPE):
        rows = Order.objects.filter(state=OrderState.SENDING.value, sent_at__lte=now - sending.SILENCE)
        rows = rows if among is None else rows.filter(organization_id__in=among)
        return int(
            rows.update(
                state=OrderState.UNKNOWN.value, reason_code="sender_gone", reason="Whoever sent it has fallen silent."
            )
        )

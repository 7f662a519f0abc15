"""What was decided goes on: signals to shards, shards to orders, orders to their venues; and what stands still again.

The fast way is straight through: whoever has judged a signal fans it out, and plans and sends the first shard itself,
while the other shards go to whoever is free. The same look, every few seconds, finds what a dead process left behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import redis
from celery import current_app
from django.db.models import Count, QuerySet, Window
from django.db.models.functions import RowNumber
from kombu.exceptions import OperationalError as BrokerError

from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.orders import OrderState
from trading import pipeline, planning, sending
from trading.models import Order, Shard
from trading.statements import TO_FAN_OUT

log = logging.getLogger(__name__)

BATCH = 200
RUN_MS = 150  # for signals, at a time: what a flood leaves waits behind what others have sent meanwhile
# An order that is younger is on its way with whoever planned it; a shard that is younger is with whoever was asked.
GRACE = timedelta(seconds=3)


def carry_on(*, now: datetime, among: Collection[UUID] | None = None, for_ms: int | None = None) -> int:
    """Move on what waits, newest step first so that nothing is done twice in one look; return how much there was."""
    shards = plan_shards(now=now, among=among, grace=GRACE)
    return _forgotten(now, among) + _orders(now, among) + shards + carry_signals(now=now, among=among, for_ms=for_ms)


def plan_shard(shard_id: UUID, *, now: datetime) -> int:
    """Decide a shard and send its orders; one that fails waits for another try, and disturbs no other."""
    try:
        planned = planning.plan(shard_id, now=now)
    except pipeline.NOT_ITS_FAULT:
        raise
    except Exception as error:
        log.exception("a shard could not be decided", extra={"shard": str(shard_id)})
        planning.put_back(shard_id, error, now=now)
        return 0
    return sending.submit([one.order_id for one in planned], now=now)


def carry_signals(*, now: datetime, among: Collection[UUID] | None = None, for_ms: int | None = None) -> int:
    """Fan out what was judged and taken, one of each owner in turn; return how much that was.

    Whoever gives it a time is asked again for what is left then, so that what comes meanwhile has its turn.
    """
    with system_scope("signals.sweep"):
        waiting = ask(TO_FAN_OUT, {"among": None if among is None else list(among), "limit": BATCH})
    clock = _Clock(for_ms)
    for done, (organization_id, signal_id) in enumerate(waiting):
        if done and clock.is_over:
            pipeline.wake()
            return done
        try:
            shards = planning.fan_out(organization_id, signal_id, now=now)
        except pipeline.NOT_ITS_FAULT:
            raise
        except Exception:  # it is tried again with the next look
            log.exception("a signal could not be fanned out", extra={"signal": str(signal_id)})
            continue
        if len(shards) > 1:
            _ask_for_help()
        for shard_id in shards:  # one that somebody else has taken meanwhile costs a look
            plan_shard(shard_id, now=now)
    return len(waiting)


class _Clock:
    """Tell when a time is over."""

    def __init__(self, for_ms: int | None) -> None:
        self._end_ns = None if for_ms is None else time.monotonic_ns() + for_ms * 1_000_000

    @property
    def is_over(self) -> bool:
        return self._end_ns is not None and time.monotonic_ns() >= self._end_ns


def _in_turn(rows: QuerySet[Any], among: Collection[UUID] | None, order: str) -> QuerySet[Any]:
    """Order what waits: the oldest of each owner, then the second of each; whoever has least waiting goes first."""
    rows = rows if among is None else rows.filter(organization_id__in=among)
    turn = Window(RowNumber(), partition_by="organization_id", order_by=[order, "pk"])
    waiting = Window(Count("pk"), partition_by="organization_id")
    found: QuerySet[Any] = rows.annotate(turn=turn, waiting=waiting).order_by("turn", "waiting", order, "pk")
    return found


def _ask_for_help() -> None:
    """Let whoever is free take the shards that this process does not."""
    try:
        current_app.send_task("trading.plan_shards")
    except (BrokerError, redis.RedisError):
        log.warning("the broker is not reachable; shards will be planned by the timetable")


def plan_shards(*, now: datetime, among: Collection[UUID] | None = None, grace: timedelta = timedelta(0)) -> int:
    """Plan shards that wait, one of each owner in turn; one that somebody else holds is theirs."""
    with system_scope(planning.SCOPE):
        rows = _in_turn(Shard.objects.filter(planned_at=None, created_at__lte=now - grace), among, "created_at")
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

"""Builds that are broken on purpose, to see that the drill sees it. They are put into its processes only.

`retry` sends an order again when no answer came. `late-intent` sends what it has planned before it has written it down.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from accounts.tenancy import system_scope
from mikrobot_platform.kernel.orders import OrderState
from trading import planning, sending
from trading.desk import desk


def _retry() -> None:
    answer = sending._answer

    async def again(order: sending.Claimed) -> sending.Answer:
        found = await answer(order)
        return await answer(order) if found.state is OrderState.UNKNOWN else found

    sending._answer = again


def _late_intent() -> None:
    """Plan and send in one transaction, and commit when all answers are there."""
    plan = planning.plan

    def plan_and_send(shard_id: UUID, *, now: datetime) -> list[planning.Planned]:
        with system_scope(sending.SCOPE):  # a transaction around everything
            planned = plan(shard_id, now=now)
            claimed = sending._claim([one.order_id for one in planned], now)
            sending.record(desk.start(_all(claimed)).result())
        return []

    planning.plan = plan_and_send


async def _all(claimed: Sequence[sending.Claimed]) -> list[Any]:
    return await asyncio.gather(*(sending._answer(one) for one in claimed))


BROKEN: Mapping[str, Callable[[], None]] = {"retry": _retry, "late-intent": _late_intent}

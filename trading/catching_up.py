"""Accounts that nobody has looked at in time: looked at by the timetable, so that no process has to live for them.

Whoever watches accounts leaves nothing to do here. Without one, orders of which nobody knows are resolved all the same,
positions keep their stops and are closed by their deadlines; only later than they could be.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from trading import doing, managing, roster, sending, tracking
from trading.desk import desk
from trading.roster import Entry

log = logging.getLogger(__name__)

LATE = timedelta(seconds=15)  # behind its time; whoever watches is behind by a second
AT_ONCE = 500
ANSWER_S = 5
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


def catch_up(*, now: datetime, among: Collection[UUID] | None = None) -> int:
    """Look at accounts that are late, side by side, and look after what they hold; return how many have answered.

    1. Those that answered last time come first, longest late before others: a venue that hangs takes nobody's turn.
       One that fails time and again is left alone for a while, as by whoever watches (engine/breaker.py).
    2. What was seen is taken in together; what cannot be, alone.
    3. Positions are managed, seen now or not: a deadline waits for no answer.
    """
    late = sorted(
        (one for one in roster.call(among) if one.breaker.lets_through(now) and _is_late(one, now)),
        key=lambda one: (one.breaker.failures, one.look_at or _LONG_AGO, one.door.account_id),
    )[:AT_ONCE]
    if not late:
        return 0
    asked = tracking.questions([one.door for one in late], now=now)
    answers = desk.start(_side_by_side(asked)).result()
    roster.note(_moved(late, answers, now))
    looks = [look for look in answers if look is not None]
    if looks:
        tracking.take_each(looks)
    managing.manage([one.door for one in late], now=now)
    sending.wait(sending.ANSWER_S)
    doing.wait(doing.ANSWER_S)
    return len(looks)


def _is_late(one: Entry, now: datetime) -> bool:
    return one.look_at is None or one.look_at <= now - LATE


def _moved(late: Sequence[Entry], answers: Sequence[tracking.Look | None], now: datetime) -> list[roster.Change]:
    """Count who has answered and who has not; return what that has changed."""
    after = [
        (one.door, one.breaker.failed(now) if answer is None else one.breaker.succeeded())
        for one, answer in zip(late, answers, strict=True)
    ]
    return [(door, breaker) for one, (door, breaker) in zip(late, after, strict=True) if breaker != one.breaker]


async def _side_by_side(asked: Sequence[tracking.Question]) -> list[tracking.Look | None]:
    return list(await asyncio.gather(*(_look(question) for question in asked)))


async def _look(question: tracking.Question) -> tracking.Look | None:
    try:
        async with asyncio.timeout(ANSWER_S):
            return await tracking.look(question)
    except Exception as error:
        desk.forget(question.door)
        log.warning(
            "an account does not answer",
            extra={"account": str(question.door.account_id), "error": f"{type(error).__name__}: {error}"[:200]},
        )
        return None

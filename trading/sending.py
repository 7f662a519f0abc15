"""Orders on their way: claimed and committed, sent with no transaction open, and written down as answers come.

An order is sent at most once. Whoever claims it has moved it from planned to sending before a byte leaves; what comes
back is refused, known, or not known, and what is not known is asked about, never sent again (`tracking`).
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from accounts import outbox
from accounts.tenancy import system_scope, tenant_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.prepared import array, ask
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import MOVES, OrderReport, OrderRequest, OrderState, OrderType, TimeInForce
from risk_management.services import quota
from trading.brokers import Refused, SessionEnded, Transient, Unknown
from trading.desk import Door, desk
from trading.folding import bare
from trading.statements import CLAIM, HOLD_ORDERS, RECORD, WITHDRAW

log = logging.getLogger(__name__)

SCOPE = "orders.carry"
ANSWER_S = 10  # an account that has not answered by then is asked about later
# A claim is good for so long. Whoever comes later, out of a long queue or a frozen process, sends nothing: others ask
# the venue for the order after SILENCE, and what it does not have then must not arrive any more.
SEND_WITHIN = timedelta(seconds=5)
SILENCE = SEND_WITHIN + timedelta(seconds=ANSWER_S)  # after which whoever claimed an order is not going to write
AT_ONCE = 500  # of one shard to one venue: one that hangs keeps no other waiting, and none waits for an answer twice
UNSENT = 500  # of one venue, with which this process decides on more
STILL_S = 2  # in which none of them leaves: their venue hangs, and others are not to wait for it
GROUP_MS = 4  # answers of so long are written together
TOGETHER = 1_000
MAX_REASON = 300  # letters of what a venue says
_WHO = uuid4()  # this process, for people who look for what it left behind
_MOVES = [(before.value, after.value) for before, several in MOVES.items() for after in several]


@dataclass(frozen=True, slots=True)
class Claimed:
    """An order that this process may send, and nobody else."""

    door: Door
    order_id: UUID
    signal_id: UUID | None
    request: OrderRequest
    claimed_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of sending: a report, or a state with its reason."""

    claimed: Claimed
    state: OrderState
    at: datetime
    report: OrderReport | None = None
    code: str = ""
    reason: str = ""


def submit(orders: Sequence[UUID], *, now: datetime) -> int:
    """Claim orders and send them; return how many were claimed. Answers are written as they come.

    1. What has become too old, or was switched off since it was planned, is withdrawn, and its place given back.
    2. What is left is claimed and committed. From here on it may have arrived.
    3. It is sent side by side; an account or a venue that hangs keeps nobody else waiting.
    4. Who has much to send is held here until most of it has left: deciding on and on, it would keep its own orders
       from leaving until they are too old for it.
    """
    claimed = _claim(orders, now)
    _recorder.start()
    _recorder.expect(len(claimed))
    venues = Counter(order.door.venue for order in claimed)
    _unsent.add(venues)
    desk.start(_send_all(claimed))
    _unsent.wait_for_room(venues)
    return len(claimed)


def _claim(orders: Sequence[UUID], now: datetime) -> list[Claimed]:
    if not orders:
        return []
    with system_scope(SCOPE):
        for organization_id, account_id, signal_id in ask(WITHDRAW, {"orders": array(orders), "now": now}):
            quota.give_back(signal_id, [(organization_id, account_id)], now=now)
        claimed_at = (
            timezone.now()
        )  # by the clock of those who will look for forgotten ones, whatever `now` was planned with
        rows = ask(CLAIM, {"orders": array(orders), "now": claimed_at, "who": _WHO})
    return [_claimed(row, claimed_at) for row in rows]


def _claimed(row: tuple[Any, ...], claimed_at: datetime) -> Claimed:
    (organization_id, account_id, venue, order_id, signal_id, client_id, symbol, side, kind, quantity, limit, stop,
     trail, stop_loss, take_profit, time_in_force, reduces_only, position) = row  # fmt: skip
    return Claimed(
        Door(organization_id, account_id, venue),
        order_id,
        signal_id,
        OrderRequest(
            client_id=client_id,
            symbol=symbol,
            side=Side(side),
            type=OrderType(kind),
            quantity=Quantity(bare(quantity)),
            limit=_price(limit),
            stop=_price(stop),
            trail=None if trail is None else bare(trail),
            stop_loss=_price(stop_loss),
            take_profit=_price(take_profit),
            time_in_force=TimeInForce(time_in_force),
            reduces_only=reduces_only,
            position_id=position or "",
        ),
        claimed_at,
    )


def _price(value: Decimal | None) -> Price | None:
    return None if value is None else Price(bare(value))


class _Unsent:
    """Counts by venue what was claimed and has not left: it waits for this process's processor, or to be signed in."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._left = threading.Condition()

    def add(self, venues: Counter[str]) -> None:
        with self._left:
            self._counts.update(venues)

    def leave(self, venue: str) -> None:
        with self._left:
            self._counts[venue] -= 1
            self._left.notify_all()

    def wait_for_room(self, venues: Iterable[str]) -> None:
        """Wait while more than a few wait at one of these venues, and while they do leave."""
        with self._left:
            while many := {venue: self._counts[venue] for venue in venues if self._counts[venue] > UNSENT}:
                if not self._left.wait_for(partial(self._has_fewer, many), STILL_S):
                    return

    def _has_fewer(self, before: Mapping[str, int]) -> bool:
        """Tell whether some of these have left; that others leave says nothing about a venue that hangs."""
        return any(self._counts[venue] < count for venue, count in before.items())


_unsent = _Unsent()


# --- On the loop ------------------------------------------------------------------------------------------------------
async def _send_all(orders: Sequence[Claimed]) -> None:
    lanes: dict[str, asyncio.Semaphore] = defaultdict(lambda: asyncio.Semaphore(AT_ONCE))
    await asyncio.gather(*(_send(order, lanes[order.door.venue]) for order in orders))


async def _send(order: Claimed, lane: asyncio.Semaphore) -> None:
    async with lane:
        answer = await _answer(order)
    _recorder.take(answer)


async def _answer(order: Claimed) -> Answer:
    """Send once, and say what is known then. Whatever nobody expected may have happened after it had arrived."""
    try:
        async with asyncio.timeout(ANSWER_S):
            try:
                session = await desk.session(order.door)
            finally:
                _unsent.leave(order.door.venue)
            if timezone.now() - order.claimed_at > SEND_WITHIN:
                return _told(order, OrderState.PLANNED, "not_sent", "it waited too long to be sent")
            report = await session.place(order.request)
    except Refused as error:
        return _told(order, OrderState.REFUSED, error.code, error.reason)
    except Transient as error:  # it never left, or was turned away: it is sent again if it is not too old by then
        if isinstance(error, SessionEnded):
            desk.forget(order.door)
        return _told(order, OrderState.PLANNED, "not_sent", str(error))
    except (Unknown, TimeoutError) as error:
        return _told(order, OrderState.UNKNOWN, "no_answer", str(error) or f"no answer in {ANSWER_S} s")
    except Exception as error:
        log.exception("an order met something unexpected and is asked about", extra={"order": str(order.order_id)})
        return _told(order, OrderState.UNKNOWN, "unexpected", type(error).__name__)
    return Answer(order, report.state, timezone.now(), report)


def _told(order: Claimed, state: OrderState, code: str, reason: str) -> Answer:
    return Answer(order, state, timezone.now(), None, code, reason)


# --- Answers are written down -----------------------------------------------------------------------------------------
class _Recorder:
    """Writes answers in groups, in a thread of its own, for as long as this process lives."""

    def __init__(self) -> None:
        self._answers: queue.SimpleQueue[Answer] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._open = 0
        self._is_running = False
        self._settled = threading.Condition(self._lock)

    def start(self) -> None:
        with self._lock:
            if not self._is_running:
                self._is_running = True
                threading.Thread(target=self._run, name="recorder", daemon=True).start()

    def expect(self, count: int) -> None:
        with self._lock:
            self._open += count

    def take(self, answer: Answer) -> None:
        self._answers.put(answer)

    def wait(self, timeout_s: int) -> bool:
        """Wait until everything that was begun has been written."""
        with self._lock:
            return self._settled.wait_for(lambda: self._open == 0, timeout_s)

    def _run(self) -> None:
        while True:
            answers = [self._answers.get()]
            time.sleep(GROUP_MS / 1000)
            while len(answers) < TOGETHER and not self._answers.empty():
                answers.append(self._answers.get())
            self._write(answers)
            with self._lock:
                self._open -= len(answers)
                self._settled.notify_all()
            own: Any = connections[scopes.ENGINE]
            if own.pool and self._answers.empty():
                own.close()  # back to the pool: others of this process need it meanwhile

    def _write(self, answers: Sequence[Answer]) -> None:
        """Write them, and wait for the database if need be: nobody else knows what was answered."""
        while True:
            try:
                record(answers)
            except (OperationalError, InterfaceError):
                log.warning("answers of venues cannot be written yet", exc_info=True)
                connections.close_all()
                time.sleep(1)
            except Exception:
                log.exception("answers of venues could not be written; their orders will be asked about")
                return
            else:
                return


_recorder = _Recorder()
wait = _recorder.wait


def record(answers: Sequence[Answer]) -> None:
    """Write down how orders stand; one that has gone on meanwhile is not moved back."""
    reports = [answer.report for answer in answers]
    values: dict[str, Any] = {
        "organizations": array(answer.claimed.door.organization_id for answer in answers),
        "orders": array(answer.claimed.order_id for answer in answers),
        "states": array(answer.state.value for answer in answers),
        "codes": [answer.code for answer in answers],
        "reasons": [_reason(answer) for answer in answers],
        "venue_orders": [report.venue_order_id if report else "" for report in reports],
        "revisions": array(report.revision if report else 0 for report in reports),
        "filled": array(report.filled if report else 0 for report in reports),
        "prices": array(report.average_price if report else None for report in reports),
        "times": array(answer.at for answer in answers),
        "claims": array(answer.claimed.claimed_at for answer in answers),
        "befores": [before for before, _ in _MOVES],
        "afters": [after for _, after in _MOVES],
    }
    with system_scope(SCOPE):
        ask(HOLD_ORDERS, {"orders": values["orders"]})
        moved = {order_id for (order_id,) in ask(RECORD, values)}
        for answer in answers:
            if answer.state is OrderState.REFUSED and answer.claimed.order_id in moved:
                _refused(answer)


def _refused(answer: Answer) -> None:
    """Give the place of a refused entry back, and say it."""
    claimed, door = answer.claimed, answer.claimed.door
    if claimed.signal_id is not None and not claimed.request.reduces_only:
        quota.give_back(claimed.signal_id, [(door.organization_id, door.account_id)], now=answer.at)
    with tenant_scope(door.organization_id):
        outbox.publish(
            EventName.ORDER_REFUSED, account=str(door.account_id), order=str(claimed.order_id), code=answer.code,
            reason=answer.reason,
        )  # fmt: skip


def _reason(answer: Answer) -> str:
    return (answer.report.reason if answer.report else answer.reason)[:MAX_REASON]

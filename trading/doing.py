"""Deeds carried out: exits and stops as orders that are written before they are sent, levels as wishes written first.

An order is sent at most once (sending). A level that a venue keeps with a position is set, not ordered: setting it
twice changes nothing, so where it is wanted is written down, and asked for again until the venue shows it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts import outbox
from accounts.tenancy import system_scope, tenant_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.orders import OrderChange, OrderReport, OrderType, PositionReport, Purpose
from mikrobot_platform.kernel.venues import Positions
from trading import book_statements as sql
from trading import sending
from trading.brokers import Refused, Session, SessionEnded, Transient, Unknown
from trading.desk import Door, broker_of, desk
from trading.engine.deeds import Alarm, Cancel, Close, Deed, MoveStop, PlaceStop, client_id
from trading.hearing import Heard
from trading.settling import settle

log = logging.getLogger(__name__)

ANSWER_S = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a deed is about: a position of ours, or one that only its venue knows."""

    door: Door
    position_id: UUID | None
    venue_position_id: str
    symbol: str
    venue_symbol: str
    signal_id: UUID | None = None
    receipt_id: UUID | None = None
    strategy_id: UUID | None = None


Wanted = tuple[Subject, Deed]


def carry_out(wanted: Sequence[Wanted], *, now: datetime) -> list[UUID]:
    """Carry deeds out, in their order for each position; return the orders that were written and sent.

    1. Orders and wishes are written in one transaction.
    2. Orders go to their venues on a lane of their own; what only changes something there is asked for side by side,
       of each account one thing after another. One that is still being asked is not asked again.
    3. What the venues answer is settled as it comes; nobody waits for the slowest (`wait`).
    """
    orders = [one for subject, deed in wanted if (one := _order(subject, deed)) is not None]
    changes = _changes.begin([one for one in wanted if _changes_only(*one)])
    if not (wanted or changes):
        return []
    with system_scope(sending.SCOPE):
        written = [order_id for (order_id,) in ask(sql.WRITE_DEEDS, {"orders": Jsonb(orders), "now": now})]
        _want([one for several in changes.values() for one in several])
        _tell([(subject, deed) for subject, deed in wanted if _is_asked(subject, deed, changes)])
    sending.submit(written, now=now)
    for several in changes.values():
        _changes.ask(several)
    return written


def _is_asked(subject: Subject, deed: Deed, changes: Mapping[UUID, Sequence[Wanted]]) -> bool:
    return subject.door.account_id in changes or not _changes_only(subject, deed)


def name_of(door: Door, deed: Deed) -> str:
    """Name the order of a deed: by its account too, since ids of venues mean something at one venue only."""
    return client_id(f"{door.account_id}/{deed.key}")


def _keeps_stops(door: Door) -> bool:
    return broker_of(door.venue).capabilities.attached_stops


def _changes_only(subject: Subject, deed: Deed) -> bool:
    """Tell whether a deed changes something at the venue instead of sending an order."""
    match deed:
        case PlaceStop():
            return _keeps_stops(subject.door)
        case MoveStop() | Cancel():
            return True
        case _:
            return False


def _order(subject: Subject, deed: Deed) -> dict[str, object] | None:
    """Write a deed as an order, as JSON takes it; None for one that is none."""
    if not isinstance(deed, Close | PlaceStop) or _changes_only(subject, deed):
        return None
    is_stop = isinstance(deed, PlaceStop)
    door = subject.door
    return {
        "id": str(new_id()), "organization_id": str(door.organization_id), "account_id": str(door.account_id),
        "client_id": name_of(door, deed), "purpose": (Purpose.STOP if is_stop else Purpose.EXIT).value,
        "position_id": _text(subject.position_id), "strategy_id": _text(subject.strategy_id),
        "signal_id": _text(subject.signal_id), "receipt_id": _text(subject.receipt_id), "symbol": subject.symbol,
        "venue_symbol": subject.venue_symbol, "side": deed.side.value,
        "type": (OrderType.STOP if is_stop else OrderType.MARKET).value, "quantity": str(deed.quantity),
        "stop": str(deed.price) if isinstance(deed, PlaceStop) else None,
        "venue_position": subject.venue_position_id, "cause_code": deed.code.value, "cause": deed.sentence[:300],
    }  # fmt: skip


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def _want(changes: Sequence[Wanted]) -> None:
    """Write down where stops are wanted, before any venue hears of it."""
    places = [
        (subject.position_id, deed.price, isinstance(deed, PlaceStop))
        for subject, deed in changes
        if isinstance(deed, PlaceStop | MoveStop) and subject.position_id is not None
    ]
    if places:
        positions, stops, makes = zip(*places, strict=True)
        ask(sql.WANT_STOPS, {"positions": list(positions), "stops": list(stops), "makes": list(makes)})


def _tell(wanted: Sequence[Wanted]) -> None:
    """Raise the alarm about positions that nothing protects."""
    for subject, deed in wanted:
        if isinstance(deed, PlaceStop | Alarm):
            with tenant_scope(subject.door.organization_id):
                outbox.publish(
                    EventName.POSITION_UNPROTECTED, account=str(subject.door.account_id),
                    position=_text(subject.position_id) or subject.venue_position_id, symbol=subject.symbol,
                    code=deed.code.value, sentence=deed.sentence,
                )  # fmt: skip


# --- changes at the venue ---
Answer = tuple[Subject, Deed, OrderReport | PositionReport | Exception, Positions]


class _Changes:
    """What venues are being asked to change, by account; answers are taken in by a thread of its own."""

    def __init__(self) -> None:
        self._busy: set[UUID] = set()
        self._idle = threading.Condition()
        self._thread = ThreadPoolExecutor(1, "changes")

    def begin(self, wanted: Sequence[Wanted]) -> dict[UUID, list[Wanted]]:
        """Take what accounts are to be asked for, by account; nothing for those that are being asked already."""
        found: dict[UUID, list[Wanted]] = defaultdict(list)
        with self._idle:
            for subject, deed in wanted:
                if subject.door.account_id not in self._busy:
                    found[subject.door.account_id].append((subject, deed))
            self._busy |= found.keys()
        return found

    def ask(self, changes: Sequence[Wanted]) -> None:
        """Ask one account; its answers are settled when they are there."""
        desk.start(_ask_one(changes)).add_done_callback(lambda done: self._thread.submit(self._end, changes, done))

    def _end(self, changes: Sequence[Wanted], done: Future[list[Answer]]) -> None:
        try:
            _take(done.result())
        except Exception:
            log.exception("what venues have answered could not be taken in; they will be looked at")
        finally:
            with self._idle:
                self._busy -= {subject.door.account_id for subject, _ in changes}
                self._idle.notify_all()

    def wait(self, timeout_s: int) -> bool:
        """Wait until everybody has answered."""
        with self._idle:
            return self._idle.wait_for(lambda: not self._busy, timeout_s)


_changes = _Changes()
wait = _changes.wait


async def _ask_one(changes: Sequence[Wanted]) -> list[Answer]:
    answers: list[Answer] = []
    for subject, deed in changes:
        held = broker_of(subject.door.venue).capabilities.positions
        try:
            async with asyncio.timeout(ANSWER_S):
                session = await desk.session(subject.door)
                held = session.capabilities.positions
                answers.append((subject, deed, await _change(subject, deed)(session), held))
        except SessionEnded as error:
            desk.forget(subject.door)
            answers.append((subject, deed, error, held))
        except (Refused, Transient, Unknown, TimeoutError) as error:
            answers.append((subject, deed, error, held))
    return answers


def _change(subject: Subject, deed: Deed) -> Callable[[Session], Awaitable[OrderReport | PositionReport]]:
    match deed:
        case MoveStop(order=order) if order:
            change = OrderChange(stop=deed.price, quantity=deed.quantity)
            return lambda session: session.modify(order, change)
        case PlaceStop() | MoveStop():
            change = OrderChange(stop_loss=deed.price)
            return lambda session: session.protect(subject.venue_position_id, change)
        case Cancel():
            return lambda session: session.cancel(deed.order)
        case _:
            raise TypeError(f"{type(deed).__name__} changes nothing at a venue")


def _take(answers: Sequence[Answer]) -> None:
    """Settle what venues have answered; what they refuse is counted, what nobody knows is asked for again."""
    now = timezone.now()
    settle(
        [
            Heard(subject.door, held, what)
            for subject, _deed, what, held in answers
            if not isinstance(what, Exception)
        ],
        now=now,
    )  # fmt: skip
    with system_scope(sending.SCOPE):
        for subject, deed, what, _held in answers:
            if isinstance(what, Exception):
                log.warning("a change was not made", extra={"deed": deed.step, "error": str(what)[:200]})
            if isinstance(what, Transient | Unknown | TimeoutError) or not isinstance(deed, PlaceStop | MoveStop):
                continue
            is_refused = isinstance(what, Refused)
            if isinstance(deed, MoveStop) and deed.order:
                if not is_refused:
                    ask(sql.STOP_ORDER_MOVED, {
                        "organization": subject.door.organization_id, "client_id": deed.order, "stop": deed.price,
                        "quantity": deed.quantity,
                    })  # fmt: skip
            elif subject.position_id is not None:
                ask(sql.STOP_ANSWERED, {"position": subject.position_id, "is_refused": is_refused, "now": now})

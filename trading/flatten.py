"""The emergency stop: entries held, waiting orders cancelled, positions closed, and the venue's own word that it is so.

Nothing here believes our own books: what stands at the venue is asked for, closed, and asked for again. An account
that does not answer is reported by name and keeps nobody else waiting. Who calls has held the entries before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from accounts.tenancy import system_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.orders import OrderReport, PositionReport, Purpose
from trading import sending
from trading.brokers import Refused, Session, SessionEnded, Transient, Unknown
from trading.desk import Door, desk
from trading.planning import client_id
from trading.statements import WRITE_EXITS

log = logging.getLogger(__name__)
T = TypeVar("T")

ANSWER_S = 4  # for one question to one account
VERIFY_S = 5  # until everything has to be flat
LOOK_AGAIN_MS = 100
SIDE_BY_SIDE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """What remains on an account, by its venue's word; or that its venue does not answer."""

    account_id: UUID
    venue: str
    problem: str
    orders: int = 0
    positions: int = 0


@dataclass(slots=True, kw_only=True)
class Report:
    """How it went, in milliseconds since it began."""

    accounts: int
    cancelled: int = 0
    closed: int = 0
    sent_ms: int = 0
    flat_ms: int | None = None  # None: not everything was flat in time
    residual: list[Residual] = field(default_factory=list)


@dataclass(slots=True)
class _Look:
    """One account at its venue."""

    door: Door
    orders: Sequence[OrderReport] = ()
    positions: Sequence[PositionReport] = ()
    problem: str = ""

    @property
    def is_flat(self) -> bool:
        return not self.problem and not self.orders and not self.positions


def flatten(doors: Sequence[Door], *, stop_id: UUID, now: datetime) -> Report:
    """Cancel what waits and close what is open on accounts; return what remains by the venues' own word.

    1. Everything that stands at the venues is asked for, all accounts side by side.
    2. Exits are written down with their client ids, then sent on the lane of exits; waiting orders are cancelled.
    3. It is asked for again until nothing stands there, or the time is over. What was filled meanwhile is closed too.
    """
    began, report = time.monotonic_ns(), Report(accounts=len(doors))
    looks = _run(_look_at(doors))
    attempt = 0
    while any(look.orders or look.positions for look in looks):
        cancelled = _run(_cancel(looks))
        exits = _write(looks, stop_id, attempt, now)
        sending.submit(exits, now=now)
        report.cancelled, report.closed = report.cancelled + cancelled, report.closed + len(exits)
        report.sent_ms = report.sent_ms or _since(began)
        if _since(began) > VERIFY_S * 1000:
            break
        time.sleep(LOOK_AGAIN_MS / 1000)
        attempt += 1
        looks = _run(_look_at([look.door for look in looks if not look.is_flat]))
    report.flat_ms = _since(began) if all(look.is_flat for look in looks) else None
    report.residual = [
        Residual(
            account_id=look.door.account_id, venue=look.door.venue, problem=look.problem or "still open",
            orders=len(look.orders), positions=len(look.positions),
        )
        for look in looks
        if not look.is_flat
    ]  # fmt: skip
    return report


def _since(began_ns: int) -> int:
    return (time.monotonic_ns() - began_ns) // 1_000_000


def _run(work: Coroutine[Any, Any, T]) -> T:
    return desk.start(work).result()


async def _side_by_side(doors: Sequence[Door], act: Callable[[Door], Coroutine[Any, Any, T]]) -> list[T]:
    lane = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(door: Door) -> T:
        async with lane:
            return await act(door)

    return await asyncio.gather(*(one(door) for door in doors))


async def _look_at(doors: Sequence[Door]) -> list[_Look]:
    return await _side_by_side(doors, _look)


async def _look(door: Door) -> _Look:
    async def ask_it(session: Session) -> _Look:
        orders, positions = await asyncio.gather(session.working(), session.positions())
        return _Look(door, orders, positions)

    found = await _asked(door, ask_it)
    return found if isinstance(found, _Look) else _Look(door, problem=found)


async def _asked(door: Door, question: Callable[[Session], Coroutine[Any, Any, T]]) -> T | str:
    """Ask an account something; a new sign-in is tried once, and a problem is said in words."""
    for is_last in (False, True):
        try:
            async with asyncio.timeout(ANSWER_S):
                return await question(await desk.session(door))
        except SessionEnded as error:
            desk.forget(door)
            if is_last:
                return f"not signed in: {error}"
        except TimeoutError:
            return f"no answer in {ANSWER_S} s"
        except (Refused, Transient, Unknown) as error:
            return str(error) or type(error).__name__
    raise AssertionError("unreachable")


async def _cancel(looks: Sequence[_Look]) -> int:
    """Cancel what waits; one that was filled or is gone by now is what the next look finds."""

    async def cancel(order: tuple[Door, str]) -> bool:
        async def ask_it(session: Session) -> bool:
            await session.cancel(order[1])
            return True

        return await _asked(order[0], ask_it) is True

    waiting = [(look.door, order.client_id) for look in looks for order in look.orders if order.client_id]
    lane = asyncio.Semaphore(SIDE_BY_SIDE)

    async def one(order: tuple[Door, str]) -> bool:
        async with lane:
            return await cancel(order)

    return sum(await asyncio.gather(*(one(order) for order in waiting)))


def _write(looks: Sequence[_Look], stop_id: UUID, attempt: int, now: datetime) -> list[UUID]:
    """Write down an exit for every open position, before any is sent; return those that were not there yet."""
    wanted = [(look.door, position) for look in looks for position in look.positions]
    if not wanted:
        return []
    values = {
        "ids": [new_id() for _ in wanted],
        "organizations": [door.organization_id for door, _ in wanted],
        "accounts": [door.account_id for door, _ in wanted],
        "client_ids": [
            client_id(stop_id, door.account_id, Purpose.EXIT, f"{position.id}:{attempt}") for door, position in wanted
        ],
        "symbols": [position.symbol for _, position in wanted],
        "sides": [position.side.opposite.value for _, position in wanted],
        "quantities": [position.quantity for _, position in wanted],
        "venue_positions": [position.id for _, position in wanted],
        "now": now,
    }
    with system_scope(sending.SCOPE):
        return [order_id for (order_id,) in ask(WRITE_EXITS, values)]

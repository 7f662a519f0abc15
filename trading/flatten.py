"""The emergency stop: entries held, waiting orders cancelled, positions closed, and the venue's own word that it is so.

Nothing here believes our own books: what stands at the venue is asked for, closed, and asked for again. An account
that does not answer is reported by name and keeps nobody else waiting. Who calls has held the entries before.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import FIRST_COMPLETED, wait
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

from django.utils import timezone

from accounts.tenancy import system_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.orders import OrderReport, PositionReport, Purpose
from mikrobot_platform.kernel.undisturbed import Undisturbed
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
TOGETHER_MS = 10  # accounts that answer within so long are dealt with together
SIDE_BY_SIDE = 400  # at one venue
UNDERWAY = timedelta(seconds=2)  # an exit that is younger and not answered is waited for before there is another


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
    flat: int = 0
    cancelled: int = 0
    closed: int = 0
    sent_ms: int = 0  # when the last account that had something was dealt with for the first time
    flat_ms: int = 0  # when the last of those that are flat was seen to be
    residual: list[Residual] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """One account at its venue, and what was cancelled before it was looked at."""

    door: Door
    orders: Sequence[OrderReport] = ()
    positions: Sequence[PositionReport] = ()
    problem: str = ""
    cancelled: int = 0

    @property
    def is_flat(self) -> bool:
        return not self.problem and not self.orders and not self.positions


def flatten(doors: Sequence[Door], *, stop_id: UUID) -> Report:
    """Cancel what waits and close what is open on accounts; return what remains by the venues' own word.

    Each account goes its own way, so that one that does not answer keeps nobody else waiting:

    1. What stands at the venue is asked for.
    2. Exits are written down with their client ids, then sent; waiting orders are cancelled.
    3. It is asked for again until nothing stands there, or the time is over. What was filled meanwhile is closed too.
    """
    with Undisturbed():  # for seconds at most, and each counts
        return _Stop(doors, stop_id).carry_out()


class _Stop:
    """One emergency stop on its way."""

    def __init__(self, doors: Sequence[Door], stop_id: UUID) -> None:
        self._id, self._began_ns = stop_id, time.monotonic_ns()
        self._report = Report(accounts=len(doors))
        self._lanes = {door.venue: asyncio.Semaphore(SIDE_BY_SIDE) for door in doors}
        self._rounds: dict[UUID, int] = defaultdict(int)
        self._last = {door: _Look(door=door, problem="its turn did not come in time") for door in doors}
        self._asked = {desk.start(self._look(door, None)) for door in doors}

    def carry_out(self) -> Report:
        """Deal with accounts as their venues answer."""
        while self._asked and (left_s := VERIFY_S - self._since_ms() / 1000) > 0:
            wait(self._asked, left_s, return_when=FIRST_COMPLETED)
            time.sleep(TOGETHER_MS / 1000)
            answered = {future for future in self._asked if future.done()}
            self._asked -= answered
            self._take([future.result() for future in answered])
        for future in self._asked:
            future.cancel()
        self._report.residual = [
            Residual(
                account_id=door.account_id, venue=door.venue, problem=look.problem or "still open",
                orders=len(look.orders), positions=len(look.positions),
            )
            for door, look in self._last.items()
            if not look.is_flat
        ]  # fmt: skip
        return self._report

    def _take(self, looks: Sequence[_Look]) -> None:
        report = self._report
        exits = self._write(looks)
        sending.submit(exits, now=timezone.now())
        report.closed += len(exits)
        for look in looks:
            self._last[look.door] = look
            report.cancelled += look.cancelled
            if look.is_flat:
                report.flat, report.flat_ms = report.flat + 1, self._since_ms()
                continue
            if not look.problem and not self._rounds[look.door.account_id]:
                report.sent_ms = self._since_ms()
            self._rounds[look.door.account_id] += 1
            self._asked.add(desk.start(self._look(look.door, look.orders)))

    def _since_ms(self) -> int:
        return (time.monotonic_ns() - self._began_ns) // 1_000_000

    # --- on the loop ---
    async def _look(self, door: Door, waiting: Sequence[OrderReport] | None) -> _Look:
        """Cancel what was seen to wait, and look at what stands there then: at once for the first time."""
        cancelled = 0
        if waiting is not None:
            cancelled = sum(await asyncio.gather(*(self._cancel(door, order) for order in waiting)))
            await asyncio.sleep(LOOK_AGAIN_MS / 1000)

        async def see(session: Session) -> _Look:
            orders, positions = await asyncio.gather(session.working(), session.positions())
            return _Look(door=door, orders=orders, positions=positions, cancelled=cancelled)

        found = await self._ask(door, see)
        return found if isinstance(found, _Look) else _Look(door=door, problem=found, cancelled=cancelled)

    async def _cancel(self, door: Door, order: OrderReport) -> bool:
        """Cancel an order; one that was filled or is gone by now is what the next look finds."""

        async def cancel(session: Session) -> bool:
            await session.cancel(order.client_id or order.venue_order_id)
            return True

        return await self._ask(door, cancel) is True

    async def _ask(self, door: Door, question: Callable[[Session], Coroutine[Any, Any, T]]) -> T | str:
        """Ask an account something; a new sign-in is tried once, and a problem is said in words."""
        for is_last in (False, True):
            try:
                async with asyncio.timeout(ANSWER_S):
                    session = await desk.session(door)
                async with self._lanes[door.venue], asyncio.timeout(ANSWER_S):
                    return await question(session)
            except SessionEnded as error:
                desk.forget(door)
                if is_last:
                    return f"not signed in: {error}"
            except TimeoutError:
                return f"no answer in {ANSWER_S} s"
            except (Refused, Transient, Unknown) as error:
                return str(error) or type(error).__name__
            except Exception as error:
                log.exception("an account could not be asked", extra={"account": str(door.account_id)})
                return f"it cannot be asked: {type(error).__name__}"
        raise AssertionError("unreachable")

    # --- exits ---
    def _write(self, looks: Sequence[_Look]) -> list[UUID]:
        """Write down an exit for every open position, before any is sent; not for one that has an exit underway."""
        now, wanted = timezone.now(), [(look.door, position) for look in looks for position in look.positions]
        if not wanted:
            return []
        values = {
            "ids": [new_id() for _ in wanted],
            "organizations": [door.organization_id for door, _ in wanted],
            "accounts": [door.account_id for door, _ in wanted],
            "client_ids": [
                client_id(
                    self._id, door.account_id, Purpose.EXIT, f"{position.id}:{self._rounds[door.account_id]}"
                )
                for door, position in wanted
            ],
            "symbols": [position.symbol for _, position in wanted],
            "sides": [position.side.opposite.value for _, position in wanted],
            "quantities": [position.quantity for _, position in wanted],
            "venue_positions": [position.id for _, position in wanted],
            "now": now,
            "underway_since": now - UNDERWAY,
        }  # fmt: skip
        with system_scope(sending.SCOPE):
            return [order_id for (order_id,) in ask(WRITE_EXITS, values)]

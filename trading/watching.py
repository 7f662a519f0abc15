"""The process that watches accounts: it hears their venues, settles, compares, keeps prices, and looks after positions.

Everything that waits for a venue waits on one event loop, each account by itself; everything that waits for the
database does so in threads, in batches. So an account that hangs delays nobody else, and one that fails time and again
is left alone for a while (engine/breaker.py). What it knows is in the database: another process goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

import redis
from django.conf import settings
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from mikrobot_platform import heartbeats
from trading import managing, pricing, roster, tracking
from trading.desk import Door, desk
from trading.engine.breaker import Breaker
from trading.hearing import Heard
from trading.settling import settle

log = logging.getLogger(__name__)
T = TypeVar("T")

ROSTER_S = 1
LOOK_MS = 250
GATHER_MS = 5
MANAGE_S = 1
PRICES_MS = 400
ANSWER_S = 5  # a look at one account
AGAIN_S = 1  # after a session has ended
TOGETHER = 1_000
SIGN_S = 5
# Connections of a pool are given back after each piece of work; without one each thread keeps its own.
IS_POOLED = bool(settings.DATABASES["default"].get("OPTIONS", {}).get("pool"))


@dataclass(slots=True)
class Watched:
    """One account, and how it goes with it."""

    door: Door
    look_at: datetime | None = None
    has_open: bool = False
    breaker: Breaker = field(default_factory=Breaker)
    stored: Breaker = field(default_factory=Breaker)
    is_looking: bool = False
    listener: asyncio.Task[None] | None = None


class Lookout:
    """Watch every account that has something at its venue or follows something, until asked to stop."""

    def __init__(self, *, among: Collection[UUID] = ()) -> None:
        self._among = list(among) or None
        self._accounts: dict[UUID, Watched] = {}
        self._heard: deque[Heard] = deque()
        self._looks: deque[tracking.Look] = deque()
        self._has_heard, self._has_looked = asyncio.Event(), asyncio.Event()
        self._stirred = asyncio.Event()  # something was settled: positions want a look
        self._threads = ThreadPoolExecutor(6, "watch")
        self._prices = pricing.Prices()

    def run(self, stop: threading.Event) -> None:
        """Work until STOP; what was heard by then is settled."""
        work = desk.start(self._work())
        try:
            while not stop.is_set() and not work.done():
                self._give_a_sign()
                stop.wait(SIGN_S)
        finally:
            work.cancel()
            self._threads.shutdown(wait=True)
            self._settle_all()
            connections.close_all()

    async def _work(self) -> None:
        steps: tuple[tuple[str, int, Callable[[], Awaitable[None]]], ...] = (
            ("roster", ROSTER_S * 1000, self._call_the_roll),
            ("settle", 0, self._settle),
            ("look", LOOK_MS, self._look),
            ("take", 0, self._take),
            ("prices", PRICES_MS, self._keep_prices),
            ("manage", 0, self._manage),
        )
        try:
            await asyncio.gather(*(self._forever(*step) for step in steps))
        finally:
            for account in self._accounts.values():
                if account.listener is not None:
                    account.listener.cancel()

    async def _forever(self, name: str, every_ms: int, step: Callable[[], Awaitable[None]]) -> None:
        """Do a step again and again; what goes wrong is said, and tried again."""
        while True:
            try:
                await step()
            except (OperationalError, InterfaceError, redis.RedisError) as error:
                log.warning("a store is away", extra={"step": name, "error": type(error).__name__})
                await asyncio.sleep(1)
            except Exception:
                log.exception("a step went wrong", extra={"step": name})
                await asyncio.sleep(1)
            await asyncio.sleep(every_ms / 1000)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, _with_connection(work))

    # --- who is watched ---
    async def _call_the_roll(self) -> None:
        """Learn who is to be watched, begin to hear those who are new, and write down how it goes."""
        changed = [one for one in self._accounts.values() if one.breaker != one.stored]
        noted = [(one.door, one.breaker) for one in changed]
        entries = await self._in_thread(lambda: roster.call(self._among, changed=noted))
        for one, (_, breaker) in zip(changed, noted, strict=True):
            one.stored = breaker
        present = set()
        await self._in_thread(lambda: heartbeats.expect_accounts(len(entries)))
        for entry in entries:
            present.add(entry.door.account_id)
            known = self._accounts.get(entry.door.account_id)
            if known is None:
                known = Watched(entry.door, breaker=entry.breaker, stored=entry.breaker)
                self._accounts[entry.door.account_id] = known
                known.listener = asyncio.create_task(self._listen(known))
            elif not known.is_looking:
                known.look_at = entry.look_at
            known.has_open = entry.has_open
        for account_id in self._accounts.keys() - present:
            gone = self._accounts.pop(account_id)
            if gone.listener is not None:
                gone.listener.cancel()

    async def _listen(self, account: Watched) -> None:
        """Hear an account for as long as it is watched; whenever its session begins anew, it is looked at."""
        while True:
            now = timezone.now()
            if account.breaker.lets_through(now):
                try:
                    async with asyncio.timeout(ANSWER_S):
                        session = await desk.session(account.door)
                    account.look_at = None
                    async for what in session.news():
                        self._heard.append(Heard(account.door, session.capabilities.positions, what))
                        self._has_heard.set()
                except Exception as error:
                    self._failed(account, error)
                desk.forget(account.door)
            await asyncio.sleep(AGAIN_S)

    def _failed(self, account: Watched, error: Exception) -> None:
        """Count a failure of the account; that our own database is away says nothing about anybody's venue."""
        if isinstance(error, OperationalError | InterfaceError):
            log.warning("a store is away", extra={"step": "account", "error": type(error).__name__})
            return
        account.breaker = account.breaker.failed(timezone.now())
        if account.breaker.open_until is not None:
            desk.forget(account.door)
        log.warning(
            "an account does not answer",
            extra={"account": str(account.door.account_id), "error": f"{type(error).__name__}: {error}"[:200]},
        )

    # --- what is heard ---
    async def _settle(self) -> None:
        await _after(self._has_heard, GATHER_MS)
        batch = _drain(self._heard)
        try:
            await self._in_thread(lambda: settle(batch, now=timezone.now()))
        except (OperationalError, InterfaceError):
            self._heard.extendleft(reversed(batch))  # nobody else has heard it; it is told again by a look, later
            raise
        finally:
            if self._heard:
                self._has_heard.set()
        self._stirred.set()

    def _settle_all(self) -> None:
        try:
            settle(list(self._heard), now=timezone.now())
        except (OperationalError, InterfaceError):
            log.warning("what was heard last could not be settled; a look will find it")

    # --- what is looked at ---
    async def _look(self) -> None:
        now = timezone.now()
        due = [
            one
            for one in self._accounts.values()
            if not one.is_looking and (one.look_at is None or one.look_at <= now) and one.breaker.lets_through(now)
        ]
        if not due:
            return
        for one in due:
            one.is_looking = True
        try:
            asked = await self._in_thread(lambda: tracking.questions([one.door for one in due], now=now))
        except Exception:
            for one in due:  # nobody looks at them: the next turn does
                one.is_looking = False
            raise
        for one, question in zip(due, asked, strict=True):
            task = asyncio.create_task(self._look_at(one, question))
            task.add_done_callback(lambda done: None if done.cancelled() else done.result())

    async def _look_at(self, account: Watched, question: tracking.Question) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await tracking.look(question)
        except Exception as error:
            self._failed(account, error)
            account.look_at = timezone.now() + timedelta(seconds=AGAIN_S)
            account.is_looking = False
        else:
            account.breaker = account.breaker.succeeded()
            self._looks.append(found)
            self._has_looked.set()

    async def _take(self) -> None:
        await _after(self._has_looked, GATHER_MS * 10)
        looks = _drain(self._looks)
        try:
            await self._in_thread(lambda: tracking.take_each(looks))
        finally:
            for one in looks:
                if (account := self._accounts.get(one.door.account_id)) is not None:
                    account.is_looking, account.look_at = False, timezone.now() + tracking.SOON
            if self._looks:
                self._has_looked.set()
        self._stirred.set()

    # --- positions and prices ---
    async def _manage(self) -> None:
        try:
            async with asyncio.timeout(MANAGE_S):
                await self._stirred.wait()
        except TimeoutError:
            pass
        else:
            self._stirred.clear()
        doors = [one.door for one in self._accounts.values() if one.has_open]
        if doors:
            await self._in_thread(lambda: managing.manage(doors, now=timezone.now()))

    async def _keep_prices(self) -> None:
        """Ask through accounts that answer."""
        doors = [one.door for one in sorted(self._accounts.values(), key=lambda one: one.breaker.failures)]
        await self._prices.refresh(doors, self._in_thread)

    # --- signs of life ---
    def _give_a_sign(self) -> None:
        try:
            heartbeats.write(heartbeats.ACCOUNTS)
        except redis.RedisError as error:
            log.warning("no sign of life could be given", extra={"error": type(error).__name__})


async def _after(event: asyncio.Event, gather_ms: int) -> None:
    """Wait until something has happened, and a moment longer for what happens together with it."""
    await event.wait()
    await asyncio.sleep(gather_ms / 1000)
    event.clear()


def _drain(waiting: deque[T]) -> list[T]:
    return [waiting.popleft() for _ in range(min(len(waiting), TOGETHER))]


def _with_connection(work: Callable[[], T]) -> Callable[[], T]:
    """Let a thread find a new connection where its old one is broken, and keep none of a pool's."""

    def attempt() -> T:
        try:
            return work()
        except (OperationalError, InterfaceError):
            connections.close_all()
            raise
        finally:
            if IS_POOLED:
                connections.close_all()

    return attempt

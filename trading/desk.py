"""Where this process stands at its venues: one event loop in a thread of its own, and the accounts that are signed in.

Everything that talks to venues runs here, side by side; whoever needs it hands a coroutine over and goes on. Sessions
are kept, because signing in opens a secret and costs a round trip; one that has ended is opened again.
"""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, TypeVar, cast
from uuid import UUID

from django.conf import settings

from mikrobot_platform.kernel import registry
from trading.brokers import Broker, Session
from trading.connections import account_credentials

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Door:
    """Which account, whose, and where."""

    organization_id: UUID
    account_id: UUID
    venue: str


class Desk:
    """The sessions of this process. Not shared across a fork: each process opens its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._sessions: dict[UUID, Session] = {}
        self._opening: dict[UUID, asyncio.Task[Session]] = {}
        self._wanted: dict[Door, asyncio.Future[Mapping[str, str]]] = {}
        self._opener: asyncio.Task[None] | None = None

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin something on the loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._running())

    async def session(self, door: Door) -> Session:
        """Return the account's session; the first who asks signs in, and goes on when nobody waits any more."""
        known = self._sessions.get(door.account_id)
        if known is not None:
            return known
        opening = self._opening.get(door.account_id)
        if opening is None:
            opening = self._opening[door.account_id] = asyncio.create_task(self._open(door))
            opening.add_done_callback(functools.partial(self._opened, door))
        return await asyncio.shield(opening)

    async def _open(self, door: Door) -> Session:
        credentials = await self._credentials(door)
        return await broker_of(door.venue).connect(
            str(door.account_id), credentials, base_url=settings.VENUE_URLS[door.venue]
        )

    def _opened(self, door: Door, opening: asyncio.Task[Session]) -> None:
        del self._opening[door.account_id]
        if not opening.cancelled() and opening.exception() is None:
            self._sessions[door.account_id] = opening.result()

    async def _credentials(self, door: Door) -> Mapping[str, str]:
        """Have an account's secret opened, together with those of everybody who asks while others are being opened."""
        answer: asyncio.Future[Mapping[str, str]] = asyncio.get_running_loop().create_future()
        self._wanted[door] = answer
        if self._opener is None:
            self._opener = asyncio.create_task(self._open_wanted())
        return await answer

    async def _open_wanted(self) -> None:
        while self._wanted:
            wanted, self._wanted = self._wanted, {}
            ids = [(door.organization_id, door.account_id) for door in wanted]
            found: Mapping[UUID, Mapping[str, str] | Exception]
            try:
                found = await asyncio.to_thread(account_credentials, ids)
            except Exception as error:  # whatever it is, it is theirs who wait for it
                found = {account_id: error for _, account_id in ids}
            for door, answer in wanted.items():
                told = found[door.account_id]
                if isinstance(told, Exception):
                    answer.set_exception(told)
                else:
                    answer.set_result(told)
        self._opener = None

    def forget(self, door: Door) -> None:
        """Let the next one sign in anew."""
        self._sessions.pop(door.account_id, None)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="desk", daemon=True).start()
            return self._loop


desk = Desk()


def broker_of(venue: str) -> Broker:
    """Return the adapter of a venue."""
    module = registry.BROKERS[venue].partition(":")[0]
    return cast(Broker, registry.resolve(f"{module}:BROKER"))

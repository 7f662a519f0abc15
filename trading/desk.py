"""Where this process stands at its venues: one event loop in a thread of its own, and the accounts that are signed in.

Everything that talks to venues runs here, side by side; whoever needs it hands a coroutine over and goes on. Sessions
are kept, because signing in opens a secret and costs a round trip; one that has ended is opened again.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine
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
        self._opening: dict[UUID, asyncio.Lock] = {}

    def start(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        """Begin something on the loop, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self._running())

    async def session(self, door: Door) -> Session:
        """Return the account's session; the first who asks signs in."""
        known = self._sessions.get(door.account_id)
        if known is not None:
            return known
        async with self._opening.setdefault(door.account_id, asyncio.Lock()):
            if door.account_id not in self._sessions:
                credentials = await asyncio.to_thread(account_credentials, door.organization_id, door.account_id)
                broker = broker_of(door.venue)
                url = settings.VENUE_URLS[door.venue]
                self._sessions[door.account_id] = await broker.connect(str(door.account_id), credentials, base_url=url)
        return self._sessions[door.account_id]

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

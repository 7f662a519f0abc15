"""One wave of runs: processes are forked, killed, frozen and forked again, servers fail, and in the end all is counted.

This process has one thread and no connection while it forks. Servers that end are started again by whoever owns them
(__init__.py); the venue, which is killed by its own faults as well, is started again here.
"""

from __future__ import annotations

import heapq
import itertools
import mmap
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import psycopg
import redis
from django.db import connections

from mikrobot_platform.drills.exactly_once import count, hands, world
from mikrobot_platform.drills.exactly_once.broken import BROKEN
from mikrobot_platform.drills.exactly_once.points import Points
from mikrobot_platform.drills.exactly_once.scripts import STORM_MS, Fault, Hand, Kill, Outage, Script, Trap
from mikrobot_platform.drills.exactly_once.world import ASK, BID, SYMBOL, UP, House
from mikrobot_platform.measurement import say
from trading.paper.control import PaperProcess
from trading.sending import SILENCE

if TYPE_CHECKING:
    from mikrobot_platform.db.base import DatabaseWrapper

DOORS, CARRIERS, LOOKOUTS = 2, 3, 3
STANDSTILL_S = SILENCE.total_seconds() + 4
HANGING_S = 11  # longer than anybody waits for an answer
UP_AT_S = 10
TICK_S = 2
READY_S, PATIENCE_S = 90, 150
NAP_S = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """What the drill owns besides its processes."""

    admin_url: str
    redis_url: str
    postmaster: Path  # the file that says which process PostgreSQL is
    venue: PaperProcess
    log: Path  # where its processes write


@dataclass(slots=True, kw_only=True)
class Place:
    """A place that is always filled: whoever dies or stands still is replaced."""

    hand: Hand
    work: Callable[[], None]
    pid: int = 0


@dataclass(slots=True, kw_only=True)
class Wave:
    """Runs side by side."""

    servers: Servers
    scripts: Sequence[Script]
    broken: str = ""
    kills: int = 0
    freezes: int = 0
    ended: int = 0  # processes that have ended by themselves
    restarts: Counter[str] = field(default_factory=Counter)
    points: Points = field(default_factory=Points)
    _places: list[Place] = field(default_factory=list)
    _frozen: dict[int, float] = field(default_factory=dict)  # process -> when it may go on
    _thawed: dict[int, float] = field(default_factory=dict)  # process -> when it is ended
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _hangs_until: float = 0
    _ticks_at: float = 0
    _quote: tuple[str, str] = (BID, ASK)

    def run(self) -> list[count.Counted]:
        """Rehearse: build, wait until all accounts are seen, storm, wait until all is settled, count."""
        houses = world.build(self.scripts)
        _let_connections_go()
        self.servers.venue.price(SYMBOL, *self._quote)
        received = mmap.mmap(-1, max(1, sum(len(house.signals) for house in houses)))
        accounts = [account for house in houses for account in house.accounts]
        for number in range(LOOKOUTS):
            self._place(Hand.LOOKOUT, partial(hands.watch, accounts[number::LOOKOUTS] or accounts))
        for _ in range(CARRIERS):
            self._place(Hand.CARRIER, hands.carry)
        try:
            self._until(lambda: self._are_seen(accounts), READY_S, every_s=0.5)
            began = time.monotonic()
            for _ in range(DOORS):
                self._place(Hand.DOOR, partial(hands.deliver, houses, began, received))
            self._plan(houses, began)
            self._go_on(began + STORM_MS / 1000)
            self.points.disarm()
            self._at_venue(lambda venue: venue.ask("clear_faults"))
            return self._settled(houses, time.monotonic() + PATIENCE_S)
        finally:
            self._end()

    # --- the storm ---
    def _plan(self, houses: Sequence[House], began: float) -> None:
        for house in houses:
            for fault in house.script.faults:
                self._at(began, fault.at_ms, partial(self._spoil, house, fault))
            for kill in house.script.kills:
                self._at(began, kill.at_ms, partial(self._strike, kill))
            for trap in house.script.traps:
                self._at(began, trap.at_ms, partial(self._arm, trap))
            for failure in house.script.failures:
                self._at(began, failure.at_ms, partial(self._fail, failure.outage))
        self._at(began, UP_AT_S * 1000, self._move_up)

    def _at(self, began: float, ms: int, what: Callable[[], None]) -> None:
        heapq.heappush(self._due, (began + ms / 1000, next(self._order), what))

    def _spoil(self, house: House, fault: Fault) -> None:
        self._at_venue(
            lambda venue: venue.fault(
                fault.kind, account=str(house.accounts[fault.account]), on=fault.on, ms=fault.ms
            )
        )  # fmt: skip

    def _strike(self, kill: Kill) -> None:
        several = [place for place in self._places if place.hand is kill.hand]
        with suppress(ProcessLookupError):
            os.kill(several[kill.place % len(several)].pid, signal.SIGSTOP if kill.freezes else signal.SIGKILL)

    def _arm(self, trap: Trap) -> None:
        self.points.arm(trap.point, trap.passings, freezes=trap.freezes)

    def _fail(self, outage: Outage) -> None:
        self.restarts[outage.value] += 1
        match outage:
            case Outage.REDIS_FLUSHED:
                with redis.Redis.from_url(self.servers.redis_url) as client:
                    client.flushall()
            case Outage.POSTGRES_RESTARTED:
                self._signal_postgres(signal.SIGINT)
            case Outage.POSTGRES_CRASHED:
                self._signal_postgres(signal.SIGQUIT)
            case Outage.VENUE_RESTARTED:
                self._at_venue(lambda one: one.kill())  # it is started again as after any death
            case Outage.VENUE_HANGS:
                self._at_venue(self._hang)

    def _hang(self, one: PaperProcess) -> None:
        if one.is_running:
            os.kill(one.pid, signal.SIGSTOP)
            self._hangs_until = time.monotonic() + HANGING_S

    def _signal_postgres(self, number: signal.Signals) -> None:
        with suppress(OSError, ValueError):
            os.kill(int(self.servers.postmaster.read_text(encoding="ascii").split("\n", 1)[0]), number)

    def _move_up(self) -> None:
        self._quote = UP
        self._ticks_at = 0

    # --- the venue ---
    def _at_venue(self, ask: Callable[[PaperProcess], None]) -> None:
        """Ask the venue, or later, where it hangs or is dead."""
        if self._hangs_until:
            self._at(self._hangs_until + 0.2, 0, partial(self._at_venue, ask))
            return
        try:
            ask(self.servers.venue)
        except (OSError, ValueError):  # dead, or dying while it answers
            self._at(time.monotonic(), 100, partial(self._at_venue, ask))

    def _mind_venue(self, now: float) -> None:
        venue = self.servers.venue
        if self._hangs_until:
            if now < self._hangs_until:
                return
            self._hangs_until = 0
            os.kill(venue.pid, signal.SIGCONT)
        if not venue.is_running:
            self.restarts["venue_died"] += 1
            venue.restart()
        if now >= self._ticks_at:
            self._ticks_at = now + TICK_S
            self._at_venue(lambda one: one.price(SYMBOL, *self._quote))

    # --- processes ---
    def _place(self, hand: Hand, work: Callable[[], None]) -> None:
        self._places.append(Place(hand=hand, work=work))
        self._fill(self._places[-1])

    def _fill(self, place: Place) -> None:
        place.pid = hands.begin(place.work, self.points, self.servers.log, BROKEN.get(self.broken))

    def _mind_hands(self, now: float) -> None:
        for place in self._places:
            if (how := _how(place.pid)) is None:
                continue
            if os.WIFSTOPPED(how):
                self.freezes += 1
                self._frozen[place.pid] = now + STANDSTILL_S
            elif os.WIFSIGNALED(how):
                self.kills += 1
            else:
                self.ended += 1
            self._fill(place)
        for pid, at in list(self._frozen.items()):
            if now >= at:
                del self._frozen[pid]
                os.kill(pid, signal.SIGCONT)
                self._thawed[pid] = now + 3
        for pid, at in list(self._thawed.items()):
            if now >= at and _how(pid) is None:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
            elif now < at and _how(pid) is None:
                continue
            del self._thawed[pid]

    def _end(self) -> None:
        """End every process of the wave, whatever state it is in."""
        if self._hangs_until and self.servers.venue.is_running:
            os.kill(self.servers.venue.pid, signal.SIGCONT)
        living = {place.pid for place in self._places if place.pid} | self._frozen.keys() | self._thawed.keys()
        for pid in living:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for pid in living:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)

    # --- time ---
    def _turn(self) -> None:
        """Do what is due, replace whoever is gone."""
        now = time.monotonic()
        while self._due and self._due[0][0] <= now:
            heapq.heappop(self._due)[2]()
        self._mind_venue(now)
        self._mind_hands(now)
        time.sleep(NAP_S)

    def _go_on(self, until: float) -> None:
        while time.monotonic() < until:
            self._turn()

    def _until(self, reached: Callable[[], bool], seconds: float, *, every_s: float) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            if time.monotonic() > deadline:
                raise RuntimeError("the accounts of the drill were not seen in time; the log says why")
            self._go_on(time.monotonic() + every_s)

    def _settled(self, houses: Sequence[House], deadline: float) -> list[count.Counted]:
        """Wait until nobody stands still and nothing differs any more, or until patience ends; count."""
        while True:
            waits = bool(self._frozen or self._thawed or self._due) and not self.broken
            if not waits and not self._hangs_until:
                with suppress(psycopg.OperationalError, OSError, ValueError):  # in the middle of a restart
                    counted = self._counted(houses)
                    is_right = all(one.is_right for one in counted)
                    is_caught = bool(self.broken) and any(
                        one.figures[name] for one in counted for name in ("duplicates", "without_intent")
                    )
                    if is_right or is_caught or time.monotonic() > deadline:
                        return counted
            self._go_on(time.monotonic() + 1)

    def _counted(self, houses: Sequence[House]) -> list[count.Counted]:
        theirs: Mapping[str, Any] = self.servers.venue.count()
        return [count.count(books, theirs) for books in count.read(self.servers.admin_url, houses)]

    def _are_seen(self, accounts: Sequence[Any]) -> bool:
        """Tell whether every account was compared with its venue, and its money is known."""
        with psycopg.connect(self.servers.admin_url) as connection:
            row = connection.execute(
                "select count(*) from trading_venuelink where account_id = any(%s)"
                " and reconciled_at is not null and seen_at is not null",
                [list(accounts)],
            ).fetchone()
        say(f"{row[0] if row else 0} of {len(accounts)} accounts are seen")
        return row is not None and row[0] == len(accounts)


def _how(pid: int) -> int | None:
    """Say how a process has ended or stopped; None while it goes on."""
    try:
        found, how = os.waitpid(pid, os.WNOHANG | os.WUNTRACED)
    except ChildProcessError:
        return 0
    return how if found else None


def _let_connections_go() -> None:
    """Close what building has opened: forks on one connection read each other's answers."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        cast("DatabaseWrapper", connection).close_pool()


@contextmanager
def venue(folder: Path, address: str) -> Iterator[PaperProcess]:
    """Run the venue of the drill; prices move when the drill says so."""
    with PaperProcess(folder, "--still", address=address) as process:
        yield process

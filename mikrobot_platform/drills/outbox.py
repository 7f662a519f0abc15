"""Relays are killed at random while events are published: each must arrive, in order, and take effect once.

Every relay and publisher is a process of its own. The parent forks and kills; it opens no database connection before
the last of them is gone, because a connection does not survive a fork."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from argparse import ArgumentParser
from collections import defaultdict
from collections.abc import Mapping
from itertools import pairwise
from multiprocessing.context import ForkProcess
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from django.db import connections, transaction

from accounts import outbox, outbox_drill
from accounts.models import DrillEffect, OutboxEvent
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.drills import organizations
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.measurement import Measurement, say

if TYPE_CHECKING:
    from mikrobot_platform.db.base import DatabaseWrapper

fork = multiprocessing.get_context("fork")

NAME = "outbox"
PUBLISHERS = 3
PATIENCE_S = 600
BETWEEN_KILLS_S = (0.02, 0.4)
ROLLED_BACK, NEVER = 0.05, 10**9  # of the transactions, and their events' number: these must never arrive


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--events", type=int, default=10_000, help="how many to publish (default %(default)s)")
    parser.add_argument("--relays", type=int, default=4, help="how many run at a time (default %(default)s)")
    parser.add_argument("--organizations", type=int, default=20, help="among how many (default %(default)s)")


def run(options: Mapping[str, Any]) -> Measurement:
    """Publish, relay and kill until nothing waits; count; clear up."""
    parameters = {key: int(options[key]) for key in ("events", "relays", "organizations")}
    began = time.monotonic()
    with organizations.folder(NAME, parameters["organizations"]) as (folder, ids):
        kills, published = _rehearse(folder, ids, parameters["events"], parameters["relays"])
        seconds = time.monotonic() - began
        results = {**_count(folder, ids, published), "kills": kills, "seconds": round(seconds, 1)}
    return Measurement(name=NAME, parameters=parameters, results=results)


def has_passed(measured: Measurement) -> bool:
    """Tell whether nothing was lost, repeated, disordered or made up, and something was killed."""
    wrong = ("lost", "duplicates_of_effect", "out_of_order", "never_published")
    is_whole = measured.results["effects"] == measured.parameters["events"]
    return is_whole and not any(measured.results[key] for key in wrong) and measured.results["kills"] > 0


# --- The rehearsal ---------------------------------------------------------------------------------------------------
def _rehearse(folder: Path, ids: list[UUID], events: int, relays: int) -> tuple[int, list[int]]:
    """Start everything, kill relays until the outbox is empty; return the kills and what each publisher committed."""
    _let_connections_go()
    _finish(fork.Process(target=organizations.create, args=(ids,)))
    counts: Any = fork.Array("l", PUBLISHERS)
    waiting: Any = fork.Value("l", -1)
    publishers = [
        fork.Process(target=_publish, args=(number, ids, events // PUBLISHERS + (number < events % PUBLISHERS), counts))
        for number in range(PUBLISHERS)
    ]
    watcher = fork.Process(target=_watch, args=(ids, waiting), daemon=True)
    running: list[ForkProcess] = []
    kills, started, deadline, told = 0, 0, time.monotonic() + PATIENCE_S, 0.0
    try:
        for process in (*publishers, watcher):
            process.start()
        while time.monotonic() < deadline:
            while len(running) < relays:
                running.append(fork.Process(target=_relay, args=(ids, str(folder / f"{started}.arrivals"))))
                running[-1].start()
                started += 1
            time.sleep(random.uniform(*BETWEEN_KILLS_S))  # noqa: S311
            if any(process.exitcode for process in publishers):
                raise RuntimeError("a publisher of the drill has ended; its reason stands above")
            if not any(process.is_alive() for process in publishers) and waiting.value == 0:
                break
            victim = running.pop(random.randrange(relays))  # noqa: S311
            victim.kill()
            victim.join()
            kills += 1
            if time.monotonic() - told > 1:
                told = time.monotonic()
                say(f"published {sum(counts):6d}  waiting {waiting.value:6d}  relays killed {kills:4d}")
    finally:
        for process in (*publishers, watcher, *running):
            if process.pid is not None:
                process.kill()
                process.join()
    return kills, list(counts)


def _let_connections_go() -> None:
    """Close what clearing up after an earlier run has opened: forks on one connection read each other's answers."""
    for connection in connections.all(initialized_only=True):
        connection.close()
        cast("DatabaseWrapper", connection).close_pool()


def _finish(process: ForkProcess) -> None:
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"a process of the drill ended with {process.exitcode}; its reason stands above")


def _publish(number: int, ids: list[UUID], share: int, counts: Any) -> None:
    """Publish a share in transactions of one to five events, some of which are rolled back."""
    done = 0
    while done < share:
        size = min(random.randint(1, 5), share - done)  # noqa: S311
        is_kept = random.random() >= ROLLED_BACK  # noqa: S311
        with tenant_scope(random.choice(ids)), atomic():  # noqa: S311
            for offset in range(size):
                outbox.publish(EventName.DRILL, publisher=number, number=done + offset if is_kept else NEVER)
            if not is_kept:
                transaction.set_rollback(True)
        if is_kept:
            done += size
            counts[number] = done


def _relay(ids: list[UUID], arrivals: str) -> None:
    """Relay in a loop until killed, or until the parent is gone."""
    parent = os.getppid()
    outbox_drill.log_arrivals_to(arrivals)
    among = frozenset(ids)
    while os.getppid() == parent:
        if not outbox.relay(among=among, seconds=1):
            time.sleep(0.005)


def _watch(ids: list[UUID], waiting: Any) -> None:
    """Tell the parent how many events wait."""
    while True:
        with system_scope(outbox.SCOPE):
            mine = OutboxEvent.objects.filter(organization_id__in=ids, done_at=None, parked_at=None)
            waiting.value = mine.count()
        time.sleep(0.1)


# --- The count -------------------------------------------------------------------------------------------------------
def _count(folder: Path, ids: list[UUID], published: list[int]) -> dict[str, int]:
    """Compare what was committed with what arrived and what took effect."""
    expected = {(publisher, number) for publisher, count in enumerate(published) for number in range(count)}
    effects: list[tuple[int, int]] = []
    repeated = disordered = 0
    for organization_id in ids:
        with tenant_scope(organization_id), atomic():
            rows = list(DrillEffect.objects.order_by("pk").values_list("event_id", "publisher", "number"))
        effects += [(publisher, number) for _event_id, publisher, number in rows]
        repeated += len(rows) - len({event_id for event_id, _publisher, _number in rows})
        disordered += _falls([event_id for event_id, _publisher, _number in rows])
        for one in range(len(published)):
            disordered += _falls([number for _event_id, publisher, number in rows if publisher == one])
    arrivals = _arrivals(folder)
    disordered += sum(_falls(list(dict.fromkeys(event_ids))) for event_ids in arrivals.values())
    return {
        "published": sum(published),
        "arrived": sum(len(event_ids) for event_ids in arrivals.values()),
        "effects": len(effects),
        "duplicates_of_effect": repeated + len(effects) - len(set(effects)),
        "out_of_order": disordered,
        "lost": len(expected - set(effects)),
        "never_published": len(set(effects) - expected),
    }


def _falls(values: list[int]) -> int:
    """Count the places where a list does not rise."""
    return sum(later <= earlier for earlier, later in pairwise(values))


def _arrivals(folder: Path) -> dict[str, list[int]]:
    """Read every relay's arrivals, by organization, in the order of the clock; a repeated one stands twice."""
    lines = []
    for path in folder.glob("*.arrivals"):
        for line in path.read_text(encoding="ascii").splitlines(keepends=True):
            if line.endswith("\n"):  # a kill may leave half a line
                at, organization_id, event_id = line.split()
                lines.append((int(at), organization_id, int(event_id)))
    found: dict[str, list[int]] = defaultdict(list)
    for _at, whose, arrived in sorted(lines):
        found[whose].append(arrived)
    return found

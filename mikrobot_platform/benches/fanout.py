"""How long one signal takes to be an order for each of many accounts, beside the naive way and beside bare rows.

Real Celery workers as `up` starts them, PostgreSQL that waits for its disk, Redis, and a paper venue of its own."""

from __future__ import annotations

import os
import statistics
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import count as numbers
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import psycopg
from celery import current_app
from django.utils import timezone
from psycopg import sql

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.benches import naive
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.drills import crowd
from mikrobot_platform.drills.workers import PROCESSES, workers
from mikrobot_platform.measurement import Measurement, say
from risk_management.models import Receipt
from trading import pipeline, planning, sending
from trading.ledger import ledger_of
from trading.models import Order, Signal
from trading.paper.control import PaperProcess

NAME = "fanout"
A_HOUSE = 10  # accounts
NAIVE_UP_TO = 300  # accounts; beyond that it is scaled: with a thousand the signal would be too old for the last ones
LATENCIES = (0, 5, 50)
WARM = 6  # rounds that fill every cache and plan every statement
WARM_AT_MOST = 20  # until every process has signed everybody in
ROUNDS = 7  # of each latency; the median is told
PATIENCE_S = 120
POLL_S = 0.25  # the times are in the rows: looking more often would only take from what is measured
_turns = numbers()
STATISTICS_S = 2  # until PostgreSQL has told what it counted
# The rows that a fan-out leaves behind, as they are copied for the floor.
ROWS = ("trading_order", "risk_management_receipt", "risk_management_quotaclaim")


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--accounts", type=int, default=1_000, help="that follow (default %(default)s)")
    parser.add_argument(
        "--latency", type=int, nargs="*", default=list(LATENCIES), metavar="MS", help="of the venue (default 0 5 50)"
    )
    parser.add_argument("--no-naive", action="store_true", help="leave the naive way out, which takes its time")


def run(options: Mapping[str, Any]) -> Measurement:
    """Measure each latency several times, then the naive way and the floor.

    A time is from the commit of the message until the venue's answer to an order is there; it contains the venue's
    latency once. The naive way is measured with at most 300 accounts, and scaled beyond.
    """
    count, latencies = int(options["accounts"]), tuple(options["latency"])
    with crowd.venue(Path(mkdtemp(prefix="mikrobot-bench-"))) as paper:
        people = crowd.gather(count, [new_id() for _ in range(-(-count // A_HOUSE))])
        say(f"{count} accounts are there")
        where = {"PAPER_VENUE_URL": paper.base_url}
        results: dict[str, int | float] = {"accounts": count, "latency_ms": latencies[-1]}
        with workers(paper.folder, where), crowd.feed():
            results |= _ours(people, paper, latencies)
        ours = float(results.get("ours_ms", results.get(f"ours_ms_at_{latencies[-1]}", 0)))
        results |= _floor(people, ours)
        if not options["no_naive"]:
            # Of a queue of its own: nobody is there who would carry the signal on in our way.
            with workers(paper.folder, where, naive.__name__, queue=naive.QUEUE), crowd.feed():
                results |= _naive(people, paper, ours)
    return Measurement(
        name=NAME, parameters={"accounts": count, "rounds": ROUNDS, "workers": PROCESSES}, results=results
    )


# --- ours -------------------------------------------------------------------------------------------------------------
def _ours(people: crowd.Crowd, paper: PaperProcess, latencies: Sequence[int]) -> dict[str, int | float]:
    for number in range(WARM_AT_MOST):
        if number >= WARM and crowd.is_signed_in(people, paper, PROCESSES):
            break
        crowd.look(people)
        _round(people, paper, latencies[0])
    before = _opened()
    rounds: dict[int, list[Sequence[float]]] = {latency: [] for latency in latencies}
    for _ in range(ROUNDS):  # in turn, so that whatever else this machine does falls on all of them
        crowd.look(people)
        for latency in latencies:
            rounds[latency].append(_round(people, paper, latency))
    time.sleep(STATISTICS_S)
    orders = len(latencies) * ROUNDS * len(people.doors)
    results = {"connections_per_1000_orders": round((_opened() - before) * 1000 / orders, 2)}
    for latency, measured in rounds.items():
        results |= _told(measured, "" if latency == 5 else f"_at_{latency}")
    if {5, 50} <= rounds.keys():
        results["added_by_45_ms"] = round(results["ours_ms_at_50"] - results["ours_ms"], 1)
    return results


def _told(rounds: Sequence[Sequence[float]], suffix: str) -> dict[str, float]:
    """Tell of the round in the middle, and the last account of the fastest one."""
    in_turn = sorted(rounds, key=max)
    middle = sorted(in_turn[len(in_turn) // 2])
    return {
        f"ours_ms{suffix}": round(middle[-1], 1),
        f"p50_ms{suffix}": round(statistics.median(middle), 1),
        f"p99_ms{suffix}": round(middle[len(middle) * 99 // 100], 1),
        f"best_ms{suffix}": round(max(in_turn[0]), 1),
    }


def _round(people: crowd.Crowd, paper: PaperProcess, latency: int) -> Sequence[float]:
    """Let one signal through; return the milliseconds of each account."""
    paper.ask("latency", ms=latency)
    crowd.tell_price(timezone.now())
    signal_id, began = _arrive(people, crowd.TO_AND_FRO[next(_turns) % 2])
    found = _answered(signal_id, len(people.doors))
    return [(at - began).total_seconds() * 1000 for at in found]


def _arrive(people: crowd.Crowd, levels: Mapping[str, Any]) -> tuple[UUID, datetime]:
    """Receive a message as the door for programs does: stored, and somebody asked to go on."""
    before = timezone.now()
    crowd.receive(people, **levels)
    pipeline.wake()
    with system_scope("signals.sweep"):
        signal: Signal = Signal.objects.get(source_id=people.source.pk, received_at__gte=before)
    return UUID(str(signal.pk)), before


def _answered(signal_id: UUID, count: int) -> list[datetime]:
    """Wait until every account's order was answered; return when."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with system_scope(sending.SCOPE):
            rows = Order.objects.filter(signal_id=signal_id).exclude(acknowledged_at=None)
            found = rows.count()
            if found >= count:
                return list(rows.values_list("acknowledged_at", flat=True))
        if time.monotonic() > deadline:
            raise RuntimeError(f"{found} of {count} orders were answered within {PATIENCE_S} s: {_others(signal_id)}")
        time.sleep(POLL_S)


def _others(signal_id: UUID) -> str:
    """Say what became of those that were not answered."""
    with system_scope(planning.SCOPE):
        told = Counter(Receipt.objects.filter(signal_id=signal_id).values_list("code", flat=True))
    with system_scope(sending.SCOPE):
        told.update(Order.objects.filter(signal_id=signal_id).values_list("state", flat=True))
    return ", ".join(f"{number} {what}" for what, number in told.most_common())


# --- beside it --------------------------------------------------------------------------------------------------------
def _naive(people: crowd.Crowd, paper: PaperProcess, ours: float) -> dict[str, int | float]:
    """Let a signal through with a task for each account."""
    some = people.doors[:NAIVE_UP_TO]
    say(f"the naive way, {len(some)} accounts")
    paper.ask("latency", ms=5)
    crowd.look(people)
    signal_id = crowd.signal(people, **crowd.TO_AND_FRO[next(_turns) % 2])  # judged here, and carried on by nobody
    began = timezone.now()
    for door in some:
        current_app.send_task(
            naive.TASK,
            [str(door.organization_id), str(door.account_id), str(signal_id), str(people.strategy.pk), door.venue],
            queue=naive.QUEUE,
        )
    found = _answered(signal_id, len(some))
    scaled = (max(found) - began).total_seconds() * 1000 * len(people.doors) / len(some)
    return {"naive_ms": round(scaled), "naive_measured": len(some), "naive_ratio": round(scaled / ours, 1)}


def _floor(people: crowd.Crowd, ours: float) -> dict[str, int | float]:
    """Copy the rows of a fan-out into tables of the same shape, one commit a shard: nothing can do less than that."""
    with ledger_of(PLATFORM_ID):
        last = Signal.objects.filter(source_id=people.source.pk).latest("received_at").pk
    shards = -(-len(people.doors) // planning.SHARD)
    with psycopg.connect(os.environ["MIKROBOT_TEST_ADMIN_URL"]) as connection:
        for table in ROWS:
            connection.execute(f"create table floor_{table} (like {table} including all)".encode())
        parts = [[_copied_out(connection, table, last, at) for table in ROWS] for at in range(shards)]
        connection.commit()
        seconds = [_copied_in(connection, parts) for _ in range(ROUNDS)]
    floor = statistics.median(seconds) * 1000
    return {"floor_ms": round(floor, 1), "floor_ratio": round(ours / floor, 1)}


def _copied_out(connection: psycopg.Connection[Any], table: str, signal: UUID, shard: int) -> bytes:
    rows = sql.SQL(
        "copy (select * from {} where signal_id = {} order by account_id limit {} offset {}) to stdout (format binary)"
    ).format(sql.Identifier(table), signal, planning.SHARD, shard * planning.SHARD)
    with connection.cursor().copy(rows) as out:
        return b"".join(bytes(part) for part in out)


def _copied_in(connection: psycopg.Connection[Any], parts: Sequence[Sequence[bytes]]) -> float:
    began = time.perf_counter()
    for part in parts:
        for table, rows in zip(ROWS, part, strict=True):
            into = sql.SQL("copy {} from stdin (format binary)").format(sql.Identifier(f"floor_{table}"))
            with connection.cursor().copy(into) as copy:
                copy.write(rows)
        connection.commit()
    seconds = time.perf_counter() - began
    for table in ROWS:
        connection.execute(sql.SQL("truncate {}").format(sql.Identifier(f"floor_{table}")))
    connection.commit()
    return seconds


def _opened() -> int:
    """Count the sessions that were ever opened in this database."""
    with psycopg.connect(os.environ["MIKROBOT_TEST_ADMIN_URL"], autocommit=True) as connection:
        row = connection.execute("select sessions from pg_stat_database where datname = current_database()").fetchone()
    return int(row[0]) if row else 0

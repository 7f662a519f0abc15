"""How many accounts the gate decides in a second, with all rules and receipts, against one account at a time."""

from __future__ import annotations

import multiprocessing
import os
import statistics
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

from mikrobot_platform.benches import gate_facts
from mikrobot_platform.measurement import Measurement, say
from risk_management.rules.facts import AccountFacts, Shared
from risk_management.rules.receipt import GENESIS, Clerk, chain

NAME = "gate"
RUNS = 5  # the median is told
OF_BASELINE = 20  # one account in so many is measured alone: enough to tell, and the bench stays short


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--accounts", type=int, default=4_000, help="decided in each run (default %(default)s)")
    parser.add_argument(
        "--processes", type=int, default=os.cpu_count() or 1, help="decide 1,000 side by side (default %(default)s)"
    )


def run(options: Mapping[str, Any]) -> Measurement:
    """Decide for many accounts with what they share worked out once, then for some with nothing shared.

    Seconds of `pure_per_s` are those that the processor worked for one process, as it is told per core. Those of the
    1,000 accounts are those that passed: in one process, and as workers decide a signal, in shards side by side.
    """
    count, processes = int(options["accounts"]), int(options["processes"])
    shared = gate_facts.shared()
    accounts = gate_facts.accounts(count, shared)
    thousand = gate_facts.accounts(1_000, shared)
    verdicts = Counter(receipt.ruled.verdict.value for receipt in Clerk(shared, now=gate_facts.NOW).receipts(thousand))
    say(f"of 1000 accounts: {', '.join(f'{number} {verdict}' for verdict, number in sorted(verdicts.items()))}")
    distinct = gate_facts.distinct_settings(thousand)
    say(f"settings that differ: {', '.join(f'{number} {name}' for name, number in distinct.items())}")
    together = _median(lambda: _decide(shared, accounts), time.process_time)
    alone = _median(lambda: _alone(shared, accounts[::OF_BASELINE]), time.process_time)
    in_one = _median(lambda: _decide(shared, thousand), time.perf_counter)
    side_by_side = _side_by_side(processes)
    per_s, alone_per_s = count / together, len(accounts[::OF_BASELINE]) / alone
    results = {
        "pure_per_s": round(per_s),
        "accounts_1000_ms": round(side_by_side * 1_000, 1),
        "accounts_1000_one_process_ms": round(in_one * 1_000, 1),
        "alone_per_s": round(alone_per_s),
        "ratio": round(per_s / alone_per_s, 1),
        "sends_order_of_1000": verdicts["taken"] + verdicts["reduced"],
    }
    parameters = {"accounts": count, "runs": RUNS, "processes": processes}
    parameters |= {f"distinct_{name}_of_1000": number for name, number in distinct.items()}
    return Measurement(name=NAME, parameters=parameters, results=results)


def _decide(shared: Shared, accounts: Sequence[AccountFacts]) -> str:
    """Decide for accounts, write and chain their receipts, and return the last hash."""
    last = GENESIS
    for receipt in Clerk(shared, now=gate_facts.NOW).receipts(accounts):
        last = chain(last, receipt.text)
    return last


def _alone(shared: Shared, accounts: Sequence[AccountFacts]) -> None:
    """Decide as if every account were the only one that got the signal."""
    for account in accounts:
        _decide(shared, [account])


def _side_by_side(processes: int) -> float:
    """Let so many processes decide 1,000 accounts at once, a shard each; return the median of the seconds that passed.

    What is timed is from the word to begin until the last shard has its receipts, written, hashed and chained, and has
    told its last hash. The processes run already and hold the facts of their shard, as a worker does that has loaded
    them. Where receipts go from there (one statement a shard) is the fan-out's to measure.
    """
    fresh = multiprocessing.get_context("spawn")  # like workers, they inherit nothing
    workers, ends = [], []
    for at in range(processes):
        ours, theirs = fresh.Pipe()
        worker = fresh.Process(target=_work, args=(theirs, at, processes), daemon=True)
        worker.start()
        workers.append(worker)
        ends.append(ours)
    shared = gate_facts.shared()
    expected = [_decide(shared, _shard(shared, at, processes)) for at in range(processes)]

    def all_at_once() -> None:
        for end in ends:
            end.send_bytes(b"begin")
        if [end.recv_bytes().decode("ascii") for end in ends] != expected:
            raise AssertionError("a shard was decided in another way than in this process")

    seconds = _median(all_at_once, time.perf_counter)
    for end, worker in zip(ends, workers, strict=True):
        end.send_bytes(b"")
        worker.join()
    return seconds


def _work(orders: Connection, at: int, processes: int) -> None:
    """Decide one shard at each word, until an empty one comes."""
    shared = gate_facts.shared()
    shard = _shard(shared, at, processes)
    while orders.recv_bytes():
        orders.send_bytes(_decide(shared, shard).encode("ascii"))


def _shard(shared: Shared, at: int, of: int) -> list[AccountFacts]:
    return gate_facts.accounts(1_000, shared)[at::of]


def _median(work: Callable[[], object], clock: Callable[[], float]) -> float:
    work()
    seconds = []
    for _ in range(RUNS):
        began = clock()
        work()
        seconds.append(clock() - began)
    return statistics.median(seconds)

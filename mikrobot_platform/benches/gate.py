"""How many accounts the gate decides in a second, with all rules and receipts, against one account at a time."""

from __future__ import annotations

import statistics
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping
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


def run(options: Mapping[str, Any]) -> Measurement:
    """Decide for many accounts with what they share worked out once, then for some with nothing shared.

    Seconds of `pure_per_s` are those that the processor worked for us, as it is told per core; those of
    `accounts_1000_ms` are those that passed.
    """
    count = int(options["accounts"])
    shared = gate_facts.shared()
    accounts = gate_facts.accounts(count, shared)
    thousand = gate_facts.accounts(1_000, shared)
    verdicts = Counter(receipt.ruled.verdict.value for receipt in Clerk(shared, now=gate_facts.NOW).receipts(thousand))
    say(f"of 1000 accounts: {', '.join(f'{number} {verdict}' for verdict, number in sorted(verdicts.items()))}")
    together = _median(lambda: _together(shared, accounts), time.process_time)
    alone = _median(lambda: _alone(shared, accounts[::OF_BASELINE]), time.process_time)
    elapsed = _median(lambda: _together(shared, thousand), time.perf_counter)
    per_s, alone_per_s = count / together, len(accounts[::OF_BASELINE]) / alone
    results = {
        "pure_per_s": round(per_s),
        "accounts_1000_ms": round(elapsed * 1_000, 1),
        "alone_per_s": round(alone_per_s),
        "ratio": round(per_s / alone_per_s, 1),
        "sends_order_of_1000": verdicts["taken"] + verdicts["reduced"],
    }
    return Measurement(name=NAME, parameters={"accounts": count, "runs": RUNS}, results=results)


def _together(shared: Shared, accounts: list[AccountFacts]) -> None:
    last = GENESIS
    for receipt in Clerk(shared, now=gate_facts.NOW).receipts(accounts):
        last = chain(last, receipt.text)


def _alone(shared: Shared, accounts: list[AccountFacts]) -> None:
    """Decide as if every account were the only one that got the signal."""
    last = GENESIS
    for account in accounts:
        for receipt in Clerk(shared, now=gate_facts.NOW).receipts([account]):
            last = chain(last, receipt.text)


def _median(work: Callable[[], None], clock: Callable[[], float]) -> float:
    work()
    seconds = []
    for _ in range(RUNS):
        began = clock()
        work()
        seconds.append(clock() - began)
    return statistics.median(seconds)

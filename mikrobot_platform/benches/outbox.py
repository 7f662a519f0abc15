"""How much a run of events in one transaction is worth, against a transaction for each event."""

from __future__ import annotations

import time
from argparse import ArgumentParser
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from accounts import outbox
from accounts.tenancy import atomic, tenant_scope
from mikrobot_platform.drills import organizations
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.measurement import Measurement, say

NAME = "outbox"


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--events", type=int, default=2_000, help="for each of the two ways (default %(default)s)")
    parser.add_argument("--organizations", type=int, default=10, help="among how many (default %(default)s)")


def run(options: Mapping[str, Any]) -> Measurement:
    """Publish and relay twice: first with a transaction for each event, then with a run in each."""
    parameters = {key: int(options[key]) for key in ("events", "organizations")}
    with organizations.folder(f"bench-{NAME}", parameters["organizations"]) as (_folder, ids):
        organizations.create(ids)
        one_by_one = _measure(ids, parameters["events"], run=1)
        in_runs = _measure(ids, parameters["events"], run=outbox.RUN)
    results = {
        "batch_per_s": round(in_runs), "one_by_one_per_s": round(one_by_one), "ratio": round(in_runs / one_by_one, 2)
    }  # fmt: skip
    return Measurement(name=NAME, parameters=parameters, results=results)


def _measure(ids: list[UUID], events: int, *, run: int) -> float:
    """Publish evenly, then relay everything; return events a second."""
    say(f"publishing {events} events")
    for position, organization_id in enumerate(ids):
        with tenant_scope(organization_id), atomic():
            for number in range(position, events, len(ids)):
                outbox.publish(EventName.DRILL, publisher=0, number=number)
    say(f"relaying them, {run} in a transaction")
    began, done = time.perf_counter(), 0
    while done < events and time.perf_counter() - began < 600:
        done += outbox.relay(among=frozenset(ids), run=run)
    return done / (time.perf_counter() - began)

"""Some accounts hang, some fail, a whole venue stands still, one tenant floods: everybody else is served as before.

The same signals go through twice, in quiet and in noise, and each account's time from the message to the venue's answer
is compared. Then one account's rows are spoilt, and what that costs the others of its shard is measured."""

from __future__ import annotations

import os
import signal
import threading
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils import timezone

from accounts.models.audit import PLATFORM_ID
from accounts.services.organizations import make_bare
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.drills import crowd, second_venue
from mikrobot_platform.drills.workers import PROCESSES, timetable, workers
from mikrobot_platform.measurement import Measurement, say
from risk_management.models import AccountLimits, Receipt
from trading import pipeline, planning, sending
from trading.desk import Door
from trading.models import Order, Signal
from trading.paper.control import PaperProcess

NAME = "noisy-neighbour"
A_HOUSE = 10  # accounts
AT_THE_OTHER = 40  # accounts at the venue that stands still
BETWEEN_S = 1.5  # signals
AT_ONCE_S = 0.25  # signals that come while the one before it is carried, so that another process takes them
WARM_AT_MOST = 20
PATIENCE_S = 60
WORST, POISON = 2.0, 6.0  # what is asked of it


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--accounts", type=int, default=400, help="that are watched (default %(default)s)")
    parser.add_argument("--signals", type=int, default=20, help="for them, each time (default %(default)s)")
    parser.add_argument("--flood", type=int, default=500, help="signals of one tenant (default %(default)s)")


def run(options: Mapping[str, Any]) -> Measurement:
    """Rehearse it with two venues and the workers as `up` starts them."""
    accounts, signals, flood = (int(options[name]) for name in ("accounts", "signals", "flood"))
    folder = Path(mkdtemp(prefix="mikrobot-drill-"))
    with ExitStack() as at_end:
        paper = at_end.enter_context(crowd.venue(folder / "one"))
        other = at_end.enter_context(PaperProcess(folder / "two", "--still"))
        other.price(crowd.SYMBOL, crowd.BID, crowd.ASK)
        at_end.enter_context(second_venue.known_at(other.base_url))
        people = crowd.gather(accounts, [new_id() for _ in range(-(-accounts // A_HOUSE))])
        elsewhere = [new_id() for _ in range(AT_THE_OTHER // A_HOUSE)]
        for organization_id in elsewhere:
            make_bare(organization_id, "Drill")
            crowd.settle_in(organization_id, A_HOUSE, people.strategy, second_venue.VENUE)
        environment = {"PAPER_VENUE_URL": paper.base_url, second_venue.ADDRESS: other.base_url}
        with workers(folder, environment, second_venue.__name__), timetable("trading.carry_on"):
            results = _compared(people, paper, other, signals, flood)
        results |= _poison(people)
    parameters = {"accounts": accounts, "signals": signals, "flood": flood}
    return Measurement(name=NAME, parameters=parameters, results=results)


def _compared(
    people: crowd.Crowd, paper: PaperProcess, other: PaperProcess, signals: int, flood: int
) -> dict[str, int | float]:
    """Let the same signals through in quiet and in noise."""
    hanging, raising = people.doors[::100], people.doors[50::100]
    watched = {door.account_id for door in people.doors} - {door.account_id for door in (*hanging, *raising)}
    crowd.look(people)
    for _ in range(WARM_AT_MOST):  # a process's first order for an account waits until it is signed in
        if crowd.is_signed_in(people, paper, PROCESSES):
            break
        _let_through(people, watched, 2, apart_s=AT_ONCE_S)
    crowd.look(people)
    say("in quiet")
    quiet = _let_through(people, watched, signals)
    say(f"in noise: {len(hanging)} hang, {len(raising)} fail, a venue stands still, one tenant sends {flood} signals")
    crowd.look(people)
    with _noise(paper, other, hanging, raising, flood) as flooded:
        loud = _let_through(people, watched, signals)
    return {
        **_spread("quiet", quiet), **_spread("loud", loud),
        "p99_ratio": round(_at(loud, 99) / _at(quiet, 99), 2),
        "lost": 2 * signals * len(watched) - len(quiet) - len(loud),
        "hanging": len(hanging), "raising": len(raising), "flooded": flooded(),
    }  # fmt: skip


def has_passed(measured: Measurement) -> bool:
    """Tell whether nobody was lost, the others waited at most twice as long, and poison stayed where it was."""
    found = measured.results
    is_apart = found["poison_quarantined"] == 1 and found["poison_ratio"] <= POISON
    is_whole = found["lost"] == 0 and found["flooded"] == measured.parameters["flood"]
    return is_whole and is_apart and found["p99_ratio"] <= WORST


# --- the signals ------------------------------------------------------------------------------------------------------
def _let_through(people: crowd.Crowd, watched: set[UUID], count: int, *, apart_s: float = BETWEEN_S) -> list[float]:
    """Let signals through at a steady pace; return what each watched account waited for each, in milliseconds."""
    arrived: dict[UUID, Any] = {}
    for number in range(count):
        due = time.monotonic() + apart_s
        now = timezone.now()
        crowd.tell_price(now)
        crowd.tell_price(now, second_venue.CODE)
        crowd.receive(people, **crowd.TO_AND_FRO[number % 2])
        pipeline.wake()
        with system_scope("signals.sweep"):
            newest = Signal.objects.filter(source_id=people.source.pk, organization_id=PLATFORM_ID)
            arrived[newest.latest("received_at").pk] = now
        time.sleep(max(0.0, due - time.monotonic()))
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with system_scope(sending.SCOPE):
            rows = Order.objects.filter(signal_id__in=list(arrived), account_id__in=watched, state="filled")
            found = list(rows.values_list("signal_id", "acknowledged_at"))
        if len(found) == count * len(watched) or time.monotonic() > deadline:
            if len(found) != count * len(watched):
                _tell_of_the_lost(arrived, watched)
            return [(at - arrived[signal_id]).total_seconds() * 1000 for signal_id, at in found]
        time.sleep(0.2)


def _tell_of_the_lost(signals: Collection[UUID], watched: Collection[UUID]) -> None:
    """Say what became of those that were not filled."""
    with system_scope(sending.SCOPE):
        orders = Order.objects.filter(signal_id__in=signals, account_id__in=watched).exclude(state="filled")
        told = Counter(orders.values_list("state", "reason_code", "reason"))
    with system_scope(planning.SCOPE):
        refused = Receipt.objects.filter(signal_id__in=signals, account_id__in=watched).exclude(verdict="taken")
        told.update(refused.values_list("verdict", "code"))
    with system_scope("signals.sweep"):
        told.update(Signal.objects.filter(pk__in=signals).exclude(state="valid").values_list("state", "sentence"))
    for what, number in told.most_common(9):
        say(f"lost: {number} {' '.join(map(str, what))}")


def _at(milliseconds: Sequence[float], percent: int) -> float:
    ordered = sorted(milliseconds)
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def _spread(name: str, milliseconds: Sequence[float]) -> dict[str, float]:
    return {f"{name}_p50_ms": round(_at(milliseconds, 50), 1), f"{name}_p99_ms": round(_at(milliseconds, 99), 1)}


# --- the noise --------------------------------------------------------------------------------------------------------
@contextmanager
def _noise(
    paper: PaperProcess, other: PaperProcess, hanging: Sequence[Door], raising: Sequence[Door], flood: int
) -> Iterator[Any]:
    """Make it for as long as this lasts; what is yielded tells how many signals of the flood were accepted."""
    for door in hanging:
        paper.fault("drop_before", account=str(door.account_id), on="*", times=-1)
    for door in raising:
        paper.fault("error_before", account=str(door.account_id), on="*", times=-1)
    os.kill(other.pid, signal.SIGSTOP)
    flooding = _Flood(flood)
    flooding.start()
    try:
        yield lambda: flooding.accepted
    finally:
        flooding.join(PATIENCE_S)
        os.kill(other.pid, signal.SIGCONT)
        paper.ask("clear_faults")


class _Flood(threading.Thread):
    """A tenant that sends one signal after the other, and follows them itself."""

    def __init__(self, count: int) -> None:
        super().__init__(name="flood", daemon=True)
        organization_id = new_id()
        make_bare(organization_id, "Drill")
        self._count, self._own = count, crowd.nobody(organization_id)
        crowd.settle_in(organization_id, 1, self._own.strategy)
        self.accepted = 0

    def run(self) -> None:
        for number in range(self._count):
            outcome = crowd.receive(self._own, **crowd.TO_AND_FRO[number % 2])
            self.accepted += isinstance(outcome, pipeline.Outcome)
            pipeline.wake()
        connections.close_all()


# --- poison -----------------------------------------------------------------------------------------------------------
def _poison(people: crowd.Crowd) -> dict[str, int | float]:
    """Decide one shard with sound rows and with one account's spoilt; compare, and count whose receipts say so."""
    crowd.look(people)
    clean = min(_planned(people)[0] for _ in range(3))
    victim = people.doors[len(people.doors) // 2]
    with tenant_scope(victim.organization_id), atomic():
        AccountLimits.objects.filter(account_id=victim.account_id).update(current="{spoilt")
    runs = [_planned(people) for _ in range(3)]
    with system_scope(planning.SCOPE):
        receipts = Receipt.objects.filter(
            signal_id=runs[-1][1], verdict="refused", account_id__in=[door.account_id for door in people.doors]
        )
        refused = set(receipts.values_list("account_id", flat=True))
    return {
        "shard_ms": round(clean * 1000, 1),
        "poison_ratio": round(min(seconds for seconds, _ in runs) / clean, 2),
        "poison_quarantined": len(refused) if refused == {victim.account_id} else -len(refused),
    }


def _planned(people: crowd.Crowd) -> tuple[float, UUID]:
    """Decide for one more signal, the first venue's accounts; return the seconds and the signal."""
    crowd.tell_price(timezone.now())
    signal_id = crowd.signal(people)
    now = timezone.now()
    shards = planning.fan_out(PLATFORM_ID, signal_id, now=now)
    began = time.perf_counter()
    for shard in shards:
        planning.plan(shard, now=now)
    return time.perf_counter() - began, signal_id

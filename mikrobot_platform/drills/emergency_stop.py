"""A strategy is stopped while its followers hold positions: entries held at once, all closed, by the venue's own word.

Part of the accounts do not answer at all: they must be named, and keep nobody else waiting."""

from __future__ import annotations

import threading
import time
from argparse import ArgumentParser
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

from django.db import connections
from django.utils import timezone

from accounts import audit
from accounts.tenancy import system_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.drills import crowd
from mikrobot_platform.measurement import Measurement, say
from risk_management.models import Level, Switch
from trading import carrying, desk, sending
from trading.brokers import Session
from trading.desk import Door
from trading.models import Order
from trading.paper.control import PaperProcess
from trading.services import emergency

NAME = "emergency-stop"
A_HOUSE = 20  # accounts
PATIENCE_S = 60
# What is asked of it, in milliseconds.
BLOCKED, SENT, FLAT = 250, 1_000, 5_000


def add_arguments(parser: ArgumentParser) -> None:
    """Describe the options."""
    parser.add_argument("--accounts", type=int, default=500, help="with open positions (default %(default)s)")
    parser.add_argument("--hanging", type=int, default=5, help="of them do not answer (default %(default)s)")


def run(options: Mapping[str, Any]) -> Measurement:
    """Open positions by a signal, let waiting orders stand beside them, stop everything, ask the venue."""
    with ExitStack() as at_end:
        paper = at_end.enter_context(crowd.venue(Path(mkdtemp(prefix="mikrobot-drill-"))))
        return rehearse(paper, int(options["accounts"]), int(options["hanging"]))


def rehearse(paper: PaperProcess, accounts: int, hanging: int) -> Measurement:
    """Do it at a venue that runs."""
    people = crowd.gather(accounts, [new_id() for _ in range(-(-accounts // A_HOUSE))])
    crowd.look(people)
    say(f"{accounts} accounts are there; a signal comes")
    crowd.signal(people)
    carrying.carry_signals(now=timezone.now())
    if not sending.wait(PATIENCE_S):
        raise RuntimeError("the orders of the drill were not answered")
    held = paper.count()["positions"]
    silent = people.doors[:: max(1, accounts // hanging)][:hanging] if hanging else ()
    for door in people.doors[::10]:
        _let_wait(door)
    _forget_sessions(people)  # whoever stops comes from anywhere, and is signed in nowhere
    for door in silent:
        paper.fault("drop_before", account=str(door.account_id), on="*", times=-1)
    say(f"{len(held)} accounts hold something; {len(silent)} of them will not answer; stop")
    began = time.monotonic_ns()
    watch = _Watch(began, people.strategy.pk)
    watch.start()
    with audit.acting_as(audit.Actor(kind="staff", id="drill", reason="a drill of the stop")):
        stopped = emergency.stop_as_staff(
            Level.STRATEGY, "a drill of the stop", target=people.strategy.pk, now=timezone.now()
        )
    watch.join()
    report = stopped.report
    named = {one.account_id for one in report.residual}
    left = set(paper.count()["positions"])
    entries = _late_entry(people)
    results = {
        "held": len(held),
        "blocked_ms": watch.blocked_ms,
        "sent_ms": report.sent_ms,
        "flat_ms": report.flat_ms,
        "flat": report.flat,
        "closed": report.closed,
        "cancelled": report.cancelled,
        "hanging": len(silent),
        "hanging_named": len(named & {door.account_id for door in silent}),
        "others_left_open": len(left - {str(door.account_id) for door in silent}),
        "named_wrongly": len(named - {door.account_id for door in silent}),
        "entries_after": entries,
    }
    return Measurement(name=NAME, parameters={"accounts": accounts}, results=results)


def has_passed(measured: Measurement) -> bool:
    """Tell whether it was quick, everybody who answers is flat, and the others are named."""
    found = measured.results
    is_quick = found["blocked_ms"] <= BLOCKED and found["sent_ms"] <= SENT and found["flat_ms"] <= FLAT
    return is_quick and is_right(measured)


def is_right(measured: Measurement) -> bool:
    """Tell whether everybody who answers is flat, and the others are named, however long it took."""
    found = measured.results
    everybody = found["held"] == measured.parameters["accounts"] == found["flat"] + found["hanging"]
    wrong = ("others_left_open", "named_wrongly", "entries_after")
    return everybody and found["hanging_named"] == found["hanging"] and not any(found[name] for name in wrong)


class _Watch(threading.Thread):
    """See from another connection when the entries are held."""

    def __init__(self, began_ns: int, strategy_id: UUID) -> None:
        super().__init__(name="watch", daemon=True)
        self._began_ns, self._strategy_id, self.blocked_ms = began_ns, strategy_id, -1

    def run(self) -> None:
        while self.blocked_ms < 0:
            with system_scope("gate.decide"):
                is_held = Switch.objects.filter(strategy_id=self._strategy_id, lifted_at=None).exists()
            if is_held:
                self.blocked_ms = (time.monotonic_ns() - self._began_ns) // 1_000_000
            time.sleep(0.005)
        connections.close_all()


def _let_wait(door: Door) -> None:
    """Let an order wait at the venue that has no name of ours: somebody else's terminal placed it."""

    async def work() -> None:
        session: Session = await desk.desk.session(door)
        await session.place(crowd.far_away())

    desk.desk.start(work()).result(PATIENCE_S)


def _forget_sessions(people: crowd.Crowd) -> None:
    for door in people.doors:
        desk.desk.forget(door)


def _late_entry(people: crowd.Crowd) -> int:
    """Let one more signal come; return how many orders were sent on it."""
    crowd.tell_price(timezone.now())
    late = crowd.signal(people)
    carrying.carry_signals(now=timezone.now())
    sending.wait(PATIENCE_S)
    with system_scope(sending.SCOPE):
        return int(Order.objects.filter(signal_id=late).exclude(sent_at=None).count())

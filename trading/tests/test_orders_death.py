"""Death at any step from a taken signal to a written answer: each account ends with one receipt and at most one order.

What the dead one left behind is found by the same functions as always: shards that wait, orders that were planned and
not claimed, and claims of which nobody has heard again, which are asked about at the venue and never sent twice.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from django.utils import timezone

from accounts.models import TierGrant, TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import Team, team
from accounts.tiers import Tier
from risk_management.models import DailyQuota, Receipt
from trading import carrying, pipeline, sending
from trading.ledger import ledger_of
from trading.models import Order, Signal, Source, Strategy
from trading.paper.control import PaperProcess
from trading.tests import books
from trading.tests.dying import Died, live
from trading.tests.sources import make_source, rest, rows, swept
from trading.tests.story import make_follower, make_strategy, tell_prices, venue
from trading.tracking import reconcile

pytestmark = pytest.mark.early

AT_ONCE = 20  # signals of one house; its day has fifty places, and it was seen long enough ago after as many
# One after the other they leave nobody with a position that is too large for his money.
TO_AND_FRO: Sequence[dict[str, Any]] = (
    {"side": "buy", "stop": "1.08300", "targets": ["1.09000"]},
    {"side": "sell", "stop": "1.08710", "targets": ["1.08000"]},
)
LATER = carrying.GRACE + timedelta(seconds=1)


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@dataclass(slots=True)
class Stage:
    """Two accounts of a house that follow a strategy, and a source of its signals."""

    paper: PaperProcess
    cast: Team = field(default_factory=team)
    strategy: Strategy = field(default_factory=lambda: make_strategy(max_positions=1_000))
    source: Source = field(default_factory=lambda: make_source(PLATFORM_ID, per_minute=1_000))
    followers: Sequence[TradingAccount] = ()
    given: int = 0

    def __post_init__(self) -> None:
        now = timezone.now()
        tell_prices(now)
        with ledger_of(self.cast.house.pk):
            TierGrant.objects.create(tier=Tier.PROFESSIONAL, reason="a test", granted_by="a test")
        self.followers = [make_follower(self.cast.as_alice, self.strategy, now=now) for _ in range(2)]

    def signal(self) -> Signal:
        """Let a signal come in and be taken; nobody has carried it on."""
        now = timezone.now()
        self.given += 1
        tell_prices(now)
        levels = TO_AND_FRO[self.given % 2]
        message = rest(strategy=self.strategy.code, id=f"s-{self.given}", **levels)
        pipeline.receive(self.source, message, now=now)
        swept(self.source, now)
        newest = rows(self.source)[1][-1]
        assert newest.state == "valid", newest.sentence
        return newest

    def used(self) -> int:
        """Return how many places of the day are taken."""
        with tenant_scope(self.cast.house.pk), atomic():
            return sum(DailyQuota.objects.values_list("used", flat=True))

    def whole(self, signal: Signal) -> list[str]:
        """Check that each account has one receipt and the order that it says; return how the orders ended."""
        counted, states = self.paper.count()["orders"], []
        for account in self.followers:
            with tenant_scope(self.cast.house.pk), atomic():
                [receipt] = Receipt.objects.filter(signal_id=signal.pk, account_id=account.pk)
                assert receipt.verdict == "taken", receipt.sentence
                [order] = Order.objects.filter(signal_id=signal.pk, account_id=account.pk)
            assert order.receipt_id == receipt.pk
            arrived = counted.get(str(account.pk), {}).get(order.client_id, 0)
            assert (order.state, arrived) in {("filled", 1), ("absent", 0)}, order.reason
            states.append(order.state)
        return states


def stages(paper: PaperProcess) -> Iterator[Stage]:
    """Give the same stage for some signals, and then a new one."""
    while True:
        stage = Stage(paper)
        for _ in range(AT_ONCE):
            yield stage


def carry(now: datetime) -> None:
    """Go on as a worker does that was woken."""
    carrying.carry_signals(now=now, among=[PLATFORM_ID])


def go_on(stage: Stage) -> None:
    """Do what the timetable does after a while, and what whoever watches accounts does after that."""
    mine = [PLATFORM_ID, stage.cast.house.pk]
    carrying.carry_on(now=timezone.now() + LATER, among=mine)
    assert sending.wait(20)
    with system_scope(sending.SCOPE):  # nobody has heard of these for a minute
        claimed = Order.objects.filter(organization_id=stage.cast.house.pk, state="sending")
        lost = claimed.update(sent_at=timezone.now() - timedelta(minutes=1))
    if lost:
        carrying.carry_on(now=timezone.now(), among=mine)
        for account in stage.followers:
            reconcile(books.door_of(account), now=timezone.now())


@pytest.mark.parametrize("is_after", [False, True])
def test_whoever_decides_plans_and_claims_may_die_anywhere(paper: PaperProcess, is_after: bool) -> None:
    turns = stages(paper)
    stage = next(turns)
    stage.signal()
    carry(timezone.now())  # system scopes are noted in the trail once a day
    stage.signal()
    steps = live(lambda: carry(timezone.now()))
    assert sending.wait(20)
    assert steps > 30
    ends: set[str] = set()
    for step in range(1, steps + 1):
        stage = next(turns)
        before, signal = stage.used(), stage.signal()
        live(lambda: carry(timezone.now()), dies_at=step, is_after=is_after)
        go_on(stage)
        states = stage.whole(signal)
        ends |= set(states)
        places = stage.used() - before
        assert places == states.count("filled"), step
        carry(timezone.now())
        go_on(stage)
        assert stage.whole(signal) == states, "twice is once"
        assert stage.used() - before == places, step
    assert "filled" in ends


class Kept:
    """Keeps answers instead of writing them: the process that has them is about to die."""

    def __init__(self) -> None:
        self.answers: list[sending.Answer] = []
        self._expected, self._change = 0, threading.Condition()

    def start(self) -> None:
        """Begin nothing."""

    def expect(self, count: int) -> None:
        self._expected += count

    def take(self, answer: sending.Answer) -> None:
        with self._change:
            self.answers.append(answer)
            self._change.notify_all()

    def wait(self) -> list[sending.Answer]:
        """Wait for all that were expected."""
        with self._change:
            assert self._change.wait_for(lambda: len(self.answers) == self._expected, 20)
        return self.answers


@contextmanager
def kept() -> Iterator[Kept]:
    keeper = Kept()
    with patch.object(sending, "_recorder", keeper):
        yield keeper


@pytest.mark.parametrize("is_after", [False, True])
def test_whoever_writes_an_answer_down_may_die_anywhere(paper: PaperProcess, is_after: bool) -> None:

    def answered(stage: Stage) -> tuple[Signal, list[sending.Answer]]:
        signal = stage.signal()
        with kept() as keeper:
            carry(timezone.now())
            return signal, keeper.wait()

    _signal, answers = answered(Stage(paper))
    steps = live(lambda: sending.record(answers))
    assert steps >= 3
    for step in range(1, steps + 1):
        stage = Stage(paper)
        signal, answers = answered(stage)
        live(lambda answers=answers: sending.record(answers), dies_at=step, is_after=is_after)  # type: ignore[misc]
        go_on(stage)
        assert stage.whole(signal) == ["filled", "filled"], "what has arrived is found"
        sending.record(answers)  # the dead one was only slow
        assert stage.whole(signal) == ["filled", "filled"]
        assert stage.used() == 2


@pytest.mark.parametrize("has_arrived", [False, True])
def test_whoever_sends_may_die_at_the_door_of_the_venue(paper: PaperProcess, has_arrived: bool) -> None:
    """Before the request leaves, or after the venue has taken it: what left is found, the rest is not sent again."""
    stage, answer, gone = Stage(paper), sending._answer, threading.Semaphore(0)
    before, signal = stage.used(), stage.signal()

    async def die(order: sending.Claimed) -> sending.Answer:
        if has_arrived:
            await answer(order)
        gone.release()
        raise Died

    with kept(), patch.object(sending, "_answer", die):
        carry(timezone.now())
        assert all(gone.acquire(timeout=20) for _ in stage.followers)
    expected = "filled" if has_arrived else "absent"
    for _ in range(2):
        go_on(stage)
        assert stage.whole(signal) == [expected, expected]
        assert stage.used() - before == (2 if has_arrived else 0), "a place is given back once"

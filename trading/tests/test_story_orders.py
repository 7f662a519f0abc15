"""From a signal to orders at the venue: decided for each account, sent once, written down."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, team
from mikrobot_platform.kernel.orders import OrderState
from risk_management.models import DailyQuota, Level, Receipt
from risk_management.services import switches
from trading import carrying, pipeline, planning, sending, sweep
from trading.models import Follow, Order, Signal, SignalState
from trading.paper.control import PaperProcess
from trading.settling import settle
from trading.tests import books
from trading.tests.sources import at_once, make_source, rest, rows, swept
from trading.tests.story import make_follower, make_strategy, tell_prices, venue


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


def orders_of(account: Any) -> list[Order]:
    with tenant_scope(account.organization_id), atomic():
        return list(Order.objects.filter(account_id=account.pk))


def receipts_of(account: Any) -> list[Receipt]:
    with tenant_scope(account.organization_id), atomic():
        return list(Receipt.objects.filter(account_id=account.pk))


def used(cast: Team) -> int:
    with tenant_scope(cast.house.pk), atomic():
        return sum(DailyQuota.objects.values_list("used", flat=True))


def taken(cast: Team, now: datetime, count: int = 1) -> tuple[Signal, list[TradingAccount], list[planning.Planned]]:
    """Let a signal come in, be judged, decided for some followers, and planned."""
    tell_prices(now)
    strategy = make_strategy()
    followers = [make_follower(cast.as_alice, strategy, now=now) for _ in range(count)]
    source = make_source(PLATFORM_ID)
    pipeline.receive(source, rest(strategy=strategy.code, stop="1.08300", targets=["1.09000"]), now=now)
    swept(source, now)
    [signal] = rows(source)[1]
    assert signal.state == SignalState.VALID, signal.sentence
    shards = planning.fan_out(PLATFORM_ID, signal.pk, now=now)
    return signal, followers, [one for shard in shards for one in planning.plan(shard, now=now)]


def test_a_signal_becomes_one_order_for_each_account_that_takes_it(paper: PaperProcess) -> None:
    cast, now = team(), timezone.now()
    tell_prices(now)
    strategy = make_strategy()
    takes = make_follower(cast.as_alice, strategy, now=now)
    sells_only = make_follower(cast.as_charlie, strategy, now=now, sides=["sell"])
    source = make_source(PLATFORM_ID)
    pipeline.receive(
        source, rest(strategy=strategy.code, stop="1.08300", targets=["1.09000"], price="1.08505"), now=now
    )
    swept(source, now)
    [signal] = rows(source)[1]
    assert (signal.state, signal.sentence) == (SignalState.VALID, signal.sentence), signal.sentence
    shards = planning.fan_out(PLATFORM_ID, signal.pk, now=now)
    assert planning.fan_out(PLATFORM_ID, signal.pk, now=now) == shards, "who comes second finds them"
    planned = [one for shard in shards for one in planning.plan(shard, now=now)]
    assert [planning.plan(shard, now=now) for shard in shards] == [[] for _ in shards]
    [taken], [skipped] = receipts_of(takes), receipts_of(sells_only)
    assert taken.verdict == "taken", taken.body
    assert skipped.code == "gate.side_left_out", skipped.sentence
    assert [one.account_id for one in planned] == [takes.pk]
    assert sending.submit([one.order_id for one in planned], now=now) == 1
    assert sending.submit([one.order_id for one in planned], now=now) == 0, "nobody claims it twice"
    assert sending.wait(20)
    [order] = orders_of(takes)
    assert orders_of(sells_only) == []
    assert (order.state, order.receipt_id) == (OrderState.FILLED, taken.pk), (order.reason_code, order.reason)
    counted = paper.count()
    assert counted["orders"][str(takes.pk)][order.client_id] == 1


def test_the_story_is_told_and_every_decision_is_made_again(paper: PaperProcess) -> None:
    signal, [account], planned = taken(team(), timezone.now())
    sending.submit([one.order_id for one in planned], now=timezone.now())
    assert sending.wait(20)
    told = StringIO()
    call_command("trace", str(signal.pk), stdout=told)
    *steps, number, way = told.getvalue().splitlines()
    assert (number, way.split()[:2]) == ("7 steps", ["legs", str(account.pk)[-12:]])
    words = [line.split()[2] for line in steps]
    assert words == ["received", "parsed", "judged", "decided", "planned", "sent", "acknowledged"]
    again = StringIO()
    call_command("replay", str(signal.pk), stdout=again)
    assert again.getvalue() == "2 decisions made again, 0 different\n"
    with pytest.raises(CommandError):
        call_command("trace", str(account.pk))


def test_of_many_who_send_at_once_one_sends(paper: PaperProcess) -> None:
    _signal, followers, planned = taken(team(), timezone.now(), count=3)
    ids = [one.order_id for one in planned]
    assert len(ids) == 3
    claims = at_once(4, lambda: sending.submit(ids, now=timezone.now()))
    assert sum(claims) == 3
    assert sending.wait(20)
    counted = paper.count()["orders"]
    assert [sum(counted[str(account.pk)].values()) for account in followers] == [1, 1, 1]


def test_what_is_too_old_or_switched_off_is_withdrawn_and_gives_its_place_back(paper: PaperProcess) -> None:
    cast, now = team(), timezone.now()
    _signal, [account], planned = taken(cast, now)
    ids = [one.order_id for one in planned]
    assert sending.submit(ids, now=now + timedelta(minutes=5)) == 0
    [order] = orders_of(account)
    assert (order.state, order.reason_code) == (OrderState.WITHDRAWN, "too_old")
    assert used(cast) == 0
    _signal, [other], planned = taken(cast, now)
    assert used(cast) == 1
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        switches.switch_off(cast.as_alice, Level.ACCOUNT, "a doubt about it", target=other.pk, now=now)
    assert sending.submit([one.order_id for one in planned], now=now) == 0
    [order] = orders_of(other)
    assert (order.state, order.reason) == (OrderState.WITHDRAWN, "a doubt about it")
    assert used(cast) == 0
    assert paper.count()["orders"] == {}


def test_behind_one_of_a_flood_everybody_else_has_a_turn(paper: PaperProcess) -> None:
    cast, now = team(), timezone.now()
    tell_prices(now)
    sources = [make_source(cast.house.pk), make_source(cast.other.pk)]
    strategy = make_strategy()
    for number in range(4):
        pipeline.receive(sources[0], rest(strategy=strategy.code, stop="1.08300", id=f"flood-{number}"), now=now)
    pipeline.receive(sources[1], rest(strategy=strategy.code, stop="1.08300"), now=now)
    owners = [source.organization_id for source in sources]
    sweep.sweep(now=now, among=owners)
    for _ in range(2):
        assert carrying.carry_signals(now=now, among=owners, for_ms=0) == 1
    fanned = [sum(signal.fanned_at is not None for signal in rows(source)[1]) for source in sources]
    assert fanned == [1, 1]


def test_a_receipt_that_says_taken_has_its_order_also_when_places_end(paper: PaperProcess) -> None:
    """Four accounts of one house follow, and its day has three places: the fourth is told so, and gets no order."""
    _signal, accounts, planned = taken(team(), timezone.now(), 4)
    found = [receipt for account in accounts for receipt in receipts_of(account)]
    assert sorted(receipt.code for receipt in found) == ["gate.quota_used", *["gate.taken"] * 3]
    has_receipt = {receipt.account_id for receipt in found if receipt.verdict == "taken"}
    assert {one.account_id for one in planned} == has_receipt


def test_an_answer_that_is_written_twice_takes_no_claim_from_whoever_came_after(paper: PaperProcess) -> None:
    """The first writing was committed, its connection broke, and it is written again; the order was claimed since."""
    _signal, [account], [planned] = taken(team(), timezone.now())
    [first] = sending._claim([planned.order_id], timezone.now())
    answer = sending._told(first, OrderState.PLANNED, "not_sent", "turned away")
    sending.record([answer])
    assert [order.state for order in orders_of(account)] == [OrderState.PLANNED]
    assert len(sending._claim([planned.order_id], timezone.now())) == 1
    sending.record([answer])
    assert [order.state for order in orders_of(account)] == [OrderState.SENDING]
    assert sending._claim([planned.order_id], timezone.now()) == []


def test_a_follow_of_one_position_skips_the_second_and_another_takes_it(paper: PaperProcess) -> None:
    cast, now = team(), timezone.now()
    tell_prices(now)
    strategy, other = make_strategy(), make_strategy()
    one = make_follower(cast.as_alice, strategy, now=now, overrides={"max_positions": "1"})
    three = make_follower(cast.as_charlie, strategy, now=now)
    with tenant_scope(cast.house.pk), atomic():
        Follow.objects.create(account=one, strategy=other, overrides={"max_positions": "1"})
    source = make_source(PLATFORM_ID)

    def come(name: str, message: str) -> None:
        pipeline.receive(source, rest(strategy=name, stop="1.08300", targets=["1.09000"], id=message), now=now)
        swept(source, now)
        for signal in rows(source)[1]:
            for shard in planning.fan_out(PLATFORM_ID, signal.pk, now=now):
                sending.submit([planned.order_id for planned in planning.plan(shard, now=now)], now=now)
        assert sending.wait(20)

    come(strategy.code, "first")
    come(strategy.code, "second")  # the first was filled, and its position is not written yet
    settle(books.heard(one), now=timezone.now())
    come(strategy.code, "third")
    come(other.code, "another-strategy")
    codes = [receipt.code for receipt in sorted(receipts_of(one), key=lambda row: row.position)]
    assert codes == ["gate.taken", "gate.max_of_strategy", "gate.max_of_strategy", "gate.taken"]
    assert [receipt.code for receipt in receipts_of(three)] == ["gate.taken"] * 3
    for receipt in receipts_of(one):
        if receipt.code == "gate.max_of_strategy":
            assert {"open": 1, "limit": 1, "bound": "the follow"}.items() <= receipt.evidence.items()
    assert len(orders_of(one)) == 2
    assert sum(paper.count()["orders"][str(one.pk)].values()) == 2


def test_who_has_much_to_send_is_held_until_it_leaves_unless_its_venue_hangs(
    paper: PaperProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "UNSENT", 0)
    for patience, is_held in ((60, True), (0, False)):
        monkeypatch.setattr(sending, "STILL_S", patience)
        _, accounts, planned = taken(team(), timezone.now(), count=2)
        ids = [one.order_id for one in planned]
        os.kill(paper.pid, SIGSTOP)  # nobody can sign in
        try:
            sender = threading.Thread(target=sending.submit, args=(ids,), kwargs={"now": timezone.now()})
            sender.start()
            sender.join(1 if is_held else 60)
            assert sender.is_alive() == is_held
        finally:
            os.kill(paper.pid, SIGCONT)
        sender.join(60)
        assert sending.wait(20)
        assert [order.state for account in accounts for order in orders_of(account)] == [OrderState.FILLED] * 2

"""From a signal to orders at the venue: decided for each account, sent once, written down."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import team
from mikrobot_platform.kernel.orders import OrderState
from risk_management.models import Receipt
from trading import pipeline, planning, sending
from trading.models import Order, SignalState
from trading.paper.control import PaperProcess
from trading.tests.sources import make_source, rest, rows, swept
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

"""The whole story: one file of an EA in, three houses that answer each in its way, orders, fills, exits, news out.

Real parts throughout: the reader of files, the gate, workers' functions, the paper venue in its own process, and the
process that watches accounts. After each step each house sees what is its own, as the web's role, and nothing else.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.core.management import call_command
from django.db import connections
from django.utils import timezone

from accounts import outbox
from accounts.access import Caller
from accounts.models import Organization, OutboxEvent, TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import team
from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.registry import SUBSCRIBERS
from risk_management.models import Receipt
from risk_management.rules.settings import Limits
from risk_management.services import limits
from trading import carrying, sending
from trading.engine import four_phase
from trading.files import arrivals
from trading.models import Fill, Order, Position, SignalState, Strategy
from trading.paper.control import PaperProcess
from trading.rehearsal.messages import v8
from trading.services import legs
from trading.tests import books
from trading.tests.files import file_source, write
from trading.tests.sources import rows, swept
from trading.tests.story import make_follower, make_strategy, tell_prices, venue
from trading.tests.test_watching import until, watch

LEVERAGE = Decimal(30)
OWN_ROWS = (Receipt, Order, Fill, Position)


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """An organization with one account that follows."""

    organization: Organization
    caller: Caller
    account: TradingAccount


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@pytest.fixture(name="heard", autouse=True)
def what_subscribers_hear(monkeypatch: pytest.MonkeyPatch) -> list[tuple[UUID, str]]:
    """Let every event go to one subscriber, which keeps whose it was and what."""
    _heard.clear()
    monkeypatch.setattr(outbox, "SUBSCRIBERS", dict.fromkeys(SUBSCRIBERS, (f"{__name__}:hear",)))
    return _heard


_heard: list[tuple[UUID, str]] = []


def hear(event: Any) -> None:
    _heard.append((event.organization_id, event.name))


@pytest.fixture(name="strategy")
def what_they_follow() -> Iterator[Strategy]:
    """Have a strategy that listens to what the EA says, for as long as the test lasts."""
    row = make_strategy(listens_to=four_phase.STRATEGY, max_age_s=180)
    yield row
    with system_scope("signals.platform"):
        Strategy.objects.filter(pk=row.pk).update(retired_at=timezone.now())


def house(organization: Organization, caller: Caller, strategy: Any, now: datetime, **allowed: Any) -> House:
    account = make_follower(caller, strategy, now=now)
    if allowed:
        with tenant_scope(organization.pk), atomic():
            limits.set_limits(caller, account.pk, Limits(max_leverage=LEVERAGE, **allowed), now=now)
    return House(organization=organization, caller=caller, account=account)


def deployment(at: datetime) -> bytes:
    """Write what the EA leaves with the order that was laid out for it: UTF-16LE, with a mark."""
    stamps = [f"{at - timedelta(minutes=ago):%H:%M}" for ago in (0, 5, 3, 1)]
    signal = json.loads(
        v8(
            symbol="EURUSD", stamps=(stamps[0], stamps[1], stamps[2], stamps[3]), day=f"{at:%Y.%m.%d}",
            prices=("1.08450", "1.08500", "1.08499", "1.08506", "1.08507"),
        ),
        parse_float=str,
    )  # fmt: skip
    told = {
        "deployment_id": "FERRARI_DEPLOYMENT_001",
        "signal_data": signal,
        "trade_parameters": {"symbol": "EURUSD", "action": "BUY", "sl_price": "1.08310", "tp_price": "1.09000"},
    }
    text = json.dumps(told)
    for number in ("1.08450", "1.08500", "1.08499", "1.08506", "1.08507", "1.08310", "1.09000", "0.60"):
        text = text.replace(f'"{number}"', number)
    return b"\xff\xfe" + text.encode("utf-16-le")


def seen_by(one: House) -> Mapping[str, Sequence[Any]]:
    """Return what a house sees of each table when nobody asks for its own only: policies alone restrict it."""
    found: dict[str, Sequence[Any]] = {}
    with tenant_scope(one.organization.pk), atomic(), connections["default"].cursor() as cursor:
        for model in (*OWN_ROWS, OutboxEvent):
            name = model._meta.db_table
            cursor.execute(f"select organization_id from {name}")
            found[name] = [owner for (owner,) in cursor.fetchall()]
    return found


def assert_apart(houses: Sequence[House], counts: Mapping[str, tuple[int, ...]]) -> None:
    """Each house sees so many rows of each table, all its own; who stands in no house sees none."""
    for place, one in enumerate(houses):
        seen = seen_by(one)
        for name, owners in seen.items():
            assert set(owners) <= {one.organization.pk}, name
        for model in OWN_ROWS:
            name = model._meta.db_table
            if name in counts:
                assert len(seen[name]) == counts[name][place], (name, place)
    with connections["default"].cursor() as cursor:
        for model in OWN_ROWS:
            cursor.execute(f"select count(*) from {model._meta.db_table}")
            assert cursor.fetchone() == (0,)


def news_of(one: House) -> list[str]:
    with tenant_scope(one.organization.pk), atomic():
        return list(OutboxEvent.objects.order_by("pk").values_list("name", flat=True))


def test_one_file_three_houses_and_everything_that_follows(
    paper: PaperProcess, strategy: Strategy, heard: list[tuple[UUID, str]]
) -> None:
    now = timezone.now()
    tell_prices(now)
    first, second = team(), team()
    houses = [
        house(first.house, first.as_alice, strategy, now),
        house(first.other, first.as_charlie, strategy, now, max_quantity=Quantity(Decimal("0.20"))),
        house(second.house, second.as_alice, strategy, now, least_equity=Decimal(100_000)),
    ]
    allowed, reduced, denied = houses
    before = {one.organization.pk: len(news_of(one)) for one in houses}

    # A file is read, once however often it is looked at.
    source = file_source(PLATFORM_ID, clock_zone="UTC")
    write(source, deployment(now))
    assert arrivals.look(source, now=now) is not None
    assert arrivals.look(source, now=now) is None
    swept(source, now)
    [signal] = rows(source)[1]
    assert signal.state == SignalState.VALID, signal.sentence
    assert_apart(houses, {"risk_management_receipt": (0, 0, 0), "trading_order": (0, 0, 0)})

    # Each house has a receipt of its own, and an order if that says so.
    while carrying.carry_signals(now=now, among=[PLATFORM_ID]):
        pass
    assert sending.wait(20)
    assert_apart(houses, {"risk_management_receipt": (1, 1, 1), "trading_order": (1, 1, 0), "trading_fill": (0, 0, 0)})
    receipts: list[Receipt] = []
    orders: list[Order] = []
    for one in houses:
        with tenant_scope(one.organization.pk), atomic():
            receipts += Receipt.objects.filter(signal_id=signal.pk)
            orders += Order.objects.all()
    assert [(one.verdict, one.code) for one in receipts] == [
        ("taken", "gate.taken"), ("reduced", "gate.reduced"), ("refused", "gate.drawdown"),
    ]  # fmt: skip
    assert [(one.state, one.receipt_id) for one in orders] == [("filled", one.pk) for one in receipts[:2]]
    assert [one.quantity for one in orders] == [Decimal("2.50"), Decimal("0.20")], (
        "0.5 % of 100,000 for 20 pips; a limit"
    )
    counted = paper.count()["orders"]
    assert counted == {str(one.account_id): {one.client_id: 1} for one in orders}

    # How long each leg took, and what the way cost: the file says 1.08507, it was decided on 1.08510, and filled there.
    ways = legs.legs(signal.pk)
    assert ways is not None
    assert [way.account_id for way in ways] == sorted(one.account.pk for one in (allowed, reduced))
    for way in ways:
        reached = [getattr(way, name) for name in legs.LEGS]
        assert None not in reached
        assert reached == sorted(reached)
        assert list(way.took_ms()) == [
            "emitted_stored", "stored_decided", "decided_sent", "sent_acknowledged", "acknowledged_filled",
        ]  # fmt: skip
        assert (way.signal_slippage, way.decision_slippage) == (Decimal("0.00003"), Decimal("0.00000"))
    told = StringIO()
    call_command("trace", str(signal.pk), "--json", stdout=told)
    assert [one["decision_slippage"] for one in json.loads(told.getvalue())["legs"]] == ["0", "0"]

    # Fills are positions, half is taken home at 1 R, the stop follows to breakeven, and the rest ends at 2 R.
    with watch(*(one.account for one in houses)):
        until(lambda: all(_open(one) for one in (allowed, reduced)))
        assert_apart(houses, {"trading_fill": (1, 1, 0), "trading_position": (1, 1, 0)})
        paper.price("EURUSD", "1.08715", "1.08725")
        until(lambda: [_open(one) for one in (allowed, reduced)] == [Decimal("1.25"), Decimal("0.10")])
        until(lambda: all((_stop(one) or 0) > Decimal("1.08510") for one in (allowed, reduced)))
        paper.price("EURUSD", "1.08915", "1.08925")
        until(lambda: [_open(one) for one in (allowed, reduced)] == [None, None])
    assert_apart(houses, {"trading_order": (3, 3, 0), "trading_fill": (3, 3, 0), "trading_position": (1, 1, 0)})
    profits = [books.positions_of(one.account)[0].profit for one in (allowed, reduced)]
    assert profits == [Decimal("762.50"), Decimal("61.00")], "half at 20.5 pips and half at 40.5"
    assert books.positions_of(denied.account) == []

    # Everybody is told what is theirs: written in the transaction that it is about, and heard once it is relayed.
    news = [news_of(one)[before[one.organization.pk] :] for one in houses]
    assert news[2] == []
    for own in news[:2]:
        assert own.count("position.opened") == own.count("position.closed") == 1
        assert own.count("order.filled") == 3
    owners = [one.organization.pk for one in houses]
    waiting = {one.organization.pk: news_of(one) for one in houses}
    while outbox.relay(among=owners):
        pass
    for owner, names in waiting.items():
        assert [name for whose, name in heard if whose == owner] == [name for name in names if name in SUBSCRIBERS]
    assert {owner for owner, _ in heard} <= set(owners)

    # Who comes second changes nothing, at the venue least of all.
    orders_before = paper.count()["orders"]
    arrivals.look(source, now=now)
    swept(source, now)
    carrying.carry_on(now=timezone.now(), among=[PLATFORM_ID])
    assert sending.wait(20)
    assert paper.count()["orders"] == orders_before


def _open(one: House) -> Decimal | None:
    held = [position.quantity for position in books.positions_of(one.account) if position.state == "open"]
    return held[0] if held else None


def _stop(one: House) -> Decimal | None:
    held = [position.stop for position in books.positions_of(one.account) if position.state == "open"]
    return held[0] if held else None

"""What differs between our books and the venue is found, told once, and repaired as the customer has chosen."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.utils import timezone

from accounts.models import OutboxEvent
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import team
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import OrderRequest, OrderState, OrderType
from risk_management.services import quota
from trading import sending
from trading.engine.drift import Kind
from trading.models import Order, VenueLink
from trading.paper.control import PaperProcess
from trading.settling import settle
from trading.tests import books
from trading.tests.story import venue
from trading.tracking import reconcile


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_S", 1)


def look(account: Any) -> list[Kind]:
    return [finding.kind for finding in reconcile(books.door_of(account), now=timezone.now())]


def link_of(account: Any) -> VenueLink:
    with tenant_scope(account.organization_id), atomic():
        found: VenueLink = VenueLink.objects.get(account_id=account.pk)
        return found


def choose(account: Any, policy: str) -> None:
    with system_scope("orders.carry"):
        VenueLink.objects.filter(account_id=account.pk).update(policy=policy)


def news_of(account: Any) -> list[tuple[str, Any]]:
    with tenant_scope(account.organization_id), atomic():
        rows = OutboxEvent.objects.filter(data__account=str(account.pk)).order_by("pk")
        return [(row.name, row.data.get("code")) for row in rows]


def by_hand(account: Any, side: Side = Side.BUY, quantity: str = "1", stop: str | None = None) -> None:
    """Trade at the venue without us: the customer's own terminal."""
    request = OrderRequest(
        client_id=uuid4().hex[:20], symbol="EURUSD", side=side, type=OrderType.MARKET,
        quantity=Quantity(Decimal(quantity)), stop_loss=None if stop is None else Price(Decimal(stop)),
    )  # fmt: skip
    books.at_venue(account, lambda session: session.place(request))


@pytest.mark.parametrize("fault", ["drop_after", "cut_after"])
def test_an_unknown_outcome_is_asked_about_and_never_sent_again(paper: PaperProcess, fault: str) -> None:
    account = books.account_of(team())
    look(account)
    paper.fault(fault, account=str(account.pk))
    order = books.send(account)
    assert order.state == OrderState.UNKNOWN
    assert Kind.ORDER_FOUND not in look(account), "what the venue tells is settled before it is compared"
    assert books.order_of(order).state == OrderState.FILLED
    [held] = books.positions_of(account)
    assert (held.pk, held.quantity) == (order.pk, 1)
    assert sending.submit([order.pk], now=timezone.now()) == 0
    assert paper.count()["orders"][str(account.pk)] == {order.client_id: 1}


def test_an_order_that_never_arrived_is_absent_after_its_time_and_gives_its_place_back(paper: PaperProcess) -> None:
    account = books.account_of(team())
    look(account)
    signal, today = uuid4(), timezone.now().date()
    wish = quota.Wish(organization_id=account.organization_id, account_id=account.pk, day=today, limit=5)
    with system_scope("gate.decide"):
        assert quota.admit(signal, [wish], now=timezone.now())
    paper.fault("drop_before", account=str(account.pk))
    order = books.send(account, signal_id=signal)
    assert order.state == OrderState.UNKNOWN
    assert look(account) == [Kind.ORDER_UNKNOWN], "its time is not over"
    _until(lambda: look(account) == [Kind.ORDER_ABSENT])
    assert books.order_of(order).state == OrderState.ABSENT
    with system_scope("orders.carry"):
        assert quota.used({account.organization_id: today}) == {account.organization_id: 0}
    assert ("order.refused", "absent") in news_of(account)
    assert str(account.pk) not in paper.count()["orders"]
    assert look(account) == []


def test_a_foreign_position_blocks_entries_and_is_told_once(paper: PaperProcess) -> None:
    account = books.account_of(team())
    assert look(account) == []
    by_hand(account, stop="1.08000")
    assert look(account) == [Kind.POSITION_FOREIGN]
    assert look(account) == [Kind.POSITION_FOREIGN]
    link = link_of(account)
    assert "was not made here" in link.blocked_reason
    assert link.reconciled_at is not None
    assert books.positions_of(account) == []
    told = news_of(account)
    assert told.count(("books.differ", "drift.position_foreign")) == 1
    assert [name for name, _ in told].count("entries.blocked") == 1


def test_a_foreign_position_is_adopted_and_looked_after(paper: PaperProcess) -> None:
    account = books.account_of(team())
    look(account)
    choose(account, "adopt")
    by_hand(account, stop="1.08000")
    assert look(account) == [Kind.POSITION_FOREIGN]
    [held] = books.positions_of(account)
    assert (held.is_foreign, held.quantity, held.entry) == (True, 1, Decimal("1.0851"))
    assert (held.stop, held.state) == (Decimal("1.08"), "open")
    assert look(account) == []
    by_hand(account, Side.SELL, "0.4")
    assert look(account) == [], "a part that was closed by hand makes it smaller"
    assert books.positions_of(account)[0].quantity == Decimal("0.6")
    assert link_of(account).blocked_reason == ""


def test_a_foreign_position_is_flattened_by_one_exit(paper: PaperProcess) -> None:
    account = books.account_of(team())
    look(account)
    choose(account, "flatten")
    by_hand(account, stop="1.08000")
    assert look(account) == [Kind.POSITION_FOREIGN]
    assert sending.wait(20)
    assert look(account) == []
    assert "positions" not in paper.count() or str(account.pk) not in paper.count()["positions"]
    with tenant_scope(account.organization_id), atomic():
        [exit_] = Order.objects.filter(account_id=account.pk)
    assert (exit_.purpose, exit_.state, exit_.side) == ("exit", OrderState.FILLED, "sell")
    assert books.positions_of(account) == [], "what was never ours is not in our books"


def test_after_the_venue_was_killed_sessions_are_opened_again_and_nothing_is_doubled(paper: PaperProcess) -> None:
    account = books.account_of(team())
    order = books.send(account)
    assert look(account) == []
    paper.restart()
    paper.price("EURUSD", "1.08290", "1.08300")
    assert look(account) == []
    [held] = books.positions_of(account)
    assert (held.state, held.profit) == ("closed", Decimal("-220.00"))
    assert len(books.fills_of(account)) == 2
    assert paper.count()["orders"][str(account.pk)][order.client_id] == 1


def test_a_position_without_its_stop_gets_it_back_with_an_alarm(paper: PaperProcess) -> None:
    account = books.account_of(team())
    order = books.send(account, stop_loss=None)
    with system_scope("orders.carry"):  # the venue has lost what it was sent
        Order.objects.filter(pk=order.pk).update(stop_loss=Decimal("1.08300"))
    settle(books.heard(account), now=timezone.now())
    [bare] = books.positions_of(account)
    assert (bare.stop, bare.wanted_stop) == (None, Decimal("1.083"))
    assert Kind.POSITION_UNPROTECTED in look(account)
    [held] = books.positions_of(account)
    assert (held.stop, held.stops_made) == (Decimal("1.083"), 1)
    assert ("position.unprotected", "drift.position_unprotected") in news_of(account)
    assert look(account) == []


def _until(reached: Any, seconds: int = 8) -> None:
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds
        time.sleep(1 / 5)


def test_a_venue_that_shows_an_absent_order_after_all_is_believed(paper: PaperProcess) -> None:
    account = books.account_of(team())
    look(account)
    paper.fault("drop_before", account=str(account.pk))
    order = books.send(account)
    _until(lambda: look(account) == [Kind.ORDER_ABSENT])
    request = OrderRequest(
        client_id=order.client_id, symbol="EURUSD", side=Side.BUY, type=OrderType.MARKET, quantity=Quantity(Decimal(1)),
        stop_loss=Price(Decimal("1.08300")),
    )  # fmt: skip
    books.at_venue(account, lambda session: session.place(request))
    assert look(account) == []
    assert books.order_of(order).state == OrderState.FILLED
    [held] = books.positions_of(account)
    assert (held.pk, held.is_foreign) == (order.pk, False)


def test_a_claim_that_waited_too_long_is_not_sent_and_is_free_again(
    paper: PaperProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever comes out of a queue or a frozen state late must not send: others may have found the order absent."""
    monkeypatch.setattr(sending, "AT_ONCE", 1)
    monkeypatch.setattr(sending, "SEND_WITHIN", timedelta(milliseconds=500))
    slow, waits = books.account_of(team()), books.account_of(team())
    paper.fault("drop_before", account=str(slow.pk))
    paper.fault("drop_before", account=str(waits.pk))
    planned = [books.plan(account) for account in (slow, waits)]
    for account in (slow, waits):
        look(account)  # signed in: what waits is the lane
    assert sending.submit([order.pk for order in planned], now=timezone.now()) == 2
    assert sending.wait(20)
    first, second = sorted((books.order_of(order) for order in planned), key=lambda order: order.state)
    assert (first.state, first.reason_code, second.state) == (OrderState.PLANNED, "not_sent", OrderState.UNKNOWN)
    assert str(first.account_id) not in paper.count()["orders"]
    assert sending.submit([first.pk], now=timezone.now()) == 1, "nobody holds it"
    assert sending.wait(20)

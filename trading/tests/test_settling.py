"""What venues tell becomes positions and results, to the cent, however often and in whichever order it is told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import OutboxEvent
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import team
from mikrobot_platform.kernel.orders import OrderState
from risk_management.models import AccountEvent, AccountState
from trading.models import PositionState
from trading.paper.control import PaperProcess
from trading.settling import settle
from trading.tests import books
from trading.tests.story import venue


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


def news_of(account: Any) -> list[str]:
    with tenant_scope(account.organization_id), atomic():
        rows = OutboxEvent.objects.filter(data__account=str(account.pk)).order_by("pk")
        return list(rows.values_list("name", flat=True))


def told_upwards(account: Any) -> list[tuple[str, Decimal | None]]:
    with tenant_scope(account.organization_id), atomic():
        rows = AccountEvent.objects.filter(account_id=account.pk).exclude(kind="Snapshot").order_by("pk")
        return [
            (kind, None if profit is None else profit.normalize())
            for kind, profit in rows.values_list("kind", "profit")
        ]


def test_a_fill_opens_a_position_and_the_stop_at_the_venue_closes_it_to_the_cent(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.open(str(account.pk), token=_token(account), commission_per_lot="3.50")
    order = books.send(account, take_profit=Decimal("1.09000"))
    settle(books.heard(account), now=timezone.now())
    [held] = books.positions_of(account)
    assert (held.state, held.pk, held.quantity, held.entry) == ("open", order.pk, 1, Decimal("1.08510"))
    assert (held.first_stop, held.stop, held.target) == (Decimal("1.083"), Decimal("1.083"), Decimal("1.09"))
    assert (held.receipt_id, held.risk) == (order.receipt_id, 210)
    assert (held.profit, held.fees) == (Decimal("-3.50"), Decimal("3.50"))
    assert books.order_of(order).position_id == held.pk
    paper.price("EURUSD", "1.08290", "1.08300")  # through the stop: filled at the price that there is
    settle(books.heard(account), now=timezone.now())
    [closed] = books.positions_of(account)
    # 22 pips of one lot are 220 USD; twice 3.50 for opening and closing
    assert (closed.state, closed.quantity) == (PositionState.CLOSED, 0)
    assert (closed.profit, closed.fees) == (Decimal("-227.00"), 7)
    assert closed.r == Decimal("-1.0810")  # of 210 USD at the first stop
    assert told_upwards(account) == [("Opened", None), ("Settled", Decimal("-227"))]
    assert news_of(account) == ["order.filled", "position.opened", "position.closed"]
    with tenant_scope(account.organization_id), atomic():
        assert AccountState.objects.get(account_id=account.pk).balance == Decimal("99773.00")


def _token(account: Any) -> str:
    from trading.connections import account_credentials

    return account_credentials(account.organization_id, account.pk)["access_token"]


def test_partial_fills_and_a_partial_close_add_up_to_the_trade(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.open(str(account.pk), token=_token(account), commission_per_lot="3.50")
    paper.price("EURUSD", "1.08500", "1.08510", "0.33")  # so much trades at this price
    order = books.send(account)
    assert (order.state, order.filled) == (OrderState.PARTIAL, Decimal("0.33"))
    settle(books.heard(account), now=timezone.now())
    paper.price("EURUSD", "1.08520", "1.08530", "5")
    settle(books.heard(account), now=timezone.now())
    [held] = books.positions_of(account)
    assert held.quantity == 1
    assert held.entry == (Decimal("0.33") * Decimal("1.0851") + Decimal("0.67") * Decimal("1.0853"))
    assert news_of(account) == ["position.opened", "order.filled"], "filled once, by the last part"
    books.send(
        account, purpose="exit", receipt_id=None, side="sell", quantity=Decimal("0.4"), stop_loss=None,
        position_id=held.pk, reduces_only=True, expires_at=None,
    )  # fmt: skip
    settle(books.heard(account), now=timezone.now())
    [half] = books.positions_of(account)
    assert (half.state, half.quantity, half.opened) == ("open", Decimal("0.6"), 1)
    paper.price("EURUSD", "1.08290", "1.08300", "5")
    settle(books.heard(account), now=timezone.now())
    [closed] = books.positions_of(account)
    profits = [one.profit for one in books.bookings_of(account) if one.kind == "settled"]
    assert len(profits) == 2
    assert sum(profits) == closed.profit
    with tenant_scope(account.organization_id), atomic():
        assert AccountState.objects.get(account_id=account.pk).balance == 100_000 + closed.profit


def test_what_is_told_twice_and_out_of_order_is_taken_in_once(paper: PaperProcess) -> None:
    account = books.account_of(team())
    books.send(account)
    books.send(account, quantity=Decimal("0.5"))
    told = books.heard(account)
    paper.price("EURUSD", "1.08290", "1.08300")
    told += books.heard(account)
    shuffled = random.Random(5)
    for one in shuffled.sample(told, len(told)):
        settle([one], now=timezone.now())
    for _ in range(3):
        settle(shuffled.sample(told * 2, len(told)), now=timezone.now())
    settle(told, now=timezone.now())
    [held] = books.positions_of(account)
    assert (held.state, held.opened, held.quantity) == ("closed", Decimal("1.5"), 0)
    assert held.profit == Decimal("-330.00")
    assert len(books.fills_of(account)) == 3
    assert [one.kind for one in books.bookings_of(account)].count("settled") == 1
    assert sorted(told_upwards(account)) == [("Opened", None), ("Settled", Decimal("-330"))]
    assert news_of(account).count("position.closed") == 1

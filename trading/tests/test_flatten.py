"""The emergency stop: what is open at venues is closed, by the venue's own word; who does not answer is named."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from io import StringIO
from pathlib import Path
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from accounts.models import TradingAccount, User
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import make_account, team
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import OrderRequest, OrderState, OrderType
from risk_management.models import Switch
from trading import flatten
from trading.desk import Door, desk
from trading.models import Order
from trading.paper.control import PaperProcess
from trading.tests.story import venue


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


def doors(count: int) -> list[Door]:
    cast = team()
    accounts: list[TradingAccount] = [make_account(cast.as_alice, f"Account {number}") for number in range(count)]
    return [Door(cast.house.pk, account.pk, "paper") for account in accounts]


def place(door: Door, side: Side, *, limit: str = "", client_id: str | None = None) -> None:
    """Make an order at the venue that nobody here knows of."""

    async def work() -> None:
        session = await desk.session(door)
        await session.place(
            OrderRequest(
                client_id=f"own-{new_id().hex[-20:]}" if client_id is None else client_id,
                symbol="EURUSD", side=side, quantity=Quantity(Decimal("0.5")),
                type=OrderType.LIMIT if limit else OrderType.MARKET, limit=Price(Decimal(limit)) if limit else None,
            )
        )  # fmt: skip

    desk.start(work()).result(10)


def exits(organization_id: UUID) -> list[Order]:
    with tenant_scope(organization_id), atomic():
        return list(Order.objects.filter(purpose="exit"))


def test_everything_is_closed_cancelled_and_verified(paper: PaperProcess) -> None:
    everybody = doors(6)
    for number, door in enumerate(everybody[:5]):
        place(door, Side.BUY if number % 2 else Side.SELL)
    place(everybody[5], Side.BUY, limit="1.08000")
    stop_id = new_id()
    report = flatten.flatten(everybody, stop_id=stop_id)
    assert (report.accounts, report.closed, report.cancelled, report.residual) == (6, 5, 1, [])
    assert report.flat == 6
    assert paper.count()["positions"] == {}
    assert {order.state for order in exits(everybody[0].organization_id)} == {OrderState.FILLED}
    again = flatten.flatten(everybody, stop_id=stop_id)
    assert (again.closed, again.cancelled, again.flat) == (0, 0, 6)


def test_who_does_not_answer_is_named_and_the_others_are_flat(paper: PaperProcess) -> None:
    everybody = doors(4)
    for door in everybody:
        place(door, Side.BUY)
    paper.fault("drop_before", account=str(everybody[0].account_id), on="*", times=-1)
    report = flatten.flatten(everybody, stop_id=new_id())
    assert report.flat == 3
    assert report.flat_ms < flatten.ANSWER_S * 1000, "who hangs keeps nobody else waiting"
    assert [(one.account_id, one.problem) for one in report.residual] == [
        (everybody[0].account_id, f"no answer in {flatten.ANSWER_S} s")
    ]
    assert list(paper.count()["positions"]) == [str(everybody[0].account_id)]


def test_an_order_without_an_id_of_its_own_is_cancelled_too(paper: PaperProcess) -> None:
    [door] = doors(1)
    place(door, Side.BUY, limit="1.08000", client_id="")
    report = flatten.flatten([door], stop_id=new_id())
    assert (report.cancelled, report.flat, report.residual) == (1, 1, [])


def test_a_slow_exit_is_waited_for_and_not_doubled(paper: PaperProcess) -> None:
    [door] = doors(1)
    place(door, Side.BUY)
    paper.ask("latency", ms=300, account=str(door.account_id))
    report = flatten.flatten([door], stop_id=new_id())
    assert (report.closed, report.flat) == (1, 1)
    assert [order.state for order in exits(door.organization_id)] == [OrderState.FILLED]


def test_staff_stop_an_organization_from_the_command_line(paper: PaperProcess) -> None:
    everybody, others = doors(2), doors(1)
    for door in (*everybody, *others):
        place(door, Side.BUY)
    own, somebody = str(everybody[0].organization_id), team().charlie
    User.objects.filter(pk=somebody.pk).update(is_staff=True)
    said = StringIO()
    by = {"by": somebody.email, "reason": "a drill of the stop"}
    call_command("flatten", "--all", organization=everybody[0].organization_id, stdout=said, **by)
    assert "2 accounts looked at, 2 positions closed, 0 orders cancelled." in said.getvalue()
    assert list(paper.count()["positions"]) == [str(others[0].account_id)], "nobody else was touched"
    with tenant_scope(everybody[0].organization_id), atomic():
        [switch] = Switch.objects.filter(level="organization")
        assert switch.holds(timezone.now()), "entries stay held until somebody lifts it"
    with pytest.raises(CommandError):
        call_command("flatten", "--account", own, **by)
    with pytest.raises(CommandError):
        call_command("flatten", "--platform", by="nobody@example.com", reason="a drill of the stop")

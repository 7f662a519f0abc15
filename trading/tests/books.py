"""Orders sent to the real paper venue without a signal before them, and what the venue tells of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar
from uuid import uuid4

from django.utils import timezone

from accounts.models import TradingAccount
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, make_account
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.orders import OrderState
from trading import sending
from trading.brokers import News, Session
from trading.desk import Door, desk
from trading.hearing import Heard
from trading.models import Booking, Fill, Order, Position
from trading.tests.orders import make_order

T = TypeVar("T")
BEFORE = datetime(2020, 1, 1, tzinfo=UTC)


def account_of(cast: Team) -> TradingAccount:
    return make_account(cast.as_alice, f"Account {uuid4().hex[:8]}")


def door_of(account: Any) -> Door:
    return Door(account.organization_id, account.pk, "paper")


def at_venue(account: Any, ask: Callable[[Session], Awaitable[T]]) -> T:
    """Ask the venue in the account's session."""

    async def work() -> T:
        return await ask(await desk.session(door_of(account)))

    return desk.start(work()).result(20)


def plan(account: Any, **fields: Any) -> Order:
    """Plan an entry."""
    values: dict[str, Any] = {
        "purpose": "entry", "receipt_id": new_id(), "state": OrderState.PLANNED.value, "side": "buy",
        "quantity": Decimal(1), "stop_loss": Decimal("1.08300"), "risk": Decimal(210), "account_id": account.pk,
    }  # fmt: skip
    return make_order(account.organization_id, **{**values, **fields})


def send(account: Any, **fields: Any) -> Order:
    """Plan an entry, send it, and return it as it stands then."""
    order = plan(account, **fields)
    assert sending.submit([order.pk], now=timezone.now()) == 1
    assert sending.wait(20)
    return order_of(order)


def order_of(order: Order) -> Order:
    with tenant_scope(order.organization_id), atomic():
        found: Order = Order.objects.get(pk=order.pk)
        return found


def heard(account: Any) -> list[Heard]:
    """Hear everything that the venue can tell of an account."""

    async def ask(session: Session) -> list[News]:
        reports = [await session.order(fill.client_id) for fill in await session.fills(BEFORE) if fill.client_id]
        return [
            *(report for report in reports if report is not None),
            *await session.working(),
            *await session.fills(BEFORE),
            *await session.positions(),
            await session.account(),
        ]

    is_ = at_venue(account, _positions)
    return [Heard(door_of(account), is_, what) for what in at_venue(account, ask)]


async def _positions(session: Session) -> Any:
    return session.capabilities.positions


def positions_of(account: Any) -> list[Position]:
    with tenant_scope(account.organization_id), atomic():
        return list(Position.objects.filter(account_id=account.pk).order_by("opened_at"))


def fills_of(account: Any) -> list[Fill]:
    with tenant_scope(account.organization_id), atomic():
        return list(Fill.objects.filter(account_id=account.pk).order_by("at", "pk"))


def bookings_of(account: Any) -> list[Booking]:
    with tenant_scope(account.organization_id), atomic():
        return list(Booking.objects.filter(account_id=account.pk).order_by("pk"))

"""The naive way, kept as the baseline of `bench fanout`: a task for each account, rows one by one through the ORM.

It does the same work for each account as the product does for a shard: all facts, the full gate, a linked receipt, a
place in the quota, an order with its client id committed before it is sent, and the venue's answer written down.
"""

from __future__ import annotations

import asyncio
from uuid import UUID

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from accounts.jobs import HouseTask
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import OrderReport, OrderRequest, OrderState, OrderType, Purpose
from risk_management.rules.facts import known
from risk_management.rules.receipt import Clerk
from risk_management.services import quota, receipts
from trading import planning, sending, shard_facts
from trading.connections import account_credentials
from trading.desk import broker_of
from trading.models import Order, Shard

TASK = "bench.naive_account"
QUEUE = "slow"


@shared_task(name=TASK, base=HouseTask)
def naive_account(organization_id: str, account_id: str, signal_id: str, strategy_id: str, venue: str) -> None:
    """Decide for one account, send its order, write the answer down."""
    order = _planned(UUID(organization_id), UUID(account_id), UUID(signal_id), UUID(strategy_id), venue)
    if order is None:
        return
    with system_scope(sending.SCOPE):
        order.state, order.sent_at = OrderState.SENDING, timezone.now()
        order.save()
    credentials = account_credentials([(order.organization_id, order.account_id)])[order.account_id]
    if isinstance(credentials, Exception):
        raise credentials
    report = asyncio.run(_sent(order, venue, dict(credentials)))
    with system_scope(sending.SCOPE):
        order.state, order.filled = report.state, report.filled
        order.average_price, order.venue_order_id = report.average_price, report.venue_order_id
        order.acknowledged_at = order.changed_at = timezone.now()
        order.save()


def _planned(organization_id: UUID, account_id: UUID, signal_id: UUID, strategy_id: UUID, venue: str) -> Order | None:
    now = timezone.now()
    alone = Shard(
        organization_id=PLATFORM_ID, signal_id=signal_id, strategy_id=strategy_id, venue=venue, accounts=[account_id]
    )
    with system_scope(planning.SCOPE):
        loaded = shard_facts.load(alone, now=now)
        [account] = loaded.accounts
        [paper] = Clerk(loaded.shared, now=now, versions=loaded.versions).receipts([account])
        fresh = receipts.write(signal_id, [(account, paper)])
        if account_id not in fresh or not paper.ruled.sends_order:
            return None
        day, limit = known(account.day), known(account.entitlement).daily_quota
        wish = quota.Wish(organization_id=organization_id, account_id=account_id, day=day, limit=limit)
        if account_id not in quota.admit(signal_id, [wish], now=now):
            return None
        signal = loaded.shared.signal
        order = Order(
            id=new_id(), organization_id=organization_id, account_id=account_id, signal_id=signal_id,
            client_id=planning.client_id(signal_id, account_id, Purpose.ENTRY), purpose=Purpose.ENTRY,
            receipt_id=fresh[account_id], strategy_id=strategy_id, symbol=signal.symbol,
            venue_symbol=loaded.venue_symbol, side=known(signal.side).value, type=OrderType.MARKET.value,
            quantity=paper.ruled.quantity, stop_loss=known(signal.stop), take_profit=known(signal.targets)[-1],
            risk=paper.ruled.risk, decided_at=now,
        )  # fmt: skip
        order.save(force_insert=True)
    return order


async def _sent(order: Order, venue: str, credentials: dict[str, str]) -> OrderReport:
    session = await broker_of(venue).connect(str(order.account_id), credentials, base_url=settings.VENUE_URLS[venue])
    return await session.place(
        OrderRequest(
            client_id=order.client_id, symbol=order.venue_symbol, side=Side(order.side), type=OrderType(order.type),
            quantity=Quantity(order.quantity), stop_loss=None if order.stop_loss is None else Price(order.stop_loss),
            take_profit=None if order.take_profit is None else Price(order.take_profit),
        )
    )  # fmt: skip

"""Many accounts at the paper venue that follow one strategy of the platform, and a signal for all of them.

Rows are made as customers' are, only many at a time. An account's secret is a real one, sealed in the vault.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from accounts.models import TierGrant
from accounts.models.audit import PLATFORM_ID
from accounts.services.organizations import make_bare
from accounts.services.trading_accounts import make_bare as make_accounts
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tiers import Tier
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel import plain as text_of
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import OrderRequest, OrderType
from risk_management.compliance.account import Snapshot
from risk_management.models import AccountLimits
from risk_management.rules.settings import Limits
from risk_management.services import states
from trading import pipeline, quotes, sweep
from trading.brokers.paper import VENUE
from trading.desk import Door
from trading.engine.signal_facts import Quote, SignalRules
from trading.ledger import ledger_of
from trading.models import Follow, Signal, Source, Strategy, VenueLink
from trading.paper.control import PaperProcess
from trading.pipeline import Delivery
from trading.sources import plain
from trading.strategies import Parameters

SYMBOL, BID, ASK = "EURUSD", "1.08500", "1.08510"
BALANCE = Decimal(100_000)
LEVERAGE = Decimal(30)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Accounts in the order in which they were made, what they follow, and where its signals come from."""

    doors: tuple[Door, ...]
    strategy: Strategy
    source: Source


@contextmanager
def venue(folder: Path, *options: str) -> Iterator[PaperProcess]:
    """Run a paper venue with still prices, and let this process find it."""
    with PaperProcess(folder, "--still", *options) as paper:
        paper.price(SYMBOL, BID, ASK)
        before = settings.VENUE_URLS
        settings.VENUE_URLS = {**before, "paper": paper.base_url}
        try:
            yield paper
        finally:
            settings.VENUE_URLS = before


def gather(count: int, organizations: Sequence[UUID]) -> Crowd:
    """Make COUNT accounts in these organizations, as evenly as can be, and a strategy that all of them follow."""
    strategy = _strategy()
    source = Source(id=new_id(), organization_id=PLATFORM_ID, name=f"Drill {strategy.code}", kind="rest")
    with ledger_of(PLATFORM_ID):
        source.save(force_insert=True)
    doors: list[Door] = []
    for at, organization_id in enumerate(organizations):
        share = count // len(organizations) + (at < count % len(organizations))
        doors += _house(organization_id, share, strategy)
    return Crowd(tuple(doors), strategy, source)


def look(crowd: Crowd) -> None:
    """Have seen every account and the price just now: what is decided next is decided on fresh facts."""
    now = timezone.now()
    tell_price(now)
    for organization_id in dict.fromkeys(door.organization_id for door in crowd.doors):
        with ledger_of(organization_id):
            for door in crowd.doors:
                if door.organization_id == organization_id:
                    seen = Snapshot(at=now, balance=BALANCE, equity=BALANCE)
                    states.observe(door.account_id, seen, seen=states.Seen(floating=Decimal(0), margin_used=Decimal(0)))


def tell_price(now: datetime) -> None:
    """Have heard the price."""
    quotes.remember("paper", {SYMBOL: Quote(bid=Price(Decimal(BID)), ask=Price(Decimal(ASK)), at=now)})


def receive(crowd: Crowd, **fields: Any) -> None:
    """Let a message come in that everybody is to follow."""
    told = {
        "action": "open", "symbol": SYMBOL, "side": "buy", "strategy": crowd.strategy.code, "stop": "1.08300",
        "targets": ["1.09000"], "id": secrets.token_hex(8), **fields,
    }  # fmt: skip
    pipeline.receive(crowd.source, Delivery(body=json.dumps(told).encode()), now=timezone.now())


def signal(crowd: Crowd, **fields: Any) -> UUID:
    """Let a signal come in and be judged, as far as the fan-out; return it."""
    receive(crowd, **fields)
    sweep.sweep(now=timezone.now(), among=[PLATFORM_ID])
    with ledger_of(PLATFORM_ID):
        newest = Signal.objects.filter(source_id=crowd.source.pk).latest("received_at")
    if newest.state != "valid":
        raise RuntimeError(f"the drill's own signal was not taken: {newest.sentence}")
    return UUID(str(newest.pk))


def _strategy() -> Strategy:
    code = f"drill-{secrets.token_hex(4)}"
    parameters = Parameters(
        signals=(code,), symbols=(SYMBOL,), risk_percent=Decimal("0.5"), atr_pips_min=Decimal(0),
        atr_pips_max=Decimal(0), max_positions=1_000, rules=SignalRules(version=f"{code}/1", cooldown_s=0),
    )  # fmt: skip
    row = Strategy(organization_id=PLATFORM_ID, code=code, version="1", name=code, parameters=plain(parameters))
    with system_scope("signals.platform"):
        row.save(force_insert=True)
    return row


def _house(organization_id: UUID, count: int, strategy: Strategy) -> list[Door]:
    """Make an organization of the largest tier with so many accounts that may trade."""
    make_bare(organization_id, "Drill")
    now = timezone.now()
    own = {"organization_id": organization_id}
    accounts = make_accounts(organization_id, VENUE, count)
    limits = text_of.text(Limits(max_leverage=LEVERAGE))
    with tenant_scope(organization_id), atomic():
        AccountLimits.objects.bulk_create(
            AccountLimits(account=account, current=limits, changed_at=now, **own) for account in accounts
        )
        Follow.objects.bulk_create(Follow(account=account, strategy=strategy, **own) for account in accounts)
    with ledger_of(organization_id):
        TierGrant.objects.create(tier=Tier.ENTERPRISE, reason="drill", granted_by="drill", **own)
        VenueLink.objects.bulk_create(
            VenueLink(account_id=account.pk, leverage=LEVERAGE, seen_at=now, reconciled_at=now, **own)
            for account in accounts
        )
    return [Door(organization_id, account.pk, "paper") for account in accounts]


def far_away() -> OrderRequest:
    """Describe an order that waits where the price is not."""
    return OrderRequest(
        client_id="", symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, quantity=Quantity(Decimal("0.1")),
        limit=Price(Decimal("1.05000")),
    )  # fmt: skip

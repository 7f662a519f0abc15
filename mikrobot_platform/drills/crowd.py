"""Many accounts at the paper venue that follow one strategy of the platform, and a signal for all of them.

Rows are made as customers' are, only many at a time. An account's secret is a real one, sealed in the vault.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
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
from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import OrderRequest, OrderType
from mikrobot_platform.kernel.venues import VenueInfo
from risk_management.compliance.account import Snapshot
from risk_management.models import AccountLimits
from risk_management.rules.settings import Limits
from risk_management.services.observing import Observation, observe_all
from risk_management.services.states import Seen
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
PER_MINUTE = 32_000  # what a drill's source may send
TOGETHER = 1_000  # accounts seen in one transaction


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
            quotes.forget("paper")


def gather(count: int, organizations: Sequence[UUID]) -> Crowd:
    """Make COUNT accounts in these organizations, as evenly as can be, and a strategy that all of them follow."""
    crowd = nobody(PLATFORM_ID)
    doors: list[Door] = []
    for at, organization_id in enumerate(organizations):
        share = count // len(organizations) + (at < count % len(organizations))
        make_bare(organization_id, "Drill")
        doors += settle_in(organization_id, share, crowd.strategy)
    return replace(crowd, doors=tuple(doors))


def nobody(owner: UUID) -> Crowd:
    """Make a strategy and a source of an owner, which nobody follows yet."""
    strategy = _strategy(owner)
    source = Source(
        id=new_id(), organization_id=owner, name=f"Drill {strategy.code}", kind="rest", per_minute=PER_MINUTE
    )
    with ledger_of(owner):
        source.save(force_insert=True)
    return Crowd((), strategy, source)


def look(crowd: Crowd) -> None:
    """Have seen every account and the price just now: what is decided next is decided on fresh facts."""
    now = timezone.now()
    tell_price(now)
    seen, apart = Snapshot(at=now, balance=BALANCE, equity=BALANCE), Seen(floating=Decimal(0), margin_used=Decimal(0))
    for at in range(0, len(crowd.doors), TOGETHER):
        told = [
            Observation(organization_id=door.organization_id, account_id=door.account_id, event=seen, seen=apart)
            for door in crowd.doors[at : at + TOGETHER]
        ]
        with system_scope("orders.carry"):
            observe_all(told)


def is_signed_in(crowd: Crowd, paper: PaperProcess, processes: int) -> bool:
    """Tell whether each of so many processes has signed every account in: a first order waits for that."""
    sessions = paper.ask("sessions")
    return all(sessions.get(str(door.account_id), 0) >= processes for door in crowd.doors)


def tell_price(now: datetime, venue: str = "paper") -> None:
    """Have heard the price."""
    quotes.remember(venue, {SYMBOL: Quote(bid=Price(Decimal(BID)), ask=Price(Decimal(ASK)), at=now)})


@contextmanager
def feed(every_s: float = 1) -> Iterator[None]:
    """Hear the price again and again, as from a venue that streams: what takes a while to decide needs it fresh."""
    is_over = threading.Event()

    def hear() -> None:
        while not is_over.wait(every_s):
            tell_price(timezone.now())

    thread = threading.Thread(target=hear, name="feed", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


# One after the other they leave nobody with more than one position, however many there are.
TO_AND_FRO = (
    {"side": "buy", "stop": "1.08300", "targets": ["1.09000"]},
    {"side": "sell", "stop": "1.08710", "targets": ["1.08000"]},
)


def receive(crowd: Crowd, **fields: Any) -> pipeline.Outcome | Refusal:
    """Let a message come in that everybody is to follow."""
    told = {
        "action": "open", "symbol": SYMBOL, "strategy": crowd.strategy.code, "id": secrets.token_hex(8),
        **TO_AND_FRO[0], **fields,
    }  # fmt: skip
    return pipeline.receive(crowd.source, Delivery(body=json.dumps(told).encode()), now=timezone.now())


def signal(crowd: Crowd, **fields: Any) -> UUID:
    """Let a signal come in and be judged, as far as the fan-out; return it."""
    receive(crowd, **fields)
    sweep.sweep(now=timezone.now(), among=[crowd.source.organization_id])
    with ledger_of(crowd.source.organization_id):
        newest = Signal.objects.filter(source_id=crowd.source.pk).latest("received_at")
    if newest.state != "valid":
        raise RuntimeError(f"the drill's own signal was not taken: {newest.sentence}")
    return UUID(str(newest.pk))


def _strategy(owner: UUID) -> Strategy:
    code = f"drill-{secrets.token_hex(4)}"
    parameters = Parameters(
        signals=(code,), symbols=(SYMBOL,), risk_percent=Decimal("0.5"), atr_pips_min=Decimal(0),
        atr_pips_max=Decimal(0), max_positions=1_000, rules=SignalRules(version=f"{code}/1", cooldown_s=0),
    )  # fmt: skip
    row = Strategy(organization_id=owner, code=code, version="1", name=code, parameters=plain(parameters))
    with ledger_of(owner):
        row.save(force_insert=True)
    return row


def settle_in(organization_id: UUID, count: int, strategy: Strategy, venue: VenueInfo = VENUE) -> list[Door]:
    """Give an organization the largest tier, and so many accounts that may trade and follow a strategy."""
    now = timezone.now()
    own = {"organization_id": organization_id}
    accounts = make_accounts(organization_id, venue, count)
    # One signal may come while the order of the one before, to the other side, is still on its way.
    limits = text_of.text(Limits(max_leverage=LEVERAGE, allows_opposite=True))
    with tenant_scope(organization_id), atomic():
        AccountLimits.objects.bulk_create(
            AccountLimits(account=account, current=limits, changed_at=now, **own) for account in accounts
        )
        whose = {"strategy": strategy, "strategy_organization_id": strategy.organization_id}
        Follow.objects.bulk_create(Follow(account=account, **whose, **own) for account in accounts)
    with ledger_of(organization_id):
        TierGrant.objects.create(tier=Tier.ENTERPRISE, reason="drill", granted_by="drill", **own)
        VenueLink.objects.bulk_create(
            VenueLink(account_id=account.pk, leverage=LEVERAGE, seen_at=now, reconciled_at=now, **own)
            for account in accounts
        )
    return [Door(organization_id, account.pk, venue.code) for account in accounts]


def far_away() -> OrderRequest:
    """Describe an order that waits where the price is not."""
    return OrderRequest(
        client_id="", symbol=SYMBOL, side=Side.BUY, type=OrderType.LIMIT, quantity=Quantity(Decimal("0.1")),
        limit=Price(Decimal("1.05000")),
    )  # fmt: skip

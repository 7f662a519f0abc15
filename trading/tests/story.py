"""A stage for the story of orders: a paper venue with still prices, accounts known there, a strategy to follow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.test import override_settings

from accounts.access import Caller
from accounts.models import TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import make_account
from mikrobot_platform.kernel.market import Price
from risk_management.compliance.account import Snapshot
from risk_management.rules.settings import Limits
from risk_management.services import limits
from risk_management.services.states import Seen
from trading import quotes
from trading.engine.management.terms import Terms
from trading.engine.signal_facts import Quote, SignalRules
from trading.ledger import ledger_of
from trading.models import Follow, Strategy, VenueLink
from trading.paper.control import PaperProcess
from trading.sources import plain
from trading.strategies import Parameters

BID, ASK = "1.08500", "1.08510"


@contextmanager
def venue(folder: Path, *options: str) -> Iterator[PaperProcess]:
    """Run a paper venue whose prices stand still, and let the adapter find it."""
    with PaperProcess(folder, "--still", *options) as process:
        process.price("EURUSD", BID, ASK)
        with override_settings(VENUE_URLS={**settings.VENUE_URLS, "paper": process.base_url}):
            try:
                yield process
            finally:
                quotes.forget("paper")  # tests that know of no price come after


def tell_prices(now: datetime, **prices: tuple[str, str]) -> None:
    """Have heard prices."""
    told = {"EURUSD": (BID, ASK), **prices}
    quotes.remember(
        "paper",
        {name: Quote(bid=Price(Decimal(bid)), ask=Price(Decimal(ask)), at=now) for name, (bid, ask) in told.items()},
    )


def make_strategy(
    name: str = "",
    *,
    listens_to: str = "",
    management: Terms | None = None,
    target_r: Decimal | None = None,
    max_positions: int = 3,
    **rules: Any,
) -> Strategy:
    """Make a strategy of the platform that listens to signals of its name, or of another."""
    called = name or f"story-{uuid4().hex[:8]}"
    parameters = Parameters(
        signals=(listens_to or called,), symbols=("EURUSD",), risk_percent=Decimal("0.5"), atr_pips_min=Decimal(0),
        atr_pips_max=Decimal(0), max_positions=max_positions,
        rules=SignalRules(version=f"{called}/1", cooldown_s=0, **rules),
        management=management or Terms(), target_r=target_r,
    )  # fmt: skip
    row = Strategy(organization_id=PLATFORM_ID, code=called, version="1", name=called, parameters=plain(parameters))
    with system_scope("signals.platform"):
        row.save(force_insert=True)
    return row


def make_follower(who: Caller, strategy: Strategy, *, now: datetime, **follow: Any) -> TradingAccount:
    """Make an account that is on, known at its venue, seen lately, and follows."""
    account = make_account(who, f"Account {uuid4().hex[:8]}")
    with tenant_scope(who.organization_id), atomic():
        TradingAccount.objects.filter(pk=account.pk).update(is_auto_trading=True)
        limits.set_limits(who, account.pk, Limits(max_leverage=Decimal(30)), now=now)
        Follow.objects.create(account=account, strategy=strategy, **follow)
    seen = Snapshot(at=now, balance=Decimal(100_000), equity=Decimal(100_000))
    observe_with(who.organization_id, account.pk, seen)
    with ledger_of(who.organization_id):
        VenueLink(
            organization_id=who.organization_id, account_id=account.pk, leverage=Decimal(30), seen_at=now,
            reconciled_at=now,
        ).save()  # fmt: skip
    return account


def observe_with(organization_id: UUID, account_id: UUID, snapshot: Snapshot) -> None:
    from risk_management.services import states

    with ledger_of(organization_id):
        states.observe(account_id, snapshot, seen=Seen(floating=Decimal(0), margin_used=Decimal(0)))

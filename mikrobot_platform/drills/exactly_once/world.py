"""The runs' organizations, accounts and strategies, made by the services that customers use, and their signals."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from accounts.access import Caller, Permission
from accounts.models import TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.services.organizations import make_bare
from accounts.services.trading_accounts import AccountDraft, open_account
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.drills.exactly_once.scripts import Script
from risk_management.rules.settings import Limits
from risk_management.services import limits
from trading.engine.signal_facts import SignalRules
from trading.ledger import ledger_of
from trading.models import Follow, Source, Strategy
from trading.pipeline import Delivery
from trading.sources import plain
from trading.strategies import Parameters

SYMBOL = "BTCUSD"  # traded at any hour of any day
BID, ASK = "90000.00", "90010.00"
UP = ("90450.00", "90460.00")  # beyond one R: half is taken home, and the stop follows
STOP, TARGET = "89600.00", "91500.00"


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """One run's organization, and what it sends."""

    script: Script
    organization_id: UUID
    accounts: tuple[UUID, ...]
    strategy_id: UUID
    source: Source
    signals: tuple[Delivery, ...]


def build(scripts: Sequence[Script]) -> list[House]:
    """Make a house for each script."""
    return [_house(script) for script in scripts]


def _house(script: Script) -> House:
    organization = make_bare(new_id(), f"Run {script.seed}")
    who = Caller(organization=organization, permissions=frozenset(Permission))
    name = f"drill-{organization.pk.hex}"
    parameters = Parameters(
        signals=(name,), symbols=(SYMBOL,), risk_percent=Decimal("0.2"), atr_pips_min=Decimal(0),
        atr_pips_max=Decimal(0), max_positions=1_000,
        rules=SignalRules(version=f"{name}/1", cooldown_s=0, max_age_s=120),
    )  # fmt: skip
    strategy = Strategy(organization_id=PLATFORM_ID, code=name, version="1", name=name, parameters=plain(parameters))
    with system_scope("signals.platform"):
        strategy.save(force_insert=True)
    with tenant_scope(organization.pk), atomic():
        accounts = [_account(who, number, strategy) for number in range(script.accounts)]
    owner = PLATFORM_ID if script.is_platforms else organization.pk
    source = Source(id=new_id(), organization_id=owner, name=name, kind="rest")
    with ledger_of(owner):
        source.save(force_insert=True)
    return House(
        script=script, organization_id=organization.pk, accounts=tuple(accounts), strategy_id=strategy.pk,
        source=source, signals=tuple(_signal(name, number) for number in range(len(script.signals))),
    )  # fmt: skip


def _account(who: Caller, number: int, strategy: Strategy) -> UUID:
    draft = AccountDraft(name=f"Account {number}", venue="paper", kind="demo", currency="USD")
    account = open_account(who, draft)
    TradingAccount.objects.filter(pk=account.pk).update(is_auto_trading=True)
    limits.set_limits(who, account.pk, Limits(max_leverage=Decimal(30)), now=timezone.now())
    Follow.objects.create(account=account, strategy=strategy)
    pk: UUID = account.pk
    return pk


def _signal(strategy: str, number: int) -> Delivery:
    told = {
        "id": f"{strategy}-{number}", "action": "open", "symbol": SYMBOL, "side": "buy", "strategy": strategy,
        "stop": STOP, "targets": [TARGET],
    }  # fmt: skip
    return Delivery(body=json.dumps(told).encode())

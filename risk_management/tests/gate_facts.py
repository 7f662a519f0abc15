"""What the tests of the gate share: one complete set of facts that is taken, and short ways to change a part of it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeVar

from mikrobot_platform.kernel.instruments import AssetClass, InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency
from mikrobot_platform.kernel.rates import Rate, rate_book
from mikrobot_platform.kernel.sessions import ALWAYS_OPEN
from mikrobot_platform.kernel.signals import Action, OrderKind
from risk_management.compliance.account import AccountState, opened
from risk_management.compliance.parser import STANDARD
from risk_management.compliance.program import Axis, Phase, Program
from risk_management.rules.facts import (
    AccountFacts,
    Contract,
    Entitlement,
    Firm,
    Holding,
    Quote,
    Shared,
    Signal,
    Snapshot,
    Terms,
)
from risk_management.rules.settings import Follow, Limits, Strategy
from risk_management.sizing import PercentOfBalance, SourceTrade
from risk_management.tests.programs import library

T = TypeVar("T")
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)  # a Friday, in every market's hours
USD = Currency("USD")
FTMO = "FTMO 2-Step challenge 100000"
TOPSTEP = "Topstep Trading Combine challenge 50000"
APEX = "Apex 4.0 Evaluation challenge 50000 eod_tradovate"


def d(text: str | int) -> Decimal:
    return Decimal(text)


EURUSD = InstrumentSpec(
    symbol="EURUSD", asset_class=AssetClass.FOREX, quote=USD, base=Currency("EUR"), tick_size=d("0.00001"),
    contract_size=d(100_000), pip_size=d("0.0001"), digits=5, lot_min=d("0.01"), lot_step=d("0.01"), lot_max=d(50),
    margin_rate=d("0.01"), sessions=ALWAYS_OPEN,
)  # fmt: skip
MNQ = InstrumentSpec(
    symbol="MNQ", asset_class=AssetClass.FUTURE, quote=USD, tick_size=d("0.25"), tick_value=d("0.50"), pip_size=d(1),
    digits=2, lot_min=d(1), lot_step=d(1), lot_max=d(500), margin_rate=d("0.01"), sessions=ALWAYS_OPEN,
)  # fmt: skip

SIGNAL = Signal(
    id="signal-1", action=Action.OPEN, symbol="EURUSD", side=Side.BUY, kind=OrderKind.MARKET, entry=Price(d("1.10002")),
    stop=Price(d("1.09902")), targets=(Price(d("1.10202")), Price(d("1.10302"))),
    source=SourceTrade(quantity=Quantity(d(1))), confidence=d("0.9"), received_at=NOW - timedelta(seconds=1),
)  # fmt: skip
STRATEGY = Strategy(name="four phases", version="7")


def program_of(key: str) -> Program:
    """Pick a program by its name: firm, program, phase, size, and the variant where it is not the standard one."""
    firm, *words = key.split()
    variant = STANDARD if words[-1].isdigit() else words.pop()
    *program, phase, size = words
    meant = (firm, " ".join(program), Phase(phase), Decimal(size), variant)
    (found,) = (
        one
        for one in library().programs
        if (one.edition.firm, one.edition.program, one.phase, one.size, one.variant) == meant
    )
    return found


def shared(**changes: Any) -> Shared:
    """Make the shared facts; `signal__side=...` changes a field of the signal, `strategy__...` one of the strategy."""
    base = Shared(
        signal=SIGNAL,
        quote=Quote(bid=Price(d("1.10000")), ask=Price(d("1.10002")), at=NOW - timedelta(seconds=2)),
        rates=rate_book([Rate(base=Currency("EUR"), quote=USD, value=d("1.10001"), at=NOW - timedelta(seconds=3))]),
        atr=d("0.0009"),
        correlations=(),
        instrument=EURUSD,
        contract=None,
        releases=(),
        programs=MappingProxyType({FTMO: program_of(FTMO)}),
        platform_stop=None,
        strategy_stop=None,
        strategy=STRATEGY,
    )
    return _changed(base, changes)


def account(**changes: Any) -> AccountFacts:
    """Make an account's facts: a prop account of 100,000 USD under a program that allows orders of ours."""
    base = AccountFacts(
        account="account-1",
        organization="organization-1",
        currency=USD,
        zone="Europe/Helsinki",
        follow=Follow(is_active=True, mode=PercentOfBalance(percent=d("0.5"))),
        limits=Limits(max_leverage=d(30)),
        entitlement=Entitlement(tier="professional", opens_trades=True, daily_quota=50),
        quota_used=3,
        account_stop=None,
        organization_stop=None,
        firm=Firm(program=FTMO, state=state_of(program_of(FTMO)), uses=frozenset({Axis.THIRD_PARTY_SIGNALS})),
        snapshot=Snapshot(
            at=NOW - timedelta(seconds=20), balance=d(100_000), equity=d("99940.50"), floating=d("-59.50"),
            margin_used=d(100),
        ),
        terms=Terms(leverage=d(100)),
        positions=(holding(),),
        orders=(),
        of_strategy=0,
        siblings=(),
        day=NOW.date(),
        realised_day=d(0),
        realised_week=d(0),
        realised_month=d(0),
        peak_equity=d(100_000),
        peak_close=d(100_000),
        trades_today=1,
        loss_streak=0,
        last_loss_at=None,
        last_entry_at=NOW - timedelta(hours=2),
        stats=None,
        requests_today=12,
    )  # fmt: skip
    return _changed(base, changes)


def holding(**changes: Any) -> Holding:
    base = Holding(
        symbol="GBPUSD", side=Side.BUY, quantity=Quantity(d("0.10")), stop=Price(d("1.29000")), risk=d(150),
        gain=d(300), floating=d("-59.50"), notional=d(13_000),
    )  # fmt: skip
    return replace(base, **changes)


def state_of(program: Program, *, at: datetime = NOW - timedelta(hours=6)) -> AccountState:
    return opened(program, at=at)


def own(**changes: Any) -> AccountFacts:
    """Make an account of no firm, without positions."""
    flat = {
        "firm": None, "positions": (), "snapshot__equity": d(100_000), "snapshot__floating": d(0),
        "snapshot__margin_used": d(0),
    }  # fmt: skip
    return account(**flat | changes)


def micro(**changes: Any) -> Shared:
    """Make a signal in a micro future."""
    changed = {
        "signal__symbol": "MNQ", "signal__entry": Price(d("20000.25")), "signal__stop": Price(d(19_990)),
        "signal__targets": (Price(d(20_020)),), "quote__bid": Price(d(20_000)), "quote__ask": Price(d("20000.25")),
        "instrument": MNQ, "contract": Contract(product="MNQ", is_micro=True),
    }  # fmt: skip
    return shared(**changed | changes)


def _changed(base: T, changes: dict[str, Any]) -> T:
    for name, value in changes.items():
        group, _, field = name.partition("__")
        changed = replace(getattr(base, group), **{field: value}) if field else value
        base = replace(base, **{group: changed})  # type: ignore[type-var]  # a dataclass, as all facts are
    return base

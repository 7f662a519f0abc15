"""Facts for the bench of the gate: accounts as unlike each other as customers are, the same ones on every run."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.instruments import AssetClass, InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency
from mikrobot_platform.kernel.rates import Rate, rate_book
from mikrobot_platform.kernel.sessions import Sessions, windows
from mikrobot_platform.kernel.signals import Action, OrderKind
from risk_management.compliance.account import Snapshot as Seen
from risk_management.compliance.account import opened
from risk_management.compliance.floors import advance
from risk_management.compliance.library import Choice, bundled, load
from risk_management.compliance.program import Axis, Phase, Program
from risk_management.rules.facts import (
    AccountFacts,
    Correlation,
    Entitlement,
    Firm,
    Holding,
    Quote,
    Shared,
    Signal,
    Snapshot,
    Terms,
)
from risk_management.rules.settings import Follow, Hours, Limits, Strategy, Trail, Trailing
from risk_management.sizing import PercentOfBalance, PercentOfEquity

T = TypeVar("T")
NOW = datetime(2026, 11, 20, 14, 0, tzinfo=UTC)  # a Friday, and a month after the programs were verified
CURRENCIES = tuple(Currency(code) for code in ("USD", "EUR", "GBP", "JPY"))
RATES = {("EUR", "JPY"): "171.10", ("USD", "JPY"): "155.40", ("GBP", "JPY"): "196.55"}
ZONES = ("Europe/Helsinki", "America/New_York", "Asia/Tokyo", "Pacific/Auckland")
LONDON = Hours("Europe/London", windows("Mon-Fri 00:00-24:00"))


def _d(text: str | int) -> Decimal:
    return Decimal(text)


EURJPY = InstrumentSpec(
    symbol="EURJPY", asset_class=AssetClass.FOREX, quote=Currency("JPY"), base=Currency("EUR"), tick_size=_d("0.001"),
    contract_size=_d(100_000), pip_size=_d("0.01"), digits=3, lot_min=_d("0.01"), lot_step=_d("0.01"), lot_max=_d(100),
    margin_rate=_d("0.0333"), sessions=Sessions(zone="America/New_York", windows=windows("Mon-Fri 17:00-17:00")),
)  # fmt: skip


def shared() -> Shared:
    """Make one signal and its market."""
    return Shared(
        signal=Signal(
            id="018f6f2e-0000-7000-8000-000000000001", action=Action.OPEN, symbol="EURJPY", side=Side.BUY,
            kind=OrderKind.MARKET, entry=Price(_d("171.100")), stop=Price(_d("171.020")),
            targets=(Price(_d("171.260")), Price(_d("171.340"))), source=None, confidence=_d("0.81"),
            received_at=NOW - timedelta(milliseconds=40),
        ),
        quote=Quote(bid=Price(_d("171.096")), ask=Price(_d("171.102")), at=NOW - timedelta(milliseconds=300)),
        rates=rate_book(
            Rate(base=Currency(base), quote=Currency(quote), value=_d(value), at=NOW - timedelta(seconds=2))
            for (base, quote), value in RATES.items()
        ),
        atr=_d("0.081"),
        correlations=(Correlation(symbol="GBPJPY", coefficient=_d("0.82"), n=60),),
        instrument=EURJPY,
        contract=None,
        releases=(),
        programs=MappingProxyType(_programs()),
        platform_stop=None,
        strategy_stop=None,
        strategy=Strategy(
            name="four phases", version="12", max_spread=_d("0.020"), max_slippage=_d("0.030"),
            slippage_allowance=_d("0.005"), min_reward=_d(1), max_positions=5,
        ),
    )  # fmt: skip


def accounts(count: int, shared_facts: Shared) -> list[AccountFacts]:
    """Make accounts: a quarter of them under a prop program, most with limits of their own, up to three positions."""
    programs = shared_facts.programs
    assert isinstance(programs, MappingProxyType)
    return [_account(number, programs) for number in range(count)]


def _programs() -> dict[str, Program]:
    library = load(bundled())
    found: dict[str, Program] = {}
    for size in (25_000, 50_000, 100_000, 200_000):
        choice = Choice(firm="FTMO", program="2-Step", phase=Phase.CHALLENGE, size=_d(size))
        program = library.find(choice, on=NOW.date()).program
        if program is not None:
            found[f"ftmo/2-step/{program.edition.version}/challenge/{size}"] = program
    return found


def _account(number: int, programs: MappingProxyType[str, Program]) -> AccountFacts:
    key = list(programs)[number // 4 % len(programs)] if number % 4 == 0 else None
    currency = CURRENCIES[0] if key else CURRENCIES[number % 4]
    scale = 150 if currency == "JPY" else 1
    balance = (programs[key].initial if key else _d(5_000 + 137 * (number % 997))) * scale
    positions = tuple(_holding(number, place, scale) for place in range(number % 4))
    floating = sum((held.floating for held in positions if isinstance(held.floating, Decimal)), _d(0))
    firm = None if key is None else _firm(key, programs[key], balance, floating)
    mode = PercentOfBalance(percent=_d("0.55")) if number % 3 else PercentOfEquity(percent=_d("0.25"))
    return AccountFacts(
        account=f"018f6f2e-0000-7000-8001-{number:012d}",
        organization=f"018f6f2e-0000-7000-8002-{number // 2:012d}",
        currency=currency,
        zone=ZONES[number % 4],
        follow=_as_stored(Follow(is_active=True, mode=mode, hours=LONDON if number % 2 else None)),
        limits=_as_stored(_limits(number, balance)),
        entitlement=_as_stored(Entitlement(tier="professional", opens_trades=True, daily_quota=50)),
        quota_used=number % 40,
        account_stop=None,
        organization_stop=None,
        firm=firm,
        snapshot=Snapshot(
            at=NOW - timedelta(seconds=number % 60), balance=balance, equity=balance + floating, floating=floating,
            margin_used=_d(200 * len(positions)) * scale,
        ),
        terms=_as_stored(Terms(leverage=_d(30))),
        positions=positions,
        orders=(),
        of_strategy=len(positions),
        siblings=(),
        day=_day(number),
        realised_day=_d(number % 50 - 25) * scale,
        realised_week=_d(number % 90 - 45) * scale,
        realised_month=_d(number % 200 - 100) * scale,
        peak_equity=balance + 500,
        peak_close=balance + 300,
        trades_today=number % 4,
        loss_streak=number % 3,
        last_loss_at=NOW - timedelta(hours=3, minutes=number % 60),
        last_entry_at=NOW - timedelta(hours=2, minutes=number % 60),
        stats=None,
        requests_today=number % 300,
    )  # fmt: skip


def _as_stored(settings: T) -> T:
    """Give settings as services do that read them from a row: equal text is one object."""
    return plain.recall(type(settings), plain.text(settings))


def _limits(number: int, balance: Decimal) -> Limits:
    if number % 5 == 0:
        return Limits(max_leverage=_d(30))
    return Limits(
        max_leverage=_d(20), buffer=_d(50), max_risk_percent=_d(1), max_open=5, max_per_symbol=2, max_trades_per_day=8,
        cooldown_s=900, loss_pause_s=1_800, max_loss_streak=4, day_loss=balance / 50, week_loss=balance / 25,
        least_equity=balance / 2, max_exposure=_d(20), max_correlated_risk_percent=_d(4),
        trail=Trail(amount=balance / 10, follows=Trailing.CLOSED_DAYS) if number % 2 else None,
    )  # fmt: skip


def _holding(number: int, place: int, scale: int) -> Holding:
    return Holding(
        symbol=("GBPJPY", "XAUUSD", "GER40")[place], side=(Side.BUY, Side.SELL)[number % 2],
        quantity=Quantity(_d("0.10")), stop=Price(_d("195.9")), risk=_d(20 + number % 30) * scale, gain=_d(60) * scale,
        floating=_d(f"{number % 17 - 8}.25") * scale, notional=_d(2_000 + number % 800) * scale,
    )  # fmt: skip


def _firm(key: str, program: Program, balance: Decimal, floating: Decimal) -> Firm:
    state = opened(program, at=NOW - timedelta(hours=6))
    state = advance(state, Seen(at=NOW - timedelta(minutes=1), balance=balance, equity=balance + floating), program)
    return Firm(program=key, state=state, uses=frozenset({Axis.THIRD_PARTY_SIGNALS}))


def _day(number: int) -> date:
    return date(2026, 11, 21) if ZONES[number % 4] == "Pacific/Auckland" else NOW.date()


def distinct_settings(found: list[AccountFacts]) -> dict[str, int]:
    """Count how many different settings the accounts have, so that a reader sees how much they really share."""
    parts = ("currency", "zone", "follow", "limits", "terms", "positions")
    return {name: len({plain.canonical(repr(getattr(one, name))) for one in found}) for name in parts}

"""The facts of a shard as they are stored: one query a table, and what is not stored is missing by its name."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from psycopg import Cursor

from accounts.models import TradingAccount
from accounts.services import staff
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, team
from accounts.tiers import Tier
from mikrobot_platform.db import prepared
from mikrobot_platform.db.ids import new_id
from risk_management.compliance.account import Event, Opened, Settled, Snapshot
from risk_management.kelly import Kelly, TradeStats, half_kelly
from risk_management.models import Level, Receipt
from risk_management.rules.facts import AccountFacts, Entitlement, Firm, Missing, Switch
from risk_management.rules.receipt import Clerk
from risk_management.rules.settings import Limits
from risk_management.services import SCOPE, account_facts, limits, receipts, states, stats, switches
from risk_management.services.account_facts import Loaded
from risk_management.services.states import Seen
from risk_management.tests import gate_facts
from risk_management.tests.rows import claim, observe

D = Decimal
NOW = gate_facts.NOW  # a Friday
OWN = Limits(max_leverage=D(30), day_loss=D(500))


def load(*accounts: UUID, symbol: str = "EURUSD", now: datetime = NOW) -> Loaded:
    with system_scope(SCOPE):
        return account_facts.load(accounts, symbol=symbol, now=now)


def trading_account(cast: Team, name: str = "Paper one", *, with_limits: bool = True) -> UUID:
    people.set_zone(cast.house, "Europe/Helsinki")
    account = people.make_account(cast.as_alice, name)
    with tenant_scope(cast.house.pk), atomic():
        TradingAccount.objects.filter(pk=account.pk).update(is_auto_trading=True)
        if with_limits:
            limits.set_limits(cast.as_alice, account.pk, OWN, now=NOW - timedelta(days=3))
    return account.pk


def missing(facts: AccountFacts) -> dict[str, str]:
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return {name: value.fact for name, value in values.items() if isinstance(value, Missing)}


NOT_OF_THIS_ROOM = {"follow", "terms", "positions", "of_strategy", "orders", "siblings", "requests_today"}


# --- What is stored --------------------------------------------------------------------------------------------------
def test_what_is_stored_is_told() -> None:
    cast = team()
    account = trading_account(cast)
    hour = timedelta(hours=1)
    events: list[Event] = [
        Settled(number=1, at=NOW - timedelta(days=10), profit=D(-7)),  # another week of this month
        Settled(number=2, at=NOW - timedelta(days=2), profit=D(30)),
        Settled(number=3, at=NOW - 5 * hour, profit=D(-10)),
        Settled(number=4, at=NOW - 4 * hour, profit=D(5)),
        Opened(number=5, at=NOW - 3 * hour),
        Settled(number=6, at=NOW - 2 * hour, profit=D(-20)),
        Settled(number=7, at=NOW - hour, profit=D("-1.5")),
        Settled(number=8, at=NOW + hour, profit=D(-99)),  # from the future of this decision
    ]
    observe(cast.house.pk, account, *events)
    observe(
        cast.house.pk, account,
        Snapshot(at=NOW - timedelta(days=1), balance=D(1050), equity=D(1200)),
        Snapshot(at=NOW - timedelta(seconds=9), balance=D(1000), equity=D(990)),
    )  # fmt: skip
    claim(cast.house.pk, now=NOW)
    with system_scope("staff"):
        staff.grant_tier(cast.house.pk, Tier.BASIC, "for a test of facts")
    (facts,) = load(account).accounts
    assert missing(facts).keys() == NOT_OF_THIS_ROOM
    assert (facts.zone, facts.day, facts.currency) == ("Europe/Helsinki", NOW.date(), "USD")
    assert facts.entitlement == Entitlement(tier="basic", opens_trades=True, daily_quota=10)
    assert (facts.quota_used, facts.limits, facts.firm) == (1, OWN, None)
    assert (facts.realised_day, facts.realised_week, facts.realised_month) == (D("-26.5"), D("3.5"), D("-3.5"))
    assert (facts.trades_today, facts.loss_streak) == (1, 2)
    assert facts.last_loss_at == NOW - hour
    assert facts.last_entry_at is None  # the position was opened in no symbol that is known
    assert (facts.peak_equity, facts.peak_close) == (D(1200), D(1050))
    assert not isinstance(facts.snapshot, Missing)
    assert (facts.snapshot.at, facts.snapshot.balance) == (NOW - timedelta(seconds=9), D(1000))
    assert facts.snapshot.floating == Missing("the account's open result")  # the snapshot did not say


def settled(cast: Team, account: UUID, *results: tuple[timedelta, str]) -> None:
    """Settle trades some time before now, each with its result."""
    numbered = enumerate(results, start=1)
    observe(
        cast.house.pk,
        account,
        *(Settled(number=number, at=NOW - ago, profit=D(profit)) for number, (ago, profit) in numbered),
    )


def record(account: UUID, *, with_stats: list[UUID] | None = None) -> TradeStats | Missing | None:
    with system_scope(SCOPE):
        (facts,) = account_facts.load([account], symbol="EURUSD", now=NOW, with_stats=with_stats).accounts
    return facts.stats


def test_the_record_is_that_of_settled_trades_with_their_costs() -> None:
    cast = team()
    account, day = trading_account(cast), timedelta(days=1)
    settled(
        cast, account,
        (stats.AGE + day, "999"),  # too old to tell of this market
        (90 * day, "10.25"), (60 * day, "-4"), (30 * day, "0"), (day, "-0.75"), (timedelta(0), "2"), (-day, "-99"),
    )  # fmt: skip
    assert record(account) == TradeStats(wins=2, losses=2, won=D("12.25"), lost=D("4.75"))
    assert record(account, with_stats=[account]) == record(account)
    assert record(account, with_stats=[]) is None  # no setting asks for it


def test_the_record_goes_back_a_hundred_trades_and_a_part_of_the_account_only() -> None:
    cast = team()
    account, other = trading_account(cast), trading_account(cast, "Paper two")
    minute = timedelta(minutes=1)
    settled(cast, other, (minute, "-50"))
    settled(cast, account, *[((200 - number) * minute, "3" if number % 2 else "-2") for number in range(104)])
    found = record(account)
    assert isinstance(found, TradeStats)
    assert (found.n, found.wins, found.won, found.lost) == (stats.TRADES, 50, D(150), D(100))
    assert found.win_percent == D(50)
    assert record(other) == TradeStats(wins=0, losses=1, won=D(0), lost=D(50))
    few = record(other)
    assert isinstance(few, TradeStats)
    assert few.win_percent is None  # not enough data


def test_half_kelly_is_sized_by_the_stored_record() -> None:
    cast = team()
    account = trading_account(cast)
    minute = timedelta(minutes=1)
    settled(cast, account, *[((100 - number) * minute, "27" if number % 5 < 3 else "-18") for number in range(30)])
    found = record(account)
    assert isinstance(found, TradeStats)
    kelly = half_kelly(found)
    assert isinstance(kelly, Kelly)
    assert (kelly.n, kelly.full) == (30, D("0.333333"))  # p = 18/30, b = 27/18: 0.6 - 0.4 / 1.5


def test_the_last_entry_is_that_of_the_symbol() -> None:
    from django.db import transaction

    from mikrobot_platform.db import scope as scopes

    cast = team()
    account = trading_account(cast)
    scope = scopes.Scope(organization_id=cast.house.pk, alias=scopes.ENGINE)
    for number, symbol in enumerate(("EURUSD", "GBPUSD"), start=1):
        with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
            opened = Opened(number=number, at=NOW - timedelta(hours=3 - number))
            states.observe(account, opened, symbol=symbol)
    assert load(account).accounts[0].last_entry_at == NOW - timedelta(hours=2)
    assert load(account, symbol="USDJPY").accounts[0].last_entry_at is None


def test_what_is_not_stored_is_missing_by_its_name() -> None:
    cast = team()
    (facts,) = load(trading_account(cast, with_limits=False)).accounts
    lost = missing(facts)
    assert lost.keys() == NOT_OF_THIS_ROOM | {
        "limits", "snapshot", "realised_day", "realised_week", "realised_month", "peak_equity", "peak_close",
        "trades_today", "loss_streak", "last_loss_at", "last_entry_at", "stats",
    }  # fmt: skip
    assert lost["limits"] == "what the account's owner allows it"
    assert len(set(lost.values())) == len(lost)  # each says which one it is


def test_a_prop_account_comes_with_its_program_and_state() -> None:
    cast = team()
    people.accept_documents(cast.as_alice)
    account = people.make_account(
        cast.as_alice, kind="prop", firm="FTMO", program="2-Step", phase="evaluation", size=D(100_000)
    ).pk
    loaded = load(account)
    (facts,) = loaded.accounts
    assert isinstance(facts.firm, Firm)
    assert facts.firm.state == Missing("where the firm's limits stand")
    assert loaded.programs[str(facts.firm.program)].edition.firm == "FTMO"
    observe(cast.house.pk, account, Snapshot(at=NOW, balance=D(100_000), equity=D(99_000)))
    (facts,) = load(account).accounts
    assert isinstance(facts.firm, Firm)
    assert not isinstance(facts.firm.state, Missing)
    assert facts.firm.state.equity == D(99_000)
    unknown = people.make_account(
        cast.as_alice, "Two", kind="prop", firm="Nobody", program="X", phase="evaluation", size=D(1)
    ).pk
    (facts,) = load(unknown).accounts
    assert isinstance(facts.firm, Firm)
    assert facts.firm.program is None  # of no known program: advice only


def test_what_is_off_is_told() -> None:
    cast = team()
    account, paused = trading_account(cast), people.make_account(cast.as_alice, "Off").pk
    with tenant_scope(cast.house.pk), atomic():
        switches.switch_off(cast.as_alice, Level.ORGANIZATION, "enough for today", now=NOW)
    first, second = sorted(load(account, paused).accounts, key=lambda facts: facts.account != str(account))
    assert first.account_stop is None
    assert first.organization_stop == Switch(reason="enough for today", since=NOW)
    assert isinstance(second.account_stop, Switch)
    assert second.account_stop.reason == "auto-trading is off"


def test_a_suspended_organization_opens_nothing() -> None:
    cast = team()
    account = trading_account(cast)
    with system_scope("staff"):
        staff.suspend(cast.house.pk, "unpaid since October")
    (facts,) = load(account).accounts
    assert isinstance(facts.entitlement, Entitlement)
    assert not facts.entitlement.opens_trades


# --- How it is read --------------------------------------------------------------------------------------------------
def test_one_query_a_table_however_many_accounts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    class Counting(Cursor[Any]):
        def execute(self, query: Any, *args: Any, **kwargs: Any) -> Any:
            asked.append(query)
            return super().execute(query, *args, **kwargs)

    monkeypatch.setattr(prepared, "Cursor", Counting)
    casts = [team() for _ in range(3)]
    accounts = [trading_account(cast, f"Paper {number}") for cast in casts for number in range(3)]
    counts = []
    for shard in (accounts[:1], accounts):
        with system_scope(SCOPE), CaptureQueriesContext(connections["engine"]) as queries:
            asked.clear()
            assert len(account_facts.load(shard, symbol="EURUSD", now=NOW).accounts) == len(shard)
        counts.append(len(asked) + len(queries))
    assert counts == [9, 9]


def test_a_stranger_loads_nothing() -> None:
    cast = team()
    account = trading_account(cast)
    with tenant_scope(cast.other.pk), atomic():
        assert account_facts.load([account], symbol="EURUSD", now=NOW).accounts == ()


# --- All the way -----------------------------------------------------------------------------------------------------
def test_from_rows_to_a_receipt_and_back() -> None:
    from django.db import transaction

    from mikrobot_platform.db import scope as scopes

    cast, signal = team(), new_id()
    account = trading_account(cast)
    scope = scopes.Scope(organization_id=cast.house.pk, alias=scopes.ENGINE)
    with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
        seen = Snapshot(at=NOW - timedelta(seconds=9), balance=D(10_000), equity=D(10_000))
        states.observe(account, seen, seen=Seen(floating=D(0), margin_used=D(0)))
    like = gate_facts.own()
    with system_scope(SCOPE):
        loaded = account_facts.load([account], symbol="EURUSD", now=NOW)
        whole = [
            replace(facts, **{name: getattr(like, name) for name in NOT_OF_THIS_ROOM}) for facts in loaded.accounts
        ]
        shared = gate_facts.shared(signal__id=str(signal), programs=MappingProxyType(dict(loaded.programs)))
        papers = Clerk(shared, now=NOW).receipts(whole)
        written = receipts.write(signal, list(zip(whole, papers, strict=True)))
    with tenant_scope(cast.house.pk), atomic():
        row = Receipt.objects.get(pk=written[account])
        again = receipts.again(row)
    assert row.code == "gate.taken", row.sentence
    assert again is not None
    assert again.is_identical
    assert row.at.astimezone(UTC) == NOW

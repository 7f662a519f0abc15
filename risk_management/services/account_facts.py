"""What is stored of a shard of accounts, as facts for the rules: one query a table, however many accounts there are.

A fact that is not stored is Missing by its name, and denies. What stands in no row of this room (how the account
follows, what its venue says) is Missing as well; whoever has it puts it in with `dataclasses.replace`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from uuid import UUID

from accounts.models import AccountStatus, Organization, TradingAccount
from accounts.models.base import Several, fetch
from accounts.services.tiers import tiers_of
from accounts.tiers import TERMS, Tier
from mikrobot_platform.db.prepared import array, ask
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.money import Currency
from risk_management.compliance.account import AccountState as FirmState
from risk_management.compliance.program import Axis, Program
from risk_management.kelly import TradeStats
from risk_management.models import AccountState
from risk_management.own_rooms import Periods, periods
from risk_management.rules.facts import AccountFacts, Entitlement, Firm, Missing, Snapshot, Switch
from risk_management.rules.settings import Limits
from risk_management.services import limits, programs, quota, stats, switches
from risk_management.services.switches import Switches

# A pause after a loss or an entry lasts a week at most (limits.py); what came before decides nothing.
LOOK_BACK = timedelta(days=8)
SOMEBODY_ELSES = frozenset({Axis.THIRD_PARTY_SIGNALS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The facts of a shard, and those of its facts that all accounts share."""

    accounts: tuple[AccountFacts, ...]
    programs: Mapping[str, Program]
    platform_stop: Switch | None
    strategy_stop: Switch | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _House:
    """What an organization's accounts have in common."""

    zone: str
    periods: Periods
    day: date
    tier: Tier
    opens_trades: bool
    quota_used: int


@dataclass(frozen=True, slots=True)
class _Ledger:
    """What the stored ledger adds up to, in the order of the query's columns."""

    day: Decimal
    week: Decimal
    month: Decimal
    entries: int
    loss_streak: int
    last_loss_at: datetime | None
    last_entry_at: datetime | None


def load(
    accounts: Collection[UUID],
    *,
    symbol: str,
    now: datetime,
    strategy_id: UUID | None = None,
    uses: frozenset[Axis] = SOMEBODY_ELSES,
    with_stats: Collection[UUID] | None = None,
) -> Loaded:
    """Read the facts of these accounts, in the order of organization and account. The caller stands in a scope.

    `with_stats` are those whose setting asks how their trades went; None: it is not known which, so all.
    """
    rows: list[TradingAccount] = TradingAccount.objects.fetch(
        "t.id = any(%(ids)s::uuid[])", {"ids": array(accounts)}, defer=["credentials"]
    )
    rows.sort(key=lambda row: (row.organization_id, row.pk))
    owners = sorted({row.organization_id for row in rows})
    several = Several.of((row.organization_id, row.pk) for row in rows)
    houses = _houses(owners, now)
    stops = switches.load(owners, now=now, strategy_id=strategy_id)
    own = limits.load(several, now=now)
    states: dict[UUID, AccountState] = {state.account_id: state for state in AccountState.objects.of(several)}
    ledgers = _ledgers(several, houses, symbol, now)
    records = stats.load([row for row in rows if with_stats is None or row.pk in with_stats], now=now)
    found: dict[str, Program] = {}
    facts = []
    for row in rows:
        program = programs.program_of(row, on=now.date())
        if program is not None:
            found[programs.key_of(program)] = program
        facts.append(
            _facts(
                row,
                houses.get(row.organization_id),
                stops,
                own=own.get(row.pk),
                state=states.get(row.pk),
                ledger=ledgers.get(row.pk),
                record=records.get(row.pk),
                firm=_firm(row, program, states.get(row.pk), uses),
            )
        )
    return Loaded(accounts=tuple(facts), programs=found, platform_stop=stops.platform, strategy_stop=stops.strategy)


def _houses(owners: Sequence[UUID], now: datetime) -> Mapping[UUID, _House]:
    """Describe each organization; one that is out of sight is not described, and its facts are missing."""
    found: list[Organization] = fetch(Organization, "t.id = any(%(ids)s::uuid[])", {"ids": array(owners)})
    zones = {row.pk: row.zone_at(now) for row in found}
    active = {row.pk for row in found if not row.is_suspended and not row.is_closing}
    tiers = tiers_of(list(owners), now=now)
    days = {owner: quota.day_of(zone, now) for owner, zone in zones.items()}
    used = quota.used(days)
    return {
        owner: _House(
            zone=zone,
            periods=periods(zone, now),
            day=days[owner],
            tier=tiers[owner],
            opens_trades=owner in active,
            quota_used=used[owner],
        )
        for owner, zone in zones.items()
    }


def _facts(
    row: TradingAccount,
    house: _House | None,
    stops: Switches,
    *,
    own: Limits | None,
    state: AccountState | None,
    ledger: _Ledger | None,
    record: TradeStats | None,
    firm: Firm | None,
) -> AccountFacts:
    told = None if state is None else ledger  # nobody watches an account without a state
    return AccountFacts(
        account=str(row.pk),
        organization=str(row.organization_id),
        currency=Currency(row.currency),
        zone=Missing("the time zone of the organization") if house is None else house.zone,
        follow=Missing("how the account follows the strategy"),
        limits=Missing("what the account's owner allows it") if own is None else own,
        entitlement=Missing("the tier of the organization")
        if house is None
        else _entitlement(house.tier, house.opens_trades),
        quota_used=Missing("how many trades were made today") if house is None else house.quota_used,
        account_stop=_account_stop(row) or stops.accounts.get(row.pk),
        organization_stop=stops.organizations.get(row.organization_id),
        firm=firm,
        snapshot=_snapshot(state),
        terms=Missing("what the venue asks of the account"),
        positions=Missing("the account's open positions"),
        orders=Missing("the account's working orders"),
        of_strategy=Missing("what the strategy holds on the account"),
        siblings=Missing("what other accounts of the customer hold"),
        day=Missing("the day of the account's results") if house is None else house.day,
        realised_day=told.day if told else Missing("the result of this day"),
        realised_week=told.week if told else Missing("the result of this week"),
        realised_month=told.month if told else Missing("the result of this month"),
        peak_equity=_or_missing(None if state is None else state.peak_equity, "the highest equity of the account"),
        peak_close=_or_missing(None if state is None else state.peak_close, "the highest balance at the end of a day"),
        trades_today=told.entries if told else Missing("the account's trades of today"),
        loss_streak=told.loss_streak if told else Missing("the account's losses in a row"),
        last_loss_at=told.last_loss_at if told else Missing("the account's last loss"),
        last_entry_at=told.last_entry_at if told else Missing("the last entry in this symbol"),
        stats=Missing("the account's record of trades") if state is None and record is not None else record,
        requests_today=Missing("how many requests were sent today"),
    )


def _or_missing(value: Decimal | None, name: str) -> Decimal | Missing:
    return Missing(name) if value is None else value


@cache
def _entitlement(tier: Tier, opens_trades: bool) -> Entitlement:
    """Make one for all organizations of a tier, so that the receipts of a shard write it once."""
    found = Entitlement(tier=tier.value, opens_trades=opens_trades, daily_quota=TERMS[tier].daily_quota)
    return plain.recall(Entitlement, plain.text(found))


def _account_stop(row: TradingAccount) -> Switch | None:
    """An account that is paused, closed or not on auto-trading is off, whoever has put it into the shard."""
    if row.status != AccountStatus.READY:
        return Switch(reason=row.status_reason or f"the account is {row.status}", since=row.status_at)
    return None if row.is_auto_trading else Switch(reason="auto-trading is off", since=row.status_at)


def _firm(
    row: TradingAccount, program: Program | None, state: AccountState | None, uses: frozenset[Axis]
) -> Firm | None:
    """Take the edition that holds today: what a firm forbids by now counts, whenever the account began."""
    if row.kind != TradingAccount.Kind.PROP:
        return None
    kept = "" if state is None else state.state
    where = plain.read(FirmState, kept) if kept else Missing("where the firm's limits stand")
    return Firm(program=None if program is None else programs.key_of(program), state=where, uses=uses)


def _snapshot(state: AccountState | None) -> Snapshot | Missing:
    if state is None or state.seen_at is None:
        return Missing("the account's balance and equity")
    return Snapshot(
        at=state.seen_at,
        balance=_or_missing(state.balance, "the account's balance"),
        equity=_or_missing(state.equity, "the account's equity"),
        floating=_or_missing(state.floating, "the account's open result"),
        margin_used=_or_missing(state.margin_used, "the account's margin in use"),
    )


_LEDGERS = """
    select own.account_id,
           coalesce(sum(e.profit) filter (where e.at >= house.day), 0),
           coalesce(sum(e.profit) filter (where e.at >= house.week), 0),
           coalesce(sum(e.profit) filter (where e.at >= house.month), 0),
           count(*) filter (where e.kind = 'Opened' and e.at >= house.day),
           count(*) filter (where e.profit < 0 and e.at >= house.day and e.at > coalesce(e.won_at, '-infinity')),
           max(e.at) filter (where e.profit < 0),
           max(e.at) filter (where e.kind = 'Opened' and e.symbol = %(symbol)s)
    from unnest(%(owners)s::uuid[], %(accounts)s::uuid[]) own (organization_id, account_id)
    join unnest(%(houses)s::uuid[], %(days)s::timestamptz[], %(weeks)s::timestamptz[], %(months)s::timestamptz[],
                %(since)s::timestamptz[]) house (organization_id, day, week, month, since)
        on house.organization_id = own.organization_id
    left join lateral (
        select kind, at, profit, symbol, max(at) filter (where profit > 0) over () as won_at
        from risk_management_accountevent
        where organization_id = own.organization_id and account_id = own.account_id and number is not null
            and at >= house.since and at <= %(now)s
    ) e on true
    group by own.account_id
"""


def _ledgers(several: Several, houses: Mapping[UUID, _House], symbol: str, now: datetime) -> Mapping[UUID, _Ledger]:
    of = [house.periods for house in houses.values()]
    values = {
        "symbol": symbol,
        "owners": several.owners,
        "accounts": several.accounts,
        "houses": array(houses),
        "days": [one.day.starts for one in of],
        "weeks": [one.week.starts for one in of],
        "months": [one.month.starts for one in of],
        "since": [min(one.week.starts, one.month.starts, now - LOOK_BACK) for one in of],
        "now": now,
    }
    return {account: _Ledger(*figures) for account, *figures in ask(_LEDGERS, values)}

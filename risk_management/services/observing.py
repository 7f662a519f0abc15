"""Events of many accounts at once: what `states.observe` does for one, with a query a table for all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from accounts.outbox import News
from accounts.tenancy import tenant_scope
from mikrobot_platform.db.prepared import ask
from risk_management import own_rooms as own
from risk_management.compliance import account as compliance
from risk_management.models import AccountLimits, AccountState
from risk_management.services import days, states

_ZERO = Decimal(0)
_STORE = """
insert into risk_management_accountevent (organization_id, account_id, kind, number, at, profit, symbol, body)
select organization_id, account_id, kind, number, at, profit, symbol, body
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(kinds)s::text[], %(numbers)s::bigint[],
            %(times)s::timestamptz[], %(profits)s::numeric[], %(symbols)s::text[], %(bodies)s::text[])
    with ordinality as told (organization_id, account_id, kind, number, at, profit, symbol, body, place)
order by place
on conflict do nothing
returning account_id, kind, number, at
"""
_SAVE = """
update risk_management_accountstate s set
    state = now_is.state, is_day_open = now_is.is_day_open, warned = now_is.warned, seen_at = now_is.seen_at,
    balance = now_is.balance, equity = now_is.equity, floating = now_is.floating, margin_used = now_is.margin_used,
    peak_equity = now_is.peak_equity, peak_close = now_is.peak_close
from unnest(%(ids)s::uuid[], %(states)s::text[], %(open_days)s::bool[], %(warned)s::text[], %(seen)s::timestamptz[],
            %(balances)s::numeric[], %(equities)s::numeric[], %(floatings)s::numeric[], %(margins)s::numeric[],
            %(peak_equities)s::numeric[], %(peak_closes)s::numeric[])
    as now_is (id, state, is_day_open, warned, seen_at, balance, equity, floating, margin_used, peak_equity,
               peak_close)
where s.id = now_is.id
"""
_SETTLED = """
select asked.account_id, asked.until, sums.*
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(until)s::timestamptz[], %(days)s::timestamptz[],
            %(weeks)s::timestamptz[], %(months)s::timestamptz[])
    as asked (organization_id, account_id, until, day, week, month)
cross join lateral (
    select coalesce(sum(profit) filter (where at >= asked.day), 0),
           coalesce(sum(profit) filter (where at >= asked.week), 0),
           coalesce(sum(profit) filter (where at >= asked.month), 0)
    from risk_management_accountevent e
    where e.organization_id = asked.organization_id and e.account_id = asked.account_id and e.kind = 'Settled'
        and e.at >= least(asked.week, asked.month) and e.at <= asked.until
) sums
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """An event of an account, and what `states.observe` is told beside it."""

    organization_id: UUID
    account_id: UUID
    event: compliance.Event
    seen: states.Seen | None = None
    symbol: str = ""


_Key = tuple[UUID, str, int | None, datetime | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """What came of events."""

    new: int  # that were not known before
    news: tuple[News, ...]  # to be published by whoever asked, with its own


def observe_all(told: Sequence[Observation]) -> Observed:
    """Take events of many accounts, each account's in the order given.

    The caller stands in a system scope that may write them, in a transaction. Rows are locked in one order. News are
    not published here: each organization's are numbered under a lock of its own, so that everything that a transaction
    has to say must be said at once and in one order (outbox.publish_all).
    """
    if not told:
        return Observed(new=0, news=())
    rows = _locked(told)
    fresh = _stored(told)
    first: dict[_Key, Observation] = {}
    for one in told:
        if _key(one) in fresh:
            first.setdefault(_key(one), one)  # told twice in one batch, it is taken once
    new = list(first.values())
    around = _Around(rows, [one for one in new if isinstance(one.event, compliance.Snapshot)])
    news = [item for one in new for item in states.take(rows[one.account_id], one.event, one.seen, around)]
    _save(list({one.account_id: rows[one.account_id] for one in new}.values()))
    return Observed(new=len(new), news=tuple(news))


def _locked(told: Sequence[Observation]) -> dict[UUID, AccountState]:
    """Lock the states of accounts; one that has none begins it now."""
    owners, ids = {one.organization_id for one in told}, {one.account_id for one in told}
    query = AccountState.objects.select_for_update().filter(organization_id__in=owners, account_id__in=ids)
    query = query.order_by("organization_id", "account_id")
    rows = {row.account_id: row for row in query}
    missing = {one.account_id: one for one in reversed(told) if one.account_id not in rows}
    if not missing:
        return rows
    for account_id, one in sorted(missing.items()):
        with tenant_scope(one.organization_id):
            states.begin(account_id, at=one.event.at, is_new=False)
    return {row.account_id: row for row in query.all()}


def _key(one: Observation) -> _Key:
    number = None if isinstance(one.event, compliance.Snapshot | compliance.DayTurned) else one.event.number
    return one.account_id, type(one.event).__name__, number, one.event.at if number is None else None


def _stored(told: Sequence[Observation]) -> set[_Key]:
    """Store events; return the keys of those that were not known."""
    keys = [_key(one) for one in told]
    values = {
        "organizations": [one.organization_id for one in told],
        "accounts": [one.account_id for one in told],
        "kinds": [kind for _, kind, _, _ in keys],
        "numbers": [number for _, _, number, _ in keys],
        "times": [one.event.at for one in told],
        "profits": [one.event.profit if isinstance(one.event, compliance.Settled) else None for one in told],
        "symbols": [one.symbol for one in told],
        "bodies": [states.EVENT.write(one.event) for one in told],
    }
    return {
        (account, kind, number, at if number is None else None) for account, kind, number, at in ask(_STORE, values)
    }


class _Around:
    """What rules look at beside the state, read once for all (states.Surroundings)."""

    def __init__(self, rows: Mapping[UUID, AccountState], snapshots: Sequence[Observation]) -> None:
        owners = {row.organization_id for row in rows.values()}
        self._owners = days.organizations(owners) if snapshots else {}
        limits = AccountLimits.objects.filter(organization_id__in=owners, account_id__in=list(rows))
        self._limits = {one.account_id: one for one in limits} if snapshots else {}
        self._results = self._read(snapshots)

    def _read(self, snapshots: Iterable[Observation]) -> Mapping[tuple[UUID, datetime], own.Results]:
        asked: dict[str, list[Any]] = defaultdict(list)
        for one in snapshots:
            if one.account_id in self._limits:
                periods = own.periods(self._owners[one.organization_id].zone_at(one.event.at), one.event.at)
                asked["organizations"].append(one.organization_id)
                asked["accounts"].append(one.account_id)
                asked["until"].append(one.event.at)
                asked["days"].append(periods.day.starts)
                asked["weeks"].append(periods.week.starts)
                asked["months"].append(periods.month.starts)
        if not asked:
            return {}
        return {
            (account, until): own.Results(day=day, week=week, month=month)
            for account, until, day, week, month in ask(_SETTLED, asked)
        }

    def rooms(self, row: AccountState, at: datetime) -> tuple[own.OwnRoom, ...]:
        limits, results = self._limits.get(row.account_id), self._results.get((row.account_id, at))
        if limits is None or results is None or row.balance is None or row.equity is None:
            return ()
        periods = own.periods(self.zone(row, at), at)
        return own.own_rooms(limits.at(at), results, balance=row.balance, equity=row.equity, periods=periods)

    def zone(self, row: AccountState, at: datetime) -> str:
        return self._owners[row.organization_id].zone_at(at)


def _save(rows: Sequence[AccountState]) -> None:
    if not rows:
        return
    columns = {
        "ids": "pk", "states": "state", "open_days": "is_day_open", "warned": "warned", "seen": "seen_at",
        "balances": "balance", "equities": "equity", "floatings": "floating", "margins": "margin_used",
        "peak_equities": "peak_equity", "peak_closes": "peak_close",
    }  # fmt: skip
    ask(_SAVE, {name: [getattr(row, column) for row in rows] for name, column in columns.items()})

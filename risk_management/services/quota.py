"""The daily quota: so many trades of an organization between two midnights of its trading zone."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from mikrobot_platform.db.prepared import array, ask

_ADMIT = "select risk_management_admit(%s::uuid, %s, %s::uuid[], %s::uuid[], %s::date[], %s::integer[])"
_MAKE = """
    insert into risk_management_dailyquota (organization_id, day, used)
    select distinct wish.organization_id, wish.day, 0 from unnest(%s::uuid[], %s::date[]) wish (organization_id, day)
    order by 1, 2 on conflict do nothing
"""
_HOLD = """
    select q.organization_id, q.day, q.used from risk_management_dailyquota q
    where (q.organization_id, q.day) in (select * from unnest(%s::uuid[], %s::date[]))
    order by q.organization_id, q.day for update
"""
_USED = """
    select q.organization_id, q.used from risk_management_dailyquota q
    join unnest(%(owners)s::uuid[], %(days)s::date[]) as asked (organization_id, day)
        on q.organization_id = asked.organization_id and q.day = asked.day
"""
_GIVE_BACK = "select risk_management_give_back(%s::uuid, %s, %s::uuid[], %s::uuid[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """An order that asks for its place."""

    organization_id: UUID
    account_id: UUID
    day: date
    limit: int | None  # of the organization's tier; None: unlimited


def day_of(zone: str, now: datetime) -> date:
    """Return the day whose quota a moment uses."""
    return now.astimezone(ZoneInfo(zone)).date()


def hold(days: Collection[tuple[UUID, date]]) -> Mapping[tuple[UUID, date], int]:
    """Hold the days of organizations until the transaction ends; return how many of their places are taken.

    Whoever decides by this figure decides right: nobody else takes a place meanwhile.
    """
    if not days:
        return {}
    several = sorted(set(days))
    values: list[Any] = [array(owner for owner, _ in several), array(day for _, day in several)]
    ask(_MAKE, values)
    return {(owner, day): used for owner, day, used in ask(_HOLD, values)}


def admit(signal_id: UUID, wishes: Sequence[Wish], *, now: datetime) -> frozenset[UUID]:
    """Let in as many orders as there are places; return the accounts that have one.

    One statement, which holds the days' rows: of any number at once exactly as many come in as may, those that stand
    first. Who has a place keeps it, and asking again takes no second one.
    """
    if not wishes:
        return frozenset()
    values: list[Any] = [
        signal_id,
        now,
        array(wish.organization_id for wish in wishes),
        array(wish.account_id for wish in wishes),
        array(wish.day for wish in wishes),
        array(wish.limit for wish in wishes),
    ]
    return frozenset(account_id for (account_id,) in ask(_ADMIT, values))


def give_back(signal_id: UUID, accounts: Sequence[tuple[UUID, UUID]], *, now: datetime) -> int:
    """Free the places of orders that provably never left, given as organization and account; return how many were.

    Twice frees no second place. Never for an order of which nobody knows what became: it may be at the venue.
    """
    values: list[Any] = [
        signal_id, now, array(owner for owner, _ in accounts), array(account for _, account in accounts)
    ]  # fmt: skip
    [(freed,)] = ask(_GIVE_BACK, values)
    return int(freed)


def used(days: Mapping[UUID, date]) -> Mapping[UUID, int]:
    """Return how many places of its day each organization has taken, with one query."""
    taken = dict(ask(_USED, {"owners": array(days), "days": array(days.values())}))
    return {organization_id: taken.get(organization_id, 0) for organization_id in days}

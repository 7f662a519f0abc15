"""With which balance accounts began a week, by what was seen of them and what their ledgers say around that moment."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.money import EXACT
from risk_management.compliance.account import DayTurned, Deposit, Snapshot, Withdrawal
from risk_management.services.states import EVENT


@dataclass(frozen=True, slots=True, kw_only=True)
class Beginning:
    """Of which account a week's first balance is asked for, and until when what was seen may tell it."""

    organization_id: UUID
    account_id: UUID
    begins: datetime
    until: datetime


# Snapshots and turned days are found by one index, moves of money by the other: three short looks each.
_BALANCES = """
select asked.place, before.body, after.body,
    coalesce((select sum(e.profit) from risk_management_accountevent e
        where e.organization_id = asked.organization_id and e.account_id = asked.account_id and e.kind = 'Settled'
            and e.at > before.at and e.at < asked.begins), 0),
    coalesce((select sum(e.profit) from risk_management_accountevent e
        where e.organization_id = asked.organization_id and e.account_id = asked.account_id and e.kind = 'Settled'
            and e.at >= asked.begins and e.at <= after.at), 0),
    exists (select from risk_management_accountevent e
        where e.organization_id = asked.organization_id and e.account_id = asked.account_id
            and e.kind in ('Deposit', 'Withdrawal') and e.number is not null
            and e.at >= asked.begins and e.at <= after.at)
from unnest(%(organizations)s::uuid[], %(accounts)s::uuid[], %(begins)s::timestamptz[], %(until)s::timestamptz[])
    with ordinality as asked (organization_id, account_id, begins, until, place)
left join lateral (
    select told.at, told.body from (
        (select e.at, e.body, e.id from risk_management_accountevent e
         where e.organization_id = asked.organization_id and e.account_id = asked.account_id and e.kind = 'Snapshot'
             and e.number is null and e.at <= asked.begins order by e.at desc limit 1)
        union all
        (select e.at, e.body, e.id from risk_management_accountevent e
         where e.organization_id = asked.organization_id and e.account_id = asked.account_id and e.kind = 'DayTurned'
             and e.number is null and e.at <= asked.begins order by e.at desc limit 1)
        union all
        (select e.at, e.body, e.id from risk_management_accountevent e
         where e.organization_id = asked.organization_id and e.account_id = asked.account_id
             and e.kind in ('Deposit', 'Withdrawal') and e.number is not null and e.at <= asked.begins
         order by e.at desc, e.number desc limit 1)
    ) told order by told.at desc, told.id desc limit 1
) before on true
left join lateral (
    select e.at, e.body from risk_management_accountevent e
    where before.at is null and e.organization_id = asked.organization_id and e.account_id = asked.account_id
        and e.kind = 'Snapshot' and e.number is null and e.at > asked.begins and e.at <= asked.until
    order by e.at limit 1
) after on true
order by asked.place
"""


def starting_balances(asked: Sequence[Beginning]) -> list[Decimal | None]:
    """Return with which balance each account began its week, with one statement; None where nothing tells.

    1. What was known last before the week, with whatever was settled between it and Monday.
    2. Of an account that was first seen in the week, what was seen then, without what the week had settled by then;
       when money was moved in between, nobody knows.
    """
    if not asked:
        return []
    values = {
        "organizations": [one.organization_id for one in asked],
        "accounts": [one.account_id for one in asked],
        "begins": [one.begins for one in asked],
        "until": [one.until for one in asked],
    }
    found: list[Decimal | None] = []
    for _, before, after, settled_before, settled_after, is_moved in ask(_BALANCES, values):
        if before is not None:
            found.append(EXACT.add(_balance_in(before), settled_before))
        elif after is not None and not is_moved:
            found.append(EXACT.subtract(_balance_in(after), settled_after))
        else:
            found.append(None)
    return found


def _balance_in(body: str) -> Decimal:
    event = EVENT.read(json.loads(body))
    match event:
        case Snapshot() | DayTurned():
            return event.balance
        case Deposit() | Withdrawal():
            return event.balance_after
        case _:
            raise TypeError(f"{type(event).__name__} tells no balance")

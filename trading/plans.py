"""How positions are managed: what is settled when one is first looked after and stays, and by which clocks it must end.

Settled is what its strategy asks for and how its week stood when it was opened. Clocks are not: a firm or a customer
who wants out earlier from now on is heard at the next look.
"""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from uuid import UUID

from django.db import DatabaseError

from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.instruments import InstrumentSpec
from risk_management.services import days, weeks
from risk_management.services.closing import Clocks
from trading import book_statements as sql
from trading.desk import broker_of
from trading.engine import stored
from trading.engine.management.deadlines import Deadline, day_end
from trading.engine.management.plan import Plan
from trading.engine.management.terms import Agreed, firm_deadlines
from trading.engine.management.weekly import Realised, Week, monday_of, week_begins, week_until
from trading.folding import bare
from trading.models import Position, Strategy
from trading.strategies import Parameters

log = logging.getLogger(__name__)


# --- settled once -----------------------------------------------------------------------------------------------------
def settle_plans(rows: Sequence[Position]) -> None:
    """Settle how positions are managed that nobody has looked after yet, and write it down.

    1. What their strategies ask for and how their weeks stood is read with a query a table.
    2. It is written where nothing is written yet. Of two who settle at once, both go on by what was written first.
    """
    if not rows:
        return
    strategies, weeks_of = _strategies(rows), _weeks(rows)
    plans = {row.pk: _agreed(strategies.get(row.strategy_id), weeks_of.get(row.pk)) for row in rows}
    ask(sql.SET_PLANS, {"positions": list(plans), "plans": [plain.text(one) for one in plans.values()]})
    written = dict(ask(sql.PLANS, {"positions": list(plans)}))
    for row in rows:
        row.plan = json.loads(written[row.pk]) if row.pk in written else row.plan


def _agreed(parameters: Parameters | None, week: Week | None) -> Agreed:
    if parameters is None:
        return Agreed(week=week)
    return Agreed(
        version=parameters.rules.version, target_r=parameters.target_r, terms=parameters.management, week=week
    )


def _strategies(rows: Sequence[Position]) -> Mapping[UUID | None, Parameters]:
    """Read what strategies ask for; one that cannot be read leaves its positions to the platform's way."""
    found: dict[UUID | None, Parameters] = {}
    for row in Strategy.objects.filter(pk__in={row.strategy_id for row in rows if row.strategy_id is not None}):
        try:
            found[row.pk] = row.read_parameters()
        except Exception:
            log.exception("a strategy's parameters cannot be read", extra={"strategy": str(row.pk)})
    return found


def _weeks(rows: Sequence[Position]) -> Mapping[UUID, Week]:
    """Count the weeks of positions; one that cannot be counted is said in the log and disturbs no other."""
    try:
        return _counted(rows)
    except DatabaseError:
        raise
    except Exception:
        if len(rows) > 1:
            half = len(rows) // 2
            return {**_weeks(rows[:half]), **_weeks(rows[half:])}
        log.exception("the week of a position cannot be counted", extra={"position": str(rows[0].pk)})
        return {}


def _counted(rows: Sequence[Position]) -> Mapping[UUID, Week]:
    """Count the week in which each position was opened, up to its opening, where it can be counted.

    It cannot where nobody saw with what the week began, or where a result in it is one that nobody knows: a week that
    only looks good is no reason to leave a trade running.
    """
    owners = days.organizations({row.organization_id for row in rows})
    zones = {row.pk: owners[row.organization_id].zone_at(row.opened_at) for row in rows}
    begins = {row.pk: week_begins(monday_of(row.opened_at, zones[row.pk]), zones[row.pk]) for row in rows}
    balances = weeks.starting_balances(
        [
            weeks.Beginning(
                organization_id=row.organization_id, account_id=row.account_id, begins=begins[row.pk],
                until=row.opened_at,
            )
            for row in rows
        ]
    )  # fmt: skip
    results = _results(rows, begins)
    found = {}
    for row, balance in zip(rows, balances, strict=True):
        told = [
            Realised(symbol=symbol, amount=bare(profit), at=at)
            for symbol, profit, at in results[row.pk]
            if profit is not None
        ]
        if balance is not None and len(told) == len(results[row.pk]):
            found[row.pk] = week_until(
                row.opened_at, told, symbol=row.symbol, zone=zones[row.pk], starting_balance=bare(balance)
            )
    return found


def _results(
    rows: Sequence[Position], begins: Mapping[UUID, datetime]
) -> Mapping[UUID, list[tuple[str, Decimal | None, datetime]]]:
    """Read what was realised in each position's symbol from Monday until it was opened."""
    values = {
        "positions": [row.pk for row in rows],
        "organizations": [row.organization_id for row in rows],
        "accounts": [row.account_id for row in rows],
        "symbols": [row.symbol for row in rows],
        "begins": [begins[row.pk] for row in rows],
        "until": [row.opened_at for row in rows],
    }
    found: dict[UUID, list[tuple[str, Decimal | None, datetime]]] = defaultdict(list)
    for position, symbol, profit, at in ask(sql.REALISED, values):
        found[position].append((symbol, profit, at))
    return found


def agreed(row: Position) -> Agreed:
    """Read what was settled of a position; one of which nothing can be read is managed as the platform does it.

    It has to be managed all the same: a plan that nobody can read is no reason to leave a position to itself.
    """
    if not row.plan:
        return Agreed()
    try:
        return _read(plain.canonical(row.plan))
    except Exception:
        log.exception("the plan of a position cannot be read", extra={"position": str(row.pk)})
        return Agreed()


@lru_cache(maxsize=8192)  # the same plan is read every second for as long as its position is open
def _read(text: str) -> Agreed:
    return stored.read(Agreed, json.loads(text))


# --- asked at each look -----------------------------------------------------------------------------------------------
def plan_of(row: Position, spec: InstrumentSpec, clocks: Clocks, *, venue: str) -> Plan:
    """Return the plan of a position: what was settled, by when it must be over, and what its venue can do."""
    settled = agreed(row)
    deadlines = (
        *firm_deadlines(clocks.firm, clocks.rest, spec.sessions, symbol=row.symbol, opened_at=row.opened_at),
        *_own_day(row, clocks),
        *settled.terms.deadlines(spec.sessions, row.opened_at),
    )
    return replace(settled.plan, deadlines=deadlines, can_split=broker_of(venue).capabilities.partial_close)


def _own_day(row: Position, clocks: Clocks) -> tuple[Deadline, ...]:
    return () if clocks.own is None else (day_end(clocks.own, opened_at=row.opened_at, names=(row.symbol,)),)

"""Open positions looked after: what is held and what the market says goes in, deeds come out and are carried out.

Nothing blocks it: no gate, no quota, no switch. Asking again does nothing twice, because what was done is in the facts.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.money import Ratio
from mikrobot_platform.kernel.rates import RateBook, conversion
from risk_management.services import closing
from trading import book_statements as sql
from trading import doing, holding, plans, quotes
from trading.desk import Door
from trading.doing import Subject
from trading.engine.deeds import Deed
from trading.engine.management import manage as decide
from trading.engine.management.position import Held, Market
from trading.engine.signal_facts import Quote
from trading.models import Position
from trading.sending import SCOPE
from trading.worth import MAX_RATE_AGE

log = logging.getLogger(__name__)


def manage(doors: Sequence[Door], *, now: datetime) -> list[Deed]:
    """Look after the open positions of accounts; return what was decided, which has been carried out.

    1. The books are read, a query a table; prices are those that were heard last.
    2. How new positions are managed is settled, once; by which clocks all of them end is asked anew.
    3. Each position is decided on alone; one that cannot be is left to the others' good and said in the log.
    4. The best prices so far are kept, and what was decided is carried out.
    """
    if not doors:
        return []
    wanted: list[doing.Wanted] = []
    bests: dict[Any, Price] = {}
    unseen = []
    with system_scope(SCOPE):
        books = holding.load(doors, now=now)
        markets = _Markets(doors, now)
        plans.settle_plans([row for account in books.values() for row in account.positions if not row.plan])
        clocks = closing.load([account_id for account_id, account in books.items() if account.positions], now=now)
        for account_id, account in books.items():
            for row in account.positions:
                if row.seen_at is None:
                    unseen.append(account.door)
                held = account.held(row)
                if held is None:
                    continue
                market = markets.of(account.door.venue, held)
                if (best := _better(held, market, now)) is not None:
                    bests[row.pk] = best
                looked_at = _Look(row, held, market, clocks.get(account_id, closing.NO_CLOCKS), account.door.venue)
                wanted += [(_subject(account.door, row), deed) for deed in _decided(looked_at, now)]
        if bests:
            ask(sql.BEST, {"positions": list(bests), "bests": list(bests.values())})
        if unseen:
            ids = {
                "organizations": [one.organization_id for one in unseen],
                "accounts": [one.account_id for one in unseen],
            }
            ask(sql.LOOK_NOW, {**ids, "now": now})
    doing.carry_out(wanted, now=now)
    return [deed for _, deed in wanted]


@dataclass(frozen=True, slots=True)
class _Look:
    """Everything that one position is decided on."""

    row: Position
    held: Held
    market: Market
    clocks: closing.Clocks
    venue: str


def _decided(one: _Look, now: datetime) -> tuple[Deed, ...]:
    try:
        plan = plans.plan_of(one.row, one.held.spec, one.clocks, venue=one.venue)
        return decide(one.held, one.market, plan, now=now)
    except Exception:
        log.exception("a position could not be decided on", extra={"position": str(one.row.pk)})
        return ()


def _better(held: Held, market: Market, now: datetime) -> Price | None:
    """Return the price at which it could be closed now, where that is better than any before."""
    price = market.exit_price(held.side, now)
    return price if price is not None and (held.best is None or held.is_better(price, held.best)) else None


def _subject(door: Door, row: Position) -> Subject:
    return Subject(
        door=door, position_id=row.pk, venue_position_id=row.venue_position_id, symbol=row.symbol,
        venue_symbol=row.venue_symbol, signal_id=row.signal_id, receipt_id=row.receipt_id, strategy_id=row.strategy_id,
    )  # fmt: skip


class _Markets:
    """The prices of the venues that accounts are at, read once."""

    def __init__(self, doors: Sequence[Door], now: datetime) -> None:
        self._now = now
        self._prices: Mapping[str, Mapping[str, Quote]] = {
            venue: quotes.latest(venue) for venue in {door.venue for door in doors}
        }
        self._rates: dict[str, RateBook] = {venue: quotes.rates(told) for venue, told in self._prices.items()}

    def of(self, venue: str, held: Held) -> Market:
        found = conversion(
            held.spec.quote, held.currency, self._rates[venue], now=self._now, max_age=MAX_RATE_AGE
        )  # fmt: skip
        rate: Ratio | None = None if isinstance(found, Refusal) else found.factor
        return Market(quote=self._prices[venue].get(held.spec.symbol), rate=rate)

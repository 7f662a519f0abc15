"""What venues tell becomes our books: fills are kept once, orders move, positions and results follow, and it is told.

A batch of one account and a batch of a thousand are the same statements. Telling it all again, or in another order,
changes nothing: each fill has one row, orders move along one table, and positions are folded from their fills anew.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from psycopg.types.json import Jsonb

from accounts import outbox
from accounts.outbox import News
from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.money import Currency
from mikrobot_platform.kernel.orders import AccountReport, OrderState, Purpose
from risk_management.compliance import account as compliance
from risk_management.services import quota, states
from risk_management.services.observing import Observation, observe_all
from trading import book_statements as sql
from trading.desk import Door
from trading.folding import Folded, StoredPosition, bare, fold, results, stored_fill
from trading.hearing import (
    ALONG,
    Heard,
    Newest,
    Worth,
    account_columns,
    fill_columns,
    order_columns,
    position_columns,
)
from trading.models import BookingKind
from trading.sending import SCOPE

log = logging.getLogger(__name__)


def settle(reports: Sequence[Heard], *, now: datetime) -> None:
    """Take what was heard into the books, accounts together; one whose reports cannot be taken disturbs no other."""
    try:
        _settle(reports, now)
    except (OperationalError, InterfaceError):
        raise  # the database's, not theirs: the same again, later
    except Exception:
        accounts = sorted({one.door.account_id for one in reports})
        if len(accounts) == 1:
            log.exception("what a venue told cannot be taken in", extra={"account": str(accounts[0])})
            return
        half = frozenset(accounts[: len(accounts) // 2])
        settle([one for one in reports if one.door.account_id in half], now=now)
        settle([one for one in reports if one.door.account_id not in half], now=now)


def _settle(reports: Sequence[Heard], now: datetime) -> None:
    """Write one batch in one transaction.

    1. The links of its accounts are held, so that each account's events go upwards in one order.
    2. Fills are kept, once. Orders move by reports and by fills, along the table.
    3. Every book that has a new fill is folded from its position's first fill on.
    4. What was not told before is booked, and told: to risk management, and as news.
    """
    if not reports:
        return
    with system_scope(SCOPE):
        batch = _Batch(reports, now)
        batch.hold()
        batch.advance()
        folded = batch.fold(batch.keep())
        batch.see_positions()
        batch.tell(folded)


class _Batch:
    """What is settled together, and what was found out about it on the way."""

    def __init__(self, reports: Sequence[Heard], now: datetime) -> None:
        self._now = now
        self._told = Newest(reports)
        self._currencies: Mapping[UUID, Currency] = {}
        self._known: Mapping[tuple[UUID, str], _Known] = {}
        self._news: dict[UUID, list[tuple[EventName, Mapping[str, object]]]] = defaultdict(list)

    # --- the steps ---
    def hold(self) -> None:
        """Lock links and orders, in one order, and learn what is known of them."""
        doors = list(self._told.doors.values())
        owners = {
            "organizations": [one.organization_id for one in doors],
            "accounts": [one.account_id for one in doors],
        }
        ask(sql.MAKE_LINKS, owners)
        self._currencies = {account: Currency(code) for account, _owner, code in ask(sql.HOLD_LINKS, owners)}
        organizations, client_ids = self._told.named()
        rows = ask(sql.HOLD_ORDERS, {"organizations": organizations, "client_ids": client_ids})
        self._known = {(row[0], row[1]): _Known(*row[2:]) for row in rows}

    def advance(self) -> None:
        """Move orders as their venues report them."""
        told = [
            (door, self._known[key].id, report)
            for key, (door, report) in self._told.orders.items()
            if key in self._known
        ]  # fmt: skip
        if told:
            self._moved(ask(sql.ADVANCE, order_columns(told)))

    def keep(self) -> list[tuple[Any, ...]]:
        """Keep the fills; return those that were not known: whose, book, client id, time, quantity."""
        fills = [one for one in self._told.fills if one[0].account_id in self._currencies]
        if not fills:
            return []
        worth = Worth(self._now)
        rates = [
            None if adopts else worth.rate(door.venue, fill.symbol, self._currencies[door.account_id])
            for door, fill, adopts in fills
        ]  # what was adopted is worth what nobody knows
        values = {
            **fill_columns(fills, rates),
            # An id that is not ours says nothing; one that is another account's would say something wrong.
            "client_ids": [
                fill.client_id if (door.account_id, fill.client_id) in self._known else "" for door, fill, _ in fills
            ],
            "books": [self._told.book_of(door, fill) for door, fill, _ in fills],
            "now": self._now,
        }
        fresh = ask(sql.KEEP_FILLS, values)
        self._complete(fresh)
        return fresh

    def _complete(self, fresh: Sequence[tuple[Any, ...]]) -> None:
        """Let orders go on by their fills, and say which of them these have completed."""
        new: dict[tuple[UUID, UUID, str], Decimal] = defaultdict(Decimal)
        for owner, account, _book, client_id, _at, quantity in fresh:
            if client_id:
                new[owner, account, client_id] += quantity
        if not new:
            return
        named = {"organizations": [owner for owner, _, _ in new], "client_ids": [client_id for *_, client_id in new]}
        ask(sql.FILLED, {**named, **ALONG})
        for owner, account, order, client_id, purpose, quantity, filled in ask(sql.FILLED_SO_FAR, named):
            if filled >= quantity > filled - new.get((owner, account, client_id), 0):
                self._say(account, EventName.ORDER_FILLED, {"order": str(order), "purpose": purpose})

    def fold(self, fresh: Sequence[tuple[Any, ...]]) -> list[tuple[Door, Folded]]:
        """Fold the books that have new fills, and keep their positions."""
        earliest: dict[tuple[UUID, UUID, str], datetime] = {}
        for owner, account, book, _client_id, at, _quantity in fresh:
            earliest[owner, account, book] = min(at, earliest.get((owner, account, book), at))
        if not earliest:
            return []
        touched = {
            "organizations": [owner for owner, _, _ in earliest],
            "accounts": [account for _, account, _ in earliest],
            "books": [book for _, _, book in earliest],
            "earliest": list(earliest.values()),
        }
        fills, stored = _by_account(ask(sql.FILLS_OF_BOOKS, touched)), _by_account(ask(sql.POSITIONS_OF_BOOKS, touched))
        found = [
            (self._told.doors[account], one)
            for account, rows in fills.items()
            for one in fold(
                [stored_fill(row) for row in rows],
                [StoredPosition(id=row[1], book=row[2], is_open=row[3] == "open") for row in stored.get(account, ())],
                account_id=account,
                currency=self._currencies[account],
                positions=self._told.positions_are[account],
            )
        ]
        if found:
            ask(sql.KEEP_POSITIONS, {"positions": Jsonb([_row(door, one) for door, one in found])})
            owned = [(order, one.id) for _, one in found for order in one.orders]
            ask(sql.BELONG, {"orders": [order for order, _ in owned], "positions": [place for _, place in owned]})
        return found

    def see_positions(self) -> None:
        """Take over what protects positions at their venues."""
        seen = [(self._told.doors[account], one) for (account, _), one in self._told.positions.items()]
        if seen:
            ask(sql.SEE_POSITIONS, {**position_columns(seen), "now": self._now})

    # --- upwards ---
    def tell(self, folded: Sequence[tuple[Door, Folded]]) -> None:
        """Book what was not told before, and tell it in each account's organization, money before what shows it."""
        observed = [_observation(row) for row in sorted(self._book(folded)) if _is_known(row)]
        observed += [observation_of(self._told.doors[account], one) for account, one in self._told.accounts.items()]
        happened = (
            News(self._told.doors[account].organization_id, name, {"account": str(account), **data})
            for account, news in self._news.items()
            for name, data in news
        )
        outbox.publish_all([*observe_all(observed).news, *happened])
        if self._told.accounts:
            seen = [(self._told.doors[account], report) for account, report in self._told.accounts.items()]
            ask(sql.SEE_ACCOUNTS, account_columns(seen))

    def _book(self, folded: Sequence[tuple[Door, Folded]]) -> list[tuple[Any, ...]]:
        if not folded:
            return []
        owners, places = [door.organization_id for door, _ in folded], [one.id for _, one in folded]
        told: dict[UUID, dict[str, dict[str, Decimal | None]]] = defaultdict(lambda: defaultdict(dict))
        for position, fill, kind, profit in ask(sql.TOLD_SO_FAR, {"organizations": owners, "positions": places}):
            told[position][kind][fill] = None if profit is None else bare(profit)
        fresh = [
            (door, one, result)
            for door, one in folded
            for result in results(
                one.trade,
                told[one.id][BookingKind.SETTLED],
                self._currencies[door.account_id],
                is_opened_told=bool(told[one.id][BookingKind.OPENED]),
            )
        ]
        for door, one in folded:
            self._news_of(door, one)
        if not fresh:
            return []
        values = {
            "organizations": [door.organization_id for door, _, _ in fresh],
            "accounts": [door.account_id for door, _, _ in fresh],
            "positions": [one.id for _, one, _ in fresh],
            "fills": [result.fill_id for _, _, result in fresh],
            "kinds": [(BookingKind.OPENED if result.is_opening else BookingKind.SETTLED).value for *_, result in fresh],
            "symbols": [one.symbol for _, one, _ in fresh],
            "quantities": [result.quantity for _, _, result in fresh],
            "profits": [result.profit for _, _, result in fresh],
            "times": [result.at for _, _, result in fresh],
        }
        return ask(sql.BOOK, values)

    def _news_of(self, door: Door, one: Folded) -> None:
        trade = one.trade
        about = {"position": str(one.id), "symbol": one.symbol, "side": trade.side.value, "quantity": str(trade.opened)}
        if one.is_new:
            self._say(door.account_id, EventName.POSITION_OPENED, about)
        if not trade.is_open and (one.is_new or one.was_open):
            profit, r = trade.net, trade.r
            outcome = {"profit": None if profit is None else str(profit), "r": None if r is None else str(r)}
            self._say(door.account_id, EventName.POSITION_CLOSED, {**about, **outcome})

    def _moved(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Say which orders their venues have refused, and give their places back."""
        known = {order.id: (account, order) for (account, _), order in self._known.items()}
        for order_id, after in rows:
            account, order = known[order_id]
            if after != OrderState.REFUSED or order.state == after:
                continue
            self._say(account, EventName.ORDER_REFUSED, {"order": str(order_id), "purpose": order.purpose})
            if order.signal_id is not None and Purpose(order.purpose).is_entry:
                owner = self._told.doors[account].organization_id
                quota.give_back(order.signal_id, [(owner, account)], now=self._now)

    def _say(self, account: UUID, name: EventName, data: Mapping[str, object]) -> None:
        self._news[account].append((name, data))


@dataclass(frozen=True, slots=True)
class _Known:
    """An order of ours that something was told of, as it stood before."""

    id: UUID
    state: str
    purpose: str
    signal_id: UUID | None


def _row(door: Door, one: Folded) -> dict[str, object]:
    owner = {"organization_id": str(door.organization_id), "account_id": str(door.account_id)}
    return {"id": str(one.id), **owner, **one.values()}


def _by_account(rows: Iterable[tuple[Any, ...]], key: int = 0) -> dict[UUID, list[tuple[Any, ...]]]:
    found: dict[UUID, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        found[row[key]].append(row)
    return found


def _is_known(row: tuple[Any, ...]) -> bool:
    """Tell whether a booking has a result, or needs none: what nobody can price is not told as nothing."""
    return row[4] == BookingKind.OPENED or row[6] is not None


def _observation(row: tuple[Any, ...]) -> Observation:
    """Say a booking to risk management, by the number that it has there."""
    number, owner, account, _position, kind, symbol, profit, at = row
    event: compliance.Event = compliance.Opened(number=number, at=at)
    if kind == BookingKind.SETTLED:
        event = compliance.Settled(number=number, at=at, profit=bare(profit))
    return Observation(organization_id=owner, account_id=account, event=event, symbol=symbol)


def observation_of(door: Door, report: AccountReport) -> Observation:
    """Say to risk management what an account is worth."""
    snapshot = compliance.Snapshot(at=report.at, balance=report.balance, equity=report.equity)
    seen = states.Seen(floating=report.equity - report.balance, margin_used=report.margin_used)
    return Observation(
        organization_id=door.organization_id, account_id=door.account_id, event=snapshot, seen=seen
    )  # fmt: skip

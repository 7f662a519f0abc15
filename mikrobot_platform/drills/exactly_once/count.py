"""What the venue has counted against what stands in our books, run by run, each difference as a sentence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg

from mikrobot_platform.drills.exactly_once.world import House
from mikrobot_platform.kernel.orders import OrderState, Purpose
from trading.models import RawState, SignalState

# Each must be zero.
WRONG = (
    "duplicates", "lost", "without_intent", "without_receipt", "unknown_left", "unfinished", "books_differ",
    "quota_differs",
)  # fmt: skip
FIGURES = ("orders", "filled", "denied", "unknown_resolved", *WRONG)

_S = OrderState
_NOT_THERE = frozenset({_S.PLANNED, _S.WITHDRAWN, _S.ABSENT})  # what stands so was never at the venue
_NEVER_FILLED = _NOT_THERE | {_S.REFUSED}
_THERE = frozenset({_S.WORKING, _S.PARTIAL, _S.FILLED, _S.CANCELLED, _S.EXPIRED})
_IN_DOUBT = frozenset({_S.SENDING, _S.UNKNOWN})
_ASKED_ABOUT = frozenset({"sender_gone", "no_answer", "unexpected"})
_TAKEN = frozenset({"taken", "reduced"})

_ROWS: Mapping[str, str] = {
    "orders": "select organization_id, account_id, id, client_id, purpose, state, reason_code, signal_id, receipt_id,"
    " asked_at from trading_order where organization_id = any(%(owners)s)",
    "receipts": "select organization_id, account_id, id, signal_id, verdict, body::jsonb ->> 'sentence',"
    " pg_xact_commit_timestamp(xmin)"
    " from risk_management_receipt"
    " where organization_id = any(%(owners)s)",
    "fills": "select organization_id, account_id, client_id, count(*) from trading_fill"
    " where organization_id = any(%(owners)s) and client_id <> '' group by 1, 2, 3",
    "positions": "select organization_id, account_id, venue_symbol, state, side, quantity, receipt_id, is_foreign"
    " from trading_position where organization_id = any(%(owners)s)",
    "places": "select organization_id, account_id, signal_id from risk_management_quotaclaim"
    " where organization_id = any(%(owners)s) and given_back_at is null",
}
_SIGNALS = (
    "select source_id, id, state, fanned_at is not null, sentence from trading_signal"
    " where source_id = any(%(sources)s)"
)
_RAWS = "select source_id, count(*) from trading_rawsignal where source_id = any(%(sources)s) and state = %(received)s"
_SHARDS = "select signal_id from trading_shard where signal_id = any(%(signals)s) and planned_at is null"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """An order of ours, as far as it is counted."""

    account: UUID
    id: UUID
    client_id: str
    purpose: str
    state: OrderState
    reason_code: str
    signal: UUID | None
    receipt: UUID | None
    is_asked_about: bool


@dataclass(slots=True, kw_only=True)
class Books:
    """What stands in our books of one run."""

    house: House
    unread: int = 0
    signals: dict[UUID, tuple[SignalState, bool]] = field(default_factory=dict)
    unplanned: set[UUID] = field(default_factory=set)
    orders: list[Row] = field(default_factory=list)
    receipts: dict[UUID, tuple[UUID, UUID, str]] = field(default_factory=dict)  # id -> account, signal, verdict
    committed: dict[UUID, datetime] = field(default_factory=dict)  # when receipts were, and the orders of them
    ends: Counter[str] = field(default_factory=Counter)
    fills: dict[tuple[UUID, str], int] = field(default_factory=dict)
    positions: list[tuple[Any, ...]] = field(default_factory=list)
    places: set[tuple[UUID, UUID]] = field(default_factory=set)


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """What came of a run."""

    seed: int
    figures: Counter[str]
    problems: tuple[str, ...]
    ends: Counter[str]  # how signals, decisions and orders have ended, by code

    @property
    def is_right(self) -> bool:
        return not self.problems


def read(address: str, houses: Sequence[House]) -> list[Books]:
    """Read our books past every policy, in one transaction."""
    by_owner = {house.organization_id: Books(house=house) for house in houses}
    by_source = {house.source.pk: by_owner[house.organization_id] for house in houses}
    with psycopg.connect(address) as connection:
        connection.execute("set transaction isolation level repeatable read, read only")
        _read_ledger(connection, by_source)
        told = {name: connection.execute(sql, {"owners": list(by_owner)}).fetchall() for name, sql in _ROWS.items()}
    for owner, account, pk, client_id, purpose, state, code, signal, receipt, asked_at in told["orders"]:
        by_owner[owner].ends[f"{purpose} {state} {code}".strip()] += 1
        by_owner[owner].orders.append(
            Row(
                account=account, id=pk, client_id=client_id, purpose=purpose, state=OrderState(state), reason_code=code,
                signal=signal, receipt=receipt, is_asked_about=asked_at is not None or code in _ASKED_ABOUT,
            )
        )  # fmt: skip
    for owner, account, pk, signal, verdict, sentence, committed in told["receipts"]:
        by_owner[owner].committed[pk] = committed
        by_owner[owner].receipts[pk] = account, signal, verdict
        by_owner[owner].ends[verdict if verdict in _TAKEN else f"{verdict}: {sentence}"] += 1
    for owner, account, client_id, number in told["fills"]:
        by_owner[owner].fills[account, client_id] = number
    for owner, *row in told["positions"]:
        by_owner[owner].positions.append(tuple(row))
    for owner, account, signal in told["places"]:
        by_owner[owner].places.add((account, signal))
    return list(by_owner.values())


def _read_ledger(connection: psycopg.Connection[Any], by_source: Mapping[UUID, Books]) -> None:
    sources = {"sources": list(by_source)}
    for source, number in connection.execute(
        f"{_RAWS} group by 1", {**sources, "received": RawState.RECEIVED.value}
    ):  # fmt: skip
        by_source[source].unread = number
    of_signal = {}
    for source, pk, state, is_fanned, sentence in connection.execute(_SIGNALS, sources):
        by_source[source].signals[pk] = SignalState(state), is_fanned
        of_signal[pk] = by_source[source]
        by_source[source].ends[f"signal {state}: {sentence}"] += 1
    for (signal,) in connection.execute(_SHARDS, {"signals": list(of_signal)}):
        of_signal[signal].unplanned.add(signal)


def count(books: Books, theirs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Counted:
    """Hold one run's books against what the venue counts: orders and fills by account and client id, positions."""
    found: Counter[str] = Counter()
    problems: list[str] = []
    for name, sentence in _problems(books, theirs):
        found[name] += 1
        problems.append(f"{name}: {sentence}")
    found["orders"] = sum(
        number for account in books.house.accounts for number in theirs["orders"].get(str(account), {}).values()
    )
    found["filled"] = sum(order.state is _S.FILLED for order in books.orders)
    found["denied"] = sum(verdict not in _TAKEN for _, _, verdict in books.receipts.values())
    found["unknown_resolved"] = sum(
        order.is_asked_about and order.state not in _IN_DOUBT for order in books.orders
    )  # fmt: skip
    return Counted(seed=books.house.script.seed, figures=found, problems=tuple(problems), ends=books.ends)


Problem = tuple[str, str]


def _problems(books: Books, theirs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    yield from _of_signals(books)
    yield from _of_orders(books, theirs)
    yield from _of_nobody(books, theirs)
    yield from _of_positions(books, theirs)
    standing = {
        (order.account, order.signal)
        for order in books.orders
        if order.purpose == Purpose.ENTRY and order.state not in (_S.WITHDRAWN, _S.ABSENT, _S.REFUSED)
    }
    for account, _signal in books.places ^ standing:
        yield "quota_differs", f"account {account}: places {len(books.places)}, entries {len(standing)}"


def _of_signals(books: Books) -> Iterator[Problem]:
    """Follow each signal to a receipt for each account, and each that was taken to an order."""
    if books.unread:
        yield "unfinished", f"{books.unread} messages are not read"
    if (missing := len(books.house.signals) - len(books.signals)) > 0 and not books.unread:
        yield "lost", f"{missing} signals were accepted and are not there"
    if len(books.signals) > len(books.house.signals):
        yield "duplicates", f"{len(books.signals)} signals were made of {len(books.house.signals)}"
    decided = {(account, signal) for account, signal, _ in books.receipts.values()}
    for signal, (state, is_fanned) in books.signals.items():
        if state is SignalState.WAITING or (state is SignalState.VALID and not is_fanned):
            yield "unfinished", f"signal {signal} is {state}"
        elif signal in books.unplanned:
            yield "unfinished", f"a shard of signal {signal} is not planned"
        elif state is SignalState.VALID:
            for account in books.house.accounts:
                if (account, signal) not in decided:
                    yield "lost", f"signal {signal} has no receipt for account {account}"
    ordered = {order.receipt for order in books.orders if order.purpose == Purpose.ENTRY}
    for receipt, (account, signal, verdict) in books.receipts.items():
        if verdict in _TAKEN and receipt not in ordered:
            yield "lost", f"receipt {receipt} ({verdict}) of account {account}, signal {signal}, has no order"


def _of_orders(books: Books, theirs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    """Hold each order of ours against the venue's."""
    entries = Counter((order.account, order.signal) for order in books.orders if order.purpose == Purpose.ENTRY)
    for (account, signal), number in entries.items():
        if number > 1:
            yield "duplicates", f"account {account} has {number} entries for signal {signal}"
    for order in books.orders:
        there = int(theirs["orders"].get(str(order.account), {}).get(order.client_id, 0))
        fills = int(theirs["fills"].get(str(order.account), {}).get(order.client_id, 0))
        said = f"{order.purpose} {order.client_id} ({order.state}, {order.reason_code})"
        if there > 1:
            yield "duplicates", f"{said} is {there} orders at the venue"
        if order.state in _IN_DOUBT:
            yield "unknown_left", said
        elif order.state is _S.PLANNED:
            yield "unfinished", said
        elif order.state in _THERE and not there:
            yield "lost", f"{said} is not at the venue"
        elif order.state in _NEVER_FILLED and not order.reason_code:
            yield "lost", f"{said} ended without a reason"
        if (there and order.state in _NOT_THERE) or (fills and order.state in _NEVER_FILLED):
            yield "without_intent", f"{said} is at the venue, with {fills} fills"
        arrived = theirs["arrived"].get(str(order.account), {}).get(order.client_id)
        if arrived and order.receipt and datetime.fromisoformat(arrived) < books.committed[order.receipt]:
            yield "without_intent", f"{said} came to the venue before it was written down"
        if books.fills.get((order.account, order.client_id), 0) != fills:
            yield "books_differ", f"{said} has {fills} fills at the venue"


def _of_nobody(books: Books, theirs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    """Find what the venue has under a name that no order of ours bears; its own exits bear none."""
    known = {(order.account, order.client_id) for order in books.orders}
    for account in books.house.accounts:
        for client_id in theirs["orders"].get(str(account), {}):
            if client_id and (account, client_id) not in known:
                yield "without_intent", f"{client_id} of account {account} is nobody's"


def _of_positions(books: Books, theirs: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> Iterator[Problem]:
    held: dict[UUID, dict[str, Decimal]] = defaultdict(lambda: defaultdict(Decimal))
    for account, symbol, state, side, quantity, receipt, is_foreign in books.positions:
        if is_foreign or receipt not in books.receipts:
            yield "without_receipt", f"a position of account {account} in {symbol} ({state})"
        if state == "open":
            held[account][symbol] += quantity if side == "buy" else -quantity
    for account in books.house.accounts:
        shown = {symbol: Decimal(text) for symbol, text in theirs["positions"].get(str(account), {}).items()}
        mine = {symbol: quantity for symbol, quantity in held[account].items() if quantity}
        if shown != mine:
            yield "books_differ", f"account {account} holds {_said(shown)} and by our books {_said(mine)}"


def _said(held: Mapping[str, Decimal]) -> str:
    return ", ".join(f"{quantity.normalize():f} {symbol}" for symbol, quantity in sorted(held.items())) or "nothing"

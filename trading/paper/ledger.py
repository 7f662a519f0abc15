"""The venue's ledger: SQLite, one writer, every commit on disk before anybody is answered.

What is put waits in memory until `commit`, which writes it in one transaction: so a thousand commands that arrive
together cost one flush of the disk. Reports are only ever added, each time an order changes: that writes whole pages
one after the other, where a row in its place would touch a page each.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.orders import FillReport, OrderReport
from trading.engine.matching.book import Book, Outcome

_SCHEMA = """
create table if not exists accounts (
    number integer primary key, name text not null unique, token blob not null, book text not null
);
create table if not exists orders (
    seq integer primary key, account integer not null, client_id text not null, id text not null, report text not null
);
create index if not exists orders_by_client_id on orders (account, client_id);
create table if not exists fills (
    seq integer primary key, account integer not null, client_id text not null, at_us integer not null,
    report text not null
);
create index if not exists fills_by_time on fills (account, at_us);
create table if not exists facts (name text primary key, value text not null) without rowid;
"""
book_codec = plain.codec(Book)
order_codec = plain.codec(OrderReport)
fill_codec = plain.codec(FillReport)


class Taken(Exception):
    """Raised when another process writes this ledger."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """An account as the ledger has it."""

    number: int
    name: str
    token: bytes
    book: Book


def micros(at: datetime) -> int:
    """Return a moment as whole microseconds."""
    return int(at.timestamp()) * 1_000_000 + at.microsecond


class Ledger:
    """Keep accounts, orders and fills."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock = os.open(folder / "venue.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Taken(f"another process writes the ledger in {folder}") from error
        path = folder / "ledger.sqlite3"
        self._database = sqlite3.connect(path, isolation_level=None)
        path.chmod(0o600)
        self._database.execute("pragma journal_mode = wal")
        self._database.execute("pragma synchronous = full")
        # A checkpoint in the middle of a thousand orders makes them wait; at 80 MB it comes seldom.
        self._database.execute("pragma wal_autocheckpoint = 20000")
        self._database.execute("pragma cache_size = -65536")
        self._database.executescript(_SCHEMA)
        self._books: dict[int, Book] = {}
        self._orders: list[tuple[int, str, str, str]] = []
        self._fills: list[tuple[int, str, int, str]] = []
        self._is_open = False

    def close(self) -> None:
        self._database.close()
        os.close(self._lock)

    # --- writing ---
    def open_account(self, name: str, token: bytes, book: Book) -> None:
        self._begin()
        row = (book.number, name, token, book_codec.write(book))
        self._database.execute("insert into accounts values (?, ?, ?, ?)", row)

    def change_token(self, number: int, token: bytes) -> None:
        self._begin()
        self._database.execute("update accounts set token = ? where number = ?", (token, number))

    def put(self, outcome: Outcome) -> list[str]:
        """Keep what a step did; give the text of its order reports, which others want as well."""
        number = outcome.book.number
        self._books[number] = outcome.book
        texts = [order_codec.write(order) for order in outcome.orders]
        for order, text in zip(outcome.orders, texts, strict=True):
            self._orders.append((number, order.client_id, order.venue_order_id, text))
        for fill in outcome.fills:
            self._fills.append((number, fill.client_id, micros(fill.at), fill_codec.write(fill)))
        return texts

    def put_fact(self, name: str, value: str) -> None:
        self._begin()
        sql = "insert into facts values (?, ?) on conflict (name) do update set value = excluded.value"
        self._database.execute(sql, (name, value))

    def drop_fact(self, name: str) -> None:
        self._begin()
        self._database.execute("delete from facts where name = ?", (name,))

    def commit(self) -> None:
        """Bring everything that was put to the disk."""
        self._flush()
        if self._is_open:
            self._database.execute("commit")
            self._is_open = False

    def _begin(self) -> None:
        if not self._is_open:
            self._database.execute("begin immediate")
            self._is_open = True

    def _flush(self) -> None:
        if not (self._books or self._orders or self._fills):
            return
        self._begin()
        books = [(book_codec.write(book), number) for number, book in self._books.items()]
        self._database.executemany("update accounts set book = ? where number = ?", books)
        self._database.executemany(
            "insert into orders (account, client_id, id, report) values (?, ?, ?, ?)", self._orders
        )
        self._database.executemany(
            "insert into fills (account, client_id, at_us, report) values (?, ?, ?, ?)", self._fills
        )
        self._books.clear()
        self._orders.clear()
        self._fills.clear()

    # --- reading ---
    def accounts(self) -> Iterator[Stored]:
        rows = self._database.execute("select number, name, token, book from accounts order by number")
        for number, name, token, book in rows:
            yield Stored(number=number, name=name, token=token, book=plain.read(Book, book))

    def facts(self, prefix: str) -> dict[str, str]:
        rows = self._database.execute("select name, value from facts where name glob ?", (f"{prefix}*",))
        return dict(rows.fetchall())

    def orders(self, number: int, client_id: str) -> list[str]:
        """List the last reports of all orders with a client id, the first one first."""
        self._flush()
        sql = "select id, report from orders where account = ? and client_id = ? order by seq"
        return list(dict(self._database.execute(sql, (number, client_id)).fetchall()).values())

    def order(self, number: int, order_id: str) -> str | None:
        """Find the last report of an order by its own id."""
        self._flush()
        sql = "select report from orders where account = ? and id = ? order by seq desc limit 1"
        found = self._database.execute(sql, (number, order_id)).fetchone()
        return found[0] if found else None

    def fills(self, number: int, since: datetime) -> list[str]:
        """List the reports of the fills since a moment, in the order in which they were made."""
        self._flush()
        sql = "select report from fills where account = ? and at_us >= ? order by seq"
        return [report for (report,) in self._database.execute(sql, (number, micros(since)))]

    def counts(self, table: str) -> list[tuple[str, str, int]]:
        """Count the orders or fills of every account and client id."""
        self._flush()
        what, source = {"orders": ("count(distinct t.id)", "orders"), "fills": ("count(*)", "fills")}[table]
        return self._database.execute(
            f"select a.name, t.client_id, {what} from {source} t join accounts a on a.number = t.account"  # noqa: S608
            " group by 1, 2 order by 1, 2"
        ).fetchall()

    def first_reports(self) -> list[tuple[str, str, str]]:
        """List the first report of every account's every client id."""
        self._flush()
        return self._database.execute(
            "select a.name, t.client_id, t.report from orders t join accounts a on a.number = t.account"
            " where t.seq in (select min(seq) from orders group by account, client_id) order by 1, 2"
        ).fetchall()

"""What drills and tests may ask of the venue, with a token of their own: set prices and time, break things, count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.money import currency
from trading.engine.matching.market import Bar
from trading.engine.matching.terms import Terms
from trading.paper.faults import Fault, Faults
from trading.paper.ledger import Ledger, order_codec
from trading.paper.prices import Prices
from trading.paper.venue import Account, Refused, Venue, quote_of

# Terms that can be given as text.
_TERMS: Mapping[str, Any] = {
    "leverage": Decimal, "stop_out": Decimal, "commission_per_lot": Decimal, "most_slippage_ticks": int, "seed": int,
}  # fmt: skip


class Clock:
    """The venue's time: the machine's, moved or stopped by a drill."""

    def __init__(self, begins: datetime | None = None) -> None:
        self._moved = timedelta(0) if begins is None else begins - datetime.now(UTC)
        self._stopped: datetime | None = None

    def now(self) -> datetime:
        return self._stopped or datetime.now(UTC) + self._moved

    def set(self, at: datetime, *, is_stopped: bool) -> None:
        self._moved, self._stopped = at - datetime.now(UTC), at if is_stopped else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Console:
    """Everything that a command may touch."""

    ledger: Ledger
    prices: Prices
    venue: Venue
    clock: Clock
    faults: Faults
    latency_ms: dict[str, int]
    sessions: Mapping[str, Account]


def carry_out(console: Console, command: str, told: Mapping[str, Any], now: datetime) -> Any:
    """Do one command and answer plain values."""
    if command not in COMMANDS:
        raise Refused("unknown_command", command)
    answer = COMMANDS[command](console, told, now)
    return True if answer is None else answer


def _price(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    for line in told["prices"]:
        console.venue.set_price(quote_of(line["symbol"], line["bid"], line["ask"], now, size=line.get("size", "")))


def _clock(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    console.clock.set(datetime.fromisoformat(told["at"]), is_stopped=told.get("is_stopped", False))
    console.prices.advance(console.clock.now())


def _tick(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    """Step every price, also those that stand still: nights pass, days end."""
    for _pause in console.venue.tick(still=True):
        pass


def _latency(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    console.latency_ms[told.get("account", "")] = int(told["ms"])


def _bar(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    console.venue.bar(plain.codec(Bar).read(told["bar"]))


def _let_go(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    console.venue.let_go(told["symbol"])


def _fault(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    console.faults.add(Fault.read(told))


def _clear_faults(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    console.faults.clear()


def _open(console: Console, told: Mapping[str, Any], now: datetime) -> None:
    """Open accounts: those in `names`, or the one in `name`, all with the same terms."""
    terms = Terms(currency=currency(told.get("currency", "USD")), is_hedged=told.get("positions") == "hedged")
    terms = replace(terms, **{name: read(told[name]) for name, read in _TERMS.items() if name in told})
    for name in told.get("names", [told.get("name", "")]):
        console.venue.open(name, told["token"], balance=Decimal(told.get("balance", "100000")), terms=terms)


def _count(console: Console, told: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Count orders and fills by account and client id, tell when orders came first, and open positions by account."""
    counted: dict[str, Any] = {table: {} for table in ("orders", "fills")}
    for table, by_account in counted.items():
        for account, client_id, number in console.ledger.counts(table):
            by_account.setdefault(account, {})[client_id] = number
    counted["arrived"] = {}
    for account, client_id, report in console.ledger.first_reports():
        arrived = order_codec.read(json.loads(report)).at
        counted["arrived"].setdefault(account, {})[client_id] = arrived.isoformat()
    counted["positions"] = {
        account.name: {held.symbol: format(_signed(held), "f") for held in account.book.positions}
        for account in console.venue.accounts()
        if account.book.positions
    }
    return counted


def _sessions(console: Console, told: Mapping[str, Any], now: datetime) -> dict[str, int]:
    """Count by account how often it is signed in."""
    return Counter(account.name for account in console.sessions.values())


def _signed(held: Any) -> Decimal:
    return Decimal(held.quantity * held.side.sign)


COMMANDS: Mapping[str, Callable[[Console, Mapping[str, Any], datetime], Any]] = {
    "open": _open, "price": _price, "let_go": _let_go, "bar": _bar, "tick": _tick, "clock": _clock,
    "latency": _latency, "fault": _fault, "clear_faults": _clear_faults, "count": _count,
    "sessions": _sessions,
}  # fmt: skip

"""What venues tell, sorted: the newest report of everything, every fill once, and both as columns for the database."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.money import ONE, Currency, Ratio
from mikrobot_platform.kernel.orders import MOVES, AccountReport, FillReport, OrderReport, PositionReport
from mikrobot_platform.kernel.rates import RateBook, conversion
from mikrobot_platform.kernel.venues import Positions
from risk_management import catalogue
from trading import quotes
from trading.brokers import News
from trading.desk import Door
from trading.sending import MAX_REASON
from trading.worth import MAX_RATE_AGE

_MOVES = [(before.value, after.value) for before, several in MOVES.items() for after in several]
ALONG = {"befores": [before for before, _ in _MOVES], "afters": [after for _, after in _MOVES]}


@dataclass(frozen=True, slots=True)
class Heard:
    """What a venue has told of an account, and how it holds positions there."""

    door: Door
    positions: Positions
    what: News
    adopts: UUID | None = None  # of a fill that nobody here asked for: the position of ours that it is booked to


class Newest:
    """The reports of a batch: of orders, positions and accounts the newest one, and every fill."""

    def __init__(self, reports: Sequence[Heard]) -> None:
        self.doors = {one.door.account_id: one.door for one in reports}
        self.positions_are = {one.door.account_id: one.positions for one in reports}
        self.orders: dict[tuple[UUID, str], tuple[Door, OrderReport]] = {}
        self.fills: list[tuple[Door, FillReport, UUID | None]] = []
        self.positions: dict[tuple[UUID, str], PositionReport] = {}
        self.accounts: dict[UUID, AccountReport] = {}
        for one in reports:
            self.take(one)

    def take(self, heard: Heard) -> None:
        """Put one report where it belongs."""
        account, what = heard.door.account_id, heard.what
        match what:
            case OrderReport():
                before = self.orders.get((account, what.client_id))
                if what.client_id and (before is None or what.revision >= before[1].revision):
                    self.orders[account, what.client_id] = (heard.door, what)
            case FillReport():
                self.fills.append((heard.door, what, heard.adopts))
            case PositionReport():
                if (known := self.positions.get((account, what.id))) is None or what.at >= known.at:
                    self.positions[account, what.id] = what
            case AccountReport():
                if (seen := self.accounts.get(account)) is None or what.at >= seen.at:
                    self.accounts[account] = what

    def named(self) -> tuple[list[UUID], list[str]]:
        """Name the orders that something was told of: whose, and by which client id."""
        names = {(door.organization_id, fill.client_id) for door, fill, _ in self.fills if fill.client_id}
        names |= {(door.organization_id, report.client_id) for door, report in self.orders.values()}
        both = sorted(names)
        return [owner for owner, _ in both], [client_id for _, client_id in both]

    def book_of(self, door: Door, fill: FillReport) -> str:
        """Name what a fill is folded with: its position where they are hedged, else its symbol."""
        is_hedged = self.positions_are[door.account_id] is Positions.HEDGED
        return fill.position_id if is_hedged and fill.position_id else fill.symbol


def order_columns(told: Sequence[tuple[Door, UUID, OrderReport]]) -> dict[str, Any]:
    """Say how orders stand."""
    return {
        "organizations": [door.organization_id for door, _, _ in told],
        "orders": [order for _, order, _ in told],
        "states": [report.state.value for _, _, report in told],
        "codes": ["venue"] * len(told),
        "reasons": [report.reason[:MAX_REASON] for _, _, report in told],
        "venue_orders": [report.venue_order_id for _, _, report in told],
        "revisions": [report.revision for _, _, report in told],
        "filled": [report.filled for _, _, report in told],
        "prices": [report.average_price for _, _, report in told],
        "times": [report.at for _, _, report in told],
        **ALONG,
    }


def fill_columns(
    fills: Sequence[tuple[Door, FillReport, UUID | None]], rates: Sequence[Ratio | None]
) -> dict[str, Any]:
    """Say what was carried out, and what it was worth then."""
    return {
        "organizations": [door.organization_id for door, _, _ in fills],
        "accounts": [door.account_id for door, _, _ in fills],
        "fills": [fill.id for _, fill, _ in fills],
        "venue_orders": [fill.venue_order_id for _, fill, _ in fills],
        "venue_positions": [fill.position_id for _, fill, _ in fills],
        "symbols": [fill.symbol for _, fill, _ in fills],
        "sides": [fill.side.value for _, fill, _ in fills],
        "quantities": [fill.quantity for _, fill, _ in fills],
        "prices": [fill.price for _, fill, _ in fills],
        "fees": [fill.fee for _, fill, _ in fills],
        "profits": [fill.profit for _, fill, _ in fills],
        "tops": [None if rate is None else rate.top for rate in rates],
        "bottoms": [None if rate is None else rate.bottom for rate in rates],
        "times": [fill.at for _, fill, _ in fills],
        "positions": [adopts for _, _, adopts in fills],
    }


def position_columns(seen: Sequence[tuple[Door, PositionReport]]) -> dict[str, Any]:
    """Say what venues tell of positions, column by column."""
    return {
        "organizations": [door.organization_id for door, _ in seen],
        "accounts": [door.account_id for door, _ in seen],
        "venue_positions": [one.id for _, one in seen],
        "symbols": [one.symbol for _, one in seen],
        "stops": [one.stop_loss for _, one in seen],
        "targets": [one.take_profit for _, one in seen],
        "swaps": [one.swap for _, one in seen],
    }


def account_columns(seen: Sequence[tuple[Door, AccountReport]]) -> dict[str, Any]:
    """Say how the money of accounts stands, as far as it is kept here."""
    return {
        "organizations": [door.organization_id for door, _ in seen],
        "accounts": [door.account_id for door, _ in seen],
        "leverages": [one.leverage for _, one in seen],
        "times": [one.at for _, one in seen],
    }


class Worth:
    """What a quote currency is worth in an account's own at the moment of a batch; prices are read when they matter."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._rates: RateBook | None = None

    def rate(self, venue: str, symbol: str, currency: Currency) -> Ratio | None:
        spec = catalogue.find(symbol)
        if spec is None:
            return None
        if spec.quote == currency:
            return ONE
        if self._rates is None:
            self._rates = quotes.rates(quotes.latest(venue))
        found = conversion(spec.quote, currency, self._rates, now=self._now, max_age=MAX_RATE_AGE)
        return None if isinstance(found, Refusal) else found.factor

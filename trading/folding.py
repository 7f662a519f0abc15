"""Stored fills into positions: which of them are ours to fold, which row each trade belongs to, what the row says then.

Nothing here reads or writes: rows come in as they are stored, rows come out as they should be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid5

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import EXACT, Currency, Ratio, Rounding, minor_unit
from mikrobot_platform.kernel.orders import FillReport, Purpose
from mikrobot_platform.kernel.venues import Positions
from risk_management import catalogue
from trading.engine.settle import Booked, Part, Trade, settle

_ZERO = Decimal(0)
_FINEST = Decimal("1e-24")  # of a column that holds a price


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOfFill:
    """What a fill's order says of the position that it opens."""

    id: UUID
    purpose: Purpose
    position_id: UUID | None
    signal_id: UUID | None
    receipt_id: UUID | None
    strategy_id: UUID | None
    symbol: str
    stop_loss: Decimal | None
    take_profit: Decimal | None
    risk: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFill:
    """A fill as it is stored, with its order where it is one of ours."""

    book: str
    fill: FillReport
    rate: Ratio | None
    position_id: UUID | None  # ours that it was written for, when it was adopted
    order: OrderOfFill | None

    @property
    def opens(self) -> bool:
        """Tell whether it may open or enlarge a position of ours: what was meant to, or was adopted."""
        return self.position_id is not None or (self.order is not None and self.order.purpose.is_entry)

    @property
    def booked(self) -> Booked:
        purpose = Purpose.ENTRY if self.position_id else self.order.purpose if self.order else None
        return Booked(fill=self.fill, rate=self.rate, purpose=purpose)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPosition:
    """A position that is stored already."""

    id: UUID
    book: str
    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """A trade, the row that it belongs to, and the fills that make it."""

    id: UUID
    is_new: bool
    was_open: bool
    trade: Trade
    first: StoredFill
    orders: tuple[UUID, ...]  # of ours that opened it or added to it
    venue_position_id: str

    @property
    def symbol(self) -> str:
        return self.first.order.symbol if self.first.order else self.trade.symbol

    def values(self) -> dict[str, object]:
        """Say what its row should hold, as JSON takes it."""
        trade, order = self.trade, self.first.order
        return {
            "signal_id": _text(order.signal_id if order else None),
            "receipt_id": _text(order.receipt_id if order else None),
            "strategy_id": _text(order.strategy_id if order else None),
            "is_foreign": order is None,
            "venue_position_id": self.venue_position_id,
            "symbol": self.symbol,
            "venue_symbol": trade.symbol,
            "side": trade.side.value,
            "state": "open" if trade.is_open else "closed",
            "opened": _text(trade.opened),
            "quantity": _text(trade.quantity),
            "entry": _text(trade.entry.rounded(_FINEST, Rounding.NEAREST)),
            "first_stop": _text(order.stop_loss if order else None),
            "target": _text(order.take_profit if order else None),
            "risk": _text(order.risk if order else None),
            "profit": _text(trade.net),
            "fees": _text(trade.fees),
            "entry_fees": _text(trade.fees_in),
            "r": _text(trade.r),
            "opened_at": trade.opened_at.isoformat(),
            "closed_at": None if trade.is_open else trade.last_at.isoformat(),
        }


def bare(value: Decimal) -> Decimal:
    """Take away the zeros that a wide column adds."""
    return Decimal(format(value.normalize(), "f"))


def _text(value: UUID | Decimal | None) -> str | None:
    return None if value is None else str(value)


def stored_fill(row: tuple[Any, ...]) -> StoredFill:
    (_account, book, fill_id, client_id, venue_order, venue_position, symbol, side, quantity, price, fee, profit, top,
     bottom, at, position, order_id, *of_order) = row  # fmt: skip
    return StoredFill(
        book=book,
        fill=FillReport(
            id=fill_id, client_id=client_id, venue_order_id=venue_order, symbol=symbol, side=Side(side),
            quantity=Quantity(bare(quantity)), price=Price(bare(price)), fee=bare(fee),
            profit=None if profit is None else bare(profit), position_id=venue_position, at=at,
        ),
        rate=None if top is None else Ratio(bare(top), bare(bottom)),
        position_id=position,
        order=None if order_id is None else _order_of(order_id, of_order),
    )  # fmt: skip


def _order_of(order_id: UUID, row: Sequence[Any]) -> OrderOfFill:
    purpose, position, signal, receipt, strategy, symbol, stop_loss, take_profit, risk = row
    return OrderOfFill(
        id=order_id, purpose=Purpose(purpose), position_id=position, signal_id=signal, receipt_id=receipt,
        strategy_id=strategy, symbol=symbol, stop_loss=None if stop_loss is None else bare(stop_loss),
        take_profit=None if take_profit is None else bare(take_profit), risk=None if risk is None else bare(risk),
    )  # fmt: skip


def fold(
    fills: Sequence[StoredFill],
    stored: Sequence[StoredPosition],
    *,
    account_id: UUID,
    currency: Currency,
    positions: Positions,
) -> list[Folded]:
    """Fold the fills of an account's books, closed trades first; each goes to the row of the orders that made it.

    Closed first, because an account may hold one open row for a position of its venue.
    """
    ours = list(_of_ours(fills))
    by_id = {one.fill.id: one for one in ours}
    specs = {symbol: spec for symbol in {one.fill.symbol for one in ours} if (spec := _spec(symbol, ours))}
    stops = {
        one.fill.client_id: Price(one.order.stop_loss) for one in ours if one.order and one.order.stop_loss is not None
    }
    trades = settle(
        [one.booked for one in ours], specs=specs, currency=currency, positions=positions, first_stops=stops
    ).trades
    rows = {one.id: one for one in stored}
    taken: set[UUID] = set()
    found = []
    for trade in trades:
        made_by = [by_id[fill] for fill in trade.fills]
        entries = [one for one in made_by if one.opens and one.fill.side is trade.side]
        row_id = _row_of(trade, entries, rows, taken, account_id)
        taken.add(row_id)
        row = rows.get(row_id)
        found.append(
            Folded(
                id=row_id, is_new=row is None, was_open=row is not None and row.is_open, trade=trade,
                first=made_by[0], orders=tuple(dict.fromkeys(one.order.id for one in entries if one.order)),
                venue_position_id=made_by[0].fill.position_id,
            )
        )  # fmt: skip
    return sorted(found, key=lambda one: (one.trade.is_open, one.trade.opened_at))


def _spec(symbol: str, fills: Iterable[StoredFill]) -> InstrumentSpec | None:
    """Find what a venue's symbol is: by the symbol of our order, else by its own."""
    ours = next((one.order.symbol for one in fills if one.order and one.fill.symbol == symbol), symbol)
    return catalogue.find(ours)


def _of_ours(fills: Sequence[StoredFill]) -> Iterable[StoredFill]:
    """Leave out what nobody here asked for, except where it makes a position of ours smaller: its stop at the venue.

    What opens or enlarges one without being asked for is a difference, and is found and handled as such (tracking).
    """
    open_now: dict[str, Decimal] = {}
    for one in sorted(fills, key=lambda one: (one.fill.at, not one.opens, one.fill.id)):
        fill, held = one.fill, open_now.get(one.book, _ZERO)
        quantity: Decimal = fill.quantity
        if not one.opens:
            reducible = max(_ZERO, -held * fill.side.sign)
            quantity = min(quantity, reducible)
            if not quantity:
                continue
        open_now[one.book] = held + fill.side.sign * quantity
        yield one if quantity == fill.quantity else replace(one, fill=replace(fill, quantity=Quantity(quantity)))


def _row_of(
    trade: Trade,
    entries: Sequence[StoredFill],
    rows: Mapping[UUID, StoredPosition],
    taken: set[UUID],
    account_id: UUID,
) -> UUID:
    """Name the row of a trade: the one that its orders belong to already, else that of the order that opened it."""
    known = [one.order.position_id for one in entries if one.order and one.order.position_id in rows]
    wanted = [one.position_id for one in entries if one.position_id]
    own = [one.order.id for one in entries if one.order]
    for candidate in (*known, *wanted, *own):
        if candidate is not None and candidate not in taken:
            return candidate
    return uuid5(account_id, f"{trade.id}/{trade.opened_at.isoformat()}")  # its order opened another one before


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a fill did, to be told upwards once."""

    fill_id: str
    is_opening: bool
    quantity: Decimal
    profit: Decimal | None
    at: datetime


def results(
    trade: Trade, told: Mapping[str, Decimal | None], currency: Currency, *, is_opened_told: bool
) -> list[Result]:
    """List what was not told yet of a trade: that it was opened, then each part with its share of the entry's costs.

    The part that ends a trade brings whatever is left, so that all parts together are the trade's result to the cent.
    """
    found = []
    if not is_opened_told:
        found.append(
            Result(fill_id=trade.fills[0], is_opening=True, quantity=trade.opened, profit=None, at=trade.opened_at)
        )
    so_far = list(told.values())
    for part in trade.parts:
        if part.fill_id in told:
            continue
        is_last = not trade.is_open and part is trade.parts[-1]
        profit = _rest(trade, so_far) if is_last else _share(trade, part, currency)
        so_far.append(profit)
        found.append(Result(fill_id=part.fill_id, is_opening=False, quantity=part.quantity, profit=profit, at=part.at))
    return found


def _rest(trade: Trade, told: Iterable[Decimal | None]) -> Decimal | None:
    """Return the trade's result less what was told of it."""
    net = trade.net
    for profit in told:
        if profit is None or net is None:
            return None
        net = EXACT.subtract(net, profit)
    return net


def _share(trade: Trade, part: Part, currency: Currency) -> Decimal | None:
    if part.profit is None:
        return None
    costs = Ratio(trade.fees_in, trade.opened).times(part.quantity).rounded(minor_unit(currency), Rounding.NEAREST)
    return EXACT.subtract(EXACT.subtract(part.profit, part.fee), costs)

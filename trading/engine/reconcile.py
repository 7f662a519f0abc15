"""Ours against theirs: what the venue holds, what we think it holds, and what is to be done about the difference.

The venue is right about what is, we are right about what was meant. Nothing is concluded from a look that came too
early: an order needs its settle window, and a position whose orders are on their way is looked at again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import assert_never

from mikrobot_platform.kernel.decisions import evidence
from mikrobot_platform.kernel.market import Quantity, Side
from mikrobot_platform.kernel.orders import OrderReport, OrderState, PositionReport, Purpose
from mikrobot_platform.kernel.venues import LookUp, Positions
from trading.engine.drift import Finding, Kind, OurOrder, OurPosition, Ours, Theirs

_ZERO = Decimal(0)
_IN_FLIGHT = frozenset({OrderState.SENDING, OrderState.UNKNOWN})


def compare(ours: Ours, theirs: Theirs, *, now: datetime, settle: timedelta) -> tuple[Finding, ...]:
    """Find every difference between our books and one look at the venue, and what became of unknown orders.

    1. Each order in flight is found, absent or still unknown. Absent needs proof: the look began after the settle
       window, and it would have shown an order that is there (`look_up` says what would).
    2. An order that should work and does not has ended somehow; one that works and is not ours is foreign.
    3. Positions are compared by the venue's id where they are hedged, by symbol where they are netted; those with an
       order in flight, or with a change that is younger than the settle window, are left for the next look.
    4. What is open at the venue is covered by working stops, or it is unprotected; that waits for nothing but a stop
       that is on its way.
    """
    return (
        *_orders(ours, theirs, now, settle),
        *_strangers(ours, theirs, settle),
        *_positions(ours, theirs, settle),
    )


# Orders


def _orders(ours: Ours, theirs: Theirs, now: datetime, settle: timedelta) -> Iterator[Finding]:
    working = {report.client_id: report for report in theirs.working or () if report.client_id}
    for order in sorted(ours.orders, key=lambda one: (one.sent_at, one.client_id)):
        if order.state in _IN_FLIGHT:
            yield _fate(order, theirs, working, now, settle)
        elif order.state in (OrderState.WORKING, OrderState.PARTIAL):
            yield from _ended(order, theirs, working, settle)


def _fate(
    order: OurOrder, theirs: Theirs, working: Mapping[str, OrderReport], now: datetime, settle: timedelta
) -> Finding:
    """Say what became of an order of which nobody knew."""
    report = theirs.asked.get(order.client_id) or working.get(order.client_id)
    if report is not None:
        return _found(order, report.state, Decimal(report.filled), "report")
    filled = sum((fill.quantity for fill in theirs.fills or () if fill.client_id == order.client_id), _ZERO)
    if filled:
        state = OrderState.FILLED if filled >= order.quantity else OrderState.PARTIAL
        return _found(order, state, filled, "fills")
    held = next((one for one in theirs.positions or () if one.opened_by == order.client_id), None)
    if held is not None:
        state = OrderState.FILLED if held.quantity >= order.quantity else OrderState.PARTIAL
        return _found(order, state, held.quantity, "position")
    waited = theirs.at - order.sent_at
    reason = _no_proof(order, theirs, waited, settle)
    if reason is None:
        return Finding(
            kind=Kind.ORDER_ABSENT, about=order.client_id, order=order.client_id, state=OrderState.ABSENT,
            evidence=evidence(waited_s=int(waited.total_seconds()), symbol=order.symbol, look_up=theirs.look_up),
        )  # fmt: skip
    return Finding(
        kind=Kind.ORDER_UNKNOWN, about=order.client_id, order=order.client_id, is_overdue=waited >= settle,
        evidence=evidence(
            reason=reason, symbol=order.symbol, purpose=order.purpose, look_up=theirs.look_up,
            since_s=int((now - order.sent_at).total_seconds()),
        ),
    )  # fmt: skip


def _no_proof(order: OurOrder, theirs: Theirs, waited: timedelta, settle: timedelta) -> str | None:
    """Say why an order that was not found may still be there; None when it cannot be."""
    if waited < settle:
        return "the venue has not had its time yet"
    match theirs.look_up:
        case LookUp.AUTHORITATIVE:
            return None if order.client_id in theirs.asked else "it was not asked for"
        case LookUp.WORKING_ONLY:
            if theirs.working is None or theirs.positions is None:
                return "the venue did not show what works and what is open"
            if theirs.fills is None or theirs.fills_since is None or theirs.fills_since > order.sent_at:
                return "the venue did not show the fills since it was sent"
            return None
        case LookUp.NONE:
            return "the venue cannot be asked for it"
        case _:
            assert_never(theirs.look_up)


def _found(order: OurOrder, state: OrderState, filled: Decimal, by: str) -> Finding:
    return Finding(
        kind=Kind.ORDER_FOUND, about=order.client_id, order=order.client_id, state=state,
        evidence=evidence(state=state, filled=filled, quantity=order.quantity, symbol=order.symbol, by=by),
    )  # fmt: skip


def _ended(order: OurOrder, theirs: Theirs, working: Mapping[str, OrderReport], settle: timedelta) -> Iterator[Finding]:
    """Say how an order ended that should still work."""
    asked = theirs.asked.get(order.client_id)
    if asked is not None and asked.state.is_final:
        yield _found(order, asked.state, Decimal(asked.filled), "report")
        return
    is_gone = asked is None and theirs.working is not None and order.client_id not in working
    if is_gone and theirs.at - order.changed_at >= settle:
        yield Finding(
            kind=Kind.ORDER_ENDED, about=order.client_id, order=order.client_id,
            evidence=evidence(symbol=order.symbol, purpose=order.purpose, quantity=order.quantity),
        )  # fmt: skip


def _strangers(ours: Ours, theirs: Theirs, settle: timedelta) -> Iterator[Finding]:
    """Find orders that work at the venue and should not: never ours, or ours and over by our books."""
    open_here = {order.client_id for order in ours.orders if not order.state.is_final}
    just_ended = {
        order.client_id
        for order in ours.orders
        if order.state.is_final and theirs.at - order.changed_at < settle
    }  # fmt: skip
    for report in theirs.working or ():
        if report.state.is_final or report.client_id in open_here or report.client_id in just_ended:
            continue
        is_ours = report.client_id in ours.known or any(one.client_id == report.client_id for one in ours.orders)
        yield Finding(
            kind=Kind.ORDER_FOREIGN, about=report.client_id or report.venue_order_id, order=report.venue_order_id,
            evidence=evidence(
                venue_order=report.venue_order_id, client_id=report.client_id, was_ours=is_ours, state=report.state
            ),
        )  # fmt: skip


# Positions


@dataclass(slots=True, kw_only=True)
class _Pair:
    """One position at the venue beside ours. Quantities are signed: a sale is negative."""

    symbol: str
    ours: list[OurPosition] = field(default_factory=list)
    theirs: list[PositionReport] = field(default_factory=list)

    @property
    def our_quantity(self) -> Decimal:
        return sum((one.side.sign * one.quantity for one in self.ours), _ZERO)

    @property
    def their_quantity(self) -> Decimal:
        return sum((one.side.sign * one.quantity for one in self.theirs), _ZERO)


def _positions(ours: Ours, theirs: Theirs, settle: timedelta) -> Iterator[Finding]:
    if theirs.positions is None:
        return
    for pair in _pairs(ours.positions, theirs.positions, theirs.positions_are):
        yield from _size(pair, ours, theirs, settle)
        if pair.their_quantity:
            yield from _protection(pair, ours, theirs, settle)


def _pairs(ours: Iterable[OurPosition], theirs: Iterable[PositionReport], positions: Positions) -> list[_Pair]:
    """Put our positions beside theirs."""
    pairs: dict[str, _Pair] = {}
    is_netted = positions is Positions.NETTED
    by_opener: dict[str, str] = {}
    for report in theirs:
        name = report.symbol if is_netted else report.id
        if report.opened_by:
            by_opener[report.opened_by] = name
        pairs.setdefault(name, _Pair(symbol=report.symbol)).theirs.append(report)
    for position in ours:
        # A position that was just opened is known by its order until the venue has told its id.
        name = position.symbol if is_netted else position.venue_id or by_opener.get(position.opened_by, position.id)
        pairs.setdefault(name, _Pair(symbol=position.symbol)).ours.append(position)
    return [pairs[name] for name in sorted(pairs)]


def _is_moving(pair: _Pair, ours: Ours, theirs: Theirs, settle: timedelta) -> bool:
    """Tell whether a difference may be nothing but news that has not arrived."""
    orders = _orders_of(pair, ours)
    changes = [order.changed_at for order in orders] + [position.changed_at for position in pair.ours]
    return any(order.state in _IN_FLIGHT for order in orders) or any(
        theirs.at - changed < settle for changed in changes
    )


def _size(pair: _Pair, ours: Ours, theirs: Theirs, settle: timedelta) -> Iterator[Finding]:
    mine, their = pair.our_quantity, pair.their_quantity
    if mine == their or _is_moving(pair, ours, theirs, settle):
        return
    shown = their or mine  # never both zero: they differ
    side, quantity = Side.BUY if shown > 0 else Side.SELL, Quantity(abs(shown))
    if not pair.ours:
        kind, about = Kind.POSITION_FOREIGN, pair.theirs[0].id or pair.symbol
        figures: dict[str, object] = {"side": side, "theirs": quantity}
    elif not their:
        kind, about = Kind.POSITION_MISSING, pair.ours[0].id
        figures = {"side": side, "ours": quantity}
    else:
        kind, about = Kind.POSITION_RESIZED, pair.ours[0].id
        figures = {"ours": mine, "theirs": their}
    yield Finding(
        kind=kind, about=about, side=side, quantity=quantity, leaving=_leaving(pair, ours),
        exits_made=ours.exits_made.get(about, 0),
        evidence=evidence(symbol=pair.symbol, venue_ids=[one.id for one in pair.theirs], **figures),
    )  # fmt: skip


def _protection(pair: _Pair, ours: Ours, theirs: Theirs, settle: timedelta) -> Iterator[Finding]:
    """Hold what is open at the venue to being covered, and the stop to standing where we want it."""
    their = pair.their_quantity
    side, quantity = Side.BUY if their > 0 else Side.SELL, Quantity(abs(their))
    about = pair.ours[0].id if pair.ours else pair.theirs[0].id or pair.symbol
    # Where several of ours are one of theirs the tightest stop protects it, and none can be said to have been moved.
    stops_wanted = [one.stop for one in pair.ours if one.stop is not None]
    wanted = max(stops_wanted, key=lambda stop: stop * side.sign, default=None)
    attached = next((one.stop_loss for one in pair.theirs if one.stop_loss is not None), None)
    stops = _working_stops(pair, ours, theirs)
    arriving = [order for order in stops if order.state in _IN_FLIGHT]
    covered = sum((order.quantity - order.filled for order in stops), _ZERO)
    if any(theirs.at - order.sent_at >= settle for order in arriving):
        covered -= sum((order.quantity - order.filled for order in arriving), _ZERO)  # too late to be trusted
    bare = _ZERO if attached is not None else max(quantity - covered, _ZERO)
    if bare:
        yield Finding(
            kind=Kind.POSITION_UNPROTECTED, about=about, side=side, quantity=quantity, bare=Quantity(bare), stop=wanted,
            leaving=_leaving(pair, ours), is_stop_in_flight=bool(arriving),
            exits_made=ours.exits_made.get(about, 0), stops_made=ours.stops_made.get(about, 0),
            evidence=evidence(symbol=pair.symbol, side=side, theirs=quantity, bare=bare, stop=wanted),
        )  # fmt: skip
        return
    is_moved = len(pair.ours) == 1 and attached is not None and wanted is not None and attached != wanted
    if is_moved and not _is_moving(pair, ours, theirs, settle):
        yield Finding(
            kind=Kind.STOP_MOVED, about=about, side=side, quantity=quantity, stop=wanted, venue_stop=attached,
            evidence=evidence(symbol=pair.symbol, ours=wanted, theirs=attached),
        )  # fmt: skip


def _working_stops(pair: _Pair, ours: Ours, theirs: Theirs) -> list[OurOrder]:
    """List the stop orders for this position that work, or that may be arriving."""
    shown = None if theirs.working is None else {report.client_id for report in theirs.working}
    return [
        order
        for order in _orders_of(pair, ours)
        if order.purpose is Purpose.STOP
        and not order.state.is_final
        and (order.state in _IN_FLIGHT or shown is None or order.client_id in shown)
    ]


def _leaving(pair: _Pair, ours: Ours) -> Quantity:
    return Quantity(
        sum(
            (
                order.quantity - order.filled
                for order in _orders_of(pair, ours)
                if order.purpose is Purpose.EXIT and not order.state.is_final
            ),
            _ZERO,
        )
    )


def _orders_of(pair: _Pair, ours: Ours) -> list[OurOrder]:
    """List the orders that were made for a position; of one that is not ours, those that were made to close it."""
    mine = {position.id for position in pair.ours} | {report.id for report in pair.theirs} | {pair.symbol}
    openers = {report.opened_by for report in pair.theirs if report.opened_by}
    return [
        order
        for order in ours.orders
        if order.client_id in openers
        or (order.symbol == pair.symbol and (not order.position or order.position in mine))
    ]

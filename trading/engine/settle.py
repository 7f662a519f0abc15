"""Fills become positions and results: the same fills give the same books, however often and in whichever order told.

Nothing is counted on from a stored total: the fills of an account are folded from the first one, and a fill that is
told twice has one id. Averages are exact fractions; money is rounded where a fill books it, to the smallest unit of the
account's currency, as a venue does.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import groupby
from types import MappingProxyType

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Ratio, Rounding, minor_unit
from mikrobot_platform.kernel.orders import FillReport, Purpose
from mikrobot_platform.kernel.venues import Positions

_ZERO = Decimal(0)
_R_UNIT = Decimal("0.0001")
_NO_STOPS: Mapping[str, Price] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked:
    """A fill, with what is stored beside it when it is first heard of, so that it is worth the same for ever."""

    fill: FillReport
    rate: Ratio | None  # from the quote currency to the account's at that moment; None when nobody knew
    purpose: Purpose | None = None  # of our order; None when nobody here asked for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Swap, or another amount that no fill tells of; what was paid is negative."""

    id: str
    symbol: str
    position_id: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """What one fill took off a position."""

    fill_id: str
    quantity: Quantity
    price: Price
    at: datetime
    fee: Decimal
    ours: Decimal | None  # its profit by our arithmetic, fees apart; None without a rate or a specification
    theirs: Decimal | None  # the same by the venue's word

    @property
    def profit(self) -> Decimal | None:
        """Return what was booked: the venue's word where there is one, because that is what its balance shows."""
        return self.ours if self.theirs is None else self.theirs

    @property
    def difference(self) -> Decimal | None:
        """Return by how much the venue's word is above ours; None where there is nothing to compare."""
        return None if self.ours is None or self.theirs is None else self.theirs - self.ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Trade:
    """One position from its first fill on, and what has come of it so far. Amounts are in account money."""

    id: str
    symbol: str
    side: Side
    opened_by: str  # client id of the order behind its first fill; empty when nobody here made it
    opened_at: datetime
    last_at: datetime
    opened: Quantity  # in all
    quantity: Quantity  # open now
    entry: Ratio  # the average of everything that opened it
    average: Ratio  # the average of what is open; of what was open last when nothing is
    fees_in: Decimal  # paid to open it
    fees: Decimal  # paid in all
    swap: Decimal  # charged in all; paid is negative
    fills: tuple[str, ...]  # ids of all that make it, in order; one through zero is in two trades
    parts: tuple[Part, ...]
    risk: Ratio | None  # 1 R: what the first stop would have lost; None when it is not known

    @property
    def is_open(self) -> bool:
        return self.quantity > 0

    @property
    def gross(self) -> Decimal | None:
        """Return what was realised, fees and swap apart; None when a part of it is not known."""
        profits = [part.profit for part in self.parts]
        return None if None in profits else sum((profit for profit in profits if profit is not None), _ZERO)

    @property
    def net(self) -> Decimal | None:
        """Return what was realised after fees and swap; None when a part of it is not known."""
        gross = self.gross
        return None if gross is None else gross - self.fees + self.swap

    @property
    def r(self) -> Decimal | None:
        """Return the net result as a multiple of what was at stake."""
        net = self.net
        if net is None or self.risk is None or self.risk.top <= 0:
            return None
        return Ratio(net).over(self.risk).rounded(_R_UNIT, Rounding.NEAREST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """All that follows from the fills of one account."""

    trades: tuple[Trade, ...]
    contradictions: tuple[str, ...]  # ids under which the venue has told two different fills
    loose_charges: tuple[str, ...]  # ids of charges that belong to no position

    @property
    def unpriced(self) -> tuple[str, ...]:
        """Name the fills whose profit nobody knows."""
        return tuple(part.fill_id for trade in self.trades for part in trade.parts if part.profit is None)

    @property
    def differences(self) -> tuple[Part, ...]:
        """List the parts of which the venue has told another profit than we count."""
        return tuple(part for trade in self.trades for part in trade.parts if part.difference)


def settle(
    fills: Iterable[Booked],
    *,
    specs: Mapping[str, InstrumentSpec],
    currency: Currency,
    positions: Positions,
    charges: Iterable[Charge] = (),
    first_stops: Mapping[str, Price] = _NO_STOPS,
) -> Settled:
    """Fold the fills of one account into its trades.

    `specs` go by the symbols of the fills, `first_stops` by the client id of the order that opened the position.

    1. Each id counts once; of two that contradict each other always the same one is taken, and both are named.
    2. Fills are put in order of time; at one moment entries come first, then ids decide.
    3. Netted, a symbol is one position after another: a fill through zero closes one and opens the next. Hedged, every
       position goes by its own id.
    """
    once, contradictions = _once(fills)

    def place_of(one: Booked) -> tuple[str, str]:
        return one.fill.symbol, one.fill.position_id if positions is Positions.HEDGED else ""

    done: list[_Book] = []
    for (symbol, position), group in groupby(sorted(once, key=lambda one: (place_of(one), _order(one))), key=place_of):
        done += _fold(position or symbol, group, specs, currency)
    loose = _charge(done, charges, positions)
    done.sort(key=lambda book: (book.opened_at, book.id))
    return Settled(
        trades=tuple(book.trade(first_stops, specs) for book in done),
        contradictions=contradictions,
        loose_charges=loose,
    )


def _once(fills: Iterable[Booked]) -> tuple[list[Booked], tuple[str, ...]]:
    told: dict[str, list[Booked]] = {}
    for one in fills:
        versions = told.setdefault(one.fill.id, [])
        if one not in versions:
            versions.append(one)
    contradictions = sorted(
        name for name, versions in told.items() if any(one.fill != versions[0].fill for one in versions)
    )
    return [min(versions, key=repr) for versions in told.values()], tuple(contradictions)


def _order(one: Booked) -> tuple[datetime, bool, str]:
    return one.fill.at, one.purpose is not Purpose.ENTRY, one.fill.id


def _fold(
    name: str, fills: Iterable[Booked], specs: Mapping[str, InstrumentSpec], currency: Currency
) -> Iterator[_Book]:
    """Put the fills of one symbol, or of one hedged position, into one book after another."""
    book: _Book | None = None
    for one in fills:
        fill, left, fee = one.fill, one.fill.quantity, one.fill.fee
        if book is not None and fill.side is not book.side and book.open > 0:
            closes = Quantity(min(left, book.open))
            share = fee if closes == left else _share(fee, closes, left, currency)
            book.take_off(one, closes, share, specs.get(fill.symbol), currency)
            left, fee = Quantity(left - closes), fee - share
        if left > 0:
            if book is None or book.open == 0:
                if book is not None:
                    yield book
                # Netted, or reopened under the same id, a position is told apart by the fill that opened it.
                is_plain = book is None and name == fill.position_id
                book = _Book(id=name if is_plain else f"{name}:{fill.id}", first=one)
            book.put_on(one, left, fee)
    if book is not None:
        yield book


def _share(fee: Decimal, part: Decimal, whole: Decimal, currency: Currency) -> Decimal:
    return Ratio(fee, whole).times(part).rounded(minor_unit(currency), Rounding.NEAREST)


@dataclass(slots=True, kw_only=True)
class _Book:
    """A position while its fills are folded into it."""

    id: str
    first: Booked
    open: Decimal = _ZERO
    average: Fraction = Fraction(0)
    opened: Decimal = _ZERO
    paid_for: Fraction = Fraction(0)  # price x quantity of everything that opened it
    fees_in: Decimal = _ZERO
    fees_out: Decimal = _ZERO
    swap: Decimal = _ZERO
    fills: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)
    last_at: datetime | None = None

    @property
    def side(self) -> Side:
        return self.first.fill.side

    @property
    def opened_at(self) -> datetime:
        return self.first.fill.at

    def put_on(self, one: Booked, quantity: Quantity, fee: Decimal) -> None:
        """Open, or add: the average moves."""
        worth = Fraction(one.fill.price) * Fraction(quantity)
        self.average = (self.average * Fraction(self.open) + worth) / (Fraction(self.open) + Fraction(quantity))
        self.open += quantity
        self.opened += quantity
        self.paid_for += worth
        self.fees_in += fee
        self.fills.append(one.fill.id)
        self.last_at = one.fill.at

    def take_off(
        self, one: Booked, quantity: Quantity, fee: Decimal, spec: InstrumentSpec | None, currency: Currency
    ) -> None:
        """Close a part: the average stays, and what the part has brought is booked."""
        fill = one.fill
        ours: Decimal | None = None
        if spec is not None and one.rate is not None:
            points = (Fraction(fill.price) - self.average) * self.side.sign * Fraction(quantity)
            worth = _ratio(points * Fraction(spec.contract_size)).by(one.rate)
            ours = worth.rounded(minor_unit(currency), Rounding.NEAREST)
        self.parts.append(
            Part(
                fill_id=fill.id, quantity=quantity, price=fill.price, at=fill.at, fee=fee, ours=ours, theirs=fill.profit
            )
        )
        self.open -= quantity
        self.fees_out += fee
        self.fills.append(fill.id)
        self.last_at = fill.at

    def trade(self, first_stops: Mapping[str, Price], specs: Mapping[str, InstrumentSpec]) -> Trade:
        """Close the book and show what is in it."""
        fill = self.first.fill
        entry = self.paid_for / Fraction(self.opened)
        spec, stop, rate = specs.get(fill.symbol), first_stops.get(fill.client_id), self.first.rate
        risk: Ratio | None = None
        if spec is not None and stop is not None and rate is not None:
            points = (entry - Fraction(stop)) * self.side.sign * Fraction(self.opened)
            risk = _ratio(points * Fraction(spec.contract_size)).by(rate)
        return Trade(
            id=self.id, symbol=fill.symbol, side=fill.side, opened_by=fill.client_id, opened_at=fill.at,
            last_at=self.last_at or fill.at, opened=Quantity(self.opened),
            quantity=Quantity(self.open), entry=_ratio(entry), average=_ratio(self.average), fees_in=self.fees_in,
            fees=self.fees_in + self.fees_out, swap=self.swap, fills=tuple(self.fills),
            parts=tuple(self.parts), risk=risk,
        )  # fmt: skip


def _charge(books: list[_Book], charges: Iterable[Charge], positions: Positions) -> tuple[str, ...]:
    """Put each charge, once, where it belongs: hedged by the position's id, netted by what was open then."""
    loose: list[str] = []
    told = {charge.id: charge for charge in sorted(charges, key=repr)}
    for charge in sorted(told.values(), key=lambda one: (one.at, one.id)):
        if positions is Positions.HEDGED:
            fitting = [book for book in books if book.first.fill.position_id == charge.position_id]
        else:
            fitting = [book for book in books if book.first.fill.symbol == charge.symbol]
        before = [book for book in fitting if book.opened_at <= charge.at]
        if before:
            # Swap is booked at the day's end and may be told after the position was closed: the newest one pays.
            max(before, key=lambda book: book.opened_at).swap += charge.amount
        else:
            loose.append(charge.id)
    return tuple(loose)


def _ratio(value: Fraction) -> Ratio:
    return Ratio(Decimal(value.numerator), Decimal(value.denominator))

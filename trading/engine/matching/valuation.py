"""What an account is worth at its venue's prices: floating results, margin, equity. Nothing is changed here."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT, Currency, Ratio, Rounding, minor_unit
from mikrobot_platform.kernel.orders import AccountReport, PositionReport
from trading.engine.matching.book import ZERO, Book, Entry, Position
from trading.engine.matching.market import Market
from trading.engine.matching.terms import Terms

_ONE = Decimal(1)


class RateMissing(Exception):
    """Raised when money must change currency and nobody knows for how much: nothing was done."""


def in_account_money(
    amount: Decimal, source: Currency, terms: Terms, market: Market, rounding: Rounding = Rounding.NEAREST
) -> Decimal:
    """Change an amount into the account's currency, rounded once to its smallest unit."""
    unit = minor_unit(terms.currency)
    if source == terms.currency:
        return Ratio(amount).rounded(unit, rounding)
    factor = market.factor(source, terms.currency)
    if factor is None:
        raise RateMissing(f"{source}/{terms.currency}")
    return factor.times(amount).rounded(unit, rounding)


def result(entries: tuple[Entry, ...], side: Side, price: Price, spec: InstrumentSpec) -> Decimal:
    """Return what closing some entries at a price makes, exactly, in the quote currency."""
    total = ZERO
    for entry in entries:
        total = EXACT.add(total, EXACT.multiply(EXACT.subtract(price, entry.price), entry.quantity))
    return spec.value(total if side is Side.BUY else EXACT.minus(total))


def margin_of(quantity: Decimal, cost: Decimal, spec: InstrumentSpec, terms: Terms, market: Market) -> Decimal:
    """Return what is held back: the exchange's amount, or the instrument's or the account's share of the value."""
    if spec.margin_per_lot is not None:
        amount = EXACT.multiply(spec.margin_per_lot.amount, quantity)
        return in_account_money(amount, spec.margin_per_lot.currency, terms, market, Rounding.UP)
    share = Ratio(spec.margin_rate) if spec.margin_rate is not None else Ratio(_ONE, terms.leverage)
    if spec.quote != terms.currency:
        factor = market.factor(spec.quote, terms.currency)
        if factor is None:
            raise RateMissing(f"{spec.quote}/{terms.currency}")
        share = share.by(factor)
    return share.times(spec.value(cost)).rounded(minor_unit(terms.currency), Rounding.UP)


def average_price(cost: Decimal, quantity: Decimal, spec: InstrumentSpec) -> Price:
    """Return quantity x price over quantity: exactly where it is on a tick, else to a hundredth of one."""
    ticks, rest = EXACT.divmod(cost, EXACT.multiply(quantity, spec.tick_size))
    if not rest:
        return Price(EXACT.multiply(ticks, spec.tick_size))
    return Price(Ratio(cost, quantity).rounded(spec.tick_size.scaleb(-2), Rounding.NEAREST))


def floating(held: Position, terms: Terms, market: Market) -> Decimal:
    """Return what a position would make if it were closed now, its swap included and fees apart."""
    spec, quote = market.spec(held.symbol), market.quote(held.symbol)
    if spec is None or quote is None:
        return held.swap
    made = result(held.entries, held.side, quote.price(held.side.opposite), spec)
    return EXACT.add(in_account_money(made, spec.quote, terms, market), held.swap)


def margin_used(book: Book, market: Market) -> Decimal:
    """Return the margin of all positions, each at the price at which it was opened; hedged ones count one by one."""
    total = ZERO
    for held in book.positions:
        if (spec := market.spec(held.symbol)) is not None:
            total += margin_of(held.quantity, held.cost, spec, book.terms, market)
    return total


def equity(book: Book, market: Market) -> Decimal:
    """Return balance and floating results together."""
    return sum((floating(held, book.terms, market) for held in book.positions), book.balance)


def account_report(book: Book, market: Market, *, now: datetime) -> AccountReport:
    """Say how the account's money stands."""
    return AccountReport(
        currency=book.terms.currency,
        balance=book.balance,
        equity=equity(book, market),
        margin_used=margin_used(book, market),
        leverage=book.terms.leverage,
        at=now,
    )


def position_report(held: Position, book: Book, market: Market, *, now: datetime) -> PositionReport:
    """Say how a position stands; an average price is rounded to a hundredth of a tick."""
    price, spec = held.entries[0].price, market.spec(held.symbol)
    if len(held.entries) > 1 and spec is not None:
        price = average_price(held.cost, held.quantity, spec)
    return PositionReport(
        id=held.id,
        symbol=held.symbol,
        side=held.side,
        quantity=held.quantity,
        price=price,
        stop_loss=held.stop_loss,
        take_profit=held.take_profit,
        floating=floating(held, book.terms, market),
        opened_by=held.opened_by,
        at=now,
        swap=held.swap,
    )

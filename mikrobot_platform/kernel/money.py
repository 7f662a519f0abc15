"""Money: an exact amount in one currency. Two currencies never meet without a rate (rates.py).

Nothing here rounds by itself: whoever rounds says towards what. What a decimal cannot hold stays a fraction (`Ratio`),
so that a budget is compared with a loss, and not with a rounded one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import (
    ROUND_CEILING,
    ROUND_FLOOR,
    ROUND_HALF_EVEN,
    Context,
    Decimal,
    DivisionByZero,
    Inexact,
    InvalidOperation,
    Overflow,
    Rounded,
    getcontext,
    setcontext,
)
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

Currency = NewType("Currency", str)

# Arithmetic that loses a digit raises: no product of prices, quantities and rates comes near 200 digits.
EXACT = Context(prec=200, traps=[Inexact, InvalidOperation, DivisionByZero, Overflow])
# Arithmetic of the usual precision that raises when it loses a digit, be it a zero. What does come of it is what every
# context of that precision or of a wider one gives, to the last zero: whoever works in it may use plain operators for
# what is exact and for what is rounded at 28 digits alike, and does again what raised.
LOSSLESS = Context(prec=28, traps=[Inexact, Rounded, InvalidOperation, DivisionByZero, Overflow])
_TRAPS = [InvalidOperation, DivisionByZero, Overflow]

# Decimals of the smallest unit (ISO 4217) of what brokers hold accounts in and quote against. GBX, ILA and ZAC are what
# shares in London, Tel Aviv and Johannesburg cost. Of a coin, an exchange's ledger has eight, whatever its chain has.
_BY_DIGITS = {
    0: "CLP ISK JPY KRW PYG UGX VND XAF XOF",
    2: "AED ARS AUD BGN BRL CAD CHF CNH CNY COP CZK DKK EGP EUR GBP GBX HKD HUF IDR ILA ILS INR MXN MYR NGN NOK NZD PEN"
    " PHP PLN QAR RON RUB SAR SEK SGD THB TRY TWD UAH USD ZAC ZAR",
    3: "BHD JOD KWD OMR TND",
    8: "ADA AVAX BCH BNB BTC BUSD DAI DOGE DOT ETC ETH FDUSD LINK LTC MATIC NEAR PEPE SHIB SOL TRX UNI USDC USDT XLM"
    " XMR XRP",
}
MINOR_DIGITS: Mapping[str, int] = MappingProxyType(
    {code: digits for digits, codes in _BY_DIGITS.items() for code in codes.split()}
)
_MINOR_UNITS = {code: Decimal(1).scaleb(-digits) for code, digits in MINOR_DIGITS.items()}


class CurrencyUnknown(ValueError):
    """Raised for a currency whose smallest unit is not known here."""


class CurrencyMismatch(ArithmeticError):
    """Raised when amounts of two currencies meet without a rate."""


class Rounding(StrEnum):
    """Towards what an amount is rounded. The risk is lower when a budget goes DOWN and a cost goes UP."""

    DOWN = ROUND_FLOOR
    UP = ROUND_CEILING
    NEAREST = ROUND_HALF_EVEN  # for people to read


# Wide enough that a second rounding, to a coarser grid in the same direction, sees what the first one saw.
_DIVISION: Mapping[Rounding, Context] = {
    rounding: Context(prec=120, rounding=rounding.value, traps=_TRAPS) for rounding in Rounding
}


class Within:
    """Let plain operators work in a context: `a * b` is `context.multiply(a, b)` at a third of its price."""

    __slots__ = ("_before", "_context")

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._before = getcontext()
        setcontext(self._context)

    def __exit__(self, *_error: object) -> None:
        setcontext(self._before)


def exactly() -> Within:
    """Let plain operators lose no digit."""
    return Within(EXACT)


def rounded_up(top: Decimal, bottom: Decimal, grid: Decimal) -> Decimal:
    """Return the least multiple of a power of ten that `top / bottom` does not exceed, by plain operators."""
    unit = bottom * grid
    count = top // unit  # towards zero, which is up for what is below it
    return (count + 1 if count * unit < top else count) * grid


def currency(text: str) -> Currency:
    """Read a currency by its code, or raise CurrencyUnknown. USDT is not USD, and GBX is not GBP."""
    code = text.strip().upper()
    if code not in MINOR_DIGITS:
        raise CurrencyUnknown(f"{text!r} is no currency that is known here")
    return Currency(code)


def minor_unit(of: Currency) -> Decimal:
    """Return the smallest amount of a currency: 0.01 USD, 1 JPY, 0.00000001 BTC."""
    return _MINOR_UNITS[of]


@dataclass(frozen=True, slots=True)
class Ratio:
    """Hold an exact number that may have no end as a decimal: 1 / 147.576 stays what it is. `bottom` is above zero."""

    top: Decimal
    bottom: Decimal = Decimal(1)

    def times(self, factor: Decimal) -> Ratio:
        """Multiply by a plain number."""
        return Ratio(EXACT.multiply(self.top, factor), self.bottom)

    def by(self, other: Ratio) -> Ratio:
        """Multiply by another ratio."""
        return Ratio(EXACT.multiply(self.top, other.top), EXACT.multiply(self.bottom, other.bottom))

    def over(self, other: Ratio) -> Ratio:
        """Divide by another ratio, which is above zero."""
        return Ratio(EXACT.multiply(self.top, other.bottom), EXACT.multiply(self.bottom, other.top))

    def plus(self, other: Ratio) -> Ratio:
        """Add another ratio."""
        if self.bottom == other.bottom:
            return Ratio(EXACT.add(self.top, other.top), self.bottom)
        left, right = EXACT.multiply(self.top, other.bottom), EXACT.multiply(other.top, self.bottom)
        return Ratio(EXACT.add(left, right), EXACT.multiply(self.bottom, other.bottom))

    def minus(self, other: Ratio) -> Ratio:
        """Take another ratio away."""
        return self.plus(Ratio(EXACT.minus(other.top), other.bottom))

    def least(self, other: Ratio) -> Ratio:
        """Return the smaller of the two, this one when they are equal."""
        is_larger = EXACT.multiply(self.top, other.bottom) > EXACT.multiply(other.top, self.bottom)
        return other if is_larger else self

    def rounded(self, unit: Decimal, rounding: Rounding) -> Decimal:
        """Round to a multiple of a power of ten, such as 0.01."""
        division = _DIVISION[rounding]
        return division.divide(self.top, self.bottom).quantize(unit, rounding=rounding.value, context=division)


ONE = Ratio(Decimal(1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """An amount of one currency. Adding or comparing another currency raises CurrencyMismatch."""

    amount: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        if self.currency not in MINOR_DIGITS:
            raise CurrencyUnknown(f"{self.currency!r} is no currency that is known here")
        if not self.amount.is_finite():
            raise ValueError(f"{self.amount} is no amount")

    def __add__(self, other: Money) -> Money:
        return Money(amount=EXACT.add(self.amount, self._same(other)), currency=self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(amount=EXACT.subtract(self.amount, self._same(other)), currency=self.currency)

    def __neg__(self) -> Money:
        return Money(amount=EXACT.minus(self.amount), currency=self.currency)

    def __mul__(self, factor: Decimal | int) -> Money:
        return Money(amount=EXACT.multiply(self.amount, Decimal(factor)), currency=self.currency)

    __rmul__ = __mul__

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def __str__(self) -> str:
        """Show every digit that there is, and at least those of the smallest unit: 94.10 USD, 0.005 USD."""
        digits = max(MINOR_DIGITS[self.currency], -int(self.amount.normalize().as_tuple().exponent))
        return f"{self.amount:.{digits}f} {self.currency}"

    def rounded(self, rounding: Rounding) -> Money:
        """Round to the currency's smallest unit: a budget DOWN, a cost UP."""
        unit = minor_unit(self.currency)
        return Money(amount=Ratio(self.amount).rounded(unit, rounding), currency=self.currency)

    def percent(self, percent: Decimal) -> Money:
        """Take a percentage of the amount, exactly."""
        return self * percent.scaleb(-2, context=EXACT)

    def _same(self, other: Money) -> Decimal:
        if other.currency != self.currency:
            raise CurrencyMismatch(f"{self} and {other} are of different currencies")
        return other.amount


def money(amount: str, code: str) -> Money:
    """Read an amount of money from text: money("94.10", "USD")."""
    return Money(amount=Decimal(amount), currency=currency(code))

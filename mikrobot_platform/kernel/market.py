"""The words of the market: sides, prices, quantities. Numbers come from text and stay Decimal; a float never enters.

Words of other people's protocols (BULL, long ...) are understood once, where a message enters, by `side_of`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Context, Decimal, DecimalException
from enum import StrEnum
from typing import NewType

Price = NewType("Price", Decimal)
Quantity = NewType("Quantity", Decimal)


class Side(StrEnum):
    """Which way a trade goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def opposite(self) -> Side:
        """Return the other way."""
        return Side.SELL if self is Side.BUY else Side.BUY

    @property
    def sign(self) -> int:
        """Return +1 for a buy, -1 for a sell: a gain is sign x (later price - earlier price)."""
        return 1 if self is Side.BUY else -1


# Every word for a side that any known dialect uses, lower case; nothing else is guessed at.
SIDE_WORDS: Mapping[str, Side] = {
    **dict.fromkeys(("buy", "long", "bull", "bullish"), Side.BUY),
    **dict.fromkeys(("sell", "short", "bear", "bearish"), Side.SELL),
}


class NumberRefused(ValueError):
    """Raised when a text is no number that a market could mean; `problem` says why, in words for evidence."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem


# A number as every dialect writes it: no thousands separators, no spaces, no hexadecimal, ASCII digits only.
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?")

MAX_DIGITS = 24  # SHIB at 12 decimals and an index at 8 whole digits fit twice
MAX_DECIMALS = 12
MAX_PRICE = Decimal("1e9")  # nothing that is known here trades above; a larger figure is a fault of the sender
MAX_QUANTITY = Decimal("1e9")
_EXACT = Context(prec=MAX_DIGITS * 2)


def side_of(word: str) -> Side | None:
    """Understand one word for a side in any dialect; None for a word that nobody uses."""
    return SIDE_WORDS.get(word.strip().lower())


def number(text: str) -> Decimal:
    """Read a finite decimal of bounded length from text, or raise NumberRefused; no exponent is left in it."""
    if len(text) > MAX_DIGITS * 2:
        raise NumberRefused(f"is longer than {MAX_DIGITS * 2} characters")
    if not _NUMBER.fullmatch(text):
        raise NumberRefused("is not a plain decimal number")
    try:
        value = _EXACT.create_decimal(text)
    except DecimalException:  # pragma: no cover - the pattern and the length leave nothing for it
        raise NumberRefused("is not a plain decimal number") from None
    if abs(value.adjusted()) > MAX_DIGITS and value:
        raise NumberRefused("is too large or too small")
    plain = Decimal(format(value, "f"))
    _sign, digits, exponent = plain.as_tuple()
    if len(digits) > MAX_DIGITS or -int(exponent) > MAX_DIGITS:
        raise NumberRefused(f"has more than {MAX_DIGITS} digits")
    return plain


def price(text: str) -> Price:
    """Read a price: above zero, at most MAX_PRICE and MAX_DECIMALS. Negative prices are not traded here."""
    value = number(text)
    if value <= 0:
        raise NumberRefused("is not above zero")
    if value > MAX_PRICE:
        raise NumberRefused(f"is above {MAX_PRICE:f}")
    if decimals(value) > MAX_DECIMALS:
        raise NumberRefused(f"has more than {MAX_DECIMALS} decimals")
    return Price(value)


def quantity(text: str) -> Quantity:
    """Read a quantity: above zero, at most MAX_QUANTITY, at most MAX_DECIMALS decimals."""
    value = number(text)
    if value <= 0:
        raise NumberRefused("is not above zero")
    if value > MAX_QUANTITY:
        raise NumberRefused(f"is above {MAX_QUANTITY:f}")
    if decimals(value) > MAX_DECIMALS:
        raise NumberRefused(f"has more than {MAX_DECIMALS} decimals")
    return Quantity(value)


def decimals(value: Decimal) -> int:
    """Count the decimals that matter: 171.100 has one."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -int(exponent))


# As brokers and charts write it: EURJPY, _FERRARI.IT, US_30, MNQ1!, BINANCE:BTCUSDT.P, NQ 12-25, GER40#, EURUSD+.
_SYMBOL = re.compile(r"(?!.*\.\.)[A-Za-z0-9_.#][A-Za-z0-9_.#!+&:/\-]*(?: [A-Za-z0-9\-]+)?")
MAX_SYMBOL = 40


def symbol(text: str) -> str | None:
    """Accept a symbol exactly as its source writes it, trimmed; None when no broker would call anything that."""
    name = text.strip(" ")
    return name if len(name) <= MAX_SYMBOL and _SYMBOL.fullmatch(name) else None

"""What the market says while orders are matched: prices in steps, and what one currency costs in another.

A step is a quote or a bar. A bar is of bid prices with the spread beside it, as dealers chart it: whoever buys pays the
spread on top of what the chart shows.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Protocol

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT, Currency, Ratio


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """What a symbol can be sold and bought for at a moment, and how much of it; None: as much as one likes."""

    symbol: str
    bid: Price
    ask: Price
    at: datetime
    bid_size: Decimal | None = None
    ask_size: Decimal | None = None

    def __post_init__(self) -> None:
        if not 0 < self.bid <= self.ask:
            raise ValueError(f"{self.symbol} cannot be quoted {self.bid} to {self.ask}")

    def price(self, side: Side) -> Price:
        """Return what a trade of this side gets: a buy the ask, a sell the bid."""
        return self.ask if side is Side.BUY else self.bid

    def size(self, side: Side) -> Decimal | None:
        """Return how much a trade of this side finds."""
        return self.ask_size if side is Side.BUY else self.bid_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Bid prices of a span of time, and the spread that goes on top for a buy."""

    symbol: str
    at: datetime  # when it opens
    until: datetime  # when it is complete
    open: Price
    high: Price
    low: Price
    close: Price
    spread: Decimal = Decimal(0)
    size: Decimal | None = None  # how much this account may trade in it, each way; None: as much as it likes

    def __post_init__(self) -> None:
        if not 0 < self.low <= min(self.open, self.close) <= max(self.open, self.close) <= self.high:
            raise ValueError(f"the bar of {self.symbol} at {self.at} has no such prices")
        if self.spread < 0:
            raise ValueError(f"the spread of {self.symbol} at {self.at} is below zero")

    def _quote(self, bid: Price, at: datetime) -> Quote:
        ask = Price(EXACT.add(bid, self.spread))
        return Quote(symbol=self.symbol, bid=bid, ask=ask, at=at, bid_size=self.size, ask_size=self.size)

    @property
    def opening(self) -> Quote:
        """Return its first price."""
        return self._quote(self.open, self.at)

    @property
    def closing(self) -> Quote:
        """Return its last price."""
        return self._quote(self.close, self.until)

    def lowest(self, side: Side) -> Price:
        """Return the lowest price for a trade of this side."""
        return Price(EXACT.add(self.low, self.spread)) if side is Side.BUY else self.low

    def highest(self, side: Side) -> Price:
        """Return the highest price for a trade of this side."""
        return Price(EXACT.add(self.high, self.spread)) if side is Side.BUY else self.high


class Market(Protocol):
    """Everything that matching asks about the world beside the step at hand."""

    def spec(self, symbol: str) -> InstrumentSpec | None:
        """Say how a symbol is traded; None for one that the venue does not list."""

    def quote(self, symbol: str) -> Quote | None:
        """Say the last price of a symbol."""

    def trading_day(self, symbol: str, at: datetime) -> date | None:
        """Say to which trading day a moment belongs; None when the symbol cannot be traded then."""

    def factor(self, source: Currency, target: Currency) -> Ratio | None:
        """Say exactly what one unit of a currency is worth in another; None when nobody knows."""

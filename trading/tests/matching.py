"""A market that stands still, for tests of matching: what is traded, what it costs, open or closed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Ratio, currency
from mikrobot_platform.kernel.orders import OrderRequest, OrderType
from mikrobot_platform.kernel.rates import NO_RATES, RateBook, conversion
from risk_management.catalogue import find
from trading.engine.matching.book import Book
from trading.engine.matching.market import Bar, Quote
from trading.engine.matching.terms import Terms

NOW = datetime(2026, 11, 4, 12, tzinfo=UTC)  # a Wednesday
USD = currency("USD")


@dataclass(slots=True, kw_only=True)
class Stage:
    """A market (engine.matching.market.Market) whose prices are set by hand."""

    quotes: dict[str, Quote] = field(default_factory=dict)
    rates: RateBook = NO_RATES
    specs: Mapping[str, InstrumentSpec] = field(default_factory=dict)

    def spec(self, symbol: str) -> InstrumentSpec | None:
        return self.specs.get(symbol) or find(symbol)

    def quote(self, symbol: str) -> Quote | None:
        return self.quotes.get(symbol)

    def trading_day(self, symbol: str, at: datetime) -> date | None:
        spec = self.spec(symbol)
        return spec.sessions.trading_day(at) if spec else None

    def factor(self, source: Currency, target: Currency) -> Ratio | None:
        found = conversion(source, target, self.rates, now=NOW, max_age=NOW - datetime(2020, 1, 1, tzinfo=UTC))
        return None if isinstance(found, Refusal) else found.factor

    def set(self, symbol: str, bid: str, ask: str, at: datetime = NOW, size: str = "") -> Quote:
        self.quotes[symbol] = found = quote(symbol, bid, ask, at, size)
        return found


def quote(symbol: str, bid: str, ask: str, at: datetime = NOW, size: str = "") -> Quote:
    most = Decimal(size) if size else None
    return Quote(symbol=symbol, bid=Price(Decimal(bid)), ask=Price(Decimal(ask)), at=at, bid_size=most, ask_size=most)


def bar(symbol: str, prices: str, spread: str = "0", at: datetime = NOW) -> Bar:
    """Make a bar of one minute from "open high low close"."""
    first, high, low, last = (Price(Decimal(text)) for text in prices.split())
    return Bar(
        symbol=symbol, at=at, until=at + timedelta(minutes=1), open=first, high=high, low=low, close=last,
        spread=Decimal(spread),
    )  # fmt: skip


def book(balance: str = "100000", **terms: object) -> Book:
    return Book(number=1, terms=Terms(**{"currency": USD, **terms}), balance=Decimal(balance))  # type: ignore[arg-type]


def order(side: str, kind: str, quantity: str, symbol: str = "EURUSD", **more: object) -> OrderRequest:
    levels = {
        name: Price(Decimal(str(more.pop(name))))
        for name in ("limit", "stop", "stop_loss", "take_profit")
        if name in more
    }
    if "trail" in more:
        more["trail"] = Decimal(str(more["trail"]))
    return OrderRequest(
        **{  # type: ignore[arg-type]
            "client_id": "c1", "symbol": symbol, "side": Side(side), "type": OrderType(kind),
            "quantity": Quantity(Decimal(quantity)), **levels, **more,
        }
    )  # fmt: skip

"""The paper venue's prices: a path that follows from a seed and the clock, or what somebody has set."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.money import EXACT, ONE, Currency, Ratio
from mikrobot_platform.kernel.rates import NO_RATES, Rate, RateBook, conversion, rate_book
from risk_management.catalogue import CATALOGUE
from trading.engine.matching.chance import draw
from trading.engine.matching.market import Quote
from trading.paper import listing

# Waves of 1 s to 18 h, each four times as long and twice as high as the one before: about what a random walk looks like
# at every scale, and yet any moment can be asked for without those before it. Heights are in tenths of a spread.
_WAVES = tuple((4**power, 2**power) for power in range(9))
_SMOOTH = 1000
_RATES_KEPT = timedelta(seconds=1)


def wander(seed: int, symbol: str, second: int) -> int:
    """Return how far the path of a symbol is from its start at a second, in tenths of a spread."""
    total = 0
    for length, height in _WAVES:
        cell, inside = divmod(second, length)
        left = draw(seed, symbol, str(length), str(cell), below=2 * _SMOOTH + 1) - _SMOOTH
        right = draw(seed, symbol, str(length), str(cell + 1), below=2 * _SMOOTH + 1) - _SMOOTH
        total += height * (left * (length - inside) + right * inside) // length
    return total // _SMOOTH


class Prices:
    """The market as this venue makes it (matching.market.Market). Quotes are those of the last step of the clock."""

    def __init__(self, seed: int, *, is_still: bool) -> None:
        self._seed, self._is_still = seed, is_still
        self._now: datetime | None = None
        self._set: dict[str, Quote] = {}
        self._quotes: dict[str, Quote] = {}
        self._days: dict[str, tuple[datetime, date | None]] = {}
        self._rates: RateBook = NO_RATES
        self._rates_until: datetime | None = None
        self._factors: dict[tuple[Currency, Currency], Ratio | None] = {}

    def advance(self, now: datetime) -> None:
        """Let time pass; quotes are made when somebody asks for them."""
        if self._now is None or now.replace(microsecond=0) != self._now.replace(microsecond=0):
            self._quotes.clear()
        self._now = now

    def put(self, quote: Quote) -> None:
        """Set a price, which then stays until it is set again or let go."""
        self._set[quote.symbol] = quote
        self._forget_rates()

    def let_go(self, symbol: str) -> None:
        """Let a price follow its path again."""
        self._set.pop(symbol, None)
        self._quotes.pop(symbol, None)
        self._forget_rates()

    @property
    def now(self) -> datetime:
        assert self._now is not None
        return self._now

    def moves(self, symbol: str) -> bool:
        """Tell whether a price follows the clock."""
        return not self._is_still and symbol not in self._set

    def spec(self, symbol: str) -> InstrumentSpec | None:
        return listing.spec(symbol)

    def quote(self, symbol: str) -> Quote | None:
        found = self._set.get(symbol) or self._quotes.get(symbol)
        if found is None and (spec := listing.spec(symbol)) is not None:
            found = self._quotes[symbol] = self._made(symbol, spec)
        return found

    def trading_day(self, symbol: str, at: datetime) -> date | None:
        """Look it up once a second: hours begin and end on whole ones."""
        second = at.replace(microsecond=0)
        known = self._days.get(symbol)
        if known is None or known[0] != second:
            spec = listing.spec(symbol)
            day = spec.sessions.trading_day(second) if spec is not None else None
            if day is not None and spec is not None and spec.expires is not None and day > spec.expires:
                day = None
            known = self._days[symbol] = second, day
        return known[1]

    def factor(self, source: Currency, target: Currency) -> Ratio | None:
        """Convert at the middle of our own quotes of currency pairs, as they were within the last second."""
        assert self._now is not None
        if source == target:
            return ONE
        if self._rates_until is None or self._now >= self._rates_until:
            self._rates = rate_book(self._all_rates(self._now))
            self._rates_until = self._now + _RATES_KEPT
            self._factors.clear()
        if (source, target) not in self._factors:
            found = conversion(source, target, self._rates, now=self._now, max_age=_RATES_KEPT * 2)
            self._factors[source, target] = None if isinstance(found, Refusal) else found.factor
        return self._factors[source, target]

    def _forget_rates(self) -> None:
        self._rates_until = None

    def _all_rates(self, now: datetime) -> list[Rate]:
        rates = []
        for symbol, entry in CATALOGUE.items():
            if entry.spec.base is None or entry.spec.base == entry.spec.quote:
                continue
            if (quote := self.quote(symbol)) is not None:
                middle = EXACT.divide(EXACT.add(quote.bid, quote.ask), Decimal(2))
                rates.append(Rate(base=entry.spec.base, quote=entry.spec.quote, value=middle, at=now))
        return rates

    def _made(self, symbol: str, spec: InstrumentSpec) -> Quote:
        assert self._now is not None
        now = self._now.replace(microsecond=0)
        spread = listing.spread_ticks(symbol)
        second = 0 if self._is_still else int(now.timestamp())
        moved = 0 if self._is_still else wander(self._seed, symbol, second) * spread // 10
        bid = EXACT.add(listing.start(symbol), EXACT.multiply(spec.tick_size, Decimal(moved)))
        bid = max(bid, spec.tick_size)
        ask = EXACT.add(bid, EXACT.multiply(spec.tick_size, Decimal(spread)))
        return Quote(symbol=symbol, bid=Price(bid), ask=Price(ask), at=now)


class Thin:
    """The market with little to trade: what one faulty order meets."""

    def __init__(self, market: Prices, most: Callable[[InstrumentSpec], Decimal]) -> None:
        self._market, self._most = market, most
        self.spec, self.factor, self.trading_day = market.spec, market.factor, market.trading_day

    def quote(self, symbol: str) -> Quote | None:
        found, spec = self._market.quote(symbol), self._market.spec(symbol)
        if found is None or spec is None:
            return found
        return replace(found, bid_size=self._most(spec), ask_size=self._most(spec))

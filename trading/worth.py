"""What positions and orders are worth now, in the money of their account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Rounding
from mikrobot_platform.kernel.rates import RateBook, conversion
from risk_management import catalogue
from risk_management.rules.facts import Holding, Missing
from trading.engine.signal_facts import Quote
from trading.models import Order, Position

MAX_RATE_AGE = timedelta(seconds=60)
SMALLEST = Decimal("0.00000001")


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """Values what an account holds, in its own money, at the prices of now. What cannot be told is Missing."""

    currency: Currency
    prices: Mapping[str, Quote]
    rates: RateBook
    now: datetime

    def position(self, row: Position) -> Holding:
        side, quote = Side(row.side), self.prices.get(row.symbol)
        leaves = None if quote is None else quote.entry(side.opposite)
        return self._holding(
            symbol=row.symbol, side=side, quantity=row.quantity, stop=row.stop, target=row.target, price=leaves,
            came_at=row.entry,
        )  # fmt: skip

    def order(self, row: Order) -> Holding:
        side, quote = Side(row.side), self.prices.get(row.symbol)
        comes = row.limit or row.stop or (None if quote is None else quote.entry(side))
        return self._holding(
            symbol=row.symbol, side=side, quantity=row.quantity - row.filled, stop=row.stop_loss,
            target=row.take_profit, price=comes,
        )  # fmt: skip

    def _holding(
        self,
        *,
        symbol: str,
        side: Side,
        quantity: Decimal,
        stop: Decimal | None,
        target: Decimal | None,
        price: Decimal | None,
        came_at: Decimal | None = None,
    ) -> Holding:
        def told(distance: Decimal | None, what: str, rounding: Rounding = Rounding.UP) -> Decimal | Missing:
            value = None if distance is None else self._value(symbol, quantity, distance, rounding)
            return Missing(f"{what} in {symbol}") if value is None else value

        def way(level: Decimal | None, sign: int) -> Decimal | None:
            return None if level is None or price is None else max(Decimal(0), (level - price) * side.sign * sign)

        floating = Decimal(0) if came_at is None or price is None else (price - came_at) * side.sign
        return Holding(
            symbol=symbol,
            side=side,
            quantity=Quantity(quantity),
            stop=None if stop is None else Price(stop),
            risk=told(way(stop, -1), "what is at risk"),
            gain=None if target is None else told(way(target, 1), "what can be gained", Rounding.DOWN),
            floating=told(floating, "the open result", Rounding.DOWN),
            notional=told(price, "what is held"),
        )

    def _value(self, symbol: str, quantity: Decimal, distance: Decimal, rounding: Rounding) -> Decimal | None:
        """Say what a distance in price is worth for a quantity, in account money."""
        spec = catalogue.find(symbol)
        if spec is None:
            return None
        found = conversion(spec.quote, self.currency, self.rates, now=self.now, max_age=MAX_RATE_AGE)
        if isinstance(found, Refusal):
            return None
        return found.factor.times(spec.value(distance) * quantity).rounded(SMALLEST, rounding)

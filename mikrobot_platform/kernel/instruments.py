"""What can be traded, and on which grid: ticks, lots, money per point, hours, expiry.

A quantity is rounded to the lot in one place (`floor_quantities`) and a price to the tick in one place (`round_price`).
Everything linear is described by two numbers: a contract is worth price x contract size in its quote currency. What is
not linear (coin-margined perpetuals) is not described here, and so is not traded.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal, Inexact
from enum import StrEnum

from mikrobot_platform.kernel.futures import RollRule
from mikrobot_platform.kernel.market import Price, Quantity, Side, decimals, symbol
from mikrobot_platform.kernel.money import EXACT, ONE, Currency, Money, Ratio, exactly
from mikrobot_platform.kernel.sessions import Sessions

_ZERO, _ONE, _TWO = Decimal(0), Decimal(1), Decimal(2)
_NO_QUANTITY = Quantity(_ZERO)


class AssetClass(StrEnum):
    """What kind of thing is traded. It is looked up by symbol, and never guessed from letters in a name."""

    FOREX = "forex"
    INDEX = "index"
    CRYPTO = "crypto"
    METAL = "metal"
    ENERGY = "energy"
    AGRICULTURAL = "agricultural"
    BOND = "bond"
    SHARE = "share"
    ETF = "etf"
    FUTURE = "future"
    CRYPTO_SPOT = "crypto_spot"
    CRYPTO_PERPETUAL = "crypto_perpetual"


# The nine classes that brokers offer as contracts for difference, in lots.
CFD_CLASSES = frozenset(AssetClass) - {AssetClass.FUTURE, AssetClass.CRYPTO_SPOT, AssetClass.CRYPTO_PERPETUAL}


class Towards(StrEnum):
    """Which way a price is rounded, seen from the trade."""

    PROFIT = "profit"  # up for a buy, down for a sell: a stop comes nearer to the entry, the loss is smaller
    LOSS = "loss"  # the other way: a target comes nearer to the entry
    NEAREST = "nearest"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstrumentSpec:
    """One instrument as one venue trades it. Give the tick value or the contract size; the other one follows."""

    symbol: str  # our own name for it
    asset_class: AssetClass
    quote: Currency  # what prices, tick values and contract sizes are counted in
    base: Currency | None = None  # what is bought, where that is a currency
    tick_size: Decimal
    tick_value: Decimal = _ZERO  # money per tick and lot
    contract_size: Decimal = _ZERO  # money per whole point and lot; units of the underlying in one lot
    pip_size: Decimal
    digits: int
    lot_min: Decimal
    lot_step: Decimal
    lot_max: Decimal
    stops_level: Decimal = _ZERO  # least distance between price and stop, in price
    margin_rate: Decimal | None = None  # share of the notional value that is held as margin: 1 / leverage
    margin_per_lot: Money | None = None  # where the exchange states an amount instead
    expires: date | None = None  # last trading day
    roll: RollRule | None = None
    sessions: Sessions = field(repr=False)

    def __post_init__(self) -> None:
        """Complete the pair of tick value and contract size, and refuse what no venue could mean."""
        if symbol(self.symbol) != self.symbol:
            raise ValueError(f"{self.symbol!r} is no symbol")
        for name in ("tick_size", "pip_size", "lot_min", "lot_step", "lot_max"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{self.symbol}: {name} is not above zero")
        if self.lot_max < self.lot_min:
            raise ValueError(f"{self.symbol}: lot_max is below lot_min")
        if decimals(self.tick_size) > self.digits:
            raise ValueError(f"{self.symbol}: a tick of {self.tick_size} has more than {self.digits} decimals")
        if self.stops_level < 0 or (self.margin_rate is not None and self.margin_rate < 0):
            raise ValueError(f"{self.symbol}: a stops level or a margin rate is below zero")
        if self.margin_rate is not None and self.margin_per_lot is not None:
            raise ValueError(f"{self.symbol}: margin is either a rate or an amount")
        self._complete()

    def _complete(self) -> None:
        if not self.contract_size and self.tick_value > 0:
            try:
                size = EXACT.divide(self.tick_value, self.tick_size)
            except Inexact:
                raise ValueError(f"{self.symbol}: the money per point has no end as a decimal") from None
            object.__setattr__(self, "contract_size", size)
        value = EXACT.multiply(self.contract_size, self.tick_size)
        if not value > 0 or (self.tick_value and self.tick_value != value):
            raise ValueError(f"{self.symbol}: tick value and contract size do not fit each other")
        object.__setattr__(self, "tick_value", value)

    @property
    def unit(self) -> str:
        """Name what a quantity counts: lots, contracts, or the coin itself."""
        match self.asset_class:
            case AssetClass.FUTURE | AssetClass.CRYPTO_PERPETUAL:
                return "contracts"
            case AssetClass.CRYPTO_SPOT:
                return self.base or "units"
            case _:
                return "lots"

    def is_open(self, at: datetime) -> bool:
        """Tell whether it can be traded at a moment: inside a session, and not past its last trading day."""
        day = self.sessions.trading_day(at)
        return day is not None and (self.expires is None or day <= self.expires)

    def distance(self, pips: Decimal) -> Decimal:
        """Turn pips into price."""
        return EXACT.multiply(pips, self.pip_size)

    def pips(self, distance: Decimal) -> Ratio:
        """Turn a distance in price into pips, exactly."""
        return Ratio(distance, self.pip_size)

    def value(self, distance: Decimal) -> Decimal:
        """Return what a distance is worth per lot in the quote currency: distance / tick size x tick value."""
        return EXACT.multiply(distance, self.contract_size)

    def floor_quantity(self, amount: Ratio, per_lot: Ratio = ONE) -> Quantity:
        """Return the largest multiple of the lot step that `amount / per_lot` reaches, or zero."""
        per_lot = Ratio(EXACT.multiply(per_lot.top, amount.bottom), per_lot.bottom)
        return self.floor_quantities([(amount.top, per_lot)])[0]

    def floor_quantities(self, amounts: Iterable[tuple[Decimal, Ratio]]) -> list[Quantity]:
        """Return the largest multiple of the lot step that each amount pays for at so much a lot, or zero.

        The only place that rounds a quantity. The division is exact: a budget that pays for a step to the last digit
        gets it, and one that lacks a digit does not. Whether that is too small for an order is the caller's question.
        """
        step = self.lot_step
        with exactly():
            return [
                Quantity(amount * per_lot.bottom // (per_lot.top * step) * step) if amount > 0 else _NO_QUANTITY
                for amount, per_lot in amounts
            ]

    def round_price(self, price: Decimal, side: Side, towards: Towards) -> Price:
        """Round a price to the tick, seen from a trade of this side; half a tick goes up. The only place that does."""
        if not price > 0:
            raise ValueError(f"{price} is no price of {self.symbol}")
        whole, rest = EXACT.divmod(price, self.tick_size)
        match towards:
            case Towards.PROFIT:
                goes_up = bool(rest) and side is Side.BUY
            case Towards.LOSS:
                goes_up = bool(rest) and side is Side.SELL
            case Towards.NEAREST:
                goes_up = EXACT.multiply(rest, _TWO) >= self.tick_size
        return Price(EXACT.multiply(EXACT.add(whole, _ONE) if goes_up else whole, self.tick_size))

    def is_on_tick(self, price: Decimal) -> bool:
        """Tell whether a price stands on the grid."""
        return not EXACT.remainder(price, self.tick_size)

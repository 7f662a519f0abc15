"""Everything that a size depends on. What is None is not known, and a size that needs it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import EXACT, ONE, Currency, CurrencyMismatch, Money, Ratio
from mikrobot_platform.kernel.rates import NO_RATES, RateBook
from risk_management.kelly import TradeStats
from risk_management.sizing.modes import Basis, ConfidenceScale, Mode

_ZERO = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountState:
    """An account's figures as its venue last told them, all in its currency."""

    balance: Money
    equity: Money | None
    free_margin: Money | None
    open_notional: Money | None  # what all open positions and working orders are worth together

    def __post_init__(self) -> None:
        for known in (self.equity, self.free_margin, self.open_notional):
            if known is not None and known.currency != self.currency:
                raise CurrencyMismatch(f"{known} in an account in {self.currency}")

    @property
    def currency(self) -> Currency:
        """Return the currency in which the account is kept."""
        return self.balance.currency

    def by(self, basis: Basis) -> Money | None:
        """Return one of the figures."""
        match basis:
            case Basis.BALANCE:
                return self.balance
            case Basis.EQUITY:
                return self.equity
            case Basis.FREE_MARGIN:
                return self.free_margin


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceTrade:
    """What the source trades itself, for the modes that follow its size."""

    quantity: Quantity
    lots_ratio: Ratio = ONE  # so many of our lots hold as much as one of theirs: mini to micro, other contract sizes
    size: Money | None = None  # the source's balance, equity or free margin, whichever the mode compares


@dataclass(frozen=True, slots=True, kw_only=True)
class Costs:
    """What a trade that ends at its stop costs beside the way from entry to stop."""

    spread: Decimal  # in price
    # An entry that is the ask of a buy or the bid of a sell has paid the spread. Sources that quote the bid for both
    # (the four-phase EA) have not, and when in doubt the spread is counted.
    spread_is_in_entry: bool = False
    slippage: Decimal = _ZERO  # allowance, in price
    commission: Money | None = None  # per lot, there and back
    commission_rate: Decimal = _ZERO  # share of the notional value, there and back

    def __post_init__(self) -> None:
        if min(self.spread, self.slippage, self.commission_rate) < 0:
            raise ValueError("a cost is below zero")

    def distance(self, stop_distance: Decimal) -> Decimal:
        """Lengthen the way to the stop by what it costs in price."""
        longer = EXACT.add(stop_distance, self.slippage)
        return longer if self.spread_is_in_entry else EXACT.add(longer, self.spread)


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingLimits:
    """What the customer allows for one trade. The platform's hard cap holds besides and cannot be lifted here."""

    max_leverage: Decimal  # of all positions together, this one included
    max_risk_percent: Decimal | None = None  # of balance or equity, whichever is less
    max_quantity: Quantity | None = None

    def __post_init__(self) -> None:
        if not self.max_leverage > 0:
            raise ValueError("a leverage is above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class SizingRequest:
    """One signal on one account: settings and facts."""

    mode: Mode
    instrument: InstrumentSpec
    side: Side
    entry: Price
    stop: Price | None
    account: AccountState
    costs: Costs
    limits: SizingLimits
    now: datetime
    rates: RateBook = NO_RATES
    max_rate_age: timedelta = timedelta(seconds=60)
    source: SourceTrade | None = None
    volatility: Decimal | None = None  # the usual move over the mode's horizon, in price: a daily ATR, say
    stats: TradeStats | None = None
    confidence: Decimal | None = None  # of the source, 0 to 1
    confidence_scale: ConfidenceScale | None = None  # None: sizes do not follow confidence

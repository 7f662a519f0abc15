"""What validation looks at: the strategy's rules, and the facts about market, clock and history at that moment."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import Enum, StrEnum

from mikrobot_platform.kernel.market import Price, Side
from trading.engine import broker_clock
from trading.engine.broker_clock import ClockReading
from trading.engine.four_phase import PRINTED_STEP


class Unknown(Enum):
    """A fact that could not be had, where None would mean that there is none."""

    UNKNOWN = "unknown"


UNKNOWN = Unknown.UNKNOWN


class Opposite(StrEnum):
    """What becomes of a signal against an open position."""

    SKIP = "skip"
    ALLOW = "allow"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The last known price of a symbol."""

    bid: Price
    ask: Price
    at: datetime

    @property
    def spread(self) -> Decimal:
        """Return the distance between the two prices."""
        return self.ask - self.bid

    @property
    def middle(self) -> Decimal:
        """Return the price between the two."""
        return (self.bid + self.ask) / 2

    def entry(self, side: Side) -> Price:
        """Return the price at which a trade of this side is opened."""
        return self.ask if side is Side.BUY else self.bid


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalRules:
    """What one version of a strategy asks of a signal. The defaults are the platform's."""

    version: str = "platform/1"
    max_age_s: int = 60
    max_ahead_s: int = 30
    max_exit_age_s: int | None = None  # an exit is carried out however late, unless a strategy says otherwise
    requires_phases: bool = False
    target_tolerance: Decimal = PRINTED_STEP  # break and target are each rounded to half of it
    requires_trigger_outside_spread: bool = False
    requires_stop: bool = False
    min_stop_spreads: Decimal = Decimal(1)
    requires_quote: bool = True
    max_quote_age_s: int = 30
    max_price_percent: Decimal = Decimal("0.5")
    sides: frozenset[Side] = frozenset(Side)
    cooldown_s: int = 900  # the EA re-emits: ten in 69 minutes were seen
    opposite: Opposite = Opposite.SKIP
    min_power: Decimal | None = None
    min_confluence: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalFacts:
    """What is known when a signal is judged. A fact that is not given is not known, and what needs it denies."""

    received_at: datetime  # first sight of these bytes
    is_tradable: bool | None = None
    quote: Quote | None = None
    pip_size: Decimal | None = None  # of the instrument, as its broker counts
    clock: ClockReading = broker_clock.UNKNOWN
    last_signal_at: datetime | Unknown | None = UNKNOWN  # last valid one of this strategy and symbol
    position: Side | Unknown | None = UNKNOWN

"""What people have set: the strategy's terms, the customer's follow and the customer's own limits. None: not set."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.market import Quantity, Side
from mikrobot_platform.kernel.sessions import Window
from risk_management.compliance.clock import FlatBy
from risk_management.sizing import ConfidenceScale, Mode, RangeGate

BOTH_SIDES = frozenset(Side)


@dataclass(frozen=True, slots=True)
class Hours:
    """Hours of a week on the wall clock of a zone. Windows that open the evening before do so here as well."""

    zone: str  # IANA name
    windows: tuple[Window, ...]

    def __post_init__(self) -> None:
        ZoneInfo(self.zone)  # an unknown zone fails here and not at midnight

    def are_open(self, at: datetime) -> bool:
        """Tell whether a moment is inside; opening is, closing is not."""
        return _are_open(self, at)


@lru_cache(maxsize=4096)
def _are_open(hours: Hours, at: datetime) -> bool:
    """Answer once for all accounts that set the same hours: most take one of a few presets."""
    clock = at.astimezone(ZoneInfo(hours.zone))
    minute, today = clock.hour * 60 + clock.minute, clock.weekday()
    tomorrow = (today + 1) % 7
    return any(
        (window.weekday == today and window.opens_min <= minute < window.closes_min)
        or (window.weekday == tomorrow and window.opens_min <= minute - 24 * 60 < window.closes_min)
        for window in hours.windows
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Strategy:
    """One version of a strategy, as far as the gate asks. The defaults are the platform's."""

    name: str
    version: str
    max_signal_age_s: int = 60
    max_quote_age_s: int = 30
    max_rate_age_s: int = 60
    max_account_age_s: int = 120  # balances are told every 60 s
    max_spread: Decimal | None = None  # in price
    max_slippage: Decimal | None = None  # how far the market may have run from the source's entry, in price
    slippage_allowance: Decimal = Decimal(0)  # counted as a cost of every trade, in price
    range_gate: RangeGate | None = None
    max_positions: int | None = None  # of this strategy, on one account
    min_reward: Decimal | None = None  # the first target in multiples of the stop


@dataclass(frozen=True, slots=True, kw_only=True)
class Follow:
    """This account follows that strategy, with these settings; only ever narrower than the strategy."""

    is_active: bool
    mode: Mode
    paused_until: datetime | None = None
    sides: frozenset[Side] = BOTH_SIDES
    symbols: frozenset[str] | None = None  # None: all that the strategy trades
    hours: Hours | None = None
    confidence_scale: ConfidenceScale | None = None
    max_positions: int | None = None  # None: as many as the strategy holds
    range_gate: RangeGate | None = None  # None: the strategy's own


class Trailing(StrEnum):
    """What the customer's own floor follows upwards."""

    CLOSED_DAYS = "closed_days"
    EQUITY = "equity"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trail:
    """The customer's own trailing drawdown."""

    amount: Decimal
    follows: Trailing
    lock: Decimal | None = None  # where it stops rising


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the customer allows, amounts in account money. The platform's and the firm's limits hold besides."""

    max_leverage: Decimal
    buffer: Decimal = Decimal(0)  # that must stay above every floor
    max_risk_percent: Decimal | None = None
    max_quantity: Quantity | None = None
    max_open: int | None = None
    max_per_symbol: int | None = None
    max_trades_per_day: int | None = None
    cooldown_s: int | None = None  # in one symbol
    loss_pause_s: int | None = None  # after a loss
    max_loss_streak: int | None = None
    hours: Hours | None = None
    day_loss: Decimal | None = None
    week_loss: Decimal | None = None
    month_loss: Decimal | None = None
    least_equity: Decimal | None = None  # static drawdown
    trail: Trail | None = None
    max_spread: Decimal | None = None  # in price
    max_slippage: Decimal | None = None
    news_before_min: int | None = None
    news_after_min: int | None = None
    flat_by: FlatBy | None = None
    max_exposure: Decimal | None = None  # of all positions' notional, in multiples of the equity
    max_symbol_exposure: Decimal | None = None
    max_correlated_risk_percent: Decimal | None = None  # of the equity, in symbols that move together
    correlation_from: Decimal = Decimal("0.7")
    allows_opposite: bool = False  # positions against each other in one symbol, on different accounts
    keeps_best_day: bool = True  # stays below the share that one day may have, where the firm has such a rule

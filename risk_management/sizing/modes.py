"""How a customer wants trades sized: the settings, without any fact about a market or an account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.money import Money
from risk_management.kelly import LARGEST_FRACTION

# No trade risks more than this part of the account, whatever anybody has set (mikrobot.md 2: "hard max 2 % per trade").
HARD_CAP_PERCENT = Decimal(2)
LEAST_PERCENT = Decimal("0.1")


class Basis(StrEnum):
    """Which figure of an account a size is measured by."""

    BALANCE = "balance"
    EQUITY = "equity"
    FREE_MARGIN = "free margin"


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentOfBalance:
    """Risk a part of the balance, which moves only when trades are closed."""

    percent: Decimal

    def __post_init__(self) -> None:
        _positive(self.percent, "a percentage")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"{self.percent:f} % of the balance"


@dataclass(frozen=True, slots=True, kw_only=True)
class PercentOfEquity:
    """Risk a part of the equity, open results included."""

    percent: Decimal

    def __post_init__(self) -> None:
        _positive(self.percent, "a percentage")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"{self.percent:f} % of the equity"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedMoney:
    """Risk the same amount on each trade; it may be in another currency than the account."""

    amount: Money

    def __post_init__(self) -> None:
        _positive(self.amount.amount, "an amount")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"{self.amount} a trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedQuantity:
    """Trade the same quantity each time."""

    quantity: Quantity

    def __post_init__(self) -> None:
        _positive(self.quantity, "a quantity")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"{self.quantity:f} a trade"


@dataclass(frozen=True, slots=True, kw_only=True)
class MultiplierOfSource:
    """Trade a multiple of what the source trades."""

    multiplier: Decimal

    def __post_init__(self) -> None:
        _positive(self.multiplier, "a multiplier")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"{self.multiplier:f} times the source"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProportionalToSource:
    """Trade what the source trades, in proportion to the two accounts, times a multiplier."""

    basis: Basis = Basis.EQUITY
    multiplier: Decimal = Decimal(1)

    def __post_init__(self) -> None:
        _positive(self.multiplier, "a multiplier")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"{self.multiplier:f} times the source, by {self.basis}"


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityTarget:
    """Take a position whose usual move (the volatility among the facts) is a part of the equity."""

    percent: Decimal

    def __post_init__(self) -> None:
        _positive(self.percent, "a percentage")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"a usual move of {self.percent:f} % of the equity"


@dataclass(frozen=True, slots=True, kw_only=True)
class HalfKelly:
    """Risk half of what Kelly's formula gives for the settled trades, and never more than a fraction of the equity."""

    cap: Decimal = LARGEST_FRACTION

    def __post_init__(self) -> None:
        _positive(self.cap, "a cap")

    @property
    def words(self) -> str:
        """Say it in a receipt."""
        return f"half Kelly, at most {self.cap:f} of the equity"


Mode = (
    PercentOfBalance
    | PercentOfEquity
    | FixedMoney
    | FixedQuantity
    | MultiplierOfSource
    | ProportionalToSource
    | VolatilityTarget
    | HalfKelly
)  # fmt: skip


class Preset(StrEnum):
    """The levels that a customer is offered."""

    CAREFUL = "careful"
    STANDARD = "standard"
    BOLD = "bold"
    CUSTOM = "custom"


PRESET_PERCENT: Mapping[Preset, Decimal] = MappingProxyType(
    {Preset.CAREFUL: Decimal("0.25"), Preset.STANDARD: Decimal("0.55"), Preset.BOLD: Decimal("1.0")}
)


def preset(level: Preset, custom_percent: Decimal | None = None) -> PercentOfBalance:
    """Turn a level into a mode; a custom one needs its percentage, from 0.1 to the hard cap."""
    if level is not Preset.CUSTOM:
        return PercentOfBalance(percent=PRESET_PERCENT[level])
    if custom_percent is None or not LEAST_PERCENT <= custom_percent <= HARD_CAP_PERCENT:
        raise ValueError(f"a custom risk is from {LEAST_PERCENT} to {HARD_CAP_PERCENT} percent")
    return PercentOfBalance(percent=custom_percent)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfidenceScale:
    """How a signal's confidence (0 to 1) changes its size: the factor of the highest step that it reaches.

    Below the first step the signal is skipped. The platform's own steps only make trades smaller; a customer's may make
    them larger, within the risk limit that the customer has set.
    """

    steps: tuple[tuple[Decimal, Decimal], ...] = (
        (Decimal("0.60"), Decimal("0.4")),
        (Decimal("0.70"), Decimal("0.8")),
        (Decimal("0.80"), Decimal(1)),
    )

    def __post_init__(self) -> None:
        levels = [level for level, _factor in self.steps]
        if not levels or levels != sorted(set(levels)) or not all(factor > 0 for _level, factor in self.steps):
            raise ValueError("steps rise, and their factors are above zero")

    def factor(self, confidence: Decimal) -> Decimal | None:
        """Return the factor for a confidence; None below the first step."""
        reached = [factor for level, factor in self.steps if level <= confidence]
        return reached[-1] if reached else None


def _positive(value: Decimal, what: str) -> None:
    if not value > 0:
        raise ValueError(f"{what} is above zero, and not {value}")

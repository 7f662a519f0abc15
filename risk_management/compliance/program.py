"""A prop firm's program as one account lives under it: one phase, one size, one variant, every amount in money.

Nothing here is a firm's rule: rules stand in programs/*.json, each with its date and source. `None` for an amount means
that the firm sets it per account and that we do not know it; whoever needs it must then refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from risk_management.compliance.clock import FlatBy, ResetClock


class Phase(StrEnum):
    """Where an account stands on its way: being tested, tested again, or trading for the firm."""

    CHALLENGE = "challenge"
    VERIFICATION = "verification"
    FUNDED = "funded"


class Trail(StrEnum):
    """What the floor of the maximum loss follows upwards."""

    STATIC = "static"
    EOD_BALANCE = "eod_balance"
    CLOSED_BALANCE = "closed_balance"
    INTRADAY_EQUITY = "intraday_equity"


class Measure(StrEnum):
    """What is held against a floor. Most firms test equity at every moment, even where a floor moves once a day."""

    EQUITY_REALTIME = "equity_realtime"
    CLOSED_BALANCE = "closed_balance"


class Touch(StrEnum):
    """When a floor is broken: below it, or already at it."""

    BELOW = "below"
    AT_OR_BELOW = "at_or_below"

    def breaks(self, value: Decimal, floor: Decimal) -> bool:
        """Tell whether a value breaks the floor."""
        return value < floor or (self is Touch.AT_OR_BELOW and value == floor)


class Severity(StrEnum):
    """What crossing a limit costs: the account, the rest of the day, or the payout (or the passing of a phase)."""

    HARD_BREACH = "hard_breach"
    SOFT_PAUSE = "soft_pause"
    PAYOUT_BLOCK = "payout_block"


class AfterPayout(StrEnum):
    """What a payout does to the floor of the maximum loss."""

    KEEP = "keep"
    RESTART = "restart"  # it follows from the balance that is left
    LOCK = "lock"  # it stands at its lock from then on


class ShareOf(StrEnum):
    """What the best day is compared with."""

    POSITIVE_DAYS = "positive_days"
    TOTAL_PROFIT = "total_profit"


class Axis(StrEnum):
    """What a firm's policy may say about how trades are made."""

    OWN_AUTOMATION = "own_automation"
    REMOTE_EXECUTION = "remote_execution"
    THIRD_PARTY_SIGNALS = "third_party_signals"
    COPYING = "copying"
    HEDGING = "hedging"


class Permission(StrEnum):
    """What a firm says about one axis."""

    ALLOWED = "allowed"
    FORBIDDEN = "forbidden"
    UNKNOWN = "unknown"


class Confidence(StrEnum):
    """How sure a record is. High: official text, or two independent recent captures."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stand:
    """What a firm says about one axis of its policy, in a sentence, and where and when that was read."""

    permission: Permission
    confidence: Confidence
    verified: date
    source: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Edition:
    """One version of a firm's program. `valid_from` is the first day on which we know it to have held."""

    firm: str
    program: str
    version: str
    valid_from: date
    valid_until: date | None  # the last day
    opened_from: date | None  # only for accounts opened on or after
    opened_before: date | None
    verified: date
    source: str
    note: str

    def holds_on(self, day: date) -> bool:
        """Tell whether this version was in force."""
        return self.valid_from <= day and (self.valid_until is None or day <= self.valid_until)

    def is_for_account_opened(self, day: date) -> bool:
        """Tell whether an account opened that day comes under this version."""
        begins = self.opened_from is None or self.opened_from <= day
        return begins and (self.opened_before is None or day < self.opened_before)


@dataclass(frozen=True, slots=True, kw_only=True)
class DailyLoss:
    """The loss of one day, counted from the balance at the reset. An open loss eats the new day's allowance at once."""

    amount: Decimal | None
    measure: Measure
    touch: Touch
    severity: Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class MaxLoss:
    """The loss that ends the account. A trailing floor only rises, until it stands at its lock."""

    amount: Decimal | None
    trail: Trail
    measure: Measure
    touch: Touch
    severity: Severity
    lock: Decimal | None  # a level in money of the account
    after_payout: AfterPayout


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    """From this profit at the last close on: how many contracts, and how much of a loss in a day."""

    profit: Decimal
    minis: int
    daily_loss: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Micros:
    """How many micros count as one mini; some products have their own count."""

    per_mini: int
    exceptions: Mapping[str, int]

    def minis(self, product: str, micros: int) -> Decimal:
        """Count micros in minis."""
        return Decimal(micros) / self.exceptions.get(product, self.per_mini)

    def minis_rounded_up(self, product: str, micros: int) -> int:
        """Count micros in whole minis, a broken one as a whole: never less than the firm counts."""
        return int(self.minis(product, micros).to_integral_value(rounding=ROUND_CEILING))


@dataclass(frozen=True, slots=True, kw_only=True)
class Consistency:
    """How much of the profit one day may have made."""

    max_share_pct: Decimal
    of: ShareOf
    is_strict: bool  # the share must stay below, not just at
    raises_target: bool
    severity: Severity
    until_payout: int | None  # it ends with this payout


@dataclass(frozen=True, slots=True, kw_only=True)
class PayoutPath:
    """One way to a payout: what must be there first, and how much may be taken."""

    name: str
    winning_days: int
    min_day_profit: Decimal
    trading_days: int
    best_day_max_pct: Decimal | None
    minimum: Decimal | None
    share_of_balance_pct: Decimal | None
    safety_net: Decimal | None  # the balance that must stay
    caps: tuple[Decimal, ...]  # of the first payout, the second ...; the last one goes on
    max_payouts: int | None
    first_after_days: int | None
    split_pct: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewsWindow:
    """The minutes around a release in which something may not be done. No products: those that the release moves."""

    releases: str
    before_min: int
    after_min: int
    forbids: tuple[str, ...]
    products: tuple[str, ...]

    def is_open(self, release: datetime, now: datetime) -> bool:
        """Tell whether the window around a release is open, its first and last instant included."""
        return release - timedelta(minutes=self.before_min) <= now <= release + timedelta(minutes=self.after_min)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rest:
    """When positions may not be held: over the weekend, and over breaks that are longer than this."""

    is_flat_over_weekend: bool
    longest_break_min: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """How much a firm lets one account, or one client, do."""

    requests_per_day: int | None
    orders_at_once: int | None
    positions_per_day: int | None
    max_allocation: Decimal | None  # per client or strategy
    max_accounts: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """All rules for one account: an edition seen from one phase, size and variant."""

    edition: Edition
    phase: Phase
    size: Decimal
    variant: str
    confidence: Confidence
    currency: str
    initial: Decimal  # the balance it starts with; 0 in accounts that count profit only
    day: ResetClock
    close: ResetClock  # when the balance of a day is taken; mostly the same moment
    target: Decimal | None
    max_loss: MaxLoss | None
    daily_loss: DailyLoss | None
    optional_daily_loss: DailyLoss | None  # one that the customer may have switched on at the firm
    max_minis: int | None
    tiers: tuple[Tier, ...]
    micros: Micros | None
    consistency: Consistency | None
    payouts: tuple[PayoutPath, ...]
    min_trading_days: int
    time_limit_days: int | None
    activate_within_days: int | None
    inactivity_days: int | None
    mae_pct: Decimal | None  # the open loss of one trade, in percent of the profit at the start of the day
    leverage_fx: int | None
    flat_by: FlatBy | None
    rest: Rest | None
    news: tuple[NewsWindow, ...]
    budget: Budget
    policy: Mapping[Axis, Stand]

    @property
    def title(self) -> str:
        """Name it for a person."""
        return f"{self.edition.firm} {self.edition.program}, {self.phase}, {self.size:,f} {self.currency}"

    @property
    def target_balance(self) -> Decimal | None:
        """Return the balance at which the target is reached."""
        return None if self.target is None else self.initial + self.target

"""What a decision looks at: the facts that a signal's accounts share, and those of one account.

A fact that could not be had is `Missing` and says in words which one; None always means that there is none, and is
known. Whatever says `| Missing` is a fact and may be lacking; whatever does not is the question itself (which signal,
which account). Each group says who provides it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TypeVar

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Money
from mikrobot_platform.kernel.rates import RateBook
from mikrobot_platform.kernel.signals import Action, OrderKind
from risk_management.compliance.account import AccountState
from risk_management.compliance.program import Axis, Program
from risk_management.kelly import TradeStats
from risk_management.rules.settings import Follow, Limits, Strategy
from risk_management.sizing import SourceTrade

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Missing:
    """A fact that could not be had, in words that go on after "Not traded: " and before " is not known"."""

    fact: str


class Lacking(Exception):
    """Leaves a rule that needs a fact which is missing; the gate turns it into a denial that names the fact."""

    def __init__(self, missing: Missing) -> None:
        super().__init__(missing.fact)
        self.missing = missing


def known(value: T | Missing) -> T:
    """Return a fact, or leave the rule when it is missing."""
    if isinstance(value, Missing):
        raise Lacking(value)
    return value


# Shared by all accounts of a signal that trade it as the same instrument


@dataclass(frozen=True, slots=True, kw_only=True)
class Signal:
    """What is asked for. From the ledger (trading.pipeline), levels as prices of our instrument."""

    id: str
    action: Action
    symbol: str  # ours: InstrumentSpec.symbol
    side: Side | Missing
    kind: OrderKind | Missing
    entry: Price | Missing | None  # where the source wants in; None: at the market
    stop: Price | Missing | None
    targets: tuple[Price, ...] | Missing  # the first one decides whether the trade pays, the farthest how far it can go
    source: SourceTrade | Missing | None  # what the source trades itself
    confidence: Decimal | Missing | None  # of the source, 0 to 1
    received_at: datetime | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The last known price. From market data, or from the venue where it quotes its own."""

    bid: Price
    ask: Price
    at: datetime

    def entry(self, side: Side) -> Price:
        """Return the price at which a trade of this side is opened."""
        return self.ask if side is Side.BUY else self.bid


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """News that is due. From the calendar."""

    at: datetime
    name: str  # CPI, Non-Farm Payrolls
    kinds: frozenset[str]  # under which names firms speak of it: CPI, selected
    moves: frozenset[str]  # symbols that it moves


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How much another symbol moves with the signal's, from -1 to 1. From market data, with its n."""

    symbol: str
    coefficient: Decimal
    n: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A future as firms count it. From the catalogue."""

    product: str  # MNQ
    is_micro: bool
    groups: tuple[str, ...] = ()  # names under which flat-by times speak of it: grains


@dataclass(frozen=True, slots=True, kw_only=True)
class Switch:
    """Something was switched off: why, since when, and until when; None: until somebody lifts it."""

    reason: str
    since: datetime
    until: datetime | None = None

    def holds(self, at: datetime) -> bool:
        """Tell whether it is still off."""
        return self.until is None or at < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What is the same for all accounts of a shard: computed once per signal."""

    signal: Signal
    # From market data
    quote: Quote | Missing
    rates: RateBook | Missing
    atr: Decimal | Missing | None  # the average true range in price; None: no setting asks for it
    # All pairs that are known; a pair that is not listed is unrelated. None: nobody measures them, and a limit that
    # needs them denies; an account without such a limit goes on.
    correlations: tuple[Correlation, ...] | Missing | None
    # From the catalogue of instruments
    instrument: InstrumentSpec | Missing
    contract: Contract | Missing | None
    # From the calendar of news: every release from an hour back to a day ahead. None: nobody keeps one, and a window
    # around news denies; an account that has none goes on.
    releases: tuple[Release, ...] | Missing | None
    # From compliance.library: every program that an account of the shard is under, by edition, phase, size and variant
    programs: Mapping[str, Program] | Missing
    # From the switches of risk_management.services
    platform_stop: Switch | Missing | None
    strategy_stop: Switch | Missing | None
    # From trading.services, with its version
    strategy: Strategy | Missing


# Of one account


@dataclass(frozen=True, slots=True, kw_only=True)
class Entitlement:
    """What the organization has paid for. From accounts.tiers and billing."""

    tier: str
    opens_trades: bool  # False: unpaid or ended; positions may only be closed
    daily_quota: int | None  # trades a day; None: unlimited


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """The account's money as its venue told it. From the venue, by way of the account watch."""

    at: datetime | Missing
    balance: Decimal | Missing
    equity: Decimal | Missing
    floating: Decimal | Missing  # of all open positions, swap and commission included
    margin_used: Decimal | Missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A position or a working order, in account money. From the venue's positions, valued by trading.engine."""

    symbol: str
    side: Side
    quantity: Quantity
    stop: Price | None  # None: unprotected, and no worst case can be told
    risk: (
        Decimal | Missing
    )  # from the present price to the stop (of an order: from its price), costs of closing included
    gain: Decimal | Missing | None  # from the present price to the target; None: it has no target
    floating: Decimal | Missing  # swap and commission included; 0 for an order
    notional: Decimal | Missing
    contract: Contract | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Sibling:
    """What another account of the same customer holds in this symbol. From the positions of the organization."""

    account: str
    side: Side
    quantity: Quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Firm:
    """The prop firm's side of an account. From compliance.library and the stored state of the account."""

    program: str | Missing | None  # a key of Shared.programs; None: nobody knows it, and advice is all there is
    state: AccountState | Missing
    uses: frozenset[Axis] | Missing  # what an order here needs besides automation on a server


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the venue asks of this account. From the venue, by way of the account watch."""

    leverage: Decimal  # notional a unit of margin carries
    commission: Money | None = None  # per lot, there and back
    commission_rate: Decimal = Decimal(0)  # share of the notional value, there and back


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountFacts:
    """What is known of one account."""

    account: str
    organization: str
    currency: Currency
    # From the account's settings
    zone: str | Missing  # IANA name, in which the customer's days begin
    follow: Follow | Missing
    limits: Limits | Missing
    # From billing, and from the counter that admits trades atomically
    entitlement: Entitlement | Missing
    quota_used: int | Missing  # by the organization, since midnight of its zone
    # From the switches of risk_management.services; a lockout is a switch with an end
    account_stop: Switch | Missing | None
    organization_stop: Switch | Missing | None
    # None: the account is no prop account
    firm: Firm | Missing | None
    # From the venue
    snapshot: Snapshot | Missing
    terms: Terms | Missing
    positions: tuple[Holding, ...] | Missing
    orders: tuple[Holding, ...] | Missing
    # How many of these, positions and working orders, this strategy has opened; receipts of gate/1 do not have it
    of_strategy: int | Missing = Missing("how many positions this strategy holds")
    siblings: tuple[Sibling, ...] | Missing
    # From settled trades, costs included, in account money and in the customer's zone
    day: date | Missing  # to which the results belong
    realised_day: Decimal | Missing
    realised_week: Decimal | Missing
    realised_month: Decimal | Missing
    peak_equity: Decimal | Missing  # the highest that was seen
    peak_close: Decimal | Missing  # the highest balance at the end of a day, and at the beginning
    trades_today: int | Missing
    loss_streak: int | Missing
    last_loss_at: datetime | Missing | None
    last_entry_at: datetime | Missing | None  # in this symbol
    stats: TradeStats | Missing | None  # for half Kelly; None: no setting asks for it
    # From the request budget of the connection, by the firm's day
    requests_today: int | Missing

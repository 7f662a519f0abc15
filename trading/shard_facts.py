"""The facts of a shard: what its accounts share, and what is known of each; what nobody knows is Missing by name.

The gate's own rows are read by risk_management; here comes what the story itself keeps: how an account follows, its
positions and orders with what they are worth now, the terms of its venue, prices and the signal's levels.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from mikrobot_platform.kernel.decisions import Refusal
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Money, Rounding
from mikrobot_platform.kernel.orders import OrderState
from mikrobot_platform.kernel.rates import RateBook, conversion
from mikrobot_platform.kernel.sessions import windows
from mikrobot_platform.kernel.signals import OrderKind, SignalDraft
from risk_management import catalogue
from risk_management.rules import facts as gate
from risk_management.rules.facts import AccountFacts, Holding, Missing, Shared, Sibling, Terms
from risk_management.rules.settings import Follow as FollowTerms
from risk_management.rules.settings import Hours
from risk_management.rules.settings import Strategy as StrategyTerms
from risk_management.services import account_facts
from risk_management.sizing import FixedQuantity, PercentOfBalance, RangeGate
from trading import quotes
from trading.engine import levels, stored
from trading.engine.signal_facts import Quote
from trading.models import Follow, Order, Position, PositionState, RiskMode, Shard, Signal, Strategy, VenueLink
from trading.strategies import Parameters

MAX_RATE_AGE = timedelta(seconds=60)
SMALLEST = Decimal("0.00000001")
BOTH = frozenset(Side)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedShard:
    """Everything that a shard is decided on."""

    shared: Shared
    accounts: tuple[AccountFacts, ...]
    versions: Mapping[str, str]
    venue_symbol: str


def load(shard: Shard, *, now: datetime) -> LoadedShard:
    """Read the facts of a shard. The caller stands in the system scope `gate.decide`."""
    signal: Signal = Signal.objects.get(pk=shard.signal_id)
    strategy: Strategy = Strategy.objects.get(pk=shard.strategy_id)
    parameters, draft = strategy.read_parameters(), stored.read(SignalDraft, signal.draft)
    prices = quotes.latest(shard.venue)
    found = account_facts.load(shard.accounts, symbol=signal.symbol, now=now, strategy_id=shard.strategy_id)
    shared = _shared(signal, draft, strategy=strategy, parameters=parameters, prices=prices, found=found)
    own = _Own.load(shard, signal.symbol, [UUID(one.organization) for one in found.accounts])
    return LoadedShard(
        shared=shared,
        accounts=tuple(own.complete(account, parameters, prices, shared, now) for account in found.accounts),
        versions={"parameters": parameters.rules.version},
        venue_symbol=signal.symbol,
    )


# --- What all of them share -------------------------------------------------------------------------------------------
def _shared(
    signal: Signal,
    draft: SignalDraft,
    *,
    strategy: Strategy,
    parameters: Parameters,
    prices: Mapping[str, Quote],
    found: account_facts.Loaded,
) -> Shared:
    spec, quote = catalogue.find(signal.symbol), prices.get(signal.symbol)
    return Shared(
        signal=_signal(signal, draft, spec, quote),
        quote=Missing(f"the price of {signal.symbol}")
        if quote is None
        else gate.Quote(bid=quote.bid, ask=quote.ask, at=quote.at),
        rates=quotes.rates(prices),
        atr=Missing(f"the average true range of {signal.symbol}") if parameters.atr_pips_max else None,
        correlations=None,
        instrument=Missing(f"what {signal.symbol} is") if spec is None else spec,
        contract=None,
        releases=None,
        programs=found.programs,
        platform_stop=found.platform_stop,
        strategy_stop=found.strategy_stop,
        strategy=StrategyTerms(
            name=strategy.name,
            version=strategy.version,
            max_signal_age_s=parameters.rules.max_age_s,
            max_quote_age_s=parameters.rules.max_quote_age_s,
            range_gate=_range(parameters),
        ),
    )


def _range(parameters: Parameters) -> RangeGate | None:
    if not parameters.atr_pips_max:
        return None
    return RangeGate(min_pips=parameters.atr_pips_min, max_pips=parameters.atr_pips_max)


def _signal(signal: Signal, draft: SignalDraft, spec: InstrumentSpec | None, quote: Quote | None) -> gate.Signal:
    """Say what is asked for, levels as prices; they are measured from the entry of a waiting order, else the market."""
    side = draft.side
    entry = draft.entry if draft.kind is not OrderKind.MARKET else None
    measured = entry if entry is not None or quote is None or side is None else quote.entry(side)
    stop: Price | Missing | None = Missing("where the stop stands")
    targets: tuple[Price, ...] | Missing = Missing("where the targets stand")
    if spec is not None and measured is not None and side is not None:
        if draft.stop is not None:
            found = levels.stop_price(draft.stop, measured, side, spec)
            stop = stop if found is None else found
        prices = [levels.target_price(one, measured, side, spec) for one in draft.targets]
        if None not in prices:
            targets = tuple(one for one in prices if one is not None)
    return gate.Signal(
        id=str(signal.pk),
        action=draft.action,
        symbol=signal.symbol,
        side=Missing("which side is meant") if side is None else side,
        kind=draft.kind,
        entry=entry,
        stop=stop,
        targets=targets,
        source=None,
        confidence=None if draft.confidence is None else draft.confidence.value / 100,
        received_at=signal.received_at,
    )


# --- What is known of each --------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """The rows of a shard's accounts, by account."""

    follows: Mapping[UUID, Follow]
    positions: Mapping[UUID, list[Position]]
    orders: Mapping[UUID, list[Order]]
    links: Mapping[UUID, VenueLink]
    beside: Mapping[UUID, list[Position]]  # by organization, in the signal's symbol

    @classmethod
    def load(cls, shard: Shard, symbol: str, owners: Iterable[UUID]) -> _Own:
        """Read them, one query a table."""
        ids = shard.accounts
        working = [state.value for state in OrderState if state.may_stand_at_the_venue] + [OrderState.PLANNED.value]
        open_ = Position.objects.filter(state=PositionState.OPEN)
        return cls(
            follows={
                one.account_id: one for one in Follow.objects.filter(account_id__in=ids, strategy_id=shard.strategy_id)
            },
            positions=_by(open_.filter(account_id__in=ids), "account_id"),
            orders=_by(Order.objects.filter(account_id__in=ids, state__in=working, purpose="entry"), "account_id"),
            links={one.account_id: one for one in VenueLink.objects.filter(account_id__in=ids)},
            beside=_by(open_.filter(organization_id__in=set(owners), symbol=symbol), "organization_id"),
        )

    def complete(
        self, account: AccountFacts, parameters: Parameters, prices: Mapping[str, Quote], shared: Shared, now: datetime
    ) -> AccountFacts:
        """Put in what the gate's own rows do not say."""
        own, owner = UUID(account.account), UUID(account.organization)
        follow, link = self.follows.get(own), self.links.get(own)
        rates = gate.known(shared.rates)
        worth = _Worth(currency=account.currency, prices=prices, rates=rates, now=now)
        return replace(
            account,
            follow=account.follow if follow is None else _follow(follow, parameters),
            terms=_terms(link, account.currency),
            # Before ours and theirs were compared for the first time nobody knows what an account holds.
            positions=_unseen(link) or tuple(worth.position(one) for one in self.positions.get(own, ())),
            orders=_unseen(link) or tuple(worth.order(one) for one in self.orders.get(own, ())),
            siblings=tuple(
                Sibling(account=str(one.account_id), side=Side(one.side), quantity=Quantity(one.quantity))
                for one in self.beside.get(owner, ())
                if one.account_id != own
            ),
            account_stop=account.account_stop or _blocked(link),
            stats=account.stats,
            requests_today=Missing("how many requests were sent today") if link is None else _requests(link, now),
        )


def _by(rows: Iterable[Any], name: str) -> Mapping[UUID, list[Any]]:
    found: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        found[getattr(row, name)].append(row)
    return found


def _unseen(link: VenueLink | None) -> Missing | None:
    if link is None or link.reconciled_at is None:
        return Missing("what the account holds at its venue")
    return None


def _blocked(link: VenueLink | None) -> gate.Switch | None:
    if link is None or not link.blocked_reason:
        return None
    return gate.Switch(reason=link.blocked_reason, since=link.blocked_at or datetime.min.replace(tzinfo=UTC))


def _requests(link: VenueLink, now: datetime) -> int:
    """Count the requests of this day and the one before: in whatever zone a firm counts, it is never fewer."""
    fresh = link.requests_on is not None and (now.date() - link.requests_on).days <= 1
    return link.requests if fresh else 0


def _terms(link: VenueLink | None, currency: Currency) -> Terms | Missing:
    if link is None or link.leverage is None:
        return Missing("what the venue asks of the account")
    commission = None if link.commission is None else Money(amount=link.commission, currency=currency)
    return Terms(leverage=link.leverage, commission=commission)


def _hours(window: Mapping[str, Any], day: int) -> str:
    """Write one day of a window; where it runs past midnight it is named by the day on which it ends."""
    runs_over = window["from"] >= window["to"]
    return f"{_DAYS[day % 7 if runs_over else day - 1]} {window['from']}-{window['to']}"


def _follow(row: Follow, parameters: Parameters) -> FollowTerms | Missing:
    mode: PercentOfBalance | FixedQuantity = PercentOfBalance(percent=parameters.risk_percent)
    if row.risk_mode == RiskMode.PERCENT and row.risk_value is not None:
        mode = PercentOfBalance(percent=row.risk_value)
    elif row.risk_mode == RiskMode.QUANTITY and row.risk_value is not None:
        mode = FixedQuantity(quantity=Quantity(row.risk_value))
    zones = {str(window["zone"]) for window in row.windows}
    if len(zones) > 1:
        return Missing("the hours of the follow, which stand in several time zones")
    hours = [_hours(window, day) for window in row.windows for day in window["days"]]
    return FollowTerms(
        is_active=not row.is_paused,
        mode=mode,
        hours=Hours(zone=zones.pop(), windows=windows(*hours)) if hours else None,
        sides=frozenset(Side(side) for side in row.sides) or BOTH,
        symbols=frozenset(row.symbols) or None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Worth:
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

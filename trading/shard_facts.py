"""The facts of a shard: what its accounts share, and what is known of each; what nobody knows is Missing by name.

The gate's own rows are read by risk_management; here comes what the story itself keeps: how an account follows, its
positions and orders with what they are worth now, the terms of its venue, prices and the signal's levels.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError, transaction

from accounts.models import TradingAccount
from accounts.models.base import Several
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.prepared import array, ask
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Money
from mikrobot_platform.kernel.orders import OrderState
from mikrobot_platform.kernel.signals import OrderKind, SignalDraft
from risk_management import catalogue
from risk_management.rules import facts as gate
from risk_management.rules.facts import AccountFacts, Missing, Shared, Sibling, Terms
from risk_management.rules.settings import Strategy as StrategyTerms
from risk_management.services import account_facts
from trading import quotes
from trading.engine import levels, stored
from trading.engine.signal_facts import Quote
from trading.following import range_of, terms_of
from trading.models import Follow, Order, Position, PositionState, Shard, Signal, Strategy, VenueLink
from trading.strategies import Parameters
from trading.worth import Worth

log = logging.getLogger(__name__)

NOBODY_ASKS: frozenset[UUID] = frozenset()  # how its trades went: no follow can be set to half Kelly


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedShard:
    """Everything that a shard is decided on."""

    shared: Shared
    accounts: tuple[AccountFacts, ...]
    versions: Mapping[str, str]
    venue_symbol: str


def load(shard: Shard, *, now: datetime) -> LoadedShard:
    """Read the facts of a shard. The caller stands in the system scope `gate.decide`.

    What is wrong with the rows of one account is wrong for that account alone: nothing is known of it then.
    """
    signal: Signal = Signal.objects.get(pk=shard.signal_id)
    strategy: Strategy = Strategy.objects.get(pk=shard.strategy_id)
    parameters, draft = strategy.read_parameters(), stored.read(SignalDraft, signal.draft)
    prices = quotes.latest(shard.venue)

    def read(some: Sequence[UUID]) -> LoadedShard:
        found = account_facts.load(
            some, symbol=signal.symbol, now=now, strategy_id=shard.strategy_id, with_stats=NOBODY_ASKS
        )
        shared = _shared(signal, draft, strategy=strategy, parameters=parameters, prices=prices, found=found)
        own = _Own.load(found.accounts, signal.symbol, strategy_id=shard.strategy_id)
        return LoadedShard(
            shared=shared,
            accounts=tuple(own.complete(account, parameters, prices, shared, now) for account in found.accounts),
            versions={"parameters": parameters.rules.version},
            venue_symbol=signal.symbol,
        )

    found = _tried(shard.accounts, read)
    if isinstance(found, LoadedShard):
        return found
    nobody = read([])  # whatever is wrong with this is not the accounts'
    return _together(nobody, list(_apart(shard.accounts, read)))


_Read = Callable[[Sequence[UUID]], LoadedShard]


def _tried(accounts: Sequence[UUID], read: _Read) -> LoadedShard | Exception:
    try:
        with transaction.atomic(using=scopes.ENGINE):
            return read(accounts)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:
        return error


def _apart(accounts: Sequence[UUID], read: _Read) -> Iterator[LoadedShard | UUID]:
    """Read halves of what could not be read together, until who it is about stands alone."""
    middle = len(accounts) // 2
    for some in (accounts[:middle], accounts[middle:]) if middle else (accounts,):
        found = _tried(some, read)
        if isinstance(found, LoadedShard):
            yield found
        elif len(some) > 1:
            yield from _apart(some, read)
        else:
            log.error("the facts of an account cannot be read", exc_info=found, extra={"account": str(some[0])})
            yield some[0]


def _together(nobody: LoadedShard, parts: Sequence[LoadedShard | UUID]) -> LoadedShard:
    """Put parts together again; of an account that stands for itself nothing is known but whose it is."""
    read = [part for part in parts if isinstance(part, LoadedShard)]
    alone = TradingAccount.objects.filter(pk__in=[part for part in parts if isinstance(part, UUID)])
    rows = alone.values_list("pk", "organization_id", "currency")
    return replace(
        nobody,
        shared=replace(
            nobody.shared, programs={key: one for part in read for key, one in gate.known(part.shared.programs).items()}
        ),
        accounts=(
            *(account for part in read for account in part.accounts),
            *(unreadable(str(account), str(owner), Currency(currency)) for account, owner, currency in rows),
        ),
    )


def unreadable(account: str, organization: str, currency: Currency) -> AccountFacts:
    """Say of an account that nothing is known of it but whose it is."""
    missing: Any = Missing("what is stored of the account")
    lost: dict[str, Any] = {one.name: missing for one in fields(AccountFacts)}
    return AccountFacts(**lost | {"account": account, "organization": organization, "currency": currency})


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
            range_gate=range_of(parameters),
            max_positions=parameters.max_positions,
        ),
    )


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
_IS_OPEN = f"t.state = '{PositionState.OPEN.value}'"
# What an account has ever ordered is not read for what it has now: these are what the partial indexes hold.
_STANDING = ", ".join(f"'{state.value}'" for state in OrderState if state.may_stand_at_the_venue)
_AT_THE_VENUE = f"t.state in ({_STANDING}) and t.purpose = 'entry'"
_PLANNED = f"t.state = '{OrderState.PLANNED.value}' and t.purpose = 'entry'"
_UNSETTLED = f"""
select wanted.account_id, o.number
from unnest(%(owners)s::uuid[], %(accounts)s::uuid[]) as wanted (organization_id, account_id)
cross join lateral (
    select count(*) as number from trading_order o
    where o.organization_id = wanted.organization_id and o.account_id = wanted.account_id
        and o.position_id is null and o.filled > 0 and o.purpose = 'entry' and o.strategy_id = %(strategy)s
        and o.state not in ({_STANDING}, '{OrderState.PLANNED.value}')
) o
where o.number > 0
"""  # noqa: S608


@dataclass(frozen=True, slots=True, kw_only=True)
class _Own:
    """The rows of a shard's accounts, by account."""

    strategy_id: UUID
    follows: Mapping[UUID, Follow]
    positions: Mapping[UUID, list[Position]]
    orders: Mapping[UUID, list[Order]]
    unsettled: Mapping[UUID, int]  # entries of the strategy that were filled, and are in no position yet
    links: Mapping[UUID, VenueLink]
    beside: Mapping[UUID, list[Position]]  # by organization, in the signal's symbol

    @classmethod
    def load(cls, accounts: Sequence[AccountFacts], symbol: str, *, strategy_id: UUID) -> _Own:
        """Read them, one query a table, and one more for what stands between two of them."""
        several = Several.of([(one.organization, one.account) for one in accounts])
        owners = array({one.organization for one in accounts})
        return cls(
            strategy_id=strategy_id,
            follows={
                one.account_id: one
                for one in Follow.objects.of(several, "t.strategy_id = %(strategy)s", strategy=strategy_id)
            },
            positions=_by(Position.objects.of(several, _IS_OPEN), "account_id"),
            orders=_by(Order.objects.of(several, _AT_THE_VENUE, rarely=_PLANNED), "account_id"),
            unsettled=dict(
                ask(_UNSETTLED, {"owners": several.owners, "accounts": several.accounts, "strategy": strategy_id})
            ),
            links={one.account_id: one for one in VenueLink.objects.of(several)},
            beside=_by(
                Position.objects.fetch(
                    f"t.organization_id = any(%(owners)s::uuid[]) and t.symbol = %(symbol)s and {_IS_OPEN}",
                    {"owners": owners, "symbol": symbol},
                ),
                "organization_id",
            ),
        )

    def complete(
        self, account: AccountFacts, parameters: Parameters, prices: Mapping[str, Quote], shared: Shared, now: datetime
    ) -> AccountFacts:
        """Put in what the gate's own rows do not say."""
        own, owner = UUID(account.account), UUID(account.organization)
        follow, link = self.follows.get(own), self.links.get(own)
        rates = gate.known(shared.rates)
        worth = Worth(currency=account.currency, prices=prices, rates=rates, now=now)
        return replace(
            account,
            follow=account.follow if follow is None else terms_of(follow, parameters),
            terms=_terms(link, account.currency),
            # Before ours and theirs were compared for the first time nobody knows what an account holds.
            positions=_unseen(link) or tuple(worth.position(one) for one in self.positions.get(own, ())),
            orders=_unseen(link) or tuple(worth.order(one) for one in self.orders.get(own, ())),
            of_strategy=self._of_strategy(own) if (unseen := _unseen(link)) is None else unseen,
            siblings=tuple(
                Sibling(account=str(one.account_id), side=Side(one.side), quantity=Quantity(one.quantity))
                for one in self.beside.get(owner, ())
                if one.account_id != own
            ),
            account_stop=account.account_stop or _blocked(link),
            requests_today=Missing("how many requests were sent today") if link is None else _requests(link, now),
        )

    def _of_strategy(self, account: UUID) -> int:
        """Count what the strategy holds there, or may hold in a second."""
        found = self.unsettled.get(account, 0)
        for held in (self.positions, self.orders):
            found += sum(one.strategy_id == self.strategy_id for one in held.get(account, ()))
        return found


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
    return _terms_of(link.leverage, link.commission, currency)


# Many accounts have the same terms and follow in the same way: made once, they are written once (plain.recall).
@lru_cache(maxsize=4_096)
def _terms_of(leverage: Decimal, commission: Decimal | None, currency: Currency) -> Terms:
    paid = None if commission is None else Money(amount=commission, currency=currency)
    return plain.recall(Terms, plain.text(Terms(leverage=leverage, commission=paid)))

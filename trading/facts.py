"""What is known when a signal is judged, read from the rows and the prices of this moment.

What nobody knows stays unknown here, and validation denies for want of it. Positions are asked about where accounts are
decided: whether somebody holds something against a signal is nobody else's business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from accounts.models.audit import PLATFORM_ID
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.signals import Action, ClockStamp
from risk_management import catalogue
from trading import quotes
from trading.engine import broker_clock
from trading.engine.broker_clock import Arrival, ClockReading, DeclaredClock
from trading.engine.signal_facts import Quote, SignalFacts, SignalRules
from trading.models import ClockArrival, Signal, Source, Strategy
from trading.statements import LISTENERS, TAKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """Who judges a signal: one version of a strategy, or the platform's rules where no strategy listens."""

    strategy_id: UUID | None
    rules: SignalRules
    symbols: tuple[str, ...] = ()  # empty: any


Taken = tuple[str, UUID | None]  # a symbol, and the strategy that took a signal for it

_ENTRIES = [action.value for action in Action if action.is_entry]
NOBODY = Listener(strategy_id=None, rules=SignalRules())


def listeners(organization_id: UUID, names: Collection[str]) -> dict[str, list[Listener]]:
    """List who listens to signals of each name: the strategies in sight that know it, in fixed order."""
    found: dict[str, list[Listener]] = {name: [] for name in names}
    for name, strategy_id in ask(LISTENERS, [[name for name in names if name], [organization_id, PLATFORM_ID]]):
        found[name].append(_listener(strategy_id))
    return {name: several or [NOBODY] for name, several in found.items()}


def _listener(strategy_id: UUID) -> Listener:
    """Read a strategy's parameters once in this process: those of one version never change."""
    found = _read.get(strategy_id)
    if found is None:
        parameters = Strategy.objects.get(pk=strategy_id).read_parameters()
        found = Listener(strategy_id=strategy_id, rules=parameters.rules, symbols=parameters.symbols)
        _read[strategy_id] = found
    return found


_read: dict[UUID, Listener] = {}


def signal_facts(
    signal: Signal, market: Market, known: ClockReading, taken: Mapping[Taken, datetime], listener: Listener
) -> SignalFacts:
    """Put the facts for one judgement together; what was looked up for all who judge is handed over."""
    spec = catalogue.find(signal.symbol)
    is_open = None if spec is None else spec.is_open(market.at)
    return SignalFacts(
        received_at=signal.received_at,
        is_tradable=False if listener.symbols and signal.symbol not in listener.symbols else is_open,
        quote=market.quotes.get(signal.symbol),
        pip_size=None if spec is None else spec.pip_size,
        clock=known,
        last_signal_at=taken.get((signal.symbol, listener.strategy_id)),
        position=None,
    )


@dataclass(frozen=True, slots=True)
class Market:
    """The last prices that any venue has told, and the moment at which they are looked at."""

    quotes: Mapping[str, Quote]
    at: datetime


def market(signals: Sequence[Signal], now: datetime) -> Market:
    """Look up the newest price of each symbol, of whichever venue tells it."""
    symbols = {signal.symbol for signal in signals}
    found: dict[str, Quote] = {}
    for venue in registry.BROKERS:
        for symbol, quote in quotes.latest(venue, symbols).items():
            if symbol not in found or quote.at > found[symbol].at:
                found[symbol] = quote
    return Market(found, now)


def taken_lately(signals: Sequence[Signal], judges: Sequence[Listener]) -> dict[Taken, datetime]:
    """Say when each of these last took an entry for each of the signals' symbols, counted from its arrival.

    Only as far back as the longest pause among them: what came before decides nothing, and there may be a great deal.
    """
    pause = timedelta(seconds=max(judge.rules.cooldown_s for judge in judges))
    since = min(signal.received_at for signal in signals) - pause
    symbols = list({signal.symbol for signal in signals})
    found = ask(TAKEN, [signals[0].organization_id, since, symbols, since, list(_ENTRIES)])
    return {(symbol, strategy_id): at for symbol, strategy_id, at in found}


def clock(source: Source) -> ClockReading:
    """Read a source's clock off its latest arrivals and what is believed of it."""
    arrivals = [
        Arrival(stamp=ClockStamp(stamp_s, resolution_s), at=at)
        for stamp_s, resolution_s, at in ClockArrival.recent(source, broker_clock.RECENT)
    ]
    declared = DeclaredClock(zone=source.clock_zone, shift_s=source.clock_shift_s) if source.clock_zone else None
    return broker_clock.learn(arrivals, believed_s=source.clock_offset_s, declared=declared)

"""The prices that matter are asked for at the venues where they matter, several times a second, and kept."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.instruments import AssetClass
from risk_management.catalogue import CATALOGUE
from trading import book_statements as sql
from trading import quotes
from trading.brokers import Refused, Transient, Unknown, VenueQuote
from trading.desk import Door, desk
from trading.engine.signal_facts import Quote
from trading.sending import SCOPE

log = logging.getLogger(__name__)

SYMBOLS_S = 5  # how often is asked which symbols matter
ANSWER_S = 2
InThread = Callable[[Callable[[], Any]], Awaitable[Any]]


class Prices:
    """Ask for prices, each venue through the session of any of its accounts."""

    def __init__(self) -> None:
        self._symbols: Mapping[str, frozenset[str]] = {}
        self._read_at = -SYMBOLS_S

    async def refresh(self, doors: Sequence[Door], in_thread: InThread) -> None:
        """Ask every venue once, side by side; one that does not answer keeps its old prices, which grow old."""
        if time.monotonic() - self._read_at >= SYMBOLS_S:
            self._symbols = await in_thread(_symbols)
            self._read_at = int(time.monotonic())
        first: dict[str, Door] = {}
        for door in doors:
            first.setdefault(door.venue, door)
        told = await asyncio.gather(*(self._venue(door) for door in first.values()))
        for venue, found in zip(first, told, strict=True):
            if found:
                await in_thread(lambda venue=venue, found=found: quotes.remember(venue, found))  # type: ignore[misc]

    async def _venue(self, door: Door) -> dict[str, Quote]:
        names = sorted(self._symbols.get(door.venue, ()))
        try:
            async with asyncio.timeout(ANSWER_S):
                session = await desk.session(door)
                told: list[VenueQuote | None] = await asyncio.gather(*(session.quote(name) for name in names))
        except (Refused, Transient, Unknown, TimeoutError) as error:
            log.info("no prices", extra={"venue": door.venue, "error": type(error).__name__})
            return {}
        return {one.symbol: Quote(bid=one.bid, ask=one.ask, at=one.at) for one in told if one is not None}


def _symbols() -> Mapping[str, frozenset[str]]:
    """Name the symbols that matter at each venue, with the pairs that their money is converted by."""
    with system_scope(SCOPE):
        rows = ask(sql.SYMBOLS, {})
    found: dict[str, set[str]] = defaultdict(set)
    for venue, symbol in rows:
        found[venue].add(symbol)
    return {venue: frozenset({*symbols, *_MAJORS}) for venue, symbols in found.items()}


# What accounts are kept in and instruments are quoted in is converted through the dollar.
_MAJORS = frozenset(
    symbol
    for symbol, entry in CATALOGUE.items()
    if entry.spec.asset_class is AssetClass.FOREX and "USD" in (entry.spec.base, entry.spec.quote)
)

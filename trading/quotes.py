"""The last price of each symbol at each venue, with its age: kept in Redis, because only the newest one matters.

Whoever hears a venue writes here. While Redis is away no price is known, and what needs one is denied.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import redis

from mikrobot_platform.kernel.instruments import AssetClass
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.money import Currency
from mikrobot_platform.kernel.rates import Rate, RateBook, rate_book
from mikrobot_platform.stores import redis_client
from risk_management.catalogue import CATALOGUE
from trading.engine.signal_facts import Quote

log = logging.getLogger(__name__)


def _key(venue: str) -> str:
    return f"mikrobot:quotes:{venue}"


def remember(venue: str, quotes: Mapping[str, Quote]) -> None:
    """Keep the last prices of a venue, by our own symbols."""
    if quotes:
        told: dict[Any, Any] = {symbol: f"{one.bid} {one.ask} {one.at.timestamp()!r}" for symbol, one in quotes.items()}
        redis_client().hset(_key(venue), mapping=told)


def forget(venue: str) -> None:
    """Know no price of a venue any more."""
    redis_client().delete(_key(venue))


def latest(venue: str, symbols: Iterable[str] | None = None) -> Mapping[str, Quote]:
    """Return the last prices of a venue, of all symbols or of some; what is not known is not in it."""
    try:
        if symbols is None:
            found: dict[Any, Any] = redis_client().hgetall(_key(venue))
        else:
            names = list(symbols)
            told = redis_client().hmget(_key(venue), names) if names else []
            found = {name: one for name, one in zip(names, told, strict=True) if one is not None}
    except redis.RedisError:
        log.warning("Redis is not reachable: no price is known")
        return {}
    return {str(symbol): _read(str(text)) for symbol, text in found.items()}


def _read(text: str) -> Quote:
    bid, ask, at = text.split(" ")
    return Quote(bid=Price(Decimal(bid)), ask=Price(Decimal(ask)), at=_moment(at))


def _moment(text: str) -> datetime:
    whole, _, part = text.partition(".")
    return datetime.fromtimestamp(int(whole), tz=UTC).replace(microsecond=int(part[:6].ljust(6, "0") or "0"))


_PAIRS = {
    symbol: (entry.spec.base, entry.spec.quote)
    for symbol, entry in CATALOGUE.items()
    if entry.spec.asset_class is AssetClass.FOREX and entry.spec.base is not None
}


def rates(quotes: Mapping[str, Quote]) -> RateBook:
    """Take what currencies are worth in each other from the prices of their pairs."""
    return rate_book(
        Rate(base=Currency(base), quote=Currency(quote), value=quotes[symbol].middle, at=quotes[symbol].at)
        for symbol, (base, quote) in _PAIRS.items()
        if symbol in quotes
    )

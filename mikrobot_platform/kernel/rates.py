"""From one currency to another, on quotes that are recent: directly, inverted, or through one third currency.

A rate that is missing or too old is a refusal that names it. No rate is guessed, none is taken for 1: USDT is not USD.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType

from mikrobot_platform.kernel.decisions import Code, Refusal, refusal
from mikrobot_platform.kernel.money import ONE, Currency, Money, Ratio, Rounding, minor_unit

# Where several thirds would do, the most traded one is asked first, so that the same quotes always give the same path.
_THIRDS = ("USD", "EUR", "GBP", "JPY", "USDT", "BTC")
# A hundred of these make one of those, by law and not by quote.
SUBUNITS: Mapping[Currency, Currency] = {
    Currency("GBX"): Currency("GBP"),
    Currency("ILA"): Currency("ILS"),
    Currency("ZAC"): Currency("ZAR"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """What one unit of `base` cost in `quote` at a moment."""

    base: Currency
    quote: Currency
    value: Decimal
    at: datetime

    def __post_init__(self) -> None:
        if self.base == self.quote or not self.value > 0:
            raise ValueError(f"{self.value} is no rate of {self.base} in {self.quote}")
        if self.at.tzinfo is None:
            raise ValueError(f"the rate of {self.base} in {self.quote} has a time without a zone")


@dataclass(frozen=True, slots=True)
class RateBook:
    """The newest rate of every pair, and which currency meets which; made by `rate_book`."""

    pairs: Mapping[tuple[Currency, Currency], Rate] = field(default_factory=dict)
    partners: Mapping[Currency, frozenset[Currency]] = field(default_factory=dict)

    def leg(self, source: Currency, target: Currency) -> tuple[Ratio, Rate] | None:
        """Find the factor between two currencies that are quoted against each other, by the newer of two quotes."""
        direct, inverse = self.pairs.get((source, target)), self.pairs.get((target, source))
        if direct is not None and (inverse is None or direct.at >= inverse.at):
            return Ratio(direct.value), direct
        return None if inverse is None else (Ratio(Decimal(1), inverse.value), inverse)

    def paths(self, source: Currency, target: Currency) -> list[tuple[Currency, ...]]:
        """List the ways from one currency to another, the straight one first."""
        found: list[tuple[Currency, ...]] = [(source, target)] if target in self.partners.get(source, ()) else []
        thirds = self.partners.get(source, frozenset()) & self.partners.get(target, frozenset())
        return found + [(source, third, target) for third in sorted(thirds, key=_popularity)]


NO_RATES = RateBook()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversion:
    """An exact factor between two currencies, the way it was found, and the time of its oldest quote."""

    factor: Ratio
    path: tuple[Currency, ...]
    quoted_at: datetime | None = None  # None: no quote was needed


def rate_book(rates: Iterable[Rate]) -> RateBook:
    """Keep the newest rate of every pair."""
    pairs: dict[tuple[Currency, Currency], Rate] = {}
    partners: dict[Currency, set[Currency]] = {}
    for rate in rates:
        known = pairs.get((rate.base, rate.quote))
        if known is None or rate.at > known.at:
            pairs[rate.base, rate.quote] = rate
        partners.setdefault(rate.base, set()).add(rate.quote)
        partners.setdefault(rate.quote, set()).add(rate.base)
    return RateBook(MappingProxyType(pairs), MappingProxyType({code: frozenset(met) for code, met in partners.items()}))


def conversion(
    source: Currency, target: Currency, rates: RateBook, *, now: datetime, max_age: timedelta
) -> Conversion | Refusal:
    """Find the exact factor from one currency to another, or say which rate is missing or stale."""
    main_source, main_target = SUBUNITS.get(source, source), SUBUNITS.get(target, target)
    scale = ONE
    if main_source != source:
        scale = Ratio(Decimal(1), Decimal(100))
    if main_target != target:
        scale = scale.times(Decimal(100))
    if main_source == main_target:
        same = ONE if source == target else scale
        return Conversion(factor=same, path=(source,) if source == target else (source, target))
    stale: Rate | None = None
    for path in rates.paths(main_source, main_target):
        factor, farthest = _along(path, rates, now)
        # A quote from the future tells of a clock that is wrong, and is trusted no further than an old one.
        if abs(now - farthest.at) <= max_age:
            return Conversion(factor=factor.by(scale), path=path, quoted_at=farthest.at)
        stale = stale or farthest
    if stale is None:
        return refusal(Code.RATE_MISSING, source=source, target=target)
    return refusal(
        Code.RATE_STALE,
        source=source, target=target, pair=f"{stale.base}/{stale.quote}", rate_at=stale.at,
        age_s=int(abs(now - stale.at).total_seconds()), max_age_s=int(max_age.total_seconds()),
    )  # fmt: skip


def convert(
    amount: Money,
    to: Currency,
    rates: RateBook,
    *,
    now: datetime,
    max_age: timedelta,
    rounding: Rounding = Rounding.NEAREST,
) -> Money | Refusal:
    """Change money into another currency, rounded once to its smallest unit; say which rate is missing or stale."""
    found = conversion(amount.currency, to, rates, now=now, max_age=max_age)
    if isinstance(found, Refusal):
        return found
    return Money(amount=found.factor.times(amount.amount).rounded(minor_unit(to), rounding), currency=to)


def _along(path: tuple[Currency, ...], rates: RateBook, now: datetime) -> tuple[Ratio, Rate]:
    """Multiply the factors of a path, and name the rate whose time is farthest from now."""
    legs = [leg for step in pairwise(path) if (leg := rates.leg(*step)) is not None]
    factor = ONE
    for ratio, _rate in legs:
        factor = factor.by(ratio)
    return factor, max((rate for _ratio, rate in legs), key=lambda rate: abs(now - rate.at))


def _popularity(code: Currency) -> tuple[int, str]:
    return (_THIRDS.index(code) if code in _THIRDS else len(_THIRDS), code)

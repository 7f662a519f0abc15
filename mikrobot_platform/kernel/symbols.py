"""What an account's venue calls the things that signals name, and how many of its lots make one of theirs.

Everything is looked up in tables that belong to the account. A symbol that stands in none of them is not traded: no
part of a name is ever taken for a hint, so that BTCUSD does not become forex because it ends in USD.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.futures import NO_HOLIDAYS, ContractMonth, RollRule, contract_month

_NINJA = re.compile(r"(?P<root>\S+) (?P<month>\d\d-\d\d)")  # NQ 12-25


def _nothing() -> Mapping[str, str]:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class FutureListing:
    """A futures product as an account trades it, and the micro that may take its place."""

    rule: RollRule
    micro: str | None = None  # NQ -> MNQ
    micro_ratio: Decimal = Decimal(1)  # how many of the micro make one of these

    def __post_init__(self) -> None:
        if not self.micro_ratio > 0:
            raise ValueError("a micro ratio is above zero")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What to trade: our symbol for its spec, the venue's name for the order, and the ratio of quantities."""

    code: str  # InstrumentSpec.symbol; for a future that of the product: MNQ
    name: str  # what the venue calls it: EURUSD.m, MNQZ25
    ratio: Decimal = Decimal(1)  # so many of these for one of what was asked for
    month: ContractMonth | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolMap:
    """The tables of one account. Names are compared as they are written, except for the source's suffixes."""

    codes: Set[str]  # our symbols that this account trades
    aliases: Mapping[str, str] = field(default_factory=_nothing)  # what sources call it -> our symbol: DAX -> GER40
    names: Mapping[str, str] = field(default_factory=_nothing)  # our symbol -> the venue's, where no suffix says it
    suffix: str = ""  # what the venue hangs on every symbol: .m
    source_suffixes: tuple[str, ...] = ()  # what sources hang on theirs
    futures: Mapping[str, FutureListing] = field(default_factory=lambda: MappingProxyType({}))
    trades_micros: bool = False
    zone: str = "America/Chicago"  # whose calendar day decides on the roll
    holidays: Set[date] = NO_HOLIDAYS

    def resolve(self, symbol: str, at: datetime) -> Resolved | None:
        """Find what an account trades when a signal names a symbol; None when it trades no such thing.

        In order: the name as it stands or as an alias; the same without one of the source's known suffixes; a product
        of the futures table, alone (NQ, NQ1!) for the front month, or with a month that has not rolled yet.
        """
        for written in (symbol, *self._without_suffix(symbol)):
            code = self.aliases.get(written, written)
            if code in self.futures:
                return self._future(code, None, at)
            if code in self.codes:
                return Resolved(code=code, name=self._name(code))
            if (found := self._named_month(code, at)) is not None:
                return found
        return None

    def _without_suffix(self, symbol: str) -> list[str]:
        return [symbol.removesuffix(suffix) for suffix in self.source_suffixes if suffix and symbol.endswith(suffix)]

    def _name(self, code: str) -> str:
        return self.names.get(code, code + self.suffix)

    def _named_month(self, written: str, at: datetime) -> Resolved | None:
        """Read ROOT1! and ROOT with a month; the root must be a product of the table."""
        if written.endswith("1!"):  # TradingView's continuous front month; 2! is another month and not known here
            root = self.aliases.get(written.removesuffix("1!"), written.removesuffix("1!"))
            return self._future(root, None, at) if root in self.futures else None
        today = self._today(at)
        if ninja := _NINJA.fullmatch(written):
            candidates = [(ninja["root"], ninja["month"])]
        else:
            candidates = [(written[:-length], written[-length:]) for length in (2, 3, 5)]
        for part, text in candidates:
            root = self.aliases.get(part, part)
            month = contract_month(text, near=today)
            if root in self.futures and month is not None:
                return self._future(root, month, at)
        return None

    def _future(self, root: str, month: ContractMonth | None, at: datetime) -> Resolved | None:
        """Take the front month, or the month that was asked for unless it has rolled: its market is leaving it."""
        listing, today = self.futures[root], self._today(at)
        if month is None:
            month = listing.rule.front_month(today, self.holidays)
        elif not listing.rule.is_listed(month) or listing.rule.roll_date(month, self.holidays) <= today:
            return None
        code, ratio = root, Decimal(1)
        if self.trades_micros and listing.micro is not None:
            code, ratio = listing.micro, listing.micro_ratio
        if code not in self.codes:
            return None
        return Resolved(code=code, name=self.names.get(code, code) + month.code + self.suffix, ratio=ratio, month=month)

    def _today(self, at: datetime) -> date:
        return at.astimezone(ZoneInfo(self.zone)).date()

"""The terms of an account at its venue: what trading costs, and what it may risk. Amounts are in account money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.money import Currency

_WEDNESDAY, _SATURDAY = 2, 5
_WEEKEND_NIGHTS = 3  # spot currencies settle after two days: Wednesday's night pays for Saturday and Sunday as well


@dataclass(frozen=True, slots=True, kw_only=True)
class Swap:
    """What holding a lot over a night gives (above zero) or costs, in the quote currency."""

    long: Decimal
    short: Decimal

    def of(self, side: Side) -> Decimal:
        return self.long if side is Side.BUY else self.short


NO_SWAP = Swap(long=Decimal(0), short=Decimal(0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What was agreed when the account was opened."""

    currency: Currency
    is_hedged: bool = False  # several positions of one symbol beside each other, each with its own id
    leverage: Decimal = Decimal(30)  # where an instrument has no margin of its own: notional value / leverage
    stop_out: Decimal = Decimal("0.5")  # positions are closed when equity falls to this share of the margin in use
    commission_per_lot: Decimal = Decimal(0)  # for each side
    most_slippage_ticks: int = 0  # against the trade, drawn for each market or stop fill
    seed: int = 0  # of the draws
    swaps: Mapping[str, Swap] = field(default_factory=lambda: MappingProxyType({}))
    night: time = time(17)  # when a night begins to count
    zone: str = "America/New_York"

    def swap(self, symbol: str, side: Side) -> Decimal:
        return self.swaps.get(symbol, NO_SWAP).of(side)

    def next_night(self, at: datetime) -> datetime:
        """Return the first moment after this one at which a night begins."""
        zone = ZoneInfo(self.zone)
        begins = datetime.combine(at.astimezone(zone).date(), self.night, zone)
        return begins if begins > at else datetime.combine(begins.date() + timedelta(days=1), self.night, zone)

    def nights(self, due: datetime, at: datetime) -> tuple[int, datetime]:
        """Count the nights that began from `due` until now, the weekend's with Wednesday; say when the next is due."""
        count = 0
        while due <= at:
            weekday = due.astimezone(ZoneInfo(self.zone)).weekday()
            if weekday < _SATURDAY:
                count += _WEEKEND_NIGHTS if weekday == _WEDNESDAY else 1
            due = self.next_night(due)
        return count, due

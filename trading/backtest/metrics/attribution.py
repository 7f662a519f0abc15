"""Where a result came from. Every trade is in exactly one group of each table, so each table sums to the net result.

Sessions, hours and weekdays are those in which a trade was opened: that is when somebody decided.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal
from zoneinfo import ZoneInfo

from trading.backtest.metrics.figures import total
from trading.backtest.metrics.trades import ClosedTrade

_WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_SATURDAY = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What the trades of one group came to."""

    name: str
    n: int
    net: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Attribution:
    """The same net result, taken apart in five ways."""

    by_strategy: tuple[Share, ...]
    by_symbol: tuple[Share, ...]
    by_session: tuple[Share, ...]
    by_hour: tuple[Share, ...]  # on the customer's clock: "00" to "23"
    by_weekday: tuple[Share, ...]  # in the customer's zone, Monday first


@dataclass(frozen=True, slots=True, kw_only=True)
class TradingHours:
    """The business hours of a market place on its own clock, Monday to Friday; its summer time is its own."""

    name: str
    zone: ZoneInfo
    opens: time
    closes: time

    def is_open(self, at: datetime) -> bool:
        """Tell whether business is done there at a moment. Opening is inside, closing is not."""
        local = at.astimezone(self.zone)
        return local.weekday() < _SATURDAY and self.opens <= local.time() < self.closes


# In winter 23:00-08:00, 08:00-16:00 and 13:00-21:00 UTC. Tokyo has no summer time: it meets London only in London's.
PLACES = (
    TradingHours(name="Tokyo", zone=ZoneInfo("Asia/Tokyo"), opens=time(8), closes=time(17)),
    TradingHours(name="London", zone=ZoneInfo("Europe/London"), opens=time(8), closes=time(16)),
    TradingHours(name="New York", zone=ZoneInfo("America/New_York"), opens=time(8), closes=time(16)),
)
SESSIONS = ("Tokyo", "Tokyo + London", "London", "London + New York", "New York", "between sessions")


def session_of(at: datetime) -> str:
    """Name the places that are open at a moment; an overlap is a session of its own, so that nothing counts twice."""
    return " + ".join(place.name for place in PLACES if place.is_open(at)) or SESSIONS[-1]


def attribute(trades: Iterable[ClosedTrade], name_of: Callable[[ClosedTrade], str]) -> tuple[Share, ...]:
    """Group trades by a name, largest result first."""
    groups: dict[str, list[Decimal]] = {}
    for trade in trades:
        groups.setdefault(name_of(trade), []).append(trade.profit)
    shares = [Share(name=name, n=len(profits), net=total(profits)) for name, profits in groups.items()]
    return tuple(sorted(shares, key=lambda share: (-share.net, share.name)))


def attribution(trades: Iterable[ClosedTrade], *, zone: ZoneInfo) -> Attribution:
    """Take a result apart by strategy, symbol, session, and by hour and weekday in the customer's zone."""
    trades = tuple(trades)
    weekdays = attribute(trades, lambda trade: _WEEKDAYS[trade.opened_at.astimezone(zone).weekday()])
    return Attribution(
        by_strategy=attribute(trades, lambda trade: trade.strategy),
        by_symbol=attribute(trades, lambda trade: trade.symbol),
        by_session=_as_listed(attribute(trades, lambda trade: session_of(trade.opened_at)), SESSIONS),
        by_hour=tuple(
            sorted(
                attribute(trades, lambda trade: f"{trade.opened_at.astimezone(zone):%H}"), key=lambda share: share.name
            )
        ),
        by_weekday=_as_listed(weekdays, _WEEKDAYS),
    )


def _as_listed(shares: Iterable[Share], names: tuple[str, ...]) -> tuple[Share, ...]:
    return tuple(sorted(shares, key=lambda share: names.index(share.name)))

"""XPWS, the extra-profit weekly strategy: after a good week in a symbol, trades run to 2 R with breakeven at 1 R.

Per account, symbol and week. The week begins on Monday at 00:00 where the account is kept, and its starting balance is
what 10 % are counted of. Which way a trade is managed is settled when it is opened and stays: a rule that turned over
an open trade would close half of it for something that happened elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from mikrobot_platform.kernel.money import EXACT

THRESHOLD_PERCENT = Decimal(10)
_HUNDRED, _ZERO = Decimal(100), Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Realised:
    """What came of a trade or a part of it, costs included, in account money."""

    symbol: str
    amount: Decimal
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Week:
    """How a week went in one symbol of one account, up to a moment."""

    monday: date
    realised: Decimal
    starting_balance: Decimal

    @property
    def is_extra(self) -> bool:
        """Tell whether the week has made its ten percent."""
        if self.starting_balance <= 0:
            return False
        made = EXACT.multiply(self.realised, _HUNDRED)
        return made >= EXACT.multiply(self.starting_balance, THRESHOLD_PERCENT)


def monday_of(moment: datetime, zone: str) -> date:
    """Name the week that a moment belongs to, by its Monday where the account is kept."""
    local = moment.astimezone(ZoneInfo(zone)).date()
    return local - timedelta(days=local.weekday())


def week_begins(monday: date, zone: str) -> datetime:
    """Return the instant at which a week begins."""
    return datetime.combine(monday, time(), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def week_until(
    moment: datetime, results: Iterable[Realised], *, symbol: str, zone: str, starting_balance: Decimal
) -> Week:
    """Add up what was realised in a symbol since Monday and before a moment, which is when a trade was opened."""
    monday = monday_of(moment, zone)
    begins = week_begins(monday, zone)
    realised = _ZERO
    for result in results:
        if result.symbol == symbol and begins <= result.at < moment:
            realised = EXACT.add(realised, result.amount)
    return Week(monday=monday, realised=realised, starting_balance=starting_balance)

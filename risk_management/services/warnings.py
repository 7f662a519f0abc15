"""Word that a level of a limit was reached: which limit, with the figures of the moment, and when it begins anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from accounts.models import TradingAccount
from accounts.outbox import News
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.money import Currency, minor_unit
from risk_management import limits
from risk_management.compliance import account as compliance
from risk_management.compliance.program import Program
from risk_management.compliance.room import Crossing, headroom
from risk_management.models import AccountState
from risk_management.own_rooms import OwnRoom, Warned


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reached:
    """A level of a limit, and where the account stood when it was reached."""

    limit: str
    percent: int
    whose: str
    floor: Decimal
    allowance: Decimal
    value: Decimal  # what is held against the floor
    resets_at: datetime | None


def of_firm(
    row: AccountState, found: Sequence[Crossing], state: compliance.AccountState, program: Program, *, at: datetime
) -> list[News]:
    """Word the levels of a firm's limits, one event each, for whoever publishes them."""
    if not found:
        return []
    assert state.balance is not None  # levels come of a snapshot alone, which tells both
    assert state.equity is not None
    seen = compliance.Snapshot(at=at, balance=state.balance, equity=state.equity)
    rooms = {room.limit: room for room in headroom(state, seen, program, at)}
    reached = []
    for crossing in found:
        room = rooms[crossing.limit]
        assert room.level is not None  # of an unknown floor no level is reached
        assert room.allowance is not None
        reached.append(
            _Reached(
                limit=crossing.limit.value, percent=crossing.percent, whose="firm", floor=room.level,
                allowance=room.allowance, value=room.value, resets_at=room.resets_at,
            )
        )  # fmt: skip
    return _news(row, reached, at)


def of_own(row: AccountState, found: Sequence[Warned], rooms: Iterable[OwnRoom], *, at: datetime) -> list[News]:
    """Word the levels of the customer's own limits, one event each, for whoever publishes them."""
    by_limit = {room.limit: room for room in rooms}
    reached = []
    for warned in found:
        room = by_limit[warned.limit]
        reached.append(
            _Reached(
                limit=warned.limit, percent=warned.percent, whose="own", floor=room.level, allowance=room.allowance,
                value=room.level + room.room, resets_at=None if room.period is None else room.period.ends,
            )
        )  # fmt: skip
    return _news(row, reached, at)


def _news(row: AccountState, found: Sequence[_Reached], at: datetime) -> list[News]:
    """Word each level; those that were passed in one step say which was the highest of them."""
    if not found:
        return []
    currency = Currency(TradingAccount.objects.values_list("currency", flat=True).get(pk=row.account_id))
    unit = minor_unit(currency)
    news = []
    for one in found:
        floor = one.floor.quantize(unit, rounding=ROUND_CEILING)
        value = one.value.quantize(unit, rounding=ROUND_FLOOR)
        data = {
            "account": str(row.account_id),
            "limit": one.limit,
            "name": limits.words(one.limit),
            "percent": one.percent,
            "highest": max(other.percent for other in found if other.limit == one.limit),
            "whose": one.whose,
            "currency": currency,
            "floor": f"{floor:f}",
            "allowance": f"{one.allowance.quantize(unit, rounding=ROUND_HALF_EVEN):f}",
            "value": f"{value:f}",
            "room": f"{value - floor:f}",
            "resets_at": None if one.resets_at is None else one.resets_at.isoformat(),
            "resets_in_s": None if one.resets_at is None else int((one.resets_at - at).total_seconds()),
        }
        news.append(News(row.organization_id, EventName.LIMIT_REACHED, data))
    return news

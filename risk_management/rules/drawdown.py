"""The firm's floors as they stand (daily, static, trailing, end of day), and the customer's own drawdown."""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.money import minor_unit
from risk_management.compliance.account import Limit, Snapshot
from risk_management.compliance.program import Program, Touch, Trail
from risk_management.compliance.room import Bound, Room, headroom
from risk_management.rules.case import ZERO, Case
from risk_management.rules.facts import Lacking, Missing, known
from risk_management.rules.floors import Floor, Follows
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Ruling
from risk_management.rules.settings import Trailing

_NAMES = {Limit.DAILY_LOSS: "the firm's daily loss", Limit.MAX_LOSS: "the firm's maximum loss"}
_FOLLOWS = {
    Trail.STATIC: Follows.NOTHING,
    Trail.EOD_BALANCE: Follows.BALANCE,
    Trail.CLOSED_BALANCE: Follows.BALANCE,
    Trail.INTRADAY_EQUITY: Follows.EQUITY,
}


def firm_floors(case: Case) -> Ruling:
    """Hold the account above every floor of its program; a floor that nobody can tell denies."""
    firm = case.firm
    if firm is None:
        return ALLOWED
    state, program = known(firm.state), case.program
    if program is None:  # advice without floors: none is known
        return ALLOWED
    if state.is_failed:
        return Deny(Code.GATE_FIRM_FAILED, {"program": program.title})
    if state.is_paused:
        return Deny(Code.GATE_FIRM_PAUSED, {"program": program.title, "until": program.day.next_reset(case.now)})
    balance, equity = case.balance, case.equity
    numbers: dict[str, object] = {"equity": equity}
    case.rooms = headroom(state, Snapshot(at=case.now, balance=balance, equity=equity), program, case.now)
    for room in case.rooms:
        if room.bound is not Bound.FLOOR:
            continue
        name = _NAMES[room.limit]
        floor = _floor(case, room, program, name)
        case.floors.append(floor)
        numbers |= {f"{room.limit}_floor": room.level, f"{room.limit}_room": room.room}
        if room.is_broken or equity < floor.level:
            told = {"limit": name, "floor": floor.level, "currency": case.account.currency}
            return Deny(Code.GATE_FIRM_FLOOR, numbers | told)
    return Allow(numbers)


def own_drawdown(case: Case) -> Ruling:
    """Hold the equity above the customer's own floors, the static one and the one that trails."""
    limits, equity = case.limits, case.equity
    peak_equity, peak_close = known(case.account.peak_equity), known(case.account.peak_close)
    own: list[Floor] = []
    if limits.least_equity is not None:
        own.append(Floor("your least equity", limits.least_equity))
    if (trail := limits.trail) is not None:
        by_day = trail.follows is Trailing.CLOSED_DAYS
        level = (peak_close if by_day else max(peak_equity, equity)) - trail.amount
        level = level if trail.lock is None else min(level, trail.lock)
        follows = Follows.BALANCE if by_day else Follows.EQUITY
        own.append(Floor("your trailing drawdown", level, follows, trail.amount, trail.lock))
    if not own:
        return ALLOWED
    case.floors += own
    highest = max(own, key=_level)
    numbers = {"equity": equity, "floor": highest.level, "limit": highest.name, "room": equity - highest.level}
    if equity <= highest.level:
        return Deny(Code.GATE_DRAWDOWN, numbers | {"currency": case.account.currency})
    return Allow(numbers)


def _floor(case: Case, room: Room, program: Program, name: str) -> Floor:
    if room.level is None or room.allowance is None:
        raise Lacking(Missing(f"where {name} stands"))
    is_daily = room.limit is Limit.DAILY_LOSS
    rule = program.daily_loss if is_daily else program.max_loss
    # A floor that is broken at its very level is one smallest coin higher for whoever may stand on it.
    coin = ZERO if rule is None or rule.touch is Touch.BELOW else minor_unit(case.account.currency)
    level, amount = room.level + coin, room.allowance - coin
    if is_daily or program.max_loss is None:
        return Floor(name, level, Follows.BALANCE, amount)
    lock = None if program.max_loss.lock is None else program.max_loss.lock + coin
    return Floor(name, level, _FOLLOWS[program.max_loss.trail], amount, lock)


def _level(floor: Floor) -> Decimal:
    return floor.level

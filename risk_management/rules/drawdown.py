"""The firm's floors as they stand (daily, static, trailing, end of day), and the customer's own drawdown."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.money import minor_unit
from risk_management.compliance.account import Limit
from risk_management.compliance.program import Program, Touch, Trail
from risk_management.compliance.room import Standing, measured, standings_at
from risk_management.rules.case import ZERO, Case
from risk_management.rules.facts import Lacking, Missing, known
from risk_management.rules.floors import Floor, Follows
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Form, Ruling
from risk_management.rules.settings import Trailing

_NAMES = {Limit.DAILY_LOSS: "the firm's daily loss", Limit.MAX_LOSS: "the firm's maximum loss"}
_OWN = Form(equity=Decimal, floor=Decimal, limit=str, room=Decimal)
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
    told: list[Decimal] = [equity]
    limits: tuple[Limit, ...] = ()
    for standing in standings_at(state, program, case.now):
        limit, level, rule = standing.limit, standing.floor, standing.rule
        if level is None or standing.allowance is None:
            raise Lacking(Missing(f"where {_NAMES[limit]} stands"))
        floor = _floor(case, standing, program, level, standing.allowance)
        case.floors.append(floor)
        value = measured(rule, balance, equity)
        told += level, value - level
        limits += (limit,)
        if rule.touch.breaks(value, level) or equity < floor.level:
            where = {"limit": floor.name, "floor": floor.level, "currency": case.currency}
            return Deny(Code.GATE_FIRM_FLOOR, {**_floors(limits).named(tuple(told)), **where})
    return Allow(tuple(told), _floors(limits))


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
    told = equity, highest.level, highest.name, equity - highest.level
    if equity <= highest.level:
        return Deny(Code.GATE_DRAWDOWN, {**_OWN.named(told), "currency": case.currency})
    return Allow(told, _OWN)


def _floor(case: Case, standing: Standing, program: Program, level: Decimal, amount: Decimal) -> Floor:
    # A floor that is broken at its very level is one smallest coin higher for whoever may stand on it.
    coin = ZERO if standing.rule.touch is Touch.BELOW else minor_unit(case.currency)
    name, level, amount = _NAMES[standing.limit], level + coin, amount - coin
    if standing.limit is Limit.DAILY_LOSS or program.max_loss is None:
        return Floor(name, level, Follows.BALANCE, amount)
    lock = None if program.max_loss.lock is None else program.max_loss.lock + coin
    return Floor(name, level, _FOLLOWS[program.max_loss.trail], amount, lock)


@cache
def _floors(limits: tuple[Limit, ...]) -> Form:
    kinds: dict[str, type] = {f"{limit}_{what}": Decimal for limit in limits for what in ("floor", "room")}
    return Form(equity=Decimal, **kinds)


def _level(floor: Floor) -> Decimal:
    return floor.level

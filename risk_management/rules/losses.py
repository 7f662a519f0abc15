"""The customer's own limits to the loss of a day, a week and a month: realised, costs included, and open.

Each is a floor under the equity: the balance without what was realised since, less the limit. Profit of the period
raises the balance and not the floor, so that it is never taken for a loss.
"""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code
from risk_management.rules.case import Case
from risk_management.rules.facts import Lacking, Missing, known
from risk_management.rules.floors import Floor, Follows
from risk_management.rules.ruling import ALLOWED, Allow, Deny, Form, Ruling

_ROOM = Form(realised=Decimal, open=Decimal, limit=Decimal, room=Decimal)


def day_loss(case: Case) -> Ruling:
    """Hold the day to its limit. Results of another day are none of this one."""
    account = case.account
    realised = known(account.realised_day)
    if known(account.day) != case.desk.day_in(known(account.zone)):
        raise Lacking(Missing("the result of this day"))
    return _limited(case, "your loss of a day", realised, case.limits.day_loss, Code.GATE_DAY_LOSS)


def week_loss(case: Case) -> Ruling:
    """Hold the week to its limit."""
    realised, limit = known(case.account.realised_week), case.limits.week_loss
    return _limited(case, "your loss of a week", realised, limit, Code.GATE_WEEK_LOSS)


def month_loss(case: Case) -> Ruling:
    """Hold the month to its limit."""
    realised, limit = known(case.account.realised_month), case.limits.month_loss
    return _limited(case, "your loss of a month", realised, limit, Code.GATE_MONTH_LOSS)


def _limited(case: Case, name: str, realised: Decimal, limit: Decimal | None, code: Code) -> Ruling:
    equity, balance = case.equity, case.balance
    if limit is None:
        return ALLOWED
    floor = balance - realised - limit
    case.floors.append(Floor(name, floor, Follows.BALANCE, limit))
    told = realised, equity - balance, limit, equity - floor
    return Deny(code, _ROOM.named(told)) if equity <= floor else Allow(told, _ROOM)

"""Ways out of a trade: deadlines, time, and the targets at which parts of it are taken home."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from itertools import accumulate

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.money import Ratio
from mikrobot_platform.kernel.orders import Purpose
from trading.engine.deeds import Close
from trading.engine.management.case import Case
from trading.engine.management.plan import Indivisible
from trading.engine.management.position import shown


def out_by_deadline(case: Case) -> tuple[Close, ...] | None:
    """Close everything when a deadline is near or past; the earliest one gives the reason. None: nothing is due."""
    due = [deadline for deadline in case.plan.deadlines if case.now >= deadline.at - case.plan.lead]
    if not due:
        return None
    first = min(due, key=lambda deadline: (deadline.at, deadline.code))
    lead_s = int(case.plan.lead.total_seconds())
    return case.close(case.position.quantity, first.code, deadline=first.at, lead_s=lead_s)


def out_by_time(case: Case) -> tuple[Close, ...] | None:
    """Close everything that has been held for too long, or for too long without coming far enough. None: it has not."""
    limit, position = case.plan.time_stop, case.position
    held = case.now - position.opened_at
    if limit is None or held < limit.after:
        return None
    figures: dict[str, object] = {
        "held_s": int(held.total_seconds()), "limit_s": int(limit.after.total_seconds())
    }  # fmt: skip
    if limit.below_r is not None:
        if case.price is None or position.risk is None:
            return None  # whether it has come far enough is not known
        if case.has_gained(case.price, position.risk.times(limit.below_r)):
            return None
        figures |= {"price": case.price, "below_r": limit.below_r}
    return case.close(position.quantity, Code.MANAGE_TIME_STOP, **figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rung:
    """How much of a trade is to be closed, in all, once it has come so far."""

    at_r: Decimal
    closes: Quantity
    why_whole: str = ""  # why it is more than its share


def ladder(case: Case) -> tuple[Rung, ...]:
    """Lay the shares of the plan on the lot grid, rounded down; the last rung takes the rest.

    A rung that would close less than the smallest order, or leave less than that open, cannot be: then all is closed
    there, or nothing before the last one, as the customer chose.
    """
    plan, spec, opened = case.plan, case.position.spec, case.position.opened
    rungs: list[Rung] = []
    before = Decimal(0)
    for target, share in zip(plan.targets, accumulate(target.share for target in plan.targets), strict=True):
        closes = opened if target is plan.targets[-1] else spec.floor_quantity(Ratio(opened).times(share))
        problem = ""
        if closes < opened and not plan.can_split:
            problem = "the venue closes no parts of a position"
        elif closes < opened and (closes - before < spec.lot_min or opened - closes < spec.lot_min):
            problem = f"a part of {opened:f} {spec.unit} would be less than the smallest order of {spec.lot_min:f}"
        if not problem:
            rungs.append(Rung(at_r=target.at_r, closes=closes))
            before = closes
        elif plan.indivisible is Indivisible.FIRST:
            return (*rungs, Rung(at_r=target.at_r, closes=opened, why_whole=problem))
    return tuple(rungs)


def out_at_target(case: Case) -> tuple[Close, ...]:
    """Close what the highest rung that the price has reached asks for, less what is closed or under way."""
    position, price = case.position, case.price
    risk = position.risk
    if price is None or risk is None:
        return ()
    reached = [rung for rung in ladder(case) if case.has_gained(price, risk.times(rung.at_r))]
    if not reached:
        return ()
    rung = reached[-1]
    wanted = rung.closes - position.closed - position.leaving - _resting(case)
    if wanted <= 0 or (wanted < position.spec.lot_min and rung.closes < position.opened):
        return ()
    code = Code.MANAGE_TARGET_WHOLE if rung.why_whole else Code.MANAGE_TARGET
    return case.close(
        wanted, code,
        at_r=rung.at_r, level=shown(position.level(risk.times(rung.at_r))), price=price, entry=shown(position.entry),
        one_r=shown(risk), stays=position.opened - rung.closes, reason=rung.why_whole, closed=position.closed,
        **_week(case),
    )  # fmt: skip


def _resting(case: Case) -> Decimal:
    """Count what targets that wait at the venue are about to close: those that the price has reached."""
    position, price = case.position, case.price
    return sum(
        (
            order.pending
            for order in position.orders
            if order.purpose is Purpose.TARGET
            and price is not None
            and order.price is not None
            and not position.is_better(order.price, price)
        ),
        Decimal(0),
    )


def _week(case: Case) -> dict[str, object]:
    week = case.plan.week
    if week is None:
        return {}
    return {
        "week": week.monday.isoformat(), "week_realised": week.realised, "week_began_with": week.starting_balance
    }  # fmt: skip

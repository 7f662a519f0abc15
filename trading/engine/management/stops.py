"""The protective stop: it is always there, it never loosens, and it covers what is open and no more."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, evidence
from mikrobot_platform.kernel.instruments import Towards
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import EXACT, Ratio, Rounding
from trading.engine.deeds import Alarm, Deed, MoveStop, PlaceStop
from trading.engine.management.case import Case
from trading.engine.management.position import StandingStop, money_in_price, shown, standing_stops

_ZERO = Decimal(0)
_FINE = Decimal("1e-12")  # a breakeven is rounded to this, towards the profit, before it is rounded to the tick
_STOP_WAIT = timedelta(seconds=1)  # a bare position has less patience than an exit


# A stop that is not there


def protected(case: Case) -> tuple[Deed, ...]:
    """Give a position without a working stop one, or close it when it cannot have one.

    1. A price that is at or past the stop cannot be stopped any more: close.
    2. A venue that refuses time and again will not take it: what cannot be protected is not kept.
    3. A stop that is nearer than the venue allows goes where it allows; further away is better than none.
    """
    position, plan = case.position, case.plan
    standing = standing_stops(position)
    if standing is None or standing:
        return ()
    wanted = position.stop or position.first_stop or _emergency_stop(case)
    if wanted is not None and case.price is not None and not position.is_better(case.price, wanted):
        return case.close(position.quantity, Code.MANAGE_STOP_PASSED, price=case.price, stop=wanted)
    if position.stops.refused >= plan.max_refused_stops:
        return case.close(position.quantity, Code.MANAGE_STOP_REFUSED, refused=position.stops.refused, stop=wanted)
    if wanted is None:
        unit, quantity = position.spec.unit, position.quantity
        figures = evidence(quantity=quantity, unit=unit, symbol=position.spec.symbol)
        return (Alarm(about=position.id, step="bare", code=Code.MANAGE_STOP_UNKNOWN, evidence=figures),)
    if not case.may_try(position.stops, _STOP_WAIT):
        return ()
    price = _as_near_as_allowed(case, wanted)
    return (
        PlaceStop(
            about=position.id,
            step=f"stop/{position.stops.made}",
            code=Code.MANAGE_STOP_MISSING,
            evidence=evidence(
                stop=price, wanted=wanted, quantity=position.quantity, unit=position.spec.unit, price=case.price,
                symbol=position.spec.symbol, stops_level=position.spec.stops_level, refused=position.stops.refused,
            ),
            side=position.side.opposite,
            quantity=position.quantity,
            price=price,
        ),
    )  # fmt: skip


def _emergency_stop(case: Case) -> Price | None:
    """Say where a stop goes when nobody knows where it was: so many average ranges from the price."""
    if case.price is None or case.market.atr is None:
        return None
    return _behind(case, case.price, EXACT.multiply(case.plan.emergency_atr, case.market.atr))


def _behind(case: Case, price: Price, distance: Decimal) -> Price:
    """Return the price at a distance on the side of a loss, rounded away so that it is never nearer."""
    spec, side = case.position.spec, case.position.side
    return spec.round_price(max(price - side.sign * distance, spec.tick_size), side, Towards.LOSS)


def _as_near_as_allowed(case: Case, wanted: Price) -> Price:
    if case.price is None:
        return wanted
    nearest = _behind(case, case.price, max(case.position.spec.stops_level, case.position.spec.tick_size))
    return nearest if case.position.is_better(wanted, nearest) else wanted


# A stop that follows


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Where a rule wants the stop."""

    price: Price
    code: Code
    figures: dict[str, object]
    # Only stops that lose more than this one are moved: a breakeven stands when the spread is wider today.
    behind: Price
    at_least: Decimal  # the smallest move that is worth a request

    def moves(self, stop: StandingStop, side: Side) -> bool:
        return (self.behind - stop.price) * side.sign > 0 and (self.price - stop.price) * side.sign >= self.at_least


def breakeven(case: Case) -> Wish | None:
    """Want the stop where closing what is open loses nothing: its share of what opening it cost, what closing it will
    cost, the swap so far and a spread. Rounded towards the profit, so that it never loses.

    A swap that was received is not counted: it would lower the stop below the entry.
    """
    plan, position, quote, trigger = case.plan.breakeven, case.position, case.market.quote, _breakeven_trigger(case)
    if (
        plan is None
        or trigger is None
        or quote is None
        or case.price is None
        or not case.has_gained(case.best, trigger)
    ):
        return None
    costs = _costs(case)
    in_price = _in_price(case, costs)
    if in_price is None:
        return None
    spread = EXACT.multiply(quote.spread, plan.spreads)
    least, price = _towards_profit(case, in_price), _towards_profit(case, in_price.plus(Ratio(spread)))
    if least is None or price is None:
        return None
    if (case.price - price) * position.side.sign < max(position.spec.stops_level, position.spec.tick_size):
        return None  # the price has come back: there it would be hit at once, or refused
    return Wish(
        price=price,
        code=Code.MANAGE_BREAKEVEN,
        figures={
            "stop": price, "entry": shown(position.entry), "costs": shown(costs), "currency": position.currency,
            "costs_in_price": shown(in_price), "spread": spread, "best": case.best, "price": case.price,
            "at_r": plan.at_r, "at_distance": plan.at_distance, "mode": case.plan.mode,
        },
        behind=least,
        at_least=position.spec.tick_size,
    )  # fmt: skip


def _breakeven_trigger(case: Case) -> Ratio | None:
    """Return how far a trade has to come before its stop goes to breakeven; None when that is not known."""
    plan, risk = case.plan.breakeven, case.position.risk
    if plan is None:
        return None
    if plan.at_r is None:
        return None if plan.at_distance is None else Ratio(plan.at_distance)
    return None if risk is None else risk.times(plan.at_r)


def _in_price(case: Case, costs: Ratio) -> Ratio | None:
    """Turn costs into a distance in price; None when there are some and nobody knows the rate."""
    if not costs.top:
        return costs
    rate, position = case.market.rate, case.position
    return None if rate is None else money_in_price(costs, position.quantity, position.spec, rate)


def _costs(case: Case) -> Ratio:
    """Add up, for what is open, its share of the fees so far, the fee to close it, and the swap that was paid."""
    position = case.position
    per_lot = Ratio(position.fees, position.opened)
    closing = per_lot if case.market.fee_per_lot is None else Ratio(case.market.fee_per_lot)
    return per_lot.plus(closing).times(position.quantity).plus(Ratio(max(-position.swap, _ZERO)))


def _towards_profit(case: Case, distance: Ratio) -> Price | None:
    """Return the price at which a sale or a buy has gained a distance; None when a sale cannot: it is below zero."""
    side, spec = case.position.side, case.position.spec
    rounding = Rounding.UP if side is Side.BUY else Rounding.DOWN
    exact = case.position.level(distance).rounded(_FINE, rounding)
    return None if exact < spec.tick_size else spec.round_price(exact, side, Towards.PROFIT)


def trail(case: Case) -> Wish | None:
    """Want the stop so many average ranges behind the best price, as near to the market as the venue allows."""
    plan, position = case.plan.trail, case.position
    atr, best, risk = case.market.atr, case.best, position.risk
    if plan is None or atr is None or best is None or case.price is None:
        return None
    if plan.from_r and (risk is None or not case.has_gained(best, risk.times(plan.from_r))):
        return None
    price = _as_near_as_allowed(case, _behind(case, best, EXACT.multiply(plan.multiple, atr)))
    return Wish(
        price=price,
        code=Code.MANAGE_TRAIL,
        figures={"stop": price, "best": best, "atr": atr, "multiple": plan.multiple, "price": case.price},
        behind=price,
        at_least=max(position.spec.tick_size, plan.step),
    )


def follow(case: Case) -> tuple[Deed, ...]:
    """Move each stop that works to the tightest place that a rule wants, and let the stops cover what is open.

    No stop is ever moved to where it would lose more.
    """
    position = case.position
    standing = standing_stops(position)
    if not standing:
        return ()
    wishes = [wish for wish in (breakeven(case), trail(case)) if wish is not None]
    wishes.sort(key=lambda wish: wish.price * position.side.sign, reverse=True)
    surplus = _surplus(case, standing)
    covers = _coverage(case, standing)
    deeds: list[Deed] = []
    for stop in standing:
        if stop in surplus or not stop.can_change:
            continue
        wish = next((wish for wish in wishes if wish.moves(stop, position.side)), None)
        if wish is not None or covers[stop.order] != stop.quantity:
            deeds.append(_moved(case, stop, wish, covers[stop.order]))
    figures = {
        "covered": sum((stop.quantity for stop in standing), _ZERO), "quantity": position.quantity,
        "unit": position.spec.unit,
    }  # fmt: skip
    cancels = [case.cancel(stop.order, Code.MANAGE_STOP_SURPLUS, **figures, stop=stop.price) for stop in surplus]
    return (*deeds, *cancels)


def _moved(case: Case, stop: StandingStop, wish: Wish | None, covers: Decimal) -> MoveStop:
    position = case.position
    price = stop.price if wish is None else wish.price
    figures: dict[str, object] = {
        "quantity": covers, "covered": stop.quantity, "unit": position.spec.unit, "symbol": position.spec.symbol,
        "stop_before": stop.price,
    }  # fmt: skip
    return MoveStop(
        about=position.id,
        step=f"move/{stop.order or 'attached'}/{price:f}/{covers:f}",
        code=Code.MANAGE_STOP_RESIZED if wish is None else wish.code,
        evidence=evidence(**figures, **({} if wish is None else wish.figures)),
        order=stop.order,
        quantity=Quantity(covers),
        price=price,
    )


def _surplus(case: Case, standing: tuple[StandingStop, ...]) -> tuple[StandingStop, ...]:
    """Find the loosest of several stops that cover more than is open; what is left over would open something."""
    covered = sum((stop.quantity for stop in standing), _ZERO)
    if len(standing) < 2 or covered <= case.position.quantity:
        return ()
    loosest = next((stop for stop in reversed(standing) if stop.order and stop.can_change), None)
    return () if loosest is None else (loosest,)


def _coverage(case: Case, standing: tuple[StandingStop, ...]) -> dict[str, Decimal]:
    """Say how much each stop should cover. What is not covered goes to the first one; a single one covers all."""
    quantity = case.position.quantity
    if len(standing) == 1:
        return {standing[0].order: quantity}
    covers: dict[str, Decimal] = {stop.order: stop.quantity for stop in standing}
    bare = quantity - sum(covers.values(), _ZERO)
    if bare > 0:
        covers[standing[0].order] += bare
    return covers

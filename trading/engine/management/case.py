"""One look at one position: everything that a rule may see, and how a rule says what it wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, evidence
from mikrobot_platform.kernel.market import Price, Quantity
from mikrobot_platform.kernel.money import Ratio
from mikrobot_platform.kernel.orders import Purpose
from trading.engine.deeds import Cancel, Close
from trading.engine.management.plan import Plan
from trading.engine.management.position import Held, Market, Tries

FIRST_WAIT = timedelta(seconds=5)
LONGEST_WAIT = timedelta(minutes=1)
LONGEST_WAIT_CLOSED = timedelta(minutes=15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A position, its market, its plan and the time."""

    position: Held
    market: Market
    plan: Plan
    now: datetime
    price: Price | None  # at which it can be closed now; None while no fresh quote is there

    @property
    def best(self) -> Price | None:
        """Return the best price at which it could have been closed so far, this moment included."""
        before, price = self.position.best, self.price
        if before is None or price is None:
            return price if before is None else before
        return price if self.position.is_better(price, before) else before

    def has_gained(self, price: Price | None, distance: Ratio) -> bool:
        """Tell whether a price is so far or further on the side of a gain."""
        return price is not None and self.position.gain_at(price).minus(distance).top >= 0

    def may_try(self, tries: Tries, first: timedelta = FIRST_WAIT) -> bool:
        """Tell whether an order may be made again; one that was refused waits, twice as long each time.

        The calendar forbids nothing: it may be wrong, and who is in must be able to get out. Where it says that
        trading is closed, what is refused is only tried less often.
        """
        if not tries.refused or tries.last_refused_at is None:
            return True
        longest = LONGEST_WAIT if self.position.spec.is_open(self.now) else LONGEST_WAIT_CLOSED
        wait: timedelta = min(first * (1 << min(tries.refused - 1, 10)), longest)
        return self.now - tries.last_refused_at >= wait

    def close(self, quantity: Decimal, code: Code, **figures: object) -> tuple[Close, ...]:
        """Close so much of what is open and not leaving already; nothing when that is nothing, or not yet.

        The exits of one position are numbered, whatever they are for. Of two workers that see the same facts and find
        different reasons, one makes the order and the other one finds it made.
        """
        position = self.position
        is_all = quantity >= position.quantity
        left = min(quantity, position.quantity - position.leaving)
        if left <= 0 or not self.may_try(position.exits):
            return ()
        return (
            Close(
                about=position.id,
                step=f"exit/{position.exits.made}",
                code=code,
                evidence=evidence(
                    quantity=left, unit=position.spec.unit, symbol=position.spec.symbol, opened=position.opened,
                    open=position.quantity, leaving=position.leaving, plan=self.plan.version, mode=self.plan.mode,
                    **figures,
                ),
                side=position.side.opposite,
                quantity=Quantity(left),
                is_all=is_all,
            ),
        )  # fmt: skip

    def cancel(self, order: str, code: Code, **figures: object) -> Cancel:
        """Cancel one order of this position."""
        return Cancel(
            about=self.position.id, step=f"cancel/{order}", code=code, evidence=evidence(**figures), order=order
        )

    def cancel_all(self, *purposes: Purpose) -> tuple[Cancel, ...]:
        """Cancel what waits and has no use any more."""
        return tuple(
            self.cancel(order.client_id, Code.MANAGE_ORDER_LEFT_OVER, purpose=order.purpose, pending=order.pending)
            for order in self.position.orders
            if order.purpose in purposes and order.can_be_cancelled
        )

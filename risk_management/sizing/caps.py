"""What decides on a quantity: the wish, and the caps in their order. Each lets a whole number of lot steps through.

Everything is an exact fraction until `InstrumentSpec.floor_quantity` rounds, once and down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.money import EXACT, ONE, Money, Ratio
from risk_management.sizing.lot import Lot
from risk_management.sizing.modes import HARD_CAP_PERCENT
from risk_management.sizing.request import SizingRequest


class Bound(StrEnum):
    """What decided on the quantity, in the order in which a tie is told."""

    BUDGET = "budget"
    REQUEST = "request"
    RISK_LIMIT = "risk_limit"
    HARD_CAP = "hard_cap"
    MARGIN = "margin"
    LEVERAGE = "leverage"
    LOT_MAX = "lot_max"
    MAX_QUANTITY = "max_quantity"

    @property
    def is_wish(self) -> bool:
        """Tell whether the customer got what the mode asks for."""
        return self in (Bound.BUDGET, Bound.REQUEST)


# Where an amount that may be lost decides.
RISK_BOUNDS = frozenset({Bound.BUDGET, Bound.RISK_LIMIT, Bound.HARD_CAP})
WORDS: Mapping[Bound, str] = MappingProxyType(
    {
        Bound.BUDGET: "the risk budget",
        Bound.REQUEST: "the requested quantity",
        Bound.RISK_LIMIT: "your own risk limit",
        Bound.HARD_CAP: f"the limit of {HARD_CAP_PERCENT} % a trade",
        Bound.MARGIN: "free margin",
        Bound.LEVERAGE: "leverage",
        Bound.LOT_MAX: "the venue's largest order",
        Bound.MAX_QUANTITY: "your own largest quantity",
    }
)


@dataclass(frozen=True, slots=True)
class Share:
    """An amount to be divided among lots, and what one lot takes of it."""

    bound: Bound
    amount: Ratio
    per_lot: Ratio = ONE


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """How many lots one share lets through."""

    bound: Bound
    quantity: Quantity


def shares(
    wish: Share, lot: Lot, request: SizingRequest, *, equity: Money, free_margin: Money, open_notional: Money
) -> Iterator[Share]:
    """List the wish and the caps in the order in which a tie is told."""
    limits = request.limits
    capital = min(request.account.balance, equity)  # open losses lower it at once, open gains raise nothing
    yield wish
    if limits.max_risk_percent is not None:
        yield Share(Bound.RISK_LIMIT, Ratio(capital.percent(limits.max_risk_percent).amount), lot.loss)
    yield Share(Bound.HARD_CAP, Ratio(capital.percent(HARD_CAP_PERCENT).amount), lot.loss)
    if lot.margin.top:  # a venue may ask for no margin at all
        yield Share(Bound.MARGIN, Ratio(free_margin.amount), lot.margin)
    yield Share(Bound.LEVERAGE, Ratio((equity * limits.max_leverage - open_notional).amount), lot.notional)
    yield Share(Bound.LOT_MAX, Ratio(request.instrument.lot_max))
    if limits.max_quantity is not None:
        yield Share(Bound.MAX_QUANTITY, Ratio(limits.max_quantity))


def cap_of(share: Share, request: SizingRequest) -> Cap:
    """Count the lots that a share lets through."""
    return Cap(bound=share.bound, quantity=request.instrument.floor_quantity(share.amount, share.per_lot))


def least(caps: tuple[Cap, ...]) -> Cap:
    """Return the cap that binds: the smallest, and of equal ones the first."""
    return min(caps, key=lambda cap: cap.quantity)


def risk_budget(offered: list[Share]) -> Ratio:
    """Return the least amount that may be lost, of those that were offered."""
    amounts = [share.amount for share in offered if share.bound in RISK_BOUNDS]
    found = amounts[0]
    for amount in amounts[1:]:
        found = found.least(amount)
    return found


def taken(quantity: Decimal, per_lot: Ratio) -> Ratio:
    """Return what a quantity takes."""
    return Ratio(EXACT.multiply(per_lot.top, quantity), per_lot.bottom)

"""What decides on a quantity: the wish, and the caps in their order. Each lets a whole number of lot steps through.

Everything is an exact fraction until `InstrumentSpec.floor_quantities` rounds, once and down.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from operator import itemgetter
from types import MappingProxyType
from typing import NamedTuple

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Quantity
from mikrobot_platform.kernel.money import EXACT, ONE, Ratio, exactly
from risk_management.sizing.lot import Lot
from risk_management.sizing.modes import HARD_CAP_PERCENT, Basis
from risk_management.sizing.request import SizingLimits

PERCENT = Decimal("0.01")
_quantity = itemgetter(1)


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


NAMES: Mapping[Bound, str] = MappingProxyType({bound: bound.value for bound in Bound})
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


class Purse(NamedTuple):
    """An account's figures as bare numbers: whoever fills it in has them all in the account's currency, as a lot is."""

    balance: Decimal
    equity: Decimal
    free_margin: Decimal
    open_notional: Decimal

    def by(self, basis: Basis) -> Decimal:
        """Return one of the figures that a mode goes by."""
        match basis:
            case Basis.BALANCE:
                return self.balance
            case Basis.EQUITY:
                return self.equity
            case Basis.FREE_MARGIN:
                return self.free_margin


@dataclass(frozen=True, slots=True)
class Wish:
    """What a mode asks for, before any account: a part of one of its figures, to be divided among lots.

    It depends on settings and the signal alone, so accounts with the same settings share it.
    """

    bound: Bound
    part: Ratio  # of the figure; where there is none, the amount itself
    of: Basis | None = None
    per_lot: Ratio = ONE
    words: str = ""  # of the mode

    def amount(self, purse: Purse) -> Ratio:
        """Return the amount that one account may divide."""
        return self.part if self.of is None else self.part.times(purse.by(self.of))

    def scaled(self, factor: Decimal) -> Wish:
        """Return a multiple of it."""
        return Wish(self.bound, self.part.times(factor), self.of, self.per_lot, self.words)

    def share(self, purse: Purse) -> Share:
        """Return what it comes to for one account; the bottom of the part is left to what a lot takes."""
        part, per_lot = self.part, self.per_lot
        top = part.top if self.of is None else EXACT.multiply(purse.by(self.of), part.top)
        if part.bottom != 1:
            per_lot = Ratio(EXACT.multiply(per_lot.top, part.bottom), per_lot.bottom)
        return self.bound, top, per_lot


# An amount to be divided among lots, and what one lot takes of it; what comes of it is a cap: how many lots it lets
# through. Six of each are made for every account that a signal reaches, which is why they are bare tuples.
Share = tuple[Bound, Decimal, Ratio]
Cap = tuple[Bound, Quantity]


def shares(wish: Wish, lot: Lot, limits: SizingLimits, spec: InstrumentSpec, purse: Purse) -> list[Share]:
    """List the wish and the caps in the order in which a tie is told."""
    balance, equity, free_margin, open_notional = purse
    if not (balance.is_finite() and equity.is_finite() and free_margin.is_finite() and open_notional.is_finite()):
        raise ValueError(f"{purse} are no amounts")
    capital = min(balance, equity)  # open losses lower it at once, open gains raise nothing
    with exactly():
        found = [wish.share(purse)]
        if limits.max_risk_percent is not None:
            found.append((Bound.RISK_LIMIT, capital * limits.max_risk_percent * PERCENT, lot.loss))
        found.append((Bound.HARD_CAP, capital * HARD_CAP_PERCENT * PERCENT, lot.loss))
        if lot.margin.top:  # a venue may ask for no margin at all
            found.append((Bound.MARGIN, free_margin, lot.margin))
        found.append((Bound.LEVERAGE, equity * limits.max_leverage - open_notional, lot.notional))
    found.append((Bound.LOT_MAX, spec.lot_max, ONE))
    if limits.max_quantity is not None:
        found.append((Bound.MAX_QUANTITY, limits.max_quantity, ONE))
    return found


def caps_of(offered: list[Share], spec: InstrumentSpec) -> list[Cap]:
    """Count the lots that each share lets through."""
    quantities = spec.floor_quantities([share[1:] for share in offered])
    return [(share[0], quantity) for share, quantity in zip(offered, quantities, strict=True)]


def least(caps: list[Cap]) -> Cap:
    """Return the cap that binds: the smallest, and of equal ones the first."""
    return min(caps, key=_quantity)


def risk_budget(wish: Wish, purse: Purse, offered: list[Share]) -> Ratio:
    """Return the least amount that may be lost, of those that were offered."""
    amounts = [wish.amount(purse)] if wish.bound in RISK_BOUNDS else []
    amounts += [Ratio(amount) for bound, amount, _per_lot in offered[1:] if bound in RISK_BOUNDS]
    found = amounts[0]
    for amount in amounts[1:]:
        found = found.least(amount)
    return found


def taken(quantity: Decimal, per_lot: Ratio) -> Ratio:
    """Return what a quantity takes."""
    return Ratio(EXACT.multiply(per_lot.top, quantity), per_lot.bottom)

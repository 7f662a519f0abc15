"""The caps of every account that asks for the same at the same prices: a multiplication and a division for each.

`shares` and `caps_of` (caps.py) say what the caps are; here, everything that does not depend on an account is worked
out before. Both count the same lots, which a test holds for any figures.
"""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.money import Ratio, exactly
from risk_management.sizing.caps import NAMES, PERCENT, Bound, Purse, Wish
from risk_management.sizing.lot import Lot
from risk_management.sizing.modes import HARD_CAP_PERCENT, Basis
from risk_management.sizing.request import SizingLimits

_UNIT, _ZERO = Decimal(1), Decimal(0)
# The figures of an account, in the order in which `Scale.quantities` lists them.
_FIGURES = (Basis.BALANCE, Basis.EQUITY, Basis.FREE_MARGIN)
_CAPITAL, _BUYING, _NONE = 3, 4, 5


class Scale:
    """What turns an account's figures into the lots that the wish and each cap let through, in the order of a tie."""

    __slots__ = ("_fixed", "_leverage", "_rows", "_step", "bounds", "lot", "names", "wish")

    def __init__(self, wish: Wish, lot: Lot, limits: SizingLimits, spec: InstrumentSpec) -> None:
        self.wish, self.lot = wish, lot
        self._step, self._leverage = spec.lot_step, limits.max_leverage
        own, at_most = limits.max_risk_percent, limits.max_quantity
        with exactly():
            of = _NONE if wish.of is None else _FIGURES.index(wish.of)
            rows = [self._row(wish.bound, of, wish.part.top, wish.per_lot, wish.part.bottom)]
            if own is not None:
                rows.append(self._row(Bound.RISK_LIMIT, _CAPITAL, own * PERCENT, lot.loss))
            rows.append(self._row(Bound.HARD_CAP, _CAPITAL, HARD_CAP_PERCENT * PERCENT, lot.loss))
            if lot.margin.top:  # a venue may ask for no margin at all
                rows.append(self._row(Bound.MARGIN, _FIGURES.index(Basis.FREE_MARGIN), _UNIT, lot.margin))
            rows.append(self._row(Bound.LEVERAGE, _BUYING, _UNIT, lot.notional))
        fixed = {Bound.LOT_MAX: spec.lot_max} | ({} if at_most is None else {Bound.MAX_QUANTITY: at_most})
        self.bounds = (*[row[0] for row in rows], *fixed)
        self.names = tuple([NAMES[bound] for bound in self.bounds])
        self._rows = [row[1:] for row in rows]
        self._fixed: list[Decimal] = [spec.floor_quantity(Ratio(quantity)) for quantity in fixed.values()]

    def _row(
        self, bound: Bound, of: int, factor: Decimal, per_lot: Ratio, divisor: Decimal = _UNIT
    ) -> tuple[Bound, int, Decimal, Decimal]:
        return bound, of, factor * per_lot.bottom, per_lot.top * divisor * self._step

    def quantities(self, purse: Purse) -> list[Decimal]:
        """Count the lots that each bound lets through, by plain operators: in a context that loses no digit."""
        balance, equity, free_margin, open_notional = purse
        if not (balance.is_finite() and equity.is_finite() and free_margin.is_finite() and open_notional.is_finite()):
            raise ValueError(f"{purse} are no amounts")
        capital = min(balance, equity)  # open losses lower it at once, open gains raise nothing
        figures = balance, equity, free_margin, capital, equity * self._leverage - open_notional, _UNIT
        step = self._step
        counted = [
            amount // divisor * step if (amount := figures[of] * factor) > 0 else _ZERO
            for of, factor, divisor in self._rows
        ]
        return counted + self._fixed

"""Where a signal's stop and targets stand, as prices on the grid of the instrument that is traded.

A stop is rounded towards the profit and a target towards the loss: whatever rounding changes, it is not the risk that
grows. What cannot be told is None, and whoever needs it denies.
"""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.instruments import InstrumentSpec, Towards
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.signals import Level, LevelUnit


def stop_price(level: Level, entry: Decimal, side: Side, spec: InstrumentSpec) -> Price | None:
    """Return where the stop stands: below the entry of a buy, above that of a sell."""
    return _price(level, entry, side, spec, sign=-side.sign, towards=Towards.PROFIT)


def target_price(level: Level, entry: Decimal, side: Side, spec: InstrumentSpec) -> Price | None:
    """Return where a target stands: above the entry of a buy, below that of a sell."""
    return _price(level, entry, side, spec, sign=side.sign, towards=Towards.LOSS)


def _price(
    level: Level, entry: Decimal, side: Side, spec: InstrumentSpec, *, sign: int, towards: Towards
) -> Price | None:
    match level.unit:
        case LevelUnit.PRICE:
            price = level.value
        case LevelUnit.PIPS:
            price = entry + sign * spec.distance(level.value)
        case LevelUnit.PERCENT:
            price = entry + sign * entry * level.value / 100
        case LevelUnit.DISTANCE:
            price = entry + sign * level.value
        case LevelUnit.UNKNOWN:
            return None
    return spec.round_price(price, side, towards) if price > 0 else None

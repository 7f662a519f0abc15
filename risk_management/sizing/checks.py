"""Two questions before a size is worth computing: does the market move enough and not too much, and does it pay."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, Decision
from mikrobot_platform.kernel.instruments import InstrumentSpec
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT, Ratio, Rounding
from risk_management.sizing.denials import missing, refused, skipped

_HUNDREDTH = Decimal("0.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeGate:
    """How far a market must move, and may, for a strategy on a timeframe; both ends are inside (mikrobot.md 2)."""

    min_pips: Decimal = Decimal(4)
    max_pips: Decimal = Decimal(15)
    timeframe: str = "M1"

    def __post_init__(self) -> None:
        if not 0 <= self.min_pips <= self.max_pips:
            raise ValueError("a range goes from less to more")


def range_outside(atr: Decimal | None, spec: InstrumentSpec, gate: RangeGate) -> Decision | None:
    """Skip a market whose average true range (in price) is outside the gate; None when nothing is against it."""
    if atr is None:
        return missing(f"the average range of {spec.symbol} on {gate.timeframe}")
    if spec.distance(gate.min_pips) <= atr <= spec.distance(gate.max_pips):
        return None
    # Rounded away from the gate, so that a range of 3.996 pips is not said to be the 4.00 that are asked for.
    rounding = Rounding.DOWN if atr < spec.distance(gate.min_pips) else Rounding.UP
    return skipped(
        Code.RANGE_OUTSIDE,
        pips=spec.pips(atr).rounded(_HUNDREDTH, rounding),
        atr=atr, pip_size=spec.pip_size, timeframe=gate.timeframe, minimum=gate.min_pips, maximum=gate.max_pips,
    )  # fmt: skip


def reward_too_small(
    side: Side, entry: Price, stop: Price | None, target: Price | None, minimum: Decimal
) -> Decision | None:
    """Skip a trade whose target is less than `minimum` times as far as its stop; None when nothing is against it."""
    if stop is None or target is None:
        return missing("the stop" if stop is None else "the target")
    risk = EXACT.multiply(EXACT.subtract(entry, stop), Decimal(side.sign))
    reward = EXACT.multiply(EXACT.subtract(target, entry), Decimal(side.sign))
    if risk <= 0:
        return refused(Code.SIZING_STOP_SIDE, stop=stop, entry=entry, side=side)
    if reward >= EXACT.multiply(risk, minimum):
        return None
    return skipped(
        Code.REWARD_LOW,
        reward=Ratio(reward, risk).rounded(_HUNDREDTH, Rounding.DOWN),
        minimum=minimum, side=side, entry=entry, stop=stop, target=target,
    )  # fmt: skip

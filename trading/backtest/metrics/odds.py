"""Risk of ruin: how likely it is that trades like these ever lose what may be lost."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from trading.backtest.metrics.figures import (
    ENOUGH,
    ONE,
    Figure,
    Known,
    NotEnough,
    Undefined,
    deviation,
    mean,
    precisely,
)


@precisely
def risk_of_ruin(results: Sequence[Decimal], *, capital: Decimal) -> Figure:
    """Return the probability that a sum of such results ever falls by CAPITAL; both in one unit, money or R.

    exp(-2 m u / s**2), with m and s the mean and the deviation (n - 1) of a result and u what may be lost; 1 where m is
    not above zero. It is the probability that Brownian motion with drift m and variance s**2 ever reaches -u (D. R. Cox
    and H. D. Miller, The Theory of Stochastic Processes, 1965, chapter 5), which risk theory calls the diffusion
    approximation (S. Asmussen and H. Albrecher, Ruin Probabilities, 2010). It holds for trades of one size that do not
    depend on each other, many of which fit into u; runs of losses that hang together make ruin likelier than it says.
    """
    if capital <= 0:
        raise ValueError("ruin needs something that can be lost")
    if len(results) < ENOUGH:
        return NotEnough(n=len(results))
    if all(one >= 0 for one in results):
        return Undefined(n=len(results), why="no losing trade")
    drift = mean(results)
    if drift <= 0:
        return Known(value=ONE, n=len(results))
    return Known(value=(-2 * drift * capital / deviation(results) ** 2).exp(), n=len(results))

"""Overfitting: is a Sharpe ratio more than luck, and more than the luck of the best among many tries?

D. H. Bailey and M. Lopez de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15 (2012), and "The Deflated
Sharpe Ratio", Journal of Portfolio Management 40 (2014). All ratios here are per observation and not annualised.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.backtest.metrics.figures import (
    ENOUGH,
    ONE,
    ZERO,
    Figure,
    Known,
    NotEnough,
    Undefined,
    deviation,
    mean,
    moment,
    precisely,
)
from trading.backtest.metrics.normal import below, value_above

_EULER_MASCHERONI = Decimal("0.57721566490153286060651209008240243104215933593992")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """What the probability of a Sharpe ratio depends on."""

    n: int
    sharpe: Decimal  # mean over deviation (n - 1), per observation
    skew: Decimal  # third central moment over the deviation (n) cubed; zero for a normal distribution
    kurtosis: Decimal  # fourth over the deviation (n) to the fourth; three for a normal distribution


@precisely
def shape(returns: Sequence[Decimal]) -> Shape | NotEnough | Undefined:
    """Measure returns; say so when they are too few or all the same."""
    n = len(returns)
    if n < ENOUGH:
        return NotEnough(n=n)
    variance = moment(returns, 2)
    if not variance:
        return Undefined(n=n, why="every return was the same")
    return Shape(
        n=n,
        sharpe=mean(returns) / deviation(returns),
        skew=moment(returns, 3) / (variance * variance.sqrt()),
        kurtosis=moment(returns, 4) / variance**2,
    )


@precisely
def probabilistic_sharpe(returns: Sequence[Decimal], *, benchmark: Decimal = ZERO) -> Figure:
    """Return the probability that the true Sharpe ratio is above a benchmark, given as many returns of such a shape.

    PSR(b) = Phi((SR - b) sqrt(n - 1) / sqrt(1 - g3 SR + (g4 - 1) / 4 SR**2)), with g3 the skew and g4 the kurtosis.
    """
    found = shape(returns)
    if not isinstance(found, Shape):
        return found
    # Above zero whatever the returns: g4 >= 1 + g3**2, so the square of (1 - g3 SR / 2) is a lower bound.
    spread = ONE - found.skew * found.sharpe + (found.kurtosis - ONE) / 4 * found.sharpe**2
    if spread <= 0:
        return Undefined(n=found.n, why="returns of two values only")
    return Known(value=below((found.sharpe - benchmark) * Decimal(found.n - 1).sqrt() / spread.sqrt()), n=found.n)


@precisely
def best_by_luck(sharpes: Sequence[Decimal]) -> Decimal:
    """Return the Sharpe ratio to be expected of the best of so many tries when none of them is worth anything.

    sqrt(V) ((1 - g) Z(1 - 1 / N) + g Z(1 - 1 / (N e))), with V the variance of the ratios of all N tries, Z the
    inverse of the normal distribution and g the Euler-Mascheroni constant. Of one try it is zero: nothing was chosen.
    """
    tries = len(sharpes)
    if tries < 2:
        return ZERO
    e = ONE.exp()
    high = value_above(ONE - ONE / tries)
    higher = value_above(ONE - ONE / (tries * e))
    return deviation(sharpes) * ((ONE - _EULER_MASCHERONI) * high + _EULER_MASCHERONI * higher)


def deflated_sharpe(returns: Sequence[Decimal], *, tried: Sequence[Decimal]) -> Figure:
    """Return the probability that the chosen one's true Sharpe ratio is above what luck gives the best of all tries.

    TRIED holds the ratio of EVERY setting that was tried, per observation and with the chosen one among them: leaving
    out the bad ones is the very mistake that this figure is for.
    """
    return probabilistic_sharpe(returns, benchmark=best_by_luck(tried))

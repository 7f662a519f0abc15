"""The normal distribution in Decimal: how much lies below a value, and below which value so much lies."""

from __future__ import annotations

from decimal import Decimal

from trading.backtest.metrics.figures import ONE, ZERO, precisely

_ROOT_OF_TWO_PI = Decimal("2.5066282746310005024157652848110452530069867406099")
_HALF = Decimal("0.5")
_BEYOND = 14  # what lies further out is below 1e-44
_SMALL = Decimal("1e-40")


@precisely
def below(x: Decimal) -> Decimal:
    """Return the share of a standard normal distribution that lies below X.

    1/2 + phi(x) (x + x**3 / 3 + x**5 / (3 * 5) + ...), G. Marsaglia, "Evaluating the Normal Distribution", Journal of
    Statistical Software 11 (2004). All terms have one sign, so nothing is lost by subtraction.
    """
    if abs(x) > _BEYOND:
        return ONE if x > 0 else ZERO
    term = series = x
    odd = 1
    while abs(term) > _SMALL:
        odd += 2
        term = term * x * x / odd
        series += term
    return _HALF + _density(x) * series


@precisely
def value_above(share: Decimal) -> Decimal:
    """Return the value below which so large a share of a standard normal distribution lies: the inverse of `below`.

    By Newton's method from the middle, on the upper half: the function is concave there, so that no step overshoots.
    """
    if not 0 < share < 1:
        raise ValueError("a share of a distribution is between 0 and 1, both excluded")
    if share < _HALF:
        return -value_above(ONE - share)
    x, step = ZERO, ONE
    while step > Decimal("1e-30"):
        step = (share - below(x)) / _density(x)
        x += step
    return x


def _density(x: Decimal) -> Decimal:
    return (-x * x / 2).exp() / _ROOT_OF_TWO_PI

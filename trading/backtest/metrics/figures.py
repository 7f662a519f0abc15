"""What a statistic can be: known from n of something, not known from too few, or without a meaning. And the arithmetic.

A figure never turns up without its n, and where there is none it says why in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from decimal import Context, Decimal, DivisionByZero, InvalidOperation, Overflow, localcontext
from functools import wraps
from typing import ParamSpec, TypeVar

from mikrobot_platform.kernel.money import EXACT

ENOUGH = 30  # below that, an average is off by more than a fifth of the deviation one time in three
ZERO, ONE = Decimal(0), Decimal(1)

# An independent calculation agrees to nine decimals with much to spare, whatever was subtracted on the way.
_FIFTY = Context(prec=50, traps=[InvalidOperation, DivisionByZero, Overflow])

_P = ParamSpec("_P")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A statistic, and from how many trades or days it is known."""

    value: Decimal
    n: int

    def __str__(self) -> str:
        return f"{self.value:.2f} (n={self.n})"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotEnough:
    """Too few trades or days to say anything: there is no number to be misread."""

    n: int
    needed: int = ENOUGH

    def __str__(self) -> str:
        return f"not enough data ({self.n} of {self.needed})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Undefined:
    """A statistic that has no meaning here; `why` is a sentence's worth of words."""

    n: int
    why: str

    def __str__(self) -> str:
        return f"{self.why} (n={self.n})"


Figure = Known | NotEnough | Undefined


def precisely(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Do all arithmetic of a function at 50 digits, whatever context its caller works in."""

    @wraps(work)
    def at_fifty(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        with localcontext(_FIFTY):
            return work(*args, **kwargs)

    return at_fifty


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Add up amounts; raise rather than lose a digit."""
    result = ZERO
    for amount in amounts:
        result = EXACT.add(result, amount)
    return result


def mean(values: Sequence[Decimal]) -> Decimal:
    """Return the average of at least one value."""
    return total(values) / len(values)


def moment(values: Sequence[Decimal], order: int) -> Decimal:
    """Return the central moment of an order, divided by n."""
    middle = mean(values)
    return sum(((value - middle) ** order for value in values), ZERO) / len(values)


def deviation(values: Sequence[Decimal]) -> Decimal:
    """Return the standard deviation of a sample (n - 1) of at least two values."""
    return (moment(values, 2) * len(values) / (len(values) - 1)).sqrt()

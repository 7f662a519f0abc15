"""The customer's own limits: what may be set, and which of two settings is the tighter one. Pure.

Tighter acts at once, looser the next day: whoever has just lost should not be able to allow more in the same hour.
Whatever cannot be shown to be tighter (other hours, another way to trail) counts as looser and waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from itertools import pairwise
from types import MappingProxyType
from typing import Any

from risk_management.compliance.clock import FlatBy
from risk_management.rules.settings import Hours, Limits, Trail, Trailing
from risk_management.sizing import HARD_CAP_PERCENT

Tighter = Callable[[Any, Any], bool]  # (before, after): after allows nothing that before did not


def _less(before: Decimal | int, after: Decimal | int) -> bool:
    return after <= before


def _more(before: Decimal | int, after: Decimal | int) -> bool:
    return after >= before


def _fewer_hours(before: Hours, after: Hours) -> bool:
    """Every window lies inside one that was open before; zones with other clocks cannot be compared."""
    return before.zone == after.zone and all(
        any(
            old.weekday == new.weekday and old.opens_min <= new.opens_min and new.closes_min <= old.closes_min
            for old in before.windows
        )
        for new in after.windows
    )


def _trails_closer(before: Trail, after: Trail) -> bool:
    """The floor stands nowhere lower: it follows the same, at no greater distance, and stops no earlier."""
    goes_on = after.lock is None or (before.lock is not None and after.lock >= before.lock)
    return before.follows is after.follows and after.amount <= before.amount and goes_on


def _flat_earlier(before: FlatBy, after: FlatBy) -> bool:
    return (
        replace(after, at=before.at, reopen=before.reopen) == before
        and after.at <= before.at
        and after.reopen >= before.reopen
    )


# For each limit: how its values compare, where both are set.
_TIGHTER: Mapping[str, Tighter] = MappingProxyType(
    {
        "max_leverage": _less,
        "buffer": _more,
        "max_risk_percent": _less,
        "max_quantity": _less,
        "max_open": _less,
        "max_per_symbol": _less,
        "max_trades_per_day": _less,
        "cooldown_s": _more,
        "loss_pause_s": _more,
        "max_loss_streak": _less,
        "hours": _fewer_hours,
        "day_loss": _less,
        "week_loss": _less,
        "month_loss": _less,
        "least_equity": _more,
        "trail": _trails_closer,
        "max_spread": _less,
        "max_slippage": _less,
        "news_before_min": _more,
        "news_after_min": _more,
        "flat_by": _flat_earlier,
        "max_exposure": _less,
        "max_symbol_exposure": _less,
        "max_correlated_risk_percent": _less,
        "correlation_from": _less,  # from a lower one on, more symbols count as one risk
        "allows_opposite": _less,  # False < True
        "keeps_best_day": _more,
    }
)
NAMES = tuple(field.name for field in fields(Limits))

_DAY_S, _DAY_MIN = 86_400, 1_440
_MOST = Decimal(10) ** 12
_POSITIVE = (Decimal("0.00000001"), _MOST)
_RANGES: Mapping[str, tuple[Decimal | int, Decimal | int]] = MappingProxyType(
    {
        "max_leverage": (Decimal(1), Decimal(1000)),
        "buffer": (Decimal(0), _MOST),
        "max_risk_percent": (Decimal("0.01"), HARD_CAP_PERCENT),
        "max_quantity": _POSITIVE,
        "max_open": (1, 1000),
        "max_per_symbol": (1, 1000),
        "max_trades_per_day": (1, 10_000),
        "cooldown_s": (0, 7 * _DAY_S),
        "loss_pause_s": (0, 7 * _DAY_S),
        "max_loss_streak": (1, 100),
        "day_loss": _POSITIVE,
        "week_loss": _POSITIVE,
        "month_loss": _POSITIVE,
        "least_equity": (Decimal(0), _MOST),
        "max_spread": _POSITIVE,
        "max_slippage": (Decimal(0), _MOST),
        "news_before_min": (0, _DAY_MIN),
        "news_after_min": (0, _DAY_MIN),
        "max_exposure": (Decimal("0.01"), Decimal(1000)),
        "max_symbol_exposure": (Decimal("0.01"), Decimal(1000)),
        "max_correlated_risk_percent": (Decimal("0.01"), Decimal(100)),
        "correlation_from": (Decimal("0.01"), Decimal(1)),
    }
)


@dataclass(frozen=True, slots=True)
class Problem:
    """A value that may not be set."""

    name: str
    sentence: str


def problems(limits: Limits) -> Iterator[Problem]:
    """Give every value that makes no sense, with what would."""
    for name, (least, most) in _RANGES.items():
        value = getattr(limits, name)
        if value is not None and not _is_within(value, least, most):
            yield Problem(name, f"{words(name)} is from {least:f} to {most:f}.")
    if limits.trail is not None and not _is_within(limits.trail.amount, *_POSITIVE):
        yield Problem("trail", "A trailing drawdown is a positive amount.")
    if limits.hours is not None and not limits.hours.windows:
        yield Problem("hours", "Hours without a single window would never open.")
    known = [(name, getattr(limits, name)) for name in ("day_loss", "week_loss", "month_loss")]
    ordered = [(name, value) for name, value in known if value is not None]
    for (shorter, small), (longer, large) in pairwise(ordered):
        if small > large:
            yield Problem(longer, f"{words(longer)} is not smaller than {words(shorter).lower()}.")


def _is_within(value: Decimal | int, least: Decimal | int, most: Decimal | int) -> bool:
    return not (isinstance(value, Decimal) and not value.is_finite()) and least <= value <= most


def is_tighter(name: str, before: object, after: object) -> bool:
    """Tell whether a value allows nothing that the one before did not; the same one does not."""
    if before is None or before == after:
        return True  # from no limit to any
    return after is not None and _TIGHTER[name](before, after)


def at_once(before: Limits, wanted: Limits) -> Limits:
    """Return what holds from now on: of what is wanted, that which is tighter than before."""
    looser = {name: getattr(before, name) for name in looser_names(before, wanted)}
    return replace(wanted, **looser)


def looser_names(before: Limits, wanted: Limits) -> tuple[str, ...]:
    """Name the limits that have to wait."""
    return tuple(name for name in NAMES if not is_tighter(name, getattr(before, name), getattr(wanted, name)))


def changed_names(before: Limits, after: Limits) -> tuple[str, ...]:
    """Name the limits that differ."""
    return tuple(name for name in NAMES if getattr(before, name) != getattr(after, name))


def set_names(limits: Limits) -> tuple[str, ...]:
    """Name the limits that are set, also those that hold because nobody has said otherwise."""
    return tuple(name for name in NAMES if getattr(limits, name) is not None)


_WORDS: Mapping[str, str] = MappingProxyType(
    {"buffer": "amount above every floor", "cooldown_s": "pause in a symbol", "loss_pause_s": "pause after a loss",
     "trail": "trailing drawdown", "flat_by": "time by which everything is closed",
     "news_before_min": "minutes before news", "news_after_min": "minutes after news",
     "allows_opposite": "opposite positions", "keeps_best_day": "share of the best day",
     "max_loss": "maximum loss"}
)  # fmt: skip


def words(name: str) -> str:
    """Call a limit as a person would."""
    said = _WORDS.get(name) or name.replace("max_", "most ").replace("_", " ")
    return said[0].upper() + said[1:]


def value_words(value: object) -> str:  # noqa: PLR0911 - one line a kind of value
    """Write a value for a person."""
    match value:
        case None:
            return "no limit"
        case bool():
            return "yes" if value else "no"
        case Decimal():
            return f"{value:,f}"
        case Trail():
            follows = "closed days" if value.follows is Trailing.CLOSED_DAYS else "equity"
            return f"{value.amount:,f} below {follows}"
        case Hours():
            return f"{len(value.windows)} windows, {value.zone}"
        case FlatBy():
            return f"{value.at:%H:%M} {value.zone}"
        case _:
            return str(value)

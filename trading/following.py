"""How an account follows a strategy, as the gate's rules take it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Any

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.market import Quantity, Side
from mikrobot_platform.kernel.sessions import windows
from risk_management.rules.facts import Missing
from risk_management.rules.settings import Follow as FollowTerms
from risk_management.rules.settings import Hours
from risk_management.sizing import FixedQuantity, PercentOfBalance, RangeGate
from trading.models import Follow, RiskMode
from trading.strategies import Parameters

BOTH = frozenset(Side)
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def range_of(parameters: Parameters) -> RangeGate | None:
    """Say within which range a strategy trades."""
    if not parameters.atr_pips_max:
        return None
    return RangeGate(min_pips=parameters.atr_pips_min, max_pips=parameters.atr_pips_max)


def _narrowed(own: RangeGate | None, overrides: Mapping[str, str]) -> RangeGate | Missing | None:
    """Bring the ends of the strategy's range nearer, as a follow asks; never farther apart. None: it asks nothing."""
    if own is None or not overrides.keys() & {"atr_pips_min", "atr_pips_max"}:
        return None
    least = max(own.min_pips, Decimal(overrides.get("atr_pips_min", own.min_pips)))
    most = min(own.max_pips, Decimal(overrides.get("atr_pips_max", own.max_pips)))
    if least > most:
        return Missing("a range of the follow that lets anything through")
    return replace(own, min_pips=least, max_pips=most)


def _hours(window: Mapping[str, Any], day: int) -> str:
    """Write one day of a window; where it runs past midnight it is named by the day on which it ends."""
    runs_over = window["from"] >= window["to"]
    return f"{_DAYS[day % 7 if runs_over else day - 1]} {window['from']}-{window['to']}"


def terms_of(row: Follow, parameters: Parameters) -> FollowTerms | Missing:
    """Say how an account follows; those who follow in the same way get the same object, which is written once."""
    how = plain.canonical([row.windows, row.overrides]) if row.windows or row.overrides else "[[], {}]"
    return _terms_of(
        row.risk_mode, row.risk_value, how, tuple(row.sides), tuple(row.symbols), row.is_paused,
        parameters.risk_percent, range_of(parameters),
    )  # fmt: skip


@lru_cache(maxsize=4_096)
def _terms_of(  # noqa: PLR0917 - the cache takes them by place
    risk_mode: str,
    risk_value: Decimal | None,
    how: str,
    sides: tuple[str, ...],
    symbols: tuple[str, ...],
    is_paused: bool,
    risk_percent: Decimal,
    own: RangeGate | None,
) -> FollowTerms | Missing:
    mode: PercentOfBalance | FixedQuantity = PercentOfBalance(percent=risk_percent)
    if risk_mode == RiskMode.PERCENT and risk_value is not None:
        mode = PercentOfBalance(percent=risk_value)
    elif risk_mode == RiskMode.QUANTITY and risk_value is not None:
        mode = FixedQuantity(quantity=Quantity(risk_value))
    hours_said, overrides = json.loads(how)
    zones = {str(window["zone"]) for window in hours_said}
    if len(zones) > 1:
        return Missing("the hours of the follow, which stand in several time zones")
    hours = [_hours(window, day) for window in hours_said for day in window["days"]]
    narrowed = _narrowed(own, overrides)
    if isinstance(narrowed, Missing):
        return narrowed
    most = overrides.get("max_positions")
    found = FollowTerms(
        is_active=not is_paused,
        mode=mode,
        hours=Hours(zone=zones.pop(), windows=windows(*hours)) if hours else None,
        sides=frozenset(Side(side) for side in sides) or BOTH,
        symbols=frozenset(symbols) or None,
        max_positions=None if most is None else int(Decimal(most)),
        range_gate=narrowed,
    )
    return plain.recall(FollowTerms, plain.text(found))

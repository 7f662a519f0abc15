"""How a position is managed, settled when it is opened: the plan that its strategy and its week ask for."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from trading.engine.management.plan import Plan, plan_in
from trading.engine.management.weekly import Week
from trading.models import Position


def plan_of(row: Position) -> Plan:
    """Read the plan of a position; one of which nothing is stored is managed as the platform does it."""
    stored: dict[str, Any] = row.plan
    week = stored.get("week")
    if week is None:
        return Plan()
    return plan_in(
        Week(
            monday=date.fromisoformat(week["monday"]), realised=Decimal(week["realised"]),
            starting_balance=Decimal(week["starting_balance"]),
        ),
        Plan(),
    )  # fmt: skip

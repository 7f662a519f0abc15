"""Recorded trade lists, read once as our trades and once as bare rows for a calculation that shares no code."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import HealthCheck, settings

from mikrobot_platform.kernel.market import Side
from trading.backtest.metrics.trades import ClosedTrade

NAMES = ("steady", "long_drawdown", "clock_changes")
START = datetime.fromisoformat("2026-03-02T10:00:00+00:00")  # a Monday
NINE = Fraction(1, 10**9)
# What must always hold is no matter of speed: other work may be going on beside a test.
UNHURRIED = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    trades: list[ClosedTrade]
    rows: list[dict[str, Any]]
    capital: Decimal
    begins: datetime
    zone: ZoneInfo

    @property
    def profits(self) -> list[Fraction]:
        return [Fraction(row["profit"]) for row in self.rows]


def recorded(name: str) -> Recorded:
    told = json.loads((Path(__file__).parent / "recorded" / f"{name}.json").read_text(encoding="utf-8"))
    return Recorded(
        trades=[_trade(row) for row in told["trades"]],
        rows=told["trades"],
        capital=Decimal(told["capital"]),
        begins=datetime.fromisoformat(told["begins"]),
        zone=ZoneInfo(told["zone"]),
    )


def _trade(row: dict[str, Any]) -> ClosedTrade:
    figures = {
        name: None if row[name] is None else Decimal(row[name])
        for name in ("quantity", "entry", "exit", "stop", "risk", "profit", "costs", "mae", "mfe")
    }
    moments = {name: datetime.fromisoformat(row[name]) for name in ("opened_at", "closed_at")}
    words = {name: row[name] for name in ("account", "strategy", "symbol")}
    return ClosedTrade(**words, **moments, **figures, side=Side(row["side"]))  # type: ignore[arg-type]


def trade(profit: str, *, opens: int = 0, minutes: int = 30, **given: Any) -> ClosedTrade:
    """Make a trade that opens so many hours after START."""
    opened = START + timedelta(hours=opens)
    usual: dict[str, Any] = {
        "account": "A-1", "strategy": "one", "symbol": "EURUSD", "side": Side.BUY, "opened_at": opened,
        "closed_at": opened + timedelta(minutes=minutes), "quantity": Decimal(1), "entry": Decimal("1.1"),
        "exit": Decimal("1.101"), "stop": None, "risk": None, "costs": Decimal(0),
    }  # fmt: skip
    return ClosedTrade(**usual | given, profit=Decimal(profit))


def in_a_row(*profits: str) -> list[ClosedTrade]:
    return [trade(profit, opens=hour) for hour, profit in enumerate(profits)]


def agree(ours: Decimal, theirs: Fraction | float) -> bool:
    """Tell whether two figures are equal to nine decimals."""
    return abs(Fraction(ours) - Fraction(theirs)) <= NINE

"""Strategies: named, versioned parameters. A version never changes; other parameters are another version."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal

from trading.engine.management.terms import Terms
from trading.engine.signal_facts import SignalRules


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What one version of a strategy listens to, and how it trades that."""

    signals: tuple[str, ...]  # the names by which sources call it
    symbols: tuple[str, ...]  # exactly as the source writes them
    risk_percent: Decimal  # of the account, a trade
    atr_pips_min: Decimal
    atr_pips_max: Decimal
    max_positions: int
    target_r: Decimal | None = None  # target as a multiple of the risk, where the strategy names one
    rules: SignalRules = field(default_factory=SignalRules)
    management: Terms = field(default_factory=Terms)

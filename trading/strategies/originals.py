"""The three strategies that MikroBot began with, as its first installation had them.

All three listen to the same four-phase signal of the v8 EA; they differ in symbols, risk and how many positions they
hold. Each stands in the database as well (trading/migrations/0001); a test compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.engine import four_phase
from trading.engine.signal_facts import SignalRules
from trading.strategies import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """One of the three."""

    code: str
    version: str
    name: str
    is_beta: bool
    tiers: tuple[str, ...]  # the tiers that may follow it
    parameters: Parameters


_FOREX = ("EURUSD", "GBPUSD", "USDJPY", "EURJPY", "GBPJPY")


def _parameters(
    version: str, symbols: tuple[str, ...], *, risk: str, atr: tuple[str, str], positions: int, target_r: str = ""
) -> Parameters:
    return Parameters(
        signals=(four_phase.STRATEGY,),
        symbols=symbols,
        risk_percent=Decimal(risk),
        atr_pips_min=Decimal(atr[0]),
        atr_pips_max=Decimal(atr[1]),
        max_positions=positions,
        target_r=Decimal(target_r) if target_r else None,
        rules=SignalRules(version=version, requires_phases=True),
    )


ORIGINALS = (
    Original(
        code="m5_bos_m1_retest", version="1.0.0", name="M5 BOS + M1 Retest", is_beta=False,
        tiers=("basic", "professional", "enterprise"),
        parameters=_parameters("m5_bos_m1_retest/1.0.0", _FOREX, risk="0.55", atr=("4", "15"), positions=3),
    ),
    Original(
        code="submarine_gold", version="3.0.0", name="Submarine Gold Standard", is_beta=False,
        tiers=("professional", "enterprise"),
        parameters=_parameters(
            "submarine_gold/3.0.0", (*_FOREX, "XAUUSD", "GER40", "BCHUSD", "_FERRARI.IT"),
            risk="0.55", atr=("4", "15"), positions=5, target_r="1.5",
        ),
    ),
    Original(
        code="ferrari_scalping", version="0.9.0", name="Ferrari Scalping", is_beta=True, tiers=("enterprise",),
        parameters=_parameters(
            "ferrari_scalping/0.9.0", ("_FERRARI.IT", "_STELLANTIS.IT"), risk="0.75", atr=("5", "20"), positions=2
        ),
    ),
)  # fmt: skip

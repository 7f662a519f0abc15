"""Half of Kelly's fraction, from settled trades: how much to stake when wins and losses are known from enough of them.

f* = p - (1 - p) / b, with p the share of wins and b the average win divided by the average loss. Half of it is
staked, because p and b are estimates. Results are all in one unit: in R (result / risk taken), where a large trade is
one trade, or in account money, where nobody knows what was risked.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, Decision, Verdict, evidence
from mikrobot_platform.kernel.money import EXACT, Ratio, Rounding

MIN_TRADES = 30  # below that, p is off by more than 0.09 one time in three
LARGEST_FRACTION = Decimal("0.25")  # of the equity; the limits of the customer and of the platform are far below it
_UNIT, _TENTH = Decimal("0.000001"), Decimal("0.1")
_HALF = Ratio(Decimal(1), Decimal(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class TradeStats:
    """What settled trades came to. Trades that ended at zero say nothing about wins and losses, and are not counted."""

    wins: int
    losses: int
    won: Decimal  # the sum of all wins
    lost: Decimal  # the sum of all losses, above zero

    def __post_init__(self) -> None:
        if min(self.wins, self.losses) < 0 or (self.won > 0) is not (self.wins > 0):
            raise ValueError("wins and their sum do not fit each other")
        if (self.lost > 0) is not (self.losses > 0):
            raise ValueError("losses and their sum do not fit each other")

    @property
    def n(self) -> int:
        """Count the trades that were won or lost."""
        return self.wins + self.losses

    @property
    def win_percent(self) -> Decimal | None:
        """Return the share of trades that were won, rounded down; None where they are too few to say."""
        return (
            None
            if self.n < MIN_TRADES
            else Ratio(Decimal(100 * self.wins), Decimal(self.n)).rounded(_TENTH, Rounding.DOWN)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kelly:
    """A stake as a fraction of the equity, and what it rests on."""

    n: int
    full: Decimal
    half: Decimal
    fraction: Decimal  # half, within the cap: what may be staked
    is_capped: bool


def trade_stats(results: Iterable[Decimal]) -> TradeStats:
    """Sum up settled results, all in one unit."""
    wins = losses = 0
    won = lost = Decimal(0)
    for result in results:
        if result > 0:
            wins, won = wins + 1, EXACT.add(won, result)
        elif result < 0:
            losses, lost = losses + 1, EXACT.subtract(lost, result)
    return TradeStats(wins=wins, losses=losses, won=won, lost=lost)


def half_kelly(stats: TradeStats, *, cap: Decimal = LARGEST_FRACTION) -> Kelly | Decision:
    """Return half of Kelly's fraction, rounded down and capped; skip where trades are too few or show no edge."""
    if stats.n < MIN_TRADES:
        return _skipped(Code.KELLY_TOO_FEW, stats, needed=MIN_TRADES)
    if not stats.losses:  # nobody knows how large one is
        return _skipped(Code.KELLY_NO_LOSS, stats)
    if stats.won <= stats.lost:
        return _skipped(Code.KELLY_NO_EDGE, stats)
    # p - (1 - p) / b  =  w/n - l/n x (lost / l) / (won / w)  =  w (won - lost) / (n won)
    edge = EXACT.multiply(EXACT.subtract(stats.won, stats.lost), Decimal(stats.wins))
    full = Ratio(edge, EXACT.multiply(stats.won, Decimal(stats.n)))
    half = full.by(_HALF).rounded(_UNIT, Rounding.DOWN)
    return Kelly(
        n=stats.n,
        full=full.rounded(_UNIT, Rounding.DOWN),
        half=half,
        fraction=min(half, cap),
        is_capped=half > cap,
    )


def _skipped(code: Code, stats: TradeStats, **more: object) -> Decision:
    figures = evidence(n=stats.n, wins=stats.wins, losses=stats.losses, won=stats.won, lost=stats.lost, **more)
    return Decision(verdict=Verdict.SKIPPED, code=code, evidence=figures)

"""How far an account is from its target or its next payout, and what is missing, each with its figures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import ROUND_CEILING, Decimal
from enum import StrEnum

from risk_management.compliance.account import ZERO, AccountState
from risk_management.compliance.program import PayoutPath, Program, ShareOf

_CENT = Decimal("0.01")


class Need(StrEnum):
    """What a payout can ask for."""

    WINNING_DAYS = "winning_days"
    TRADING_DAYS = "trading_days"
    BEST_DAY = "best_day"
    SAFETY_NET = "safety_net"
    MINIMUM = "minimum"
    PAYOUTS_LEFT = "payouts_left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that is asked for: what there is, what there must be. None: nothing to measure yet."""

    need: Need
    have: Decimal | None
    bound: Decimal
    is_met: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """How ready an account is for a payout by one path. `most` is None when the firm's cap is not known."""

    path: str
    requirements: tuple[Requirement, ...]
    most: Decimal | None

    @property
    def is_ready(self) -> bool:
        """Tell whether a payout may be asked for."""
        return all(requirement.is_met for requirement in self.requirements)


def best_day_share(state: AccountState, of: ShareOf) -> Decimal | None:
    """Return how many percent of the profit since the last payout the best day made; None where nothing was won."""
    profits = [result.profit for result in state.results]
    best = max(profits, default=ZERO)
    whole = sum((profit for profit in profits if profit > 0 or of is ShareOf.TOTAL_PROFIT), ZERO)
    return best * 100 / whole if best > 0 and whole > 0 else None


def target(state: AccountState, program: Program) -> Decimal | None:
    """Return the profit that passes the phase; a day that was too good raises it where the program says so."""
    rule = program.consistency
    if program.target is None or rule is None or not rule.raises_target:
        return program.target
    best = max((result.profit for result in state.results), default=ZERO)
    raised = (best * 100 / rule.max_share_pct).quantize(_CENT, rounding=ROUND_CEILING)
    return max(program.target, raised)


def readiness(state: AccountState, program: Program, *, balance: Decimal) -> tuple[Readiness, ...]:
    """Say for each path to a payout what is there and what is missing."""
    return tuple(
        Readiness(
            path=path.name,
            requirements=tuple(_requirements(state, program, path, balance)),
            most=_most(state, path, balance),
        )
        for path in program.payouts
    )


def _requirements(state: AccountState, program: Program, path: PayoutPath, balance: Decimal) -> Iterator[Requirement]:
    profits = [result.profit for result in state.results]
    if path.winning_days:
        yield _at_least(Need.WINNING_DAYS, sum(profit >= path.min_day_profit for profit in profits), path.winning_days)
    if path.trading_days:
        yield _at_least(Need.TRADING_DAYS, len(profits), path.trading_days)
    rule = program.consistency
    if rule is not None and not rule.raises_target and (rule.until_payout is None or state.payouts < rule.until_payout):
        yield _best_day(best_day_share(state, rule.of), rule.max_share_pct, is_strict=rule.is_strict)
    if path.best_day_max_pct is not None:
        yield _best_day(best_day_share(state, ShareOf.TOTAL_PROFIT), path.best_day_max_pct, is_strict=False)
    if path.safety_net is not None:
        yield _at_least(Need.SAFETY_NET, balance, path.safety_net)
    most = _most(state, path, balance)
    if path.minimum is not None and most is not None:
        yield _at_least(Need.MINIMUM, most, path.minimum)
    if path.max_payouts is not None:
        yield _at_least(Need.PAYOUTS_LEFT, path.max_payouts - state.payouts, 1)


def _at_least(need: Need, have: Decimal | int, bound: Decimal | int) -> Requirement:
    return Requirement(need=need, have=Decimal(have), bound=Decimal(bound), is_met=have >= bound)


def _best_day(share: Decimal | None, bound: Decimal, *, is_strict: bool) -> Requirement:
    is_met = share is not None and (share < bound or (share == bound and not is_strict))
    return Requirement(need=Need.BEST_DAY, have=share, bound=bound, is_met=is_met)


def _most(state: AccountState, path: PayoutPath, balance: Decimal) -> Decimal | None:
    """Return the most that may be taken now: this payout's cap, or a share of the balance where that is less."""
    if not path.caps:
        return None
    cap = path.caps[min(state.payouts, len(path.caps) - 1)]
    share = path.share_of_balance_pct
    return cap if share is None else min(cap, max(balance, ZERO) * share / 100)

"""The gate: for one signal and one account, the list of rules, read from the top, and one explained decision.

A rule is a pure function in the file of its family; a new one is a function and its place in the list below. The first
denial decides, and what stands after it is not asked. Reductions add up to the smallest quantity, on the instrument's
grid; below the smallest order the trade is skipped. A fact that is missing denies. Exits have a list of their own,
which blocks nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from mikrobot_platform.kernel.money import LOSSLESS, Within
from risk_management.rules import (
    best_day,
    contracts,
    counts,
    drawdown,
    entitlement,
    exits,
    exposure,
    flat,
    follow,
    fresh,
    hours,
    losses,
    margin,
    news,
    opposite,
    pauses,
    policy,
    requests,
    size,
    spread,
    switches,
    tradable,
    worst,
)
from risk_management.rules.evaluation import Gate, Rule, Ruled, by_settings, each, once
from risk_management.rules.facts import AccountFacts, Missing, Shared

VERSION = "gate/2"  # of the list and of what its rules mean; a receipt names it

RULES: tuple[Rule, ...] = (
    by_settings(entitlement.entitled),
    each(entitlement.daily_quota),
    by_settings(follow.follow_active),
    by_settings(follow.follow_filters),
    by_settings(follow.follow_hours),
    by_settings(switches.account_on),
    by_settings(switches.organization_on),
    once(switches.strategy_on),
    once(switches.platform_on),
    by_settings(policy.firm_policy),
    once(fresh.signal_fresh),
    each(fresh.account_fresh),
    once(fresh.quote_fresh),
    by_settings(fresh.rate_fresh),
    once(tradable.instrument_open),
    by_settings(spread.spread_small),
    by_settings(spread.slippage_small),
    each(counts.max_open),
    each(counts.max_of_strategy),
    each(counts.max_per_symbol),
    each(counts.trades_per_day),
    each(pauses.cooled_down),
    each(pauses.loss_paused),
    each(pauses.loss_streak),
    by_settings(hours.session_open),
    each(losses.day_loss),
    each(losses.week_loss),
    each(losses.month_loss),
    each(drawdown.firm_floors),
    each(drawdown.own_drawdown),
    by_settings(news.news_quiet),
    by_settings(flat.flat_by),
    # The size, and from here on what looks at it
    by_settings(size.range_inside),
    once(size.reward_enough),
    each(size.sized),
    each(worst.worst_case),
    each(exposure.exposure),
    each(exposure.symbol_exposure),
    each(exposure.correlated_risk),
    each(margin.leverage),
    each(margin.margin),
    each(contracts.contract_tier),
    each(opposite.no_opposite),
    each(best_day.best_day),
    each(requests.request_budget),
)

EXIT_RULES: tuple[Rule, ...] = (
    by_settings(exits.never_blocked),
    by_settings(exits.firm_lets_send),
)


def decide(shared: Shared, account: AccountFacts, *, now: datetime) -> Ruled:
    """Decide for one account; same facts and time, same decision."""
    return gate(shared, now=now).decide(account)


def decide_many(shared: Shared, accounts: Iterable[AccountFacts], *, now: datetime) -> list[Ruled]:
    """Decide for many accounts, and work out what they share once."""
    ready = gate(shared, now=now)
    with Within(LOSSLESS):
        return [ready.decide_in_batch(account) for account in accounts]


def gate(shared: Shared, *, now: datetime) -> Gate:
    """Make a signal ready to be decided on."""
    return Gate(shared, now, RULES if shared.signal.action.is_entry else EXIT_RULES)


__all__ = [
    "EXIT_RULES", "RULES", "VERSION", "AccountFacts", "Gate", "Missing", "Ruled", "Shared", "decide", "decide_many",
    "gate",
]  # fmt: skip

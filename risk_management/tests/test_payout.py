"""Targets and payouts: what is there, what is missing, how much may be taken."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from risk_management.compliance.account import Event, Settled, Withdrawal, opened
from risk_management.compliance.floors import rebuild
from risk_management.compliance.payout import Need, Readiness, readiness, target
from risk_management.compliance.program import Program
from risk_management.tests.programs import pick, utc

D = Decimal
BEGAN = utc("2026-06-01 15:00")
FIRST_DAY = utc("2026-06-08 15:00")

ONE_STEP = pick("FTMO", "1-Step", "funded", 100_000)
EXPRESS = pick("Topstep", "Express Funded", "funded", 50_000)
PERFORMANCE = pick("Apex", "4.0 Performance Account", "funded", 50_000, "eod")
INTRADAY = pick("Apex", "4.0 Performance Account", "funded", 100_000, "intraday")
LEGACY = pick("Apex", "Legacy", "funded", 50_000, "trailing")


def after(program: Program, profits: tuple[int, ...], payouts: int) -> Readiness:
    """Say how ready an account is after some payouts and then one result a day."""
    events: list[Event] = [
        Withdrawal(number=number, at=BEGAN, amount=D(1), balance_after=program.initial)
        for number in range(1, payouts + 1)
    ]
    events += [
        Settled(number=payouts + day, at=FIRST_DAY + timedelta(days=day), profit=D(profit))
        for day, profit in enumerate(profits, start=1)
    ]
    state = rebuild(opened(program, at=BEGAN), events, program)
    return readiness(state, program, balance=program.initial + sum(profits))[0]


@pytest.mark.parametrize(
    ("program", "profits", "paid", "missing", "most"),
    [
        (EXPRESS, (150, 150, 150, 150, 150), 0, set(), 375),
        (EXPRESS, (150, 150, 149, 150, 150), 0, {Need.WINNING_DAYS}, "374.5"),
        (EXPRESS, (9_000, 150, 150, 150, 150), 0, set(), 2_000),
        (EXPRESS, (150, 150, 150, 150, 150, -600), 0, {Need.MINIMUM}, 75),
        (PERFORMANCE, (500, 500, 500, 400, 300), 0, set(), 1_500),
        (PERFORMANCE, (1_250, 250, 250, 250, 500), 0,
         {Need.BEST_DAY}, 1_500),  # strictly below half
        (PERFORMANCE, (500, 500, 500, 400, 199), 2,
         {Need.WINNING_DAYS, Need.SAFETY_NET}, 2_000),
        (PERFORMANCE, (500, 500, 500, 400, 300), 6,
         {Need.PAYOUTS_LEFT}, 3_000),
        (INTRADAY, (900, 900, 900, 900, 900), 0, set(), None),
        (LEGACY, (700, 700, 700, 500, 50, 10, 10), 0, {Need.TRADING_DAYS}, None),
        (LEGACY, (2_700, 60, 60, 60, 60, 10, 10, 10), 0, {Need.BEST_DAY}, None),
        (LEGACY, (2_700, 60, 60, 60, 60, 10, 10, 10), 6, set(), None),
        (ONE_STEP, (600, 500, -300), 0, {Need.BEST_DAY}, None),
        (ONE_STEP, (500, 500, -300), 0, set(), None),
        (ONE_STEP, (-300,), 0, {Need.BEST_DAY}, None),
    ],
)  # fmt: skip
def test_what_is_missing_for_a_payout(
    program: Program, profits: tuple[int, ...], paid: int, missing: set[Need], most: int | str | None
) -> None:
    found = after(program, profits, paid)
    assert {requirement.need for requirement in found.requirements if not requirement.is_met} == missing
    assert found.is_ready == (not missing)
    assert found.most == (None if most is None else D(most))


@pytest.mark.parametrize(("best", "expected"), [(1_000, "3000"), (1_650, "3000"), (1_651, "3001.82"), (2_200, "4000")])
def test_a_day_that_was_too_good_raises_the_target(best: int, expected: str) -> None:
    """Combine: the target becomes best day / 0.55."""
    program = pick("Topstep", "Trading Combine", "challenge", 50_000)
    at = FIRST_DAY
    state = rebuild(opened(program, at=at), [Settled(number=1, at=at, profit=D(best))], program)
    assert target(state, program) == D(expected)
    assert program.target_balance == 53_000
    untouched = pick("FTMO", "1-Step", "challenge", 100_000)
    assert target(opened(untouched, at=at), untouched) == 10_000

"""Every worked example that the firms have published, step by step; and what examples leave out: weekends on which
clocks are set, an open loss that is carried over the reset, a payout."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from risk_management.compliance.account import AccountState, DayTurned, Limit, Snapshot, Withdrawal, opened
from risk_management.compliance.floors import advance
from risk_management.compliance.program import Program
from risk_management.compliance.room import daily_allowance, daily_floor, headroom, max_floor
from risk_management.tests.programs import library, pick, seen, utc

D = Decimal
MONDAY = utc("2026-06-08 09:00")
MINUTE = timedelta(minutes=1)
EXPECTED = {"floor": max_floor, "daily_floor": daily_floor, "daily_allowance": daily_allowance}
# Programs for which no firm has published an example: their floors are held to the slow reference alone.
WITHOUT = {("Apex", "4.0 Evaluation"), ("Topstep", "Express Funded"), ("Topstep", "Live Funded")}


@cache
def examples() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads((Path(__file__).parent / "worked_examples.json").read_text())
    return found


def stepped(program: Program, state: AccountState, step: dict[str, Any]) -> AccountState:
    """Let happen what a step says: a day ends with a balance, or equity is seen at a peak and comes back."""
    if "close" in step:
        return advance(
            state, DayTurned(at=program.close.next_reset(state.turned_at), balance=D(step["close"])), program
        )
    if "peak" in step:
        at = (state.seen_at or MONDAY) + MINUTE
        state = advance(state, seen(at, program.initial, step["peak"]), program)
        return advance(state, seen(at + MINUTE, program.initial), program)
    return state


@pytest.mark.parametrize("example", examples(), ids=lambda example: example["example"])
def test_an_official_example_comes_out(example: dict[str, Any]) -> None:
    program = pick(**example["program"])
    state = opened(program, at=MONDAY)
    for step in example["steps"]:
        state = stepped(program, state, step)
        expected = {name: value for name, value in step.items() if name not in ("says", "close", "peak")}
        assert expected, f"{step['says']}: nothing is expected"
        found = {name: EXPECTED[name](state, program) for name in expected}
        assert found == expected, f"{example['example']}: {step['says']}"


def test_every_program_has_an_example_or_is_known_to_have_none() -> None:
    """A new program, or a new edition under another name, fails here until its examples stand in the file."""
    with_one = {(one["program"]["firm"], one["program"]["program"]) for one in examples()}
    known = {(one.edition.firm, one.edition.program) for one in library().programs}
    assert known == with_one | WITHOUT
    assert not with_one & WITHOUT
    names = [one["example"] for one in examples()]
    assert len(names) == len(set(names))
    assert sum(len(one["steps"]) for one in examples()) == 17


# --- Weekends on which clocks are set --------------------------------------------------------------------------------
TWO_STEP = pick("FTMO", "2-Step", "challenge", 100_000)
COMBINE = pick("Topstep", "Trading Combine", "challenge", 50_000, has_optional_daily_loss=True)
PERFORMANCE = pick("Apex", "4.0 Performance Account", "funded", 50_000, "eod")


@pytest.mark.parametrize(
    ("program", "first", "second"),
    [
        # The reset of the day before, and the one after which the day was an hour shorter or longer
        (TWO_STEP, "2026-03-28 23:00", "2026-03-29 22:00"),
        (TWO_STEP, "2026-10-24 22:00", "2026-10-25 23:00"),
        (COMBINE, "2026-03-07 23:00", "2026-03-08 22:00"),
        (COMBINE, "2026-10-31 22:00", "2026-11-01 23:00"),
        (PERFORMANCE, "2026-03-07 23:00", "2026-03-08 22:00"),
        (PERFORMANCE, "2026-10-31 22:00", "2026-11-01 23:00"),
    ],
    ids=lambda value: value.edition.program if isinstance(value, Program) else value,
)
def test_a_loss_counts_on_its_own_day_on_a_weekend_of_another_hour(program: Program, first: str, second: str) -> None:
    """Lose a quarter of the allowance in the last minute before the reset: it is gone from that day, not the next."""
    allowance = daily_allowance(opened(program, at=utc(first)), program)
    assert allowance is not None
    lost, start = allowance / 4, program.initial
    state = turned(program, opened(program, at=utc(first) - timedelta(hours=20)), utc(first), start)
    at = seen(utc(second) - MINUTE, start - lost)
    state = advance(turned(program, state, at.at, start), at, program)
    assert room(state, at, program) == allowance - lost
    state = turned(program, state, utc(second), start - lost)
    after = seen(utc(second) + MINUTE, start - lost)
    state = advance(state, after, program)
    assert room(state, after, program) == allowance
    assert state.breaches == ()


def turned(program: Program, state: AccountState, at: datetime, balance: Decimal) -> AccountState:
    """Tell every close and reset up to a reset, each with the same balance."""
    while state.turns_at <= at:
        state = advance(state, DayTurned(at=state.turns_at, balance=balance), program)
    return state


def room(state: AccountState, at: Snapshot, program: Program) -> Decimal | None:
    return next(one.room for one in headroom(state, at, program, at.at) if one.limit is Limit.DAILY_LOSS)


@pytest.mark.parametrize("program", [TWO_STEP, COMBINE, PERFORMANCE], ids=lambda program: program.edition.program)
def test_an_open_loss_carried_over_the_reset_is_there_at_once(program: Program) -> None:
    """Half the allowance is open over the reset: the floor comes of the balance, so half of the new day is gone."""
    state = opened(program, at=MONDAY)
    allowance = daily_allowance(state, program)
    assert allowance is not None
    reset = program.day.next_reset(MONDAY)  # Apex has taken the closing balance an hour before
    for at in (reset - MINUTE, reset + MINUTE):
        shown = seen(at, program.initial, program.initial - allowance / 2)
        state = advance(turned(program, state, at, program.initial), shown, program)
        assert room(state, shown, program) == allowance / 2
    assert state.breaches == ()


@pytest.mark.parametrize("program", [TWO_STEP, COMBINE, PERFORMANCE], ids=lambda program: program.edition.program)
def test_a_payout_uses_up_nothing_of_the_day(program: Program) -> None:
    state = turned(program, opened(program, at=MONDAY), program.day.next_reset(MONDAY), program.initial + 3_000)
    before = seen(state.turned_at + MINUTE, program.initial + 3_000)
    state = advance(state, before, program)
    left = room(state, before, program)
    paid = Withdrawal(number=1, at=before.at + MINUTE, amount=D(1_000), balance_after=program.initial + 2_000)
    state = advance(state, paid, program)
    after = seen(paid.at + MINUTE, program.initial + 2_000)
    state = advance(state, after, program)
    assert room(state, after, program) == left == daily_allowance(state, program)
    assert state.breaches == ()

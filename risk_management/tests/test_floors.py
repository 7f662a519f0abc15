"""Floors, room and warnings: the official examples, the edges that other calculators get wrong, and random lives
against a slow reference. MIKROBOT_PATHS=10000 runs as many lives per program as the acceptance asks for."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_management.compliance.account import (
    AccountState,
    DayTurned,
    Deposit,
    Event,
    Limit,
    Opened,
    Settled,
    Snapshot,
    Withdrawal,
    carried,
    joined,
    opened,
)
from risk_management.compliance.clock import ResetClock
from risk_management.compliance.floors import advance, rebuild
from risk_management.compliance.program import Measure, Program, Severity, Touch, Trail
from risk_management.compliance.room import Bound, Crossing, Room, crossings, headroom, max_floor, max_minis
from risk_management.tests.programs import is_whole, life, pick, seen, told, utc
from risk_management.tests.slow_reference import PROGRAMS, SlowReference

D = Decimal
PATHS = int(os.environ.get("MIKROBOT_PATHS", "40"))

TWO_STEP = pick("FTMO", "2-Step", "challenge", 100_000)
ONE_STEP = pick("FTMO", "1-Step", "challenge", 100_000)
COMBINE = pick("Topstep", "Trading Combine", "challenge", 50_000)
COMBINE_DAILY = pick("Topstep", "Trading Combine", "challenge", 50_000, has_optional_daily_loss=True)
EXPRESS = pick("Topstep", "Express Funded", "funded", 50_000)
LIVE = pick("Topstep", "Live Funded", "funded", 50_000)
PERFORMANCE = pick("Apex", "4.0 Performance Account", "funded", 50_000, "eod")
PERFORMANCE_INTRADAY = pick("Apex", "4.0 Performance Account", "funded", 50_000, "intraday")
LEGACY = pick("Apex", "Legacy", "funded", 50_000, "trailing")

MONDAY = utc("2026-06-08 09:00")


def lived(program: Program, *events: Event, since: AccountState | None = None) -> AccountState:
    return rebuild(since or opened(program, at=MONDAY), events, program)


def rooms(state: AccountState, program: Program, at: Snapshot) -> dict[Limit, Room]:
    return {room.limit: room for room in headroom(state, at, program, at.at)}


def floor_of(state: AccountState, program: Program, limit: Limit = Limit.MAX_LOSS) -> Decimal | None:
    at = seen(state.turned_at, state.balance or 0)
    return rooms(state, program, at)[limit].level


# --- The firms' own examples -----------------------------------------------------------------------------------------
def closes(program: Program, *balances: int) -> list[DayTurned]:
    """End one day after another with these balances."""
    at, found = MONDAY, []
    for balance in balances:
        at = program.close.next_reset(at)
        found.append(DayTurned(at=at, balance=D(balance)))
    return found


def nights(program: Program, *balances: int) -> list[DayTurned]:
    """Tell the resets as well, where the new day begins some time after the close."""
    found = []
    for close in closes(program, *balances):
        reset = program.day.start(program.close.day_of(close.at))
        found += [close] if reset == close.at else [close, replace(close, at=reset)]
    return found


@pytest.mark.parametrize(
    ("program", "balances", "floors"),
    [
        # FTMO 1-Step: day 1, then midnight balances 104,000 and 103,000
        (ONE_STEP, [104_000, 103_000], [90_000, 94_000, 94_000]),
        # FTMO 2-Step: static
        (TWO_STEP, [104_000, 103_000], [90_000, 90_000, 90_000]),
        # Topstep Combine 50K: end of day 50,500, 50,000, 52,500 (locked); and it stays there
        (COMBINE, [50_500, 50_000, 52_500, 56_000], [48_000, 48_500, 48_500, 50_000, 50_000]),
        # Topstep, 150K: high 152,250 gives 147,750; from 154,500 on it is locked at 150,000
        (pick("Topstep", "Trading Combine", "challenge", 150_000), [152_250, 154_500, 160_000],
         [145_500, 147_750, 150_000, 150_000]),
        (EXPRESS, [1_500, 2_000, 9_000], [-2_000, -500, 0, 0]),
        # Apex PA 50K: a high of 52,100 locks at 50,100
        (PERFORMANCE, [51_000, 52_099, 52_100, 60_000], [48_000, 49_000, 50_099, 50_100, 50_100]),
    ],
)  # fmt: skip
def test_official_examples_of_floors_that_move_at_the_close(
    program: Program, balances: list[int], floors: list[int]
) -> None:
    states = [opened(program, at=MONDAY)]
    for event in closes(program, *balances):
        states.append(advance(states[-1], event, program))
    assert [max_floor(state, program) for state in states] == floors


@pytest.mark.parametrize(
    ("program", "peak", "floor"),
    [
        (LEGACY, 50_875, 48_375),  # Apex Legacy 50K, its own example
        (PERFORMANCE_INTRADAY, 52_100, 50_100),  # Apex PA 50K
        (PERFORMANCE_INTRADAY, 52_099, 50_099),
        (pick("Apex", "4.0 Evaluation", "challenge", 50_000, "intraday_rithmic"), 60_000, 53_000),
        (pick("Apex", "4.0 Evaluation", "challenge", 50_000, "intraday_tradovate"), 60_000, 58_000),
        (pick("Apex", "Legacy", "challenge", 100_000, "static"), 105_000, 99_375),
    ],
)
def test_official_examples_of_floors_that_follow_the_open_peak(program: Program, peak: int, floor: int) -> None:
    state = lived(program, seen(MONDAY, program.initial, peak), seen(MONDAY + timedelta(minutes=1), program.initial))
    assert max_floor(state, program) == floor


def test_the_official_daily_allowance_is_of_the_initial_balance() -> None:
    """FTMO 2-Step: 5,000 below the balance at midnight in Prague, whatever that balance is."""
    state = lived(TWO_STEP, midnight("08", 108_000))
    daily = rooms(state, TWO_STEP, seen(utc("2026-06-09 07:00"), 108_000, 107_000))[Limit.DAILY_LOSS]
    assert [daily.level, daily.allowance, daily.room, daily.left_pct] == [103_000, 5_000, 4_000, 80]
    assert daily.severity is Severity.HARD_BREACH
    assert daily.resets_at == utc("2026-06-09 22:00")
    assert daily.resets_in == timedelta(hours=15)


def midnight(day: str, balance: int | str) -> DayTurned:
    """Tell the balance at midnight in Prague, in summer, at the end of a day of June 2026."""
    return DayTurned(at=utc(f"2026-06-{day} 22:00"), balance=D(balance))


# --- What a floor is held against ------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("program", "equity", "is_broken"),
    [(TWO_STEP, "95000", False), (TWO_STEP, "94999.99", True), (COMBINE_DAILY, "49000.01", False),
     (COMBINE_DAILY, "49000", True)],
)  # fmt: skip
def test_ftmo_breaks_below_its_floor_and_topstep_at_it(program: Program, equity: str, is_broken: bool) -> None:
    at = seen(MONDAY, program.initial, equity)
    state = lived(program, at)
    assert rooms(state, program, at)[Limit.DAILY_LOSS].is_broken == is_broken
    assert [breach.limit for breach in state.breaches] == [Limit.DAILY_LOSS] * is_broken
    assert (state.is_failed, state.is_paused) == (
        is_broken and program is TWO_STEP,
        is_broken and program is not TWO_STEP,
    )


def test_equity_is_tested_at_every_moment_although_the_floor_moves_once_a_day() -> None:
    state = lived(ONE_STEP, midnight("08", 104_000))
    state = lived(ONE_STEP, seen(utc("2026-06-09 10:00"), 112_000, 93_999), since=state)
    assert max_floor(state, ONE_STEP) == 94_000, "neither 112,000 nor 93,999 has been seen at midnight"
    assert {breach.limit for breach in state.breaches} == {Limit.MAX_LOSS, Limit.DAILY_LOSS}
    again = lived(ONE_STEP, seen(utc("2026-06-09 11:00"), 112_000, 111_000), since=state)
    assert again.is_failed, "a lost account does not come back with the price"


def test_an_open_loss_that_is_carried_over_the_reset_eats_the_new_days_allowance() -> None:
    """The floor comes from the balance: 3,000 of open loss leave 2,000 of the new day's 5,000 at once."""
    before, after = seen(utc("2026-06-08 21:59"), 100_000, 97_000), seen(utc("2026-06-08 22:01"), 100_000, 97_000)
    state = lived(TWO_STEP, before)
    assert rooms(state, TWO_STEP, before)[Limit.DAILY_LOSS].room == 2_000
    state = lived(TWO_STEP, midnight("08", 100_000), after, since=state)
    daily = rooms(state, TWO_STEP, after)[Limit.DAILY_LOSS]
    assert [daily.level, daily.room, daily.left_pct] == [95_000, 2_000, 40]
    closed_in_loss = seen(utc("2026-06-08 23:00"), 97_000)
    assert rooms(lived(TWO_STEP, closed_in_loss, since=state), TWO_STEP, closed_in_loss)[Limit.DAILY_LOSS].room == 2_000


def test_an_open_profit_that_is_carried_over_the_reset_makes_room() -> None:
    after = seen(utc("2026-06-08 22:01"), 100_000, 103_000)
    state = lived(TWO_STEP, seen(utc("2026-06-08 21:59"), 100_000, 103_000), midnight("08", 100_000), after)
    assert rooms(state, TWO_STEP, after)[Limit.DAILY_LOSS].room == 8_000


def test_a_swap_at_the_rollover_belongs_to_the_day_in_which_it_is_charged() -> None:
    """The broker's midnight is an hour before Prague's: the swap lowers the reference of the day after."""
    swapped = seen(utc("2026-06-08 21:00:01"), "99950.50")
    state = lived(TWO_STEP, seen(utc("2026-06-08 20:59"), 100_000), swapped, midnight("08", "99950.50"))
    assert floor_of(state, TWO_STEP, Limit.DAILY_LOSS) == D("94950.50")


@pytest.mark.parametrize(("reading", "high"), [("at the peak", 51_500), ("afterwards", 51_500)])
def test_a_peak_between_two_snapshots_counts_where_somebody_watched(reading: str, high: int) -> None:
    later = MONDAY + timedelta(seconds=5)
    if reading == "at the peak":
        state = lived(LEGACY, seen(MONDAY, 50_000, high), seen(later, 50_000))
    else:
        state = lived(LEGACY, Snapshot(at=later, balance=D(50_000), equity=D(50_000), peak_equity=D(high)))
    assert max_floor(state, LEGACY) == high - 2_500


def test_a_floor_may_follow_the_closed_balance_and_be_held_against_it() -> None:
    """No firm that is known here does; the axes allow it."""
    assert COMBINE.max_loss is not None
    rule = replace(COMBINE.max_loss, trail=Trail.CLOSED_BALANCE, measure=Measure.CLOSED_BALANCE, lock=None)
    program = replace(COMBINE, max_loss=rule)
    state = lived(program, seen(MONDAY, 51_000, 53_000), seen(MONDAY + timedelta(hours=1), 50_500, 48_000))
    assert max_floor(state, program) == 49_000
    assert state.breaches == ()
    assert lived(program, seen(MONDAY + timedelta(hours=2), 49_000, 52_000), since=state).is_failed


# --- What nobody saw -------------------------------------------------------------------------------------------------
def test_a_balance_at_the_reset_that_nobody_saw_stays_unknown_until_it_is_told() -> None:
    last, first = seen(utc("2026-06-08 21:00"), 100_000), seen(utc("2026-06-08 23:00"), 100_700)
    state = lived(ONE_STEP, last, first)
    floors = (Limit.DAILY_LOSS, Limit.MAX_LOSS)
    found = rooms(state, ONE_STEP, first)
    assert [(found[limit].level, found[limit].room) for limit in floors] == [(None, None)] * 2
    state = lived(ONE_STEP, midnight("08", 101_000), since=state)
    found = rooms(state, ONE_STEP, first)
    assert [found[limit].level for limit in floors] == [98_000, 91_000]


def test_the_same_balance_before_and_after_proves_nothing() -> None:
    """One trade won 1,000 before midnight and another lost 1,000 after it; nobody saw the account in between."""
    state = lived(ONE_STEP, seen(utc("2026-06-08 21:00"), 100_000), seen(utc("2026-06-08 23:00"), 100_000))
    assert max_floor(state, ONE_STEP) is None
    assert max_floor(lived(ONE_STEP, midnight("08", 101_000), since=state), ONE_STEP) == 91_000


def test_a_snapshot_at_the_very_instant_tells_the_reset() -> None:
    state = lived(ONE_STEP, seen(utc("2026-06-08 22:00"), 101_000, 100_500))
    assert max_floor(state, ONE_STEP) == 91_000
    assert floor_of(state, ONE_STEP, Limit.DAILY_LOSS) == 98_000


def test_a_locked_floor_needs_no_close_that_was_missed() -> None:
    state = lived(COMBINE, *closes(COMBINE, 52_500), seen(utc("2026-06-10 12:00"), 53_000))
    assert state.unknown_closes
    assert max_floor(state, COMBINE) == 50_000


def test_room_is_unknown_when_a_reset_has_passed_and_the_account_was_not_seen_since() -> None:
    at = seen(utc("2026-06-08 21:59"), 100_000)
    state = lived(ONE_STEP, at)
    now = utc("2026-06-08 22:00")
    assert [room.level for room in headroom(state, at, ONE_STEP, now) if room.bound is Bound.FLOOR] == [None, None]
    assert [room.level for room in headroom(state, at, TWO_STEP, now) if room.bound is Bound.FLOOR] == [None, 90_000]


def test_an_account_with_a_past_has_no_floor_until_somebody_tells_where_it_stands() -> None:
    at = seen(MONDAY, 103_000)
    unknown = lived(ONE_STEP, at, since=joined(ONE_STEP, at=MONDAY))
    assert floor_of(unknown, ONE_STEP) is None
    assert floor_of(unknown, ONE_STEP, Limit.DAILY_LOSS) is None
    known = lived(ONE_STEP, at, since=joined(ONE_STEP, at=MONDAY, day_start=D(102_000), high=D(106_000)))
    assert floor_of(known, ONE_STEP) == 96_000
    assert floor_of(known, ONE_STEP, Limit.DAILY_LOSS) == 99_000
    static = lived(TWO_STEP, at, since=joined(TWO_STEP, at=MONDAY))
    assert floor_of(static, TWO_STEP) == 90_000


def test_an_amount_that_the_firm_sets_per_account_is_shown_as_unknown() -> None:
    at = seen(MONDAY, 50_000)
    found = rooms(lived(LIVE, at), LIVE, at)
    assert [(room.room, room.left_pct, room.is_broken) for room in found.values()] == [(None, None, False)] * 2
    assert found[Limit.DAILY_LOSS].severity is Severity.SOFT_PAUSE


def test_a_moment_that_is_no_reset_is_a_fault_of_ours() -> None:
    with pytest.raises(ValueError, match="neither a reset nor a close of FTMO 1-Step"):
        lived(ONE_STEP, DayTurned(at=utc("2026-06-08 23:00"), balance=D(1)))


# --- Money that moves ------------------------------------------------------------------------------------------------
def paid(amount: int, left: int, number: int = 1) -> Withdrawal:
    return Withdrawal(number=number, at=utc("2026-06-10 12:00"), amount=D(amount), balance_after=D(left))


@pytest.mark.parametrize(
    ("program", "balances", "payout", "before", "after"),
    [
        (ONE_STEP, [106_000, 106_000], paid(6_000, 100_000), 96_000, 90_000),  # the trail begins anew
        (ONE_STEP, [106_000, 106_000], paid(2_000, 104_000), 96_000, 94_000),
        (ONE_STEP, [106_000, 106_000], paid(7_000, 99_000), 96_000, 90_000),  # from the initial balance at least
        (TWO_STEP, [106_000, 106_000], paid(6_000, 100_000), 90_000, 90_000),
        (EXPRESS, [1_000, 1_000], paid(500, 500), -1_000, 0),  # the floor is 0 after the first payout
        (PERFORMANCE, [52_000, 51_800], paid(500, 51_300), 50_000, 50_000),  # kept
    ],
)
def test_a_payout_is_no_loss_and_moves_the_trail_as_the_program_says(
    program: Program, balances: list[int], payout: Withdrawal, before: int, after: int
) -> None:
    state = lived(program, *nights(program, *balances))
    assert max_floor(state, program) == before
    untouched = rooms(state, program, seen(payout.at, payout.balance_after + payout.amount))
    state = advance(state, payout, program)
    assert max_floor(state, program) == after
    assert state.payouts == 1
    found = rooms(state, program, seen(payout.at, payout.balance_after))
    if Limit.DAILY_LOSS in found:
        assert found[Limit.DAILY_LOSS].room == untouched[Limit.DAILY_LOSS].room
        assert not found[Limit.DAILY_LOSS].is_broken


def test_after_a_payout_the_close_counts_again() -> None:
    state = lived(ONE_STEP, *closes(ONE_STEP, 106_000, 106_000), paid(6_000, 100_000))
    state = lived(ONE_STEP, midnight("10", 101_500), since=state)
    assert max_floor(state, ONE_STEP) == 91_500


def test_what_is_older_than_the_payout_says_nothing_any_more() -> None:
    state = lived(LEGACY, seen(utc("2026-06-10 11:00"), 53_000, 53_100), paid(1_000, 52_000))
    assert [state.balance, state.equity] == [52_000, 52_100]
    late: tuple[Event, ...] = (
        Settled(number=2, at=utc("2026-06-10 10:00"), profit=D(900)),
        seen(utc("2026-06-10 11:59"), 53_000, 59_000),
    )
    assert lived(LEGACY, *late, since=state) == replace(state, number=2)


def test_a_deposit_makes_no_room() -> None:
    state = lived(COMBINE_DAILY, *closes(COMBINE_DAILY, 50_500))
    before = rooms(state, COMBINE_DAILY, seen(MONDAY + timedelta(days=1), 50_200))
    more = Deposit(number=1, at=utc("2026-06-09 12:00"), amount=D(1_000), balance_after=D(51_200))
    state = lived(COMBINE_DAILY, more, since=state)
    after = rooms(state, COMBINE_DAILY, seen(MONDAY + timedelta(days=1), 51_200))
    assert {limit: room.room for limit, room in after.items()} == {limit: room.room for limit, room in before.items()}


# --- Other rules -----------------------------------------------------------------------------------------------------
def test_a_state_goes_on_under_another_amount() -> None:
    assert COMBINE.max_loss is not None
    tighter = replace(COMBINE, max_loss=replace(COMBINE.max_loss, amount=D(1_800)))
    state = lived(COMBINE, *closes(COMBINE, 50_500))
    after = carried(state, COMBINE, tighter, at=state.turned_at)
    assert after == state
    assert [max_floor(state, COMBINE), max_floor(after, tighter)] == [48_500, 48_700]


def test_under_another_clock_the_day_is_not_known_until_its_reset() -> None:
    clock = ResetClock(zone="Europe/Prague", at=time(1))
    later = replace(ONE_STEP, day=clock, close=clock)
    state = lived(ONE_STEP, midnight("08", 104_000), paid(1_000, 103_000, number=7))
    after = carried(state, ONE_STEP, later, at=utc("2026-06-10 13:00"))
    assert (after.number, after.payouts, after.results) == (7, 1, state.results)
    assert (after.day_start, floor_of(after, later, Limit.DAILY_LOSS)) == (None, None)
    turned = advance(after, DayTurned(at=utc("2026-06-10 23:00"), balance=D(103_000)), later)
    assert floor_of(turned, later, Limit.DAILY_LOSS) == 100_000


def test_a_floor_that_follows_something_else_from_now_on_is_not_known() -> None:
    state = lived(TWO_STEP, midnight("08", 104_000))
    assert max_floor(carried(state, TWO_STEP, ONE_STEP, at=state.turned_at), ONE_STEP) is None
    state = lived(ONE_STEP, midnight("08", 104_000))
    assert max_floor(carried(state, ONE_STEP, TWO_STEP, at=state.turned_at), TWO_STEP) == 90_000
    lost = lived(TWO_STEP, seen(MONDAY, 100_000, 80_000))
    assert carried(lost, TWO_STEP, COMBINE, at=MONDAY).is_failed, "an account that was lost stays lost"


# --- Repetition ------------------------------------------------------------------------------------------------------
def test_a_repeated_reset_does_not_bring_back_what_was_paid_out() -> None:
    turn = midnight("09", 106_000)
    state = lived(ONE_STEP, turn, paid(6_000, 100_000))
    assert advance(state, turn, ONE_STEP) == state
    assert advance(state, replace(turn, balance=D(90_000)), ONE_STEP) == state, "what is known is not told anew"
    assert floor_of(state, ONE_STEP, Limit.DAILY_LOSS) == 97_000


def test_a_reset_in_an_hour_that_comes_twice_is_known_in_any_zone() -> None:
    """Python calls two moments of different zones unequal when one of them stands in such an hour."""
    clock = ResetClock(zone="Europe/Prague", at=time(2, 30))
    program = replace(ONE_STEP, day=clock, close=clock)
    told_in_prague = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Prague"))
    state = opened(program, at=utc("2026-10-24 12:00"))
    state = lived(program, DayTurned(at=told_in_prague, balance=D(101_000)), since=state)
    assert max_floor(state, program) == 91_000
    assert floor_of(state, program, Limit.DAILY_LOSS) == 98_000


@pytest.mark.parametrize(("equity", "left"), [(48_667, "33.35"), ("48666.79", "33.33"), ("47998.89", "-0.06")])
def test_what_is_left_is_rounded_down(equity: int | str, left: str) -> None:
    at = seen(MONDAY, 50_000, equity)
    assert rooms(lived(COMBINE, at), COMBINE, at)[Limit.MAX_LOSS].left_pct == D(left)


def test_a_late_snapshot_raises_the_peak_and_nothing_else() -> None:
    state = lived(LEGACY, seen(MONDAY + timedelta(hours=1), 50_000))
    late = lived(LEGACY, seen(MONDAY, 50_000, 51_000), since=state)
    assert late == replace(state, high=D(51_000))


def test_an_entry_whose_number_was_passed_is_a_repetition() -> None:
    entries: list[Event] = [Opened(number=1, at=MONDAY), Settled(number=2, at=MONDAY, profit=D(70)),
               Settled(number=3, at=MONDAY, profit=D(70))]  # fmt: skip
    state = lived(TWO_STEP, *entries)
    assert lived(TWO_STEP, *entries, since=state) == state
    assert [state.day_realised, len(state.traded), state.number] == [140, 1, 3]


# --- Tiers, best day -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("profit", "minis", "daily"),
    [(-500, 2, 1_000), (0, 2, 1_000), (1_499, 2, 1_000), (1_500, 3, 1_000), (3_000, 4, 2_000), (6_000, 4, 3_000)],
)
def test_tiers_are_set_by_the_close(profit: int, minis: int, daily: int) -> None:
    start = opened(PERFORMANCE, at=MONDAY)
    within_the_day = lived(PERFORMANCE, seen(MONDAY, 50_000 + profit), since=start)
    assert max_minis(within_the_day, PERFORMANCE) == 2
    state = lived(PERFORMANCE, *nights(PERFORMANCE, 50_000 + profit), since=start)
    assert max_minis(state, PERFORMANCE) == minis
    at = seen(state.turned_at, 50_000 + profit)
    assert rooms(state, PERFORMANCE, at)[Limit.DAILY_LOSS].allowance == daily
    assert max_minis(opened(COMBINE, at=MONDAY), COMBINE) == 5


def test_the_best_day_leaves_room_for_this_one() -> None:
    days = [
        Settled(number=number, at=MONDAY + timedelta(days=number), profit=D(profit))
        for number, profit in enumerate((600, -200, 100), start=1)
    ]
    for program, ceiling in ((ONE_STEP, 600), (PERFORMANCE, 400)):  # of positive days; of the whole profit
        at = seen(MONDAY + timedelta(days=3, minutes=1), program.initial + 500)
        found = rooms(lived(program, at, *days), program, at)[Limit.BEST_DAY]
        assert found.bound is Bound.CEILING
        assert [found.level, found.value, found.room] == [ceiling, 100, ceiling - 100]
        assert (found.severity, found.is_broken) == (Severity.PAYOUT_BLOCK, False)


# --- Warnings --------------------------------------------------------------------------------------------------------
def test_each_level_is_told_once_a_day_and_anew_after_the_reset() -> None:
    state, said = opened(TWO_STEP, at=MONDAY), []
    for hour, equity in enumerate((98_000, 97_000, 96_500, 97_500, 96_900, 95_200, 95_000, 94_999, 99_000)):
        after = advance(state, seen(MONDAY + timedelta(hours=hour), 100_000, equity), TWO_STEP)
        said.append([(crossing.limit, crossing.percent) for crossing in crossings(state, after)])
        state = after
    daily = Limit.DAILY_LOSS
    assert said == [[], [(daily, 60)], [], [], [], [(daily, 80), (daily, 95)], [(daily, 100)], [], []]
    state = advance(state, midnight("08", 100_000), TWO_STEP)
    after = advance(state, seen(utc("2026-06-08 22:30"), 100_000, 96_000), TWO_STEP)
    assert crossings(state, after) == (Crossing(limit=daily, percent=60), Crossing(limit=daily, percent=80))
    assert crossings(after, after) == ()


def test_a_loss_that_goes_on_for_days_is_told_once_and_again_after_a_recovery() -> None:
    state, said = opened(COMBINE, at=MONDAY), []
    for day, equity in enumerate((48_700, 48_600, 49_500, 48_700, 48_700)):
        state = lived(COMBINE, *closes(COMBINE, *[50_000] * day)[-1:], since=state)
        after = advance(state, seen(MONDAY + timedelta(days=day), 50_000, equity), COMBINE)
        said.append([crossing.percent for crossing in crossings(state, after)])
        state = after
    assert said == [[60], [], [], [60], []]


def test_a_pause_ends_with_its_day_and_a_lost_account_stays_lost() -> None:
    at = seen(MONDAY, 50_000, 48_950)
    state = lived(COMBINE_DAILY, at)
    assert (state.is_paused, state.is_failed) == (True, False)
    tomorrow = seen(utc("2026-06-08 22:00:00"), 50_000)
    assert lived(COMBINE_DAILY, tomorrow, since=state).breaches == ()
    lost = lived(COMBINE_DAILY, seen(MONDAY, 50_000, 47_000), tomorrow)
    assert [breach.limit for breach in lost.breaches] == [Limit.MAX_LOSS]
    assert lost.is_failed


# --- Random lives, against the slow reference ------------------------------------------------------------------------
@pytest.mark.parametrize("key", PROGRAMS, ids=lambda key: f"{key[1]} {key[4]}{' daily' if key[5] else ''}")
def test_random_lives_agree_with_the_slow_reference(key: tuple[str, str, str, int, str, bool]) -> None:
    program, words = pick(*key), PROGRAMS[key]
    for seed in range(PATHS):
        random = Random(f"{key} {seed}")
        ticks = life(program, random)
        slow = SlowReference(words, ticks)
        start = state = opened(program, at=ticks[0].at - timedelta(hours=1))
        history: list[Event] = []
        breaches, said = [], []
        for place, event in told(program, ticks, random, is_late=False):
            after = advance(state, event, program)
            assert advance(after, event, program) == after, (seed, event)
            said += [(ticks[place].at, crossing.limit, crossing.percent) for crossing in crossings(state, after)]
            breaches += [(b.at, b.limit) for b in after.breaches if b not in state.breaches]
            state = after
            history.append(event)
            if isinstance(event, Snapshot):
                found = rooms(state, program, event)
                assert found[Limit.MAX_LOSS].level == slow.max_floor(place), (seed, place)
                daily = found.get(Limit.DAILY_LOSS)
                assert (daily and daily.level) == slow.daily_floor(place), (seed, place)
                results = {program.day.start(result.day): result.profit for result in state.results}
                assert list(results.values()) == list(slow.results(place).values()), (seed, place)
        assert sorted(breaches) == [(broken.at, broken.limit) for broken in slow.broken()], seed
        assert sorted(said) == slow.warnings(), seed
        assert rebuild(start, history, program) == state
        assert reduce(lambda s, e: advance(s, e, program), [e for e in history for _ in range(2)], start) == state


@pytest.mark.parametrize("key", PROGRAMS, ids=lambda key: f"{key[1]} {key[4]}{' daily' if key[5] else ''}")
def test_what_is_told_late_is_unknown_first_and_right_in_the_end(key: tuple[str, str, str, int, str, bool]) -> None:
    program, words = pick(*key), PROGRAMS[key]
    unknown = 0
    for seed in range(PATHS // 2):
        random = Random(f"late {key} {seed}")
        ticks = life(program, random)
        slow = SlowReference(words, ticks)
        state = opened(program, at=ticks[0].at - timedelta(hours=1))
        place = 0
        for place, event in told(program, ticks, random, is_late=True):
            state = advance(state, event, program)
            if isinstance(event, Snapshot):
                found = rooms(state, program, event)
                daily = found.get(Limit.DAILY_LOSS)
                assert found[Limit.MAX_LOSS].level in (slow.max_floor(place), None), (seed, place)
                assert (daily and daily.level) in (slow.daily_floor(place), None), (seed, place)
                unknown += not is_whole(state)
        assert is_whole(state)
        assert max_floor(state, program) == slow.max_floor(place), seed
    assert unknown


@given(
    room=st.integers(-2_000, 12_000), allowance=st.integers(1, 10_000), touch=st.sampled_from(Touch)
)  # fmt: skip
def test_no_level_of_100_is_missing_where_a_floor_is_broken(room: int, allowance: int, touch: Touch) -> None:
    assert TWO_STEP.daily_loss is not None
    program = replace(TWO_STEP, daily_loss=replace(TWO_STEP.daily_loss, amount=D(allowance), touch=touch))
    at = seen(MONDAY, 100_000, 100_000 - allowance + room)
    state = lived(program, at)
    daily = rooms(state, program, at)[Limit.DAILY_LOSS]
    assert daily.room == room
    assert not daily.is_broken or daily.used_percent == 100
    assert daily.is_broken == (room < 0 or (room == 0 and touch is Touch.AT_OR_BELOW))

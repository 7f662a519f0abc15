"""Days and deadlines by wall clocks: the weekends on which Prague, Chicago and New York differ, and early closes."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from risk_management.compliance.clock import FlatBy, ResetClock
from risk_management.tests.programs import pick, utc

PRAGUE = ResetClock(zone="Europe/Prague", at=time(0))
CHICAGO = ResetClock(zone="America/Chicago", at=time(17))
NEW_YORK = ResetClock(zone="America/New_York", at=time(18))
CLOSE = ResetClock(zone="America/New_York", at=time(16, 59, 59))
CLOCKS = (PRAGUE, CHICAGO, NEW_YORK, CLOSE)


@pytest.mark.parametrize(
    ("clock", "day", "begins"),
    [
        # The United States change on 8 March and 1 November 2026, Europe on 29 March and 25 October.
        (PRAGUE, "2026-03-29", "2026-03-28 23:00"), (PRAGUE, "2026-03-30", "2026-03-29 22:00"),
        (PRAGUE, "2026-10-25", "2026-10-24 22:00"), (PRAGUE, "2026-10-26", "2026-10-25 23:00"),
        (CHICAGO, "2026-03-08", "2026-03-07 23:00"), (CHICAGO, "2026-03-09", "2026-03-08 22:00"),
        (CHICAGO, "2026-11-01", "2026-10-31 22:00"), (CHICAGO, "2026-11-02", "2026-11-01 23:00"),
        (NEW_YORK, "2026-03-09", "2026-03-08 22:00"), (NEW_YORK, "2026-11-02", "2026-11-01 23:00"),
        (CLOSE, "2026-03-09", "2026-03-08 20:59:59"), (CLOSE, "2026-11-02", "2026-11-01 21:59:59"),
    ],
)  # fmt: skip
def test_a_day_begins_by_the_wall_clock(clock: ResetClock, day: str, begins: str) -> None:
    start = clock.start(date.fromisoformat(day))
    assert start == utc(begins)
    assert clock.day_of(start) == date.fromisoformat(day)
    assert clock.day_of(start - timedelta(microseconds=1)) == date.fromisoformat(day) - timedelta(days=1)
    assert clock.next_reset(start - timedelta(microseconds=1)) == start
    assert clock.next_reset(start) > start


@pytest.mark.parametrize(
    ("clock", "day", "hours"),
    [(PRAGUE, "2026-03-29", 23), (PRAGUE, "2026-10-25", 25), (PRAGUE, "2026-03-08", 24), (CHICAGO, "2026-03-08", 23),
     (CHICAGO, "2026-11-01", 25), (CHICAGO, "2026-03-29", 24), (NEW_YORK, "2026-03-08", 23)],
)  # fmt: skip
def test_days_have_23_or_25_hours_where_the_clock_changes(clock: ResetClock, day: str, hours: int) -> None:
    start = clock.start(date.fromisoformat(day))
    assert clock.next_reset(start) - start == timedelta(hours=hours)


def test_between_the_two_changes_prague_is_an_hour_nearer_to_chicago() -> None:
    """A fixed offset is wrong for three weeks in spring and one in autumn."""
    gaps = {
        day: CHICAGO.start(date.fromisoformat(day)) - PRAGUE.start(date.fromisoformat(day))
        for day in ("2026-03-06", "2026-03-10", "2026-03-31", "2026-10-23", "2026-10-27", "2026-11-03")
    }
    assert [int(gap.total_seconds()) for gap in gaps.values()] == [0, -3_600, 0, 0, -3_600, 0]


def test_sunday_evening_in_chicago_is_monday() -> None:
    assert CHICAGO.day_of(utc("2026-06-07 22:00")) == date(2026, 6, 8)
    assert CHICAGO.day_of(utc("2026-06-07 21:59")) == date(2026, 6, 7)
    assert PRAGUE.day_of(utc("2026-06-07 21:59")) == date(2026, 6, 7)


@pytest.mark.parametrize(
    ("zone", "at", "day", "begins"),
    [
        ("America/New_York", time(2, 30), "2026-03-08", "2026-03-08 07:30"),  # jumped over: as if it had not jumped
        ("America/New_York", time(1, 30), "2026-11-01", "2026-11-01 05:30"),  # twice: the first
        ("Africa/Cairo", time(0), "2026-04-24", "2026-04-23 22:00"),  # midnight itself is jumped over
    ],
)
def test_a_time_that_is_not_there_or_there_twice_begins_one_day(zone: str, at: time, day: str, begins: str) -> None:
    clock = ResetClock(zone=zone, at=at)
    start = clock.start(date.fromisoformat(day))
    assert start == utc(begins)
    assert clock.day_of(start) == date.fromisoformat(day)
    assert clock.day_of(start - timedelta(seconds=1)) == date.fromisoformat(day) - timedelta(days=1)


MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2028, 12, 31), timezones=st.just(UTC))


@given(clock=st.sampled_from(CLOCKS), moment=MOMENTS)
def test_every_moment_has_one_day(clock: ResetClock, moment: datetime) -> None:
    day = clock.day_of(moment)
    start, end = clock.start(day), clock.next_reset(moment)
    assert start <= moment < end
    assert end == clock.start(day + timedelta(days=1))
    assert timedelta(hours=23) <= end - start <= timedelta(hours=25)
    assert start.astimezone(ZoneInfo(clock.zone)).time() == clock.at
    assert clock.day_of(moment.astimezone(ZoneInfo("Asia/Tokyo"))) == day


@given(clock=st.sampled_from(CLOCKS), moment=MOMENTS, hours=st.integers(0, 400))
def test_resets_are_all_there_once(clock: ResetClock, moment: datetime, hours: int) -> None:
    until = moment + timedelta(hours=hours)
    resets = list(clock.resets(moment, until))
    assert resets == sorted(set(resets))
    assert len(resets) == (clock.day_of(until) - clock.day_of(moment)).days
    assert all(moment < reset <= until for reset in resets)


# --- Flat by ---------------------------------------------------------------------------------------------------------
def flat_by(firm: str, program: str, phase: str, variant: str = "standard") -> FlatBy:
    found = pick(firm, program, phase, 50_000, variant).flat_by
    assert found is not None
    return found


TOPSTEP = flat_by("Topstep", "Trading Combine", "challenge")
APEX = flat_by("Apex", "4.0 Evaluation", "challenge", "eod_rithmic")


@pytest.mark.parametrize(
    ("rule", "names", "now", "deadline"),
    [
        (TOPSTEP, (), "2026-11-20 12:00", "2026-11-20 21:10"),  # Friday, 15:10 in winter
        (TOPSTEP, (), "2026-06-12 12:00", "2026-06-12 20:10"),  # and in summer
        (TOPSTEP, ("NQ",), "2026-11-20 12:00", "2026-11-20 21:10"),
        (TOPSTEP, ("ZC", "grains"), "2026-11-20 12:00", "2026-11-20 19:20"),
        (TOPSTEP, ("HE",), "2026-11-20 12:00", "2026-11-20 19:05"),
        (TOPSTEP, (), "2026-11-26 12:00", "2026-11-26 17:45"),  # Thanksgiving, 11:45
        (TOPSTEP, (), "2026-11-27 12:00", "2026-11-27 18:00"),
        (TOPSTEP, ("HE",), "2026-11-27 12:00", "2026-11-27 18:00"),  # the earlier of the two
        (TOPSTEP, (), "2026-12-24 12:00", "2026-12-24 18:00"),
        (TOPSTEP, (), "2026-11-20 21:10", "2026-11-20 21:10"),
        (TOPSTEP, (), "2026-11-20 21:10:01", "2026-11-23 21:10"),  # over the weekend
        (APEX, (), "2026-03-06 12:00", "2026-03-06 21:59"),
        (APEX, (), "2026-03-09 12:00", "2026-03-09 20:59"),
    ],
)
def test_the_next_deadline(rule: FlatBy, names: tuple[str, ...], now: str, deadline: str) -> None:
    assert rule.next_deadline(utc(now), names) == utc(deadline)


@pytest.mark.parametrize(
    ("rule", "now", "is_flat"),
    [
        (TOPSTEP, "2026-11-19 21:09", False), (TOPSTEP, "2026-11-19 21:10", True), (TOPSTEP, "2026-11-19 22:59", True),
        (TOPSTEP, "2026-11-19 23:00", False),  # Thursday, 17:00: open again
        (TOPSTEP, "2026-11-20 23:30", True),  # Friday: not again
        (TOPSTEP, "2026-11-21 12:00", True), (TOPSTEP, "2026-11-22 22:59", True), (TOPSTEP, "2026-11-22 23:00", False),
        (TOPSTEP, "2026-11-26 17:44", False), (TOPSTEP, "2026-11-26 17:45", True), (TOPSTEP, "2026-11-26 23:00", False),
        (APEX, "2026-11-19 21:58", False), (APEX, "2026-11-19 21:59", True), (APEX, "2026-11-19 23:00", False),
    ],
)  # fmt: skip
def test_when_nothing_may_be_held(rule: FlatBy, now: str, is_flat: bool) -> None:
    assert rule.must_be_flat(utc(now)) == is_flat


@given(rule=st.sampled_from((TOPSTEP, APEX)), moment=MOMENTS)
def test_what_may_be_held_now_has_a_deadline_within_three_days(rule: FlatBy, moment: datetime) -> None:
    deadline = rule.next_deadline(moment)
    assert deadline >= moment
    assert rule.must_be_flat(deadline)
    if not rule.must_be_flat(moment):
        assert deadline - moment < timedelta(days=1, hours=2)

"""By when a position must be closed, and the spans of trading that this is read off."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from itertools import islice
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.sessions import ALWAYS_OPEN, Sessions
from risk_management.catalogue import hours
from risk_management.compliance.clock import FlatBy
from trading.engine.management.deadlines import break_ahead, day_end, firm_cutoff, session_end
from trading.engine.management.weekly import monday_of, week_begins
from trading.tests.trade_world import moment

CALENDARS = (hours.GLOBEX, hours.CURRENCIES, hours.GRAINS, hours.NEW_YORK, hours.MILAN, hours.LONDON, hours.CFD_DAY)
MINUTES = st.integers(0, 3 * 365 * 24 * 60)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(CALENDARS), MINUTES)
def test_spans_say_what_the_sessions_say(sessions: Sessions, minutes: int) -> None:
    """Hold the first span after a moment to being open exactly where the calendar is, at its edges and between."""
    at = moment("2026-01-01 00:00:00") + timedelta(minutes=minutes)
    (opens, closes), (next_opens, _) = islice(sessions.spans(at), 2)
    assert sessions.is_open(at) is (opens <= at)
    assert closes > at
    assert sessions.closes_at(max(at, opens)) == closes
    assert next_opens >= closes
    minute = timedelta(minutes=1)
    assert sessions.is_open(closes - minute)
    assert sessions.is_open(closes) is (next_opens == closes)
    if opens > at:
        assert not sessions.is_open(opens - minute)


@pytest.mark.parametrize(
    ("opened_at", "ends"),
    [
        ("2026-11-25 20:00:00", "2026-11-25 22:00:00"),  # Wednesday: 16:00 in Chicago
        ("2026-11-25 23:30:00", "2026-11-26 18:00:00"),  # that evening Thanksgiving begins, and ends at noon
        ("2026-11-27 15:00:00", "2026-11-27 18:15:00"),
        ("2026-12-24 15:00:00", "2026-12-24 18:15:00"),
        ("2026-12-24 19:00:00", "2026-12-28 22:00:00"),  # opened where nothing is open: the next session
    ],
)
def test_a_session_ends_early_where_the_calendar_says_so(opened_at: str, ends: str) -> None:
    found = session_end(hours.GLOBEX, opened_at=moment(opened_at))
    assert found is not None
    assert found.at == moment(ends)


def test_where_the_calendar_ends_nothing_is_known_of_a_session() -> None:
    assert session_end(hours.GLOBEX, opened_at=moment("2031-06-02 15:00:00")) is None


@pytest.mark.parametrize(
    ("sessions", "opened_at", "longest", "closes"),
    [
        (hours.CURRENCIES, "2026-03-25 12:00:00", timedelta(days=1), "2026-03-27 21:00:00"),
        (hours.GLOBEX, "2026-03-25 12:00:00", timedelta(days=1), "2026-03-27 21:00:00"),
        (hours.GLOBEX, "2026-03-25 12:00:00", timedelta(minutes=59), "2026-03-25 21:00:00"),  # the hour at 16:00
        (hours.GLOBEX, "2026-03-25 12:00:00", timedelta(minutes=60), "2026-03-27 21:00:00"),
        (hours.CURRENCIES, "2026-12-24 12:00:00", timedelta(days=1), "2026-12-24 22:00:00"),  # Christmas and a weekend
        (hours.NEW_YORK, "2026-03-25 15:00:00", timedelta(hours=2), "2026-03-25 20:00:00"),
        (hours.CURRENCIES, "2030-12-31 12:00:00", timedelta(days=1), "2030-12-31 22:00:00"),  # the calendar ends
    ],
)
def test_a_break_that_is_too_long(sessions: Sessions, opened_at: str, longest: timedelta, closes: str) -> None:
    found = break_ahead(sessions, opened_at=moment(opened_at), longest=longest)
    assert found is not None
    assert found.at == moment(closes)


def test_what_is_never_closed_has_no_break() -> None:
    assert break_ahead(ALWAYS_OPEN, opened_at=moment("2026-03-25 12:00:00")) is None


CLOCK = FlatBy(
    zone="America/New_York", at=time(15, 45), reopen=time(18), earlier={},
    early_closes=MappingProxyType({date(2026, 11, 27): time(12, 45)}),
)  # fmt: skip


@pytest.mark.parametrize(
    ("opened_at", "by"),
    [
        ("2026-11-25 15:00:00", "2026-11-25 20:45:00"),
        ("2026-11-27 15:00:00", "2026-11-27 17:45:00"),  # a half day
        ("2026-11-25 20:45:00", "2026-11-25 20:45:00"),  # too late already: at once
        ("2026-11-25 22:00:00", "2026-11-25 22:00:00"),
        ("2026-11-28 12:00:00", "2026-11-28 12:00:00"),  # on a Saturday
        ("2026-03-06 23:30:00", "2026-03-06 23:30:00"),  # Friday evening: closed until Sunday
        ("2026-03-08 22:30:00", "2026-03-09 19:45:00"),  # the Sunday on which New York's clocks went forward
    ],
)
def test_a_day_ends_where_its_clock_hangs(opened_at: str, by: str) -> None:
    assert day_end(CLOCK, opened_at=moment(opened_at)).at == moment(by)
    assert firm_cutoff(CLOCK, opened_at=moment(opened_at)).at == moment(by)


@given(MINUTES, MINUTES)
def test_a_deadline_that_was_missed_stays_missed(opened: int, later: int) -> None:
    """Hold the deadline to the opening: whenever it is asked for, it is the same, and never long past the opening."""
    at = moment("2026-01-01 00:00:00") + timedelta(minutes=opened)
    deadline = day_end(CLOCK, opened_at=at)
    assert at <= deadline.at <= at + timedelta(days=3, hours=1)
    if not CLOCK.must_be_flat(at):
        now = at + timedelta(minutes=later % (24 * 60))
        assert CLOCK.must_be_flat(now) <= (now >= deadline.at)


@pytest.mark.parametrize(
    ("at", "zone", "monday"),
    [
        ("2026-03-15 21:59:59", "Europe/Helsinki", "2026-03-09"),
        ("2026-03-15 22:00:00", "Europe/Helsinki", "2026-03-16"),
        ("2026-03-29 20:59:59", "Europe/Helsinki", "2026-03-23"),  # on this Sunday the clocks go forward
        ("2026-03-29 21:00:00", "Europe/Helsinki", "2026-03-30"),
        ("2026-03-16 03:59:59", "America/New_York", "2026-03-09"), ("2026-03-15 15:00:00", "Asia/Tokyo", "2026-03-16"),
    ],
)  # fmt: skip
def test_a_week_begins_on_monday_where_the_account_is(at: str, zone: str, monday: str) -> None:
    found = monday_of(moment(at), zone)
    assert found == date.fromisoformat(monday)
    assert week_begins(found, zone) <= moment(at) < week_begins(found + timedelta(days=7), zone)


def test_a_week_of_twenty_five_hour_days() -> None:
    begins = week_begins(date(2026, 10, 19), "Europe/Helsinki")
    assert week_begins(date(2026, 10, 26), "Europe/Helsinki") - begins == timedelta(days=7, hours=1)
    assert isinstance(begins, datetime)

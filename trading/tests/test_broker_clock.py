"""Learning a broker's clock from what arrives: right, safe when wrong, and never from one arrival."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.signals import ClockStamp
from trading.engine.broker_clock import Arrival, ClockReading, DeclaredClock, learn, to_utc, vote

START = datetime(2025, 3, 3, 9, 0, 30, tzinfo=UTC)


def seen(made: datetime, offset_s: int, late_s: int = 2) -> Arrival:
    shown = int(made.timestamp()) + offset_s
    return Arrival(stamp=ClockStamp(shown - shown % 60, 60), at=made + timedelta(seconds=late_s))


def series(
    offset_s: int, count: int = 6, start: datetime = START, every_min: int = 7, late_s: int = 2
) -> list[Arrival]:
    return [seen(start + timedelta(minutes=every_min * n), offset_s, late_s) for n in range(count)]


@settings(deadline=None)
@given(
    quarter=st.integers(-48, 56),
    lags=st.lists(st.tuples(st.integers(0, 59), st.integers(0, 600)), min_size=3, max_size=20),
)
def test_any_quarter_hour_is_learnt(quarter: int, lags: list[tuple[int, int]]) -> None:
    offset_s = quarter * 900
    arrivals = [
        seen(START.replace(second=second) + timedelta(minutes=11 * n), offset_s, late)
        for n, (second, late) in enumerate(lags)
    ]
    found = learn(arrivals)
    assert found.offset_s == offset_s
    assert found.confidence == 1


def test_two_arrivals_are_not_enough_and_a_repeated_sight_is_no_arrival() -> None:
    arrivals = series(7_200, count=2)
    assert learn(arrivals).offset_s is None
    assert learn([arrivals[0]] * 9).offset_s is None
    assert learn([]).offset_s is None
    assert to_utc(arrivals[0].stamp, learn(arrivals)) is None


def test_a_file_of_last_week_does_not_vote() -> None:
    old = Arrival(stamp=ClockStamp(int(START.timestamp()) - 6 * 86_400, 60), at=START)
    assert vote(old) is None
    assert learn([old, *series(7_200)]).offset_s == 7_200


def test_late_ones_are_outvoted() -> None:
    arrivals = series(10_800, count=8)
    arrivals[2:4] = series(10_800, count=2, start=START + timedelta(minutes=14), late_s=2_400)
    found = learn(arrivals)
    assert (found.offset_s, found.confidence) == (10_800, Decimal("0.75"))


def test_summer_time_begins_after_three_votes() -> None:
    """A larger distance makes stamps older: it is safe to believe soon."""
    before, after = series(7_200, count=5), series(10_800, count=3, start=START + timedelta(days=30))
    assert learn(before + after[:2], believed_s=7_200).offset_s == 7_200
    found = learn(before + after, believed_s=7_200)
    assert (found.offset_s, found.drift_s) == (10_800, 3_600)


def test_summer_time_ends_after_five_votes_that_keep_their_lag() -> None:
    after = series(7_200, count=5, every_min=10)
    assert learn(after[:4], believed_s=10_800).offset_s == 10_800
    assert learn(series(7_200, count=5, every_min=2), believed_s=10_800).offset_s == 10_800, "too soon"
    assert learn(after, believed_s=10_800).offset_s == 7_200


@settings(deadline=None)
@given(st.lists(st.integers(900, 7_000), min_size=5, max_size=30), st.integers(0, 20))
def test_a_backlog_never_makes_old_signals_look_fresh(lateness: list[int], gap_min: int) -> None:
    """After an outage everything arrives at once, each later than the next: the clock must not follow."""
    arrived = START + timedelta(hours=3)
    late = sorted(lateness, reverse=True)
    arrivals = []
    for n, late_s in enumerate(late):
        made = arrived - timedelta(seconds=late_s)
        shown = int(made.timestamp()) + 7_200
        arrivals.append(Arrival(stamp=ClockStamp(shown - shown % 60, 60), at=arrived + timedelta(seconds=n)))
    found = learn(series(7_200, every_min=gap_min + 1) + arrivals, believed_s=7_200)
    assert found.offset_s == 7_200


def test_a_declared_clock_rules_from_the_first_arrival() -> None:
    new_york = DeclaredClock(zone="America/New_York", shift_s=7 * 3_600)
    first = series(7_200, count=1)
    found = learn(first, declared=new_york)
    assert found.offset_s == 7_200
    interval = to_utc(first[0].stamp, found)
    assert interval is not None
    assert interval.earliest <= START < interval.latest


@pytest.mark.parametrize(
    ("day", "offset_h"),
    [("2025-03-07", 2), ("2025-03-12", 3), ("2025-07-01", 3), ("2025-10-30", 3), ("2025-11-05", 2)],
)
def test_seven_hours_ahead_of_new_york_follows_new_york(day: str, offset_h: int) -> None:
    """The American dates of summer time, on which a clock declared as Athens would be wrong for weeks."""
    made = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    arrival = seen(made, offset_h * 3_600)
    assert DeclaredClock(zone="America/New_York", shift_s=25_200).offset_at(arrival.stamp) == offset_h * 3_600


def test_a_declaration_that_is_contradicted_leaves_nothing_known() -> None:
    athens = DeclaredClock(zone="Europe/Athens")
    found = learn(series(0), declared=athens)
    assert (found.offset_s, found.learnt_s, found.drift_s) == (None, 0, -7_200)
    assert to_utc(series(0)[0].stamp, found) is None


def test_an_interval_is_as_wide_as_the_stamp() -> None:
    clock = ClockReading(offset_s=3_600, learnt_s=3_600, arrivals=5, agreeing=5)
    for resolution_s in (1, 60):
        interval = to_utc(ClockStamp(1_754_296_080, resolution_s), clock)
        assert interval is not None
        assert (interval.latest - interval.earliest).total_seconds() == resolution_s
        assert interval.earliest == datetime(2025, 8, 4, 7, 28, tzinfo=UTC)

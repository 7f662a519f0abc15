"""What the beat does again and again: once in its time, and not all at the same moment."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest

from mikrobot_platform.celery import TIMETABLE, app
from mikrobot_platform.turns import Turn

BEGAN = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


@pytest.mark.parametrize(
    ("last", "now", "is_due", "left"),
    [
        (2.0, 4.0, False, 3.0),  # it ran in this turn
        (2.0, 7.0, True, 5.0),
        (6.9, 7.1, True, 4.9),  # late by a whole turn, and then in its place again
        (7.1, 11.9, False, 0.1),
        (-3_600.0, 9.0, True, 3.0),  # nobody was there for an hour: once is enough
        (9.0, 8.0, False, 4.0),  # the clock was put back
    ],
)
def test_it_comes_due_once_in_every_turn(last: float, now: float, is_due: bool, left: float) -> None:
    told = Turn(5.0, 2.0, lambda: at(now)).is_due(at(last))
    assert (told.is_due, told.next) == (is_due, pytest.approx(left))


def test_the_timetable_spreads_over_its_shortest_time() -> None:
    places = sorted(entry["schedule"].place_s for entry in app.conf.beat_schedule.values())
    assert len(places) == len(TIMETABLE)
    assert all(later - earlier > 0.2 for earlier, later in pairwise(places))
    assert places[-1] < min(TIMETABLE.values())


def test_the_beat_can_write_it_down_and_sees_when_it_was_changed() -> None:
    turn = Turn(5.0, 2.0)
    assert pickle.loads(pickle.dumps(turn)) == turn
    assert turn != Turn(5.0, 2.1)
    assert turn != Turn(6.0, 2.0)

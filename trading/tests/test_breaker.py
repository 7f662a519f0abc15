"""A breaker opens after five failures, stays open for half a minute, and closes after three successes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.engine.breaker import Breaker

NOW = datetime(2026, 3, 2, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def after(what: str, start: Breaker = Breaker()) -> Breaker:  # noqa: B008 - a value that never changes
    return reduce(lambda breaker, one: breaker.failed(NOW) if one == "f" else breaker.succeeded(), what, start)


@pytest.mark.parametrize(
    ("what", "is_open"),
    [("", False), ("ffff", False), ("fffff", True), ("ffffsffff", False), ("fffffs", True), ("fffffsss", False)],
)
def test_it_opens_after_five_in_a_row_and_is_trusted_after_three(what: str, is_open: bool) -> None:
    assert (after(what).open_until is not None) == is_open


def test_after_its_time_it_lets_through_and_one_failure_opens_it_again() -> None:
    open_ = after("fffff")
    assert not open_.lets_through(NOW + 29 * SECOND)
    assert open_.lets_through(NOW + 30 * SECOND)
    again = open_.succeeded().failed(NOW + 31 * SECOND)
    assert not again.lets_through(NOW + 60 * SECOND)
    assert again.lets_through(NOW + 61 * SECOND)
    assert again.successes == 0


@given(st.text(alphabet="fs", max_size=40))
def test_it_never_holds_longer_than_its_time(what: str) -> None:
    assert after(what).lets_through(NOW + 30 * SECOND)
    assert after(what + "sss") == Breaker()

"""The drills of orders, short: with a few accounts, at a venue of their own, and never judged by the clock."""

from __future__ import annotations

from pathlib import Path

from mikrobot_platform.drills import emergency_stop
from trading.tests.story import venue


def test_everybody_who_answers_is_flat_and_the_others_are_named(tmp_path: Path) -> None:
    with venue(tmp_path) as paper:
        measured = emergency_stop.rehearse(paper, 12, 2)
    assert emergency_stop.is_right(measured), measured.results
    assert (measured.results["flat"], measured.results["hanging_named"]) == (10, 2)

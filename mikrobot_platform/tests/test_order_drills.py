"""The drills of orders, short: with a few accounts, at a venue of their own, and never judged by the clock."""

from __future__ import annotations

from pathlib import Path

import pytest

from mikrobot_platform.drills import emergency_stop, noisy_neighbour
from trading.tests.story import venue

pytestmark = pytest.mark.early


def test_everybody_who_answers_is_flat_and_the_others_are_named(tmp_path: Path) -> None:
    with venue(tmp_path) as paper:
        measured = emergency_stop.rehearse(paper, 12, 2)
    assert emergency_stop.is_right(measured), measured.results
    assert (measured.results["flat"], measured.results["hanging_named"]) == (10, 2)


def test_of_those_who_hang_fail_flood_or_are_spoilt_nobody_else_notices() -> None:
    measured = noisy_neighbour.run({"accounts": 60, "signals": 2, "flood": 10})
    found = measured.results
    assert (found["hanging"], found["raising"], found["flooded"]) == (1, 1, 10)
    assert (found["lost"], found["poison_quarantined"]) == (0, 1)

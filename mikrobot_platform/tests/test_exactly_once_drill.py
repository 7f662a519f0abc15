"""The drill of exactly-once: a sound build passes a few of its runs, and each broken one is found out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from mikrobot_platform.drills import exactly_once
from mikrobot_platform.drills.exactly_once.points import BESIDE_A_SEND, POINTS, STANDSTILLS, unreachable
from mikrobot_platform.drills.exactly_once.scripts import script
from mikrobot_platform.measurement import Measurement

pytestmark = pytest.mark.early

FIRST = "838"  # four seeds with answers that get lost, and processes killed beside a send


def begin(*words: str) -> subprocess.Popen[str]:
    command = ["drill", "exactly-once", "--runs", "4", "--seed", FIRST, "--json", *words]
    return subprocess.Popen(
        [sys.executable, "-m", "django", *command], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def ended(process: subprocess.Popen[str]) -> tuple[int, dict[str, Any], str]:
    told, said = process.communicate(timeout=300)
    return process.returncode, json.loads(told)["results"], said


def test_a_sound_build_passes_and_broken_ones_do_not() -> None:
    three = begin(), begin("--broken", "retry"), begin("--broken", "late-intent")
    (code, sound, said), (again_code, again, _), (late_code, late, _) = (ended(one) for one in three)
    assert code == 0, said
    assert sound["runs"] == 4
    assert sound["orders"] > 0 < sound["kills"]
    assert not any(sound[name] for name in exactly_once.WRONG)
    assert sound["failed_seeds"] == []
    assert (again_code, late_code) == (1, 1)
    assert again["duplicates"] > 0
    assert again["failed_seeds"]
    assert late["without_intent"] > 0
    assert late["failed_seeds"]


def test_a_seed_says_what_happens() -> None:
    assert script(7) == script(7)
    assert len({repr(script(seed)) for seed in range(50)}) > 45


def test_every_trap_stands_at_a_place_that_is_there() -> None:
    assert len(set(POINTS)) == len(POINTS)
    assert unreachable([*BESIDE_A_SEND, *STANDSTILLS]) == []


@pytest.mark.parametrize("figure", exactly_once.WRONG)
def test_one_figure_is_enough_to_fail(figure: str) -> None:
    good = {"runs": 9, "orders": 9, "kills": 1, **dict.fromkeys(exactly_once.WRONG, 0)}
    assert exactly_once.has_passed(_measured(good))
    assert not exactly_once.has_passed(_measured(good | {figure: 1}))
    assert not exactly_once.has_passed(_measured(good | {"runs": 8}))


def _measured(results: dict[str, int]) -> Measurement:
    return Measurement(name=exactly_once.NAME, parameters={"runs": 9}, results=results)

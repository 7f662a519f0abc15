"""No admitted sequence of trades whose stops are honoured crosses any floor, of the firm's or of the customer's own.

The suite runs a part of the sequences, MIKROBOT_PATHS=10000 all of them.
"""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from risk_management.compliance.program import Program
from risk_management.rules import worst
from risk_management.rules.case import Case
from risk_management.rules.floors import Floor
from risk_management.tests.gate_facts import APEX, FTMO, TOPSTEP, d, program_of
from risk_management.tests.gate_market import World, limits, live, permissive

SEQUENCES = int(os.environ.get("MIKROBOT_PATHS", "60"))
PARTS = 6
STARTS = [datetime(2026, month, day, 9, tzinfo=UTC) for month, day in ((3, 26), (6, 10), (10, 22), (10, 29))]
PROGRAMS: list[Program | None] = [
    None,
    program_of(FTMO),
    program_of("FTMO 1-Step challenge 100000"),
    replace(program_of(TOPSTEP), daily_loss=program_of(TOPSTEP).optional_daily_loss),
    program_of(APEX),
    program_of("Apex 4.0 Evaluation challenge 50000 intraday_rithmic"),
]


def world(seed: int) -> World:
    random = Random(seed)
    program = PROGRAMS[seed % len(PROGRAMS)]
    balance = d(50_000) if program is None else program.initial
    return World(
        random=random, program=None if program is None else permissive(program), limits=limits(random, balance),
        now=random.choice(STARTS) + timedelta(minutes=random.randint(0, 4_000)), balance=balance,
        commission=d(random.choice((0, 7))),
    )  # fmt: skip


@pytest.mark.parametrize("part", range(PARTS))
def test_no_admitted_sequence_crosses_a_floor(part: int) -> None:
    taken = Counter[int]()
    for seed in range(part, SEQUENCES, PARTS):
        life = world(seed)
        live(life, steps=30)
        assert life.crossed == [], f"sequence {seed}"
        taken[seed % len(PROGRAMS)] += life.taken
    assert min(taken.values()) > 0, "a gate that lets nothing through crosses nothing"


def _where_it_stands(case: Case, floor: Floor, above: Decimal, *_rest: object) -> Decimal:
    return worst._within(case, above - floor.level, case.lot.loss)


@pytest.mark.parametrize("what", ["everything", "floors that follow"])
def test_the_sequences_would_find_a_gate_that_does_not_look(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the worst case away, then only its view of floors that move: sequences cross floors, so they can fail."""
    if what == "everything":
        monkeypatch.setattr(worst, "_fits", lambda case, *_rest: case.quantity)
    else:
        monkeypatch.setattr(worst, "_fits", _where_it_stands)
    crossed = Counter[str]()
    for seed in range(180):
        life = world(seed)
        live(life, steps=30)
        crossed.update(set(life.crossed))
    assert crossed
    if what == "everything":
        assert {"day", "trail", "the firm's daily_loss", "the firm's max_loss"} <= crossed.keys()

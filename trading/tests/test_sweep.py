"""The sweep: what stands still moves on, whoever else is at it and whoever else floods it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import OperationalError, connections

from accounts.tests.people import Team, team
from trading import judging, sweep
from trading.ledger import ledger_of
from trading.models import RawSignal, Signal, SignalState, Source
from trading.tests.sources import NOW, make_source, rows, unreadable_signal

STILL = NOW + sweep.GRACE


@pytest.fixture(name="cast")
def own_cast() -> Team:
    return team()


def waiting(source: Source, count: int) -> list[Signal]:
    """Let signals wait that can be judged, each a second older than the next."""
    made = []
    for number in range(count):
        at = NOW - timedelta(seconds=count - number)
        raw = RawSignal(
            organization_id=source.organization_id, source_id=source.pk, received_at=at, body=b"", size=0, sha256=b"",
            state="read",
        )  # fmt: skip
        draft = {"dialect": "rest/1", "action": "close", "symbol": f"PAIR{number % 7}"}
        made.append(
            (raw, Signal(
                organization_id=source.organization_id, source_id=source.pk, raw_id=raw.pk, dedupe_key=uuid4().hex,
                slot=0, received_at=at, dialect="rest/1", action="close", symbol=f"PAIR{number % 7}",
                order_kind="market", draft=draft,
            ))
        )  # fmt: skip
    with ledger_of(source.organization_id):
        RawSignal.objects.bulk_create([raw for raw, _ in made])
        return list(Signal.objects.bulk_create([signal for _, signal in made]))


@contextmanager
def counted() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(execute: Any, sql: Any, *given: Any) -> Any:
        statements.append(str(sql))
        return execute(sql, *given)

    with connections["engine"].execute_wrapper(note):
        yield statements


def states(source: Source) -> dict[str, int]:
    found: dict[str, int] = {}
    for signal in rows(source)[1]:
        found[signal.state] = found.get(signal.state, 0) + 1
    return found


@pytest.mark.parametrize("is_old", [False, True])
def test_nobody_waits_behind_anothers_flood(cast: Team, is_old: bool) -> None:
    flood, other = make_source(cast.house.pk), make_source(cast.other.pk)
    waiting(flood, 400)
    waiting(other, 1)
    now = STILL if is_old else NOW - timedelta(seconds=400) + sweep.GRACE / 2
    both = [cast.house.pk, cast.other.pk]
    with counted() as one_round:
        assert sweep.sweep(now=now, among=both, batch=sweep.AT_ONCE) == sweep.AT_ONCE
    assert states(other) == {SignalState.VALID: 1}, "in the first round, though 400 others are older"
    assert states(flood) == {SignalState.VALID: sweep.AT_ONCE - 1, SignalState.WAITING: 400 - sweep.AT_ONCE + 1}
    assert len(one_round) < 50, "what waited longer is judged together as well"
    with counted() as all_rounds:
        sweep.sweep(now=now, among=both)
    assert states(flood) == {SignalState.VALID: 400}
    assert len(all_rounds) < 8 * 30


class Killed(BaseException):
    """What a judgement did to its process; nothing that catches exceptions catches it."""


def test_what_kills_its_process_is_given_up_and_takes_nobody_along(cast: Team) -> None:
    source, other = make_source(cast.house.pk), make_source(cast.other.pk)
    signals = waiting(source, 6)
    deadly, judge, died = signals[2].pk, judging.judge, 0

    def kills(judged: Any, **how: Any) -> None:
        if any(signal.pk == deadly for signal in judged):
            raise Killed
        judge(judged, **how)

    with patch("trading.pipeline.judge", kills):
        for turn in range(1, 12):
            waiting(other, 1)
            for at in (STILL + turn * sweep.GRACE, STILL + turn * sweep.GRACE + timedelta(seconds=1)):
                try:
                    sweep.sweep(now=at, among=[cast.house.pk, cast.other.pk])
                except Killed:
                    died += 1
            assert states(other) == {SignalState.VALID: turn}, "the next sweep leaves what killed the last one alone"
    assert died == sweep.MAX_ATTEMPTS
    found = {signal.pk: signal for signal in rows(source)[1]}
    assert found.pop(deadly).state == SignalState.QUARANTINED
    assert {signal.state for signal in found.values()} == {SignalState.VALID}
    assert max(signal.attempts for signal in found.values()) <= sweep.TOGETHER + 1


def test_a_database_that_was_away_gives_up_nothing_that_it_could_not_judge_together(cast: Team) -> None:
    source = make_source(cast.house.pk)
    waiting(source, 20)
    bad = unreadable_signal(source)
    with patch("trading.pipeline.judge", side_effect=OperationalError):
        for turn in range(3):
            sweep.sweep(now=STILL + turn * sweep.GRACE, among=[cast.house.pk])
    assert states(source) == {SignalState.WAITING: 21}
    sweep.sweep(now=STILL + 3 * sweep.GRACE, among=[cast.house.pk])
    assert states(source) == {SignalState.VALID: 20, SignalState.QUARANTINED: 1}
    assert [signal.pk for signal in rows(source)[1] if signal.state == SignalState.QUARANTINED] == [bad.pk]

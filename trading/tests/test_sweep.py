"""The sweep: what stands still moves on, whoever else is at it and whoever else floods it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import OperationalError, connections

from accounts.tests.people import Team, team
from mikrobot_platform.kernel.decisions import Code
from trading import judging, sweep
from trading.ledger import ledger_of
from trading.models import EventKind, RawSignal, RawState, Signal, SignalState, Source
from trading.tests.sources import (
    NOW,
    alarms,
    at_once,
    kept,
    kinds,
    make_source,
    rest,
    rows,
    sent,
    swept,
    unreadable_signal,
)

STILL = NOW + sweep.GRACE


@pytest.fixture(name="cast")
def own_cast() -> Team:
    return team()


@pytest.fixture(name="source")
def own_source(cast: Team) -> Source:
    return make_source(cast.house.pk)


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


# --- Given up ---------------------------------------------------------------------------------------------------------
def test_a_message_that_stands_still_every_time_is_given_up_with_an_alarm(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    kept(source, rest())
    with patch("trading.pipeline.understand", side_effect=OperationalError):
        for turn in range(1, sweep.MAX_ATTEMPTS + 1):
            swept(source, NOW + turn * sweep.GRACE)
            assert [raw.state for raw in rows(source)[0]] == [RawState.RECEIVED]
        assert alarms(caplog) == []
        swept(source, NOW + (sweep.MAX_ATTEMPTS + 1) * sweep.GRACE)
    [raw], _ = rows(source)
    assert raw.state == RawState.QUARANTINED
    [alarm] = alarms(caplog)
    assert (alarm["raw"], alarm["source"]) == (str(raw.pk), str(source.pk))
    assert kinds(source).count(EventKind.QUARANTINED) == 1


def test_a_signal_that_stands_still_every_time_is_given_up_with_an_alarm(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    sent(source, rest(), now=NOW)
    with patch("trading.pipeline.judge", side_effect=OperationalError):
        swept(source, NOW)  # it has just come: tried once without a count
        for turn in range(1, sweep.MAX_ATTEMPTS + 1):
            swept(source, NOW + turn * sweep.GRACE)
            assert [(signal.state, signal.attempts) for signal in rows(source)[1]] == [(SignalState.WAITING, turn)]
        assert alarms(caplog) == []
        swept(source, NOW + (sweep.MAX_ATTEMPTS + 1) * sweep.GRACE)
    [signal] = rows(source)[1]
    assert (signal.state, signal.code) == (SignalState.QUARANTINED, Code.QUARANTINED)
    [alarm] = alarms(caplog)
    assert (alarm["signal"], alarm["raw"]) == (str(signal.pk), str(signal.raw_id))


def test_a_fault_of_ours_in_judging_quarantines_the_signal_with_an_alarm(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    sent(source, rest(), now=NOW)
    with patch("trading.pipeline.judge", side_effect=RuntimeError("what went wrong")):
        swept(source, NOW)
    [signal] = rows(source)[1]
    assert signal.state == SignalState.QUARANTINED
    assert "RuntimeError" in signal.sentence
    assert "what went wrong" not in signal.sentence
    [alarm] = alarms(caplog)
    assert (alarm["signal"], alarm["exc_info"][0]) == (str(signal.pk), RuntimeError)


# --- Several sweeps at once -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("model", [RawSignal, Signal])
def test_sweeps_that_meet_are_one_try(source: Source, model: type[RawSignal | Signal]) -> None:
    """Eight see it stand still before any of them takes it up; more than MAX_ATTEMPTS, and it must not be given up."""
    if model is RawSignal:
        kept(source, rest())
    else:
        sent(source, rest(), now=NOW)
    meet, taken_up = threading.Barrier(6), sweep._taken_up

    def together(asked: Any, *given: Any) -> Any:
        if asked is model:
            meet.wait(30)
        return taken_up(asked, *given)

    connections["engine"].close()  # each of the eight needs one, and the pool has as many
    with patch("trading.sweep._taken_up", together):
        at_once(6, partial(swept, source, NOW + sweep.GRACE))
    swept(source, NOW + sweep.GRACE)
    raws, signals = rows(source)
    assert [row.attempts for row in (raws if model is RawSignal else signals)] == [1]
    assert [signal.state for signal in signals] == [SignalState.REJECTED]
    assert kinds(source).count(EventKind.MOVED_ON) == (model is RawSignal)


def test_what_somebody_holds_or_has_just_tried_is_left_to_them(source: Source) -> None:
    sent(source, rest(), now=NOW)
    with ledger_of(source.organization_id):
        Signal.objects.select_for_update().get(source_id=source.pk)
        at_once(6, partial(swept, source, NOW + sweep.GRACE))
    [signal] = rows(source)[1]
    assert (signal.state, signal.attempts) == (SignalState.WAITING, 0)
    with patch("trading.pipeline.judge", side_effect=OperationalError):
        for seconds in (0, 1, 4):
            swept(source, NOW + sweep.GRACE + timedelta(seconds=seconds))
    assert rows(source)[1][0].attempts == 1
    swept(source, NOW + 2 * sweep.GRACE)
    [signal] = rows(source)[1]
    assert (signal.state, signal.attempts) == (SignalState.REJECTED, 2)


# --- Several owners ---------------------------------------------------------------------------------------------------
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

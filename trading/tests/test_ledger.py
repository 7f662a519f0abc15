"""The ledger: what is accepted is never lost, never doubled, and every ending is named."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import InterfaceError, OperationalError, connections, transaction
from django.db.utils import DatabaseError

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import ScopeError, atomic, system_scope, tenant_scope
from accounts.tests.people import Team, team
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import SignalDraft
from trading import pipeline, sweep
from trading.engine import stored
from trading.ledger import ledger_of
from trading.models import (
    ClockArrival,
    EventKind,
    RawSignal,
    RawState,
    Signal,
    SignalState,
    Source,
    SourceMinute,
    SourceNonce,
    SourceStream,
)
from trading.models.sources import ALL_SOURCES, minute_of
from trading.pipeline import Delivery, ingest
from trading.rehearsal.messages import read, v8
from trading.rehearsal.samples import golden
from trading.sources import DUPLICATE_WINDOW_S, plain
from trading.tests.sources import NOW, events, kinds, make_source, push, rest, rows, swept, unreadable_signal, validate

T = TypeVar("T")


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@pytest.fixture(name="source")
def own_source(cast: Team) -> Source:
    return make_source(cast.house.pk)


def test_a_message_becomes_one_signal_with_its_story(source: Source) -> None:
    outcome = ingest(source, rest(id="a-1", stop="1.05", quantity="2", time="2025-08-04T08:28:10Z"), now=NOW)
    assert outcome.state is RawState.READ
    [raw], [signal] = rows(source)
    assert (raw.pk, signal.pk, signal.raw_id) == (outcome.raw_id, outcome.signal_id, raw.pk)
    assert (signal.symbol, signal.side, signal.stop, signal.stop_unit) == ("EURUSD", "buy", Decimal("1.05"), "price")
    draft = stored.read(SignalDraft, signal.draft)
    assert (draft.id, draft.quantity) == ("a-1", Decimal(2))
    swept(source, NOW)
    assert kinds(source) == [EventKind.RECEIVED, EventKind.PARSED, EventKind.JUDGED]


def test_a_repetition_is_a_duplicate_and_shown_with_what_it_repeats(source: Source) -> None:
    first = ingest(source, rest(id="a-1"), now=NOW)
    again = ingest(source, rest(id="a-1"), now=NOW + timedelta(days=90))
    assert (again.state, again.signal_id, again.code) == (RawState.DUPLICATE, first.signal_id, Code.DUPLICATE)
    raws, signals = rows(source)
    assert (len(raws), len(signals)) == (2, 1)
    assert [event.signal_id for event in events(source) if event.kind == EventKind.DUPLICATE] == [first.signal_id]


@pytest.mark.parametrize(
    ("seconds", "state"),
    [
        (-DUPLICATE_WINDOW_S + 1, RawState.DUPLICATE),  # read late, arrived earlier
        (0, RawState.DUPLICATE),
        (DUPLICATE_WINDOW_S - 1, RawState.DUPLICATE),
        (DUPLICATE_WINDOW_S, RawState.READ),
    ],
)
def test_what_has_no_id_is_known_for_ten_minutes(source: Source, seconds: int, state: RawState) -> None:
    ingest(source, rest(), now=NOW)
    assert ingest(source, rest(), now=NOW + timedelta(seconds=seconds)).state is state
    assert ingest(source, rest(side="sell"), now=NOW).state is RawState.READ


def test_the_same_signal_from_two_sources_is_two(cast: Team, source: Source) -> None:
    other = make_source(cast.house.pk)
    assert ingest(source, rest(id="same"), now=NOW).state is RawState.READ
    assert ingest(other, rest(id="same"), now=NOW).state is RawState.READ


def test_an_idempotency_key_survives_until_a_later_reading(source: Source) -> None:
    delivery = replace(rest(), headers={"Idempotency-Key": "k", "Authorization": "Bearer secret"})
    ingest(source, delivery, now=NOW)
    with patch("trading.pipeline.understand", side_effect=OperationalError), pytest.raises(OperationalError):
        ingest(source, delivery, now=NOW + timedelta(days=1))
    swept(source, NOW + timedelta(days=2))
    raws, signals = rows(source)
    assert [raw.state for raw in raws] == [RawState.READ, RawState.DUPLICATE]
    assert len(signals) == 1
    assert "secret" not in json.dumps([raw.headers for raw in raws])


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", Code.EMPTY),
        (b'{"side":"buy"', Code.UNFINISHED),
        (b'{"side":"buy"}', Code.FIELD_MISSING),
        (b"\xff\xfe\x00", Code.NOT_TEXT),
        (b" " * 70_000, Code.TOO_LARGE),
    ],
)
def test_a_refusal_is_stored_and_named(source: Source, body: bytes, code: Code) -> None:
    outcome = ingest(source, Delivery(body=body), now=NOW)
    assert (outcome.state, outcome.code) == (RawState.REFUSED, code)
    assert outcome.sentence
    [raw], signals = rows(source)
    assert signals == []
    assert (raw.size, bytes(raw.body)) == (len(body), body[: pipeline.MAX_KEPT])
    assert kinds(source) == [EventKind.RECEIVED, EventKind.REFUSED]


def test_a_fault_of_ours_quarantines_the_message_and_keeps_its_bytes(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    with patch("trading.reading.dedupe_key", side_effect=RuntimeError("secret text")):
        outcome = ingest(source, rest(), now=NOW)
    assert (outcome.state, outcome.code) == (RawState.QUARANTINED, Code.QUARANTINED)
    assert "RuntimeError" in outcome.sentence
    assert "secret text" not in outcome.sentence
    [raw], signals = rows(source)
    assert bytes(raw.body) == rest().body
    assert signals == []
    assert kinds(source) == [EventKind.RECEIVED, EventKind.QUARANTINED]
    assert pipeline.understand(source.organization_id, raw.pk, now=NOW) == outcome
    [alarm] = alarms(caplog)
    assert (alarm["raw"], alarm["exc_info"][0]) == (str(raw.pk), RuntimeError)


def test_a_fault_of_the_database_leaves_the_message_to_the_sweep(source: Source) -> None:
    with patch("trading.reading.dedupe_key", side_effect=OperationalError), pytest.raises(OperationalError):
        ingest(source, rest(), now=NOW)
    assert [raw.state for raw in rows(source)[0]] == [RawState.RECEIVED]
    swept(source, NOW + timedelta(seconds=1))
    assert [raw.state for raw in rows(source)[0]] == [RawState.RECEIVED], "whoever received it may be reading it"
    swept(source, NOW + sweep.GRACE)
    raws, signals = rows(source)
    assert [raw.state for raw in raws] == [RawState.READ]
    assert [signal.state for signal in signals] == [SignalState.REJECTED]


def alarms(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what was alarmed about since the last look."""
    found = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
    caplog.clear()
    return found


def test_a_message_that_stands_still_every_time_is_given_up_with_an_alarm(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    pipeline.keep(source, rest(), now=NOW)
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
    ingest(source, rest(), now=NOW)
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
    ingest(source, rest(), now=NOW)
    with patch("trading.pipeline.judge", side_effect=RuntimeError("what went wrong")):
        swept(source, NOW)
    [signal] = rows(source)[1]
    assert signal.state == SignalState.QUARANTINED
    assert "RuntimeError" in signal.sentence
    assert "what went wrong" not in signal.sentence
    [alarm] = alarms(caplog)
    assert (alarm["signal"], alarm["exc_info"][0]) == (str(signal.pk), RuntimeError)


def _accept_and_fail(source: Source) -> None:
    ingest(source, rest(), now=NOW)
    raise KeyError


def test_what_was_accepted_outlives_the_callers_rollback(cast: Team, source: Source) -> None:
    with pytest.raises(KeyError), tenant_scope(cast.house.pk), atomic():
        _accept_and_fail(source)
    assert len(rows(source)[1]) == 1
    with system_scope("staff"), pytest.raises(ScopeError):
        ingest(source, rest(), now=NOW)


# --- Death at any step ------------------------------------------------------------------------------------------------
class Died(BaseException):
    """The process is gone: nothing that catches exceptions catches this."""


def live(source: Source, *, dies_at: int | None = None, is_after: bool = False) -> int:
    """Go through the story, and die at one statement or commit, before or after it; return how many there were.

    A process is a thread here, with connections of its own. The dead one's is closed in the middle of whatever it did,
    and not one statement more is sent.
    """
    steps = 0

    def work() -> None:
        connection: Any = connections["engine"]
        connection.ensure_connection()
        raw, commit = connection.connection, connection._commit

        def count(act: Any) -> Any:
            nonlocal steps
            steps += 1
            if steps == dies_at and is_after:
                act()
            if dies_at is not None and steps >= dies_at:
                raw.close()
                raise Died
            return act()

        with (
            connection.execute_wrapper(lambda execute, *given: count(lambda: execute(*given))),
            patch.object(connection, "_commit", lambda: count(commit)),
            suppress(Died, DatabaseError, InterfaceError),
        ):
            outcome = ingest(source, rest(id="only"), now=NOW)
            assert outcome.signal_id
            pipeline.validate(source.organization_id, [outcome.signal_id], now=NOW)
        connection.connection = None
        connection.pool.putconn(raw)

    with ThreadPoolExecutor(1) as one:
        one.submit(work).result()
    return steps


@pytest.mark.parametrize("is_after", [False, True])
@pytest.mark.parametrize("owner", ["an organization", "the platform"])
def test_death_at_any_step_loses_nothing_and_doubles_nothing(cast: Team, owner: str, is_after: bool) -> None:
    organization_id = PLATFORM_ID if owner == "the platform" else cast.house.pk
    live(make_source(organization_id))  # the platform's scope is noted in the trail once a day
    steps = live(make_source(organization_id))
    assert steps > 12
    for step in range(1, steps + 1):
        source = make_source(organization_id)
        live(source, dies_at=step, is_after=is_after)
        raws, _ = rows(source)
        was_kept = bool(raws)
        swept(source, NOW + sweep.GRACE)
        raws, signals = rows(source)
        assert len(signals) == was_kept, step
        outcome = ingest(source, rest(id="only"), now=NOW)  # nobody told the sender that it arrived
        assert outcome.state is (RawState.DUPLICATE if was_kept else RawState.READ)
        swept(source, NOW + sweep.GRACE)
        raws, signals = rows(source)
        assert [signal.state for signal in signals] == [SignalState.REJECTED], step
        assert sorted(raw.state for raw in raws) == sorted([RawState.READ, *[RawState.DUPLICATE] * was_kept])
        assert kinds(source).count(EventKind.JUDGED) == 1
        assert kinds(source).count(EventKind.PARSED) == 1


def at_once(count: int, act: Callable[[], T]) -> list[T]:
    """Do the same several times at the same moment, each on a connection of its own."""
    gate = threading.Barrier(count)

    def work(_number: int) -> T:
        gate.wait()
        try:
            return act()
        finally:
            connections["engine"].close()

    with ThreadPoolExecutor(count) as several:
        return list(several.map(work, range(count)))


def test_two_workers_and_three_deliveries_at_once_are_one_signal(cast: Team) -> None:
    for delivery in (rest(id="x"), rest(), Delivery(body=rest().body, headers={"Idempotency-Key": "k"})):
        source = make_source(cast.house.pk)
        outcomes = at_once(6, partial(ingest, source, delivery, now=NOW))
        assert sorted(outcome.state for outcome in outcomes) == [*[RawState.DUPLICATE] * 5, RawState.READ]
        raws, signals = rows(source)
        assert (len(raws), len(signals)) == (6, 1)
        assert {outcome.signal_id for outcome in outcomes} == {signals[0].pk}


def test_of_several_ids_under_one_key_at_once_one_is_a_signal(source: Source) -> None:
    bodies = iter([rest(id=f"try-{number}").body for number in range(6)])
    headers = {"Idempotency-Key": "the-same"}
    found = at_once(6, lambda: ingest(source, Delivery(body=next(bodies), headers=headers), now=NOW))
    assert sorted((one.state, one.code) for one in found) == sorted(
        [(RawState.READ, ""), *[(RawState.REFUSED, Code.ID_REUSED)] * 5]
    )
    assert len(rows(source)[1]) == 1


def test_two_workers_judge_once(source: Source) -> None:
    ingest(source, rest(), now=NOW)
    at_once(4, partial(swept, source, NOW))
    assert [signal.state for signal in rows(source)[1]] == [SignalState.REJECTED]
    assert kinds(source).count(EventKind.JUDGED) == 1


@pytest.mark.parametrize("model", [RawSignal, Signal])
def test_sweeps_that_meet_are_one_try(source: Source, model: type[RawSignal | Signal]) -> None:
    """Eight see it stand still before any of them takes it up; more than MAX_ATTEMPTS, and it must not be given up."""
    if model is RawSignal:
        pipeline.keep(source, rest(), now=NOW)
    else:
        ingest(source, rest(), now=NOW)
    meet, taken_up = threading.Barrier(8), sweep._taken_up

    def together(asked: Any, *given: Any) -> Any:
        if asked is model:
            meet.wait(30)
        return taken_up(asked, *given)

    connections["engine"].close()  # each of the eight needs one, and the pool has as many
    with patch("trading.sweep._taken_up", together):
        at_once(8, partial(swept, source, NOW + sweep.GRACE))
    swept(source, NOW + sweep.GRACE)
    raws, signals = rows(source)
    assert [row.attempts for row in (raws if model is RawSignal else signals)] == [1]
    assert [signal.state for signal in signals] == [SignalState.REJECTED]
    assert kinds(source).count(EventKind.MOVED_ON) == (model is RawSignal)


def test_what_somebody_holds_or_has_just_tried_is_left_to_them(source: Source) -> None:
    ingest(source, rest(), now=NOW)
    with ledger_of(source.organization_id):
        Signal.objects.select_for_update().get(source_id=source.pk)
        at_once(8, partial(swept, source, NOW + sweep.GRACE))
    [signal] = rows(source)[1]
    assert (signal.state, signal.attempts) == (SignalState.WAITING, 0)
    with patch("trading.pipeline.judge", side_effect=OperationalError):
        for seconds in (0, 1, 4):
            swept(source, NOW + sweep.GRACE + timedelta(seconds=seconds))
    assert rows(source)[1][0].attempts == 1
    swept(source, NOW + 2 * sweep.GRACE)
    [signal] = rows(source)[1]
    assert (signal.state, signal.attempts) == (SignalState.REJECTED, 2)


# --- Streams, nonces, clocks ------------------------------------------------------------------------------------------
def test_a_stream_counts_what_is_missing_and_acts_on_nothing_twice(cast: Team) -> None:
    source = make_source(cast.house.pk, "ea_push")
    for sequence, kind, state in [
        (1, "signal", RawState.READ),
        (2, "heartbeat", RawState.REFUSED),
        (5, "signal", RawState.READ),
        (5, "signal", RawState.DUPLICATE),
        (2, "heartbeat", RawState.REFUSED),
        (3, "signal", RawState.REFUSED),
    ]:
        assert ingest(source, push(source, sequence, kind), now=NOW).state is state, sequence
    with tenant_scope(cast.house.pk), atomic():
        stream = SourceStream.objects.get(source=source)
    assert (stream.last_sequence, stream.missing) == (5, 2)
    assert kinds(source).count(EventKind.GAP) == 1
    raws, signals = rows(source)
    assert len(signals) == 2
    assert [raw.code for raw in raws[-2:]] == [Code.SEQUENCE_PASSED, Code.SEQUENCE_PASSED]


def test_a_nonce_is_used_once_and_forgotten_when_it_cannot_return(source: Source) -> None:
    def use(now: Any = NOW) -> bool:
        found = pipeline.receive(source, rest(id=uuid4().hex), now=now, nonce="n" * 16)
        return isinstance(found, pipeline.Outcome)

    assert [use(), use()] == [True, False]
    swept(source, NOW + timedelta(seconds=600))
    assert not use()
    swept(source, NOW + timedelta(seconds=601))
    assert use()
    assert len(rows(source)[1]) == 2


def test_a_replay_takes_nothing_of_the_allowance_and_what_has_to_wait_keeps_its_nonce(cast: Team) -> None:
    source = make_source(cast.house.pk, per_minute=2)

    def send(nonce: str, now: Any = NOW) -> Any:
        found = pipeline.receive(source, rest(id=nonce), now=now, nonce=nonce)
        return found.code if isinstance(found, Refusal) else found.state

    assert send("first") is RawState.READ
    assert {send("first") for _ in range(5)} == {Code.NONCE_USED}
    assert [send("second"), send("third"), send("first")] == [RawState.READ, Code.TOO_MANY, Code.NONCE_USED]
    assert send("third", NOW + timedelta(minutes=1)) is RawState.READ
    with tenant_scope(cast.house.pk), atomic():
        assert sorted(SourceNonce.objects.filter(source_id=source.pk).values_list("nonce", flat=True)) == [
            "first", "second", "third",
        ]  # fmt: skip
        minutes = SourceMinute.objects.filter(source_id=source.pk).order_by("minute")
        assert [(minute.accepted, minute.refused) for minute in minutes] == [(2, 0), (1, 0)]


def test_all_sources_of_an_organization_together_have_a_limit_too(cast: Team) -> None:
    later = NOW + timedelta(days=1)  # a minute in which nobody else sends
    mine = [make_source(cast.house.pk) for _ in range(4)]
    theirs = make_source(cast.other.pk)
    senders = iter(mine * 3)
    with patch("trading.pipeline.OF_ALL_SOURCES", 5):
        found = at_once(6, lambda: pipeline.receive(next(senders), rest(id=uuid4().hex), now=later))
        [refused] = [one for one in found if isinstance(one, Refusal)]
        assert refused.code is Code.TOO_MANY
        assert refused.sentence == "The organization sent its 5 messages of this minute. Try again in 40 s."
        assert isinstance(pipeline.receive(theirs, rest(), now=later), pipeline.Outcome)
        assert isinstance(pipeline.receive(mine[0], rest(), now=later + timedelta(minutes=1)), pipeline.Outcome)
    assert sum(len(rows(source)[0]) for source in mine) == 6
    with tenant_scope(cast.house.pk), atomic():
        minutes = SourceMinute.objects.filter(minute=minute_of(later))
        counted = {minute.source_id: minute.accepted for minute in minutes}
    assert counted.pop(ALL_SOURCES) == 5
    assert sum(counted.values()) == 5, "who is refused for the others leaves his own allowance as it was"


def test_of_many_at_once_exactly_as_many_come_in_as_may(cast: Team) -> None:
    source = make_source(cast.house.pk, per_minute=5)
    found = at_once(12, lambda: pipeline.receive(source, rest(id=uuid4().hex), now=NOW, nonce=uuid4().hex))
    assert sum(isinstance(one, pipeline.Outcome) for one in found) == 5
    assert len(rows(source)[1]) == 5
    same = make_source(cast.house.pk)
    found = at_once(6, lambda: pipeline.receive(same, rest(id=uuid4().hex), now=NOW, nonce="one-for-all-of-them"))
    assert sum(isinstance(one, pipeline.Outcome) for one in found) == 1
    assert len(rows(same)[0]) == 1


def test_a_clock_is_learnt_from_arrivals(cast: Team) -> None:
    source = make_source(cast.house.pk, "ea_file")
    for minute in range(28, 32):
        stamps = (f"11:{minute}", "11:25", "11:26", "11:27")
        body = v8(stamps=stamps).encode("utf-16-le")
        outcome = ingest(source, Delivery(body=body), now=NOW + timedelta(minutes=minute - 28))
        assert outcome.state is RawState.READ
    swept(source, NOW + timedelta(minutes=4))  # a signal's clock is learnt when it is judged
    with tenant_scope(cast.house.pk), atomic():
        assert ClockArrival.objects.filter(source_id=source.pk).count() == 4
        assert Source.objects.get(pk=source.pk).clock_offset_s == 3 * 3_600


# --- Nobody changes it ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("alias", "statement"),
    [
        ("default", "insert into trading_rawsignal (id) values (gen_random_uuid())"),
        ("default", "update trading_signal set state = 'valid'"),
        ("default", "delete from trading_signalevent"),
        ("engine", "update trading_rawsignal set body = ''"),
        ("engine", "update trading_signal set draft = '{}'"),
        ("engine", "update trading_signalevent set code = ''"),
        ("owner", "update trading_signalevent set code = ''"),
        ("owner", "update trading_rawsignal set body = ''"),
        ("owner", "truncate trading_signalevent"),
    ],
)
def test_nobody_writes_the_ledger_anew(alias: str, statement: str) -> None:
    with (
        pytest.raises(DatabaseError, match=r"permission denied|append-only"),
        transaction.atomic(using=alias),
        connections[alias].cursor() as cursor,
    ):
        cursor.execute(statement)


def test_a_stored_draft_is_the_draft() -> None:
    drafts = [found for sample in golden() if isinstance(found := read(sample.kind, sample.raw), SignalDraft)]
    assert len(drafts) > 20
    for draft in drafts:
        assert stored.read(SignalDraft, json.loads(json.dumps(plain(draft)))) == draft


@pytest.mark.parametrize(
    "wrong", [[], {"nobody": 1}, {"symbol": 1}, {"action": "dance"}, {"stop": {"value": "x", "unit": "price"}}]
)
def test_what_was_not_written_by_us_is_not_read(wrong: Any) -> None:
    with pytest.raises(stored.StoredWrong):
        stored.read(SignalDraft, wrong)


def test_a_signal_that_nobody_can_read_back_is_quarantined(cast: Team, source: Source) -> None:
    assert validate(cast.house.pk, unreadable_signal(source).pk) is SignalState.QUARANTINED

"""The ledger: what is accepted is never lost, never doubled, and every ending is named."""

from __future__ import annotations

import json
import threading
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import partial
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import OperationalError, connections, transaction
from django.db.utils import DatabaseError

from accounts.tenancy import ScopeError, atomic, system_scope, tenant_scope
from accounts.tests.people import Team, team
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import SignalDraft
from mikrobot_platform.kernel.strict_json import MAX_KEPT
from trading import pipeline, sweep
from trading.engine import stored
from trading.ledger import AlreadyRead
from trading.models import (
    ClockArrival,
    EventKind,
    RawState,
    SignalState,
    Source,
    SourceMinute,
    SourceNonce,
    SourceStream,
)
from trading.models.sources import ALL_SOURCES, minute_of
from trading.pipeline import Delivery
from trading.reading import read as read_message
from trading.rehearsal.messages import read, v8
from trading.rehearsal.samples import golden
from trading.sources import DUPLICATE_WINDOW_S, plain
from trading.tests.sources import (
    NOW,
    alarms,
    at_once,
    events,
    kept,
    kinds,
    make_source,
    push,
    rest,
    rows,
    sent,
    swept,
    unreadable_signal,
    validate,
)


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@pytest.fixture(name="source")
def own_source(cast: Team) -> Source:
    return make_source(cast.house.pk)


def test_a_message_becomes_one_signal_with_its_story(source: Source) -> None:
    outcome = sent(source, rest(id="a-1", stop="1.05", quantity="2", time="2025-08-04T08:28:10Z"), now=NOW)
    assert outcome.state is RawState.READ
    [raw], [signal] = rows(source)
    assert (raw.pk, signal.pk, signal.raw_id) == (outcome.raw_id, outcome.signal_id, raw.pk)
    assert (signal.symbol, signal.side, signal.stop, signal.stop_unit) == ("EURUSD", "buy", Decimal("1.05"), "price")
    draft = stored.read(SignalDraft, signal.draft)
    assert (draft.id, draft.quantity) == ("a-1", Decimal(2))
    swept(source, NOW)
    assert kinds(source) == [EventKind.RECEIVED, EventKind.PARSED, EventKind.JUDGED]


def test_a_repetition_is_a_duplicate_and_shown_with_what_it_repeats(source: Source) -> None:
    first = sent(source, rest(id="a-1"), now=NOW)
    again = sent(source, rest(id="a-1"), now=NOW + timedelta(days=90))
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
    sent(source, rest(), now=NOW)
    assert sent(source, rest(), now=NOW + timedelta(seconds=seconds)).state is state
    assert sent(source, rest(side="sell"), now=NOW).state is RawState.READ


def test_the_same_signal_from_two_sources_is_two(cast: Team, source: Source) -> None:
    other = make_source(cast.house.pk)
    assert sent(source, rest(id="same"), now=NOW).state is RawState.READ
    assert sent(other, rest(id="same"), now=NOW).state is RawState.READ


def test_an_idempotency_key_survives_until_a_later_reading(source: Source) -> None:
    delivery = replace(rest(), headers={"Idempotency-Key": "k", "Authorization": "Bearer secret"})
    sent(source, delivery, now=NOW)
    kept(source, delivery, now=NOW + timedelta(days=1))
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
    outcome = sent(source, Delivery(body=body), now=NOW)
    assert (outcome.state, outcome.code) == (RawState.REFUSED, code)
    assert outcome.sentence
    [raw], signals = rows(source)
    assert signals == []
    assert (raw.size, bytes(raw.body)) == (len(body), body[:MAX_KEPT])
    assert kinds(source) == [EventKind.RECEIVED, EventKind.REFUSED]


def test_a_fault_of_ours_quarantines_the_message_and_keeps_its_bytes(
    source: Source, caplog: pytest.LogCaptureFixture
) -> None:
    with patch("trading.reading.dedupe_key", side_effect=RuntimeError("secret text")):
        outcome = sent(source, rest(), now=NOW)
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
    with patch("trading.reading.dedupe_key", side_effect=OperationalError):
        assert sent(source, rest(), now=NOW).state is RawState.RECEIVED
    assert [raw.state for raw in rows(source)[0]] == [RawState.RECEIVED]
    swept(source, NOW + timedelta(seconds=1))
    assert [raw.state for raw in rows(source)[0]] == [RawState.RECEIVED], "whoever received it may be reading it"
    swept(source, NOW + sweep.GRACE)
    raws, signals = rows(source)
    assert [raw.state for raw in raws] == [RawState.READ]
    assert [signal.state for signal in signals] == [SignalState.REJECTED]


def _accept_and_fail(source: Source) -> None:
    sent(source, rest(), now=NOW)
    raise KeyError


def test_what_was_accepted_outlives_the_callers_rollback(cast: Team, source: Source) -> None:
    with pytest.raises(KeyError), tenant_scope(cast.house.pk), atomic():
        _accept_and_fail(source)
    assert len(rows(source)[1]) == 1
    with system_scope("staff"), pytest.raises(ScopeError):
        sent(source, rest(), now=NOW)


# --- Several at once --------------------------------------------------------------------------------------------------
def test_two_workers_and_three_deliveries_at_once_are_one_signal(cast: Team) -> None:
    for delivery in (rest(id="x"), rest(), Delivery(body=rest().body, headers={"Idempotency-Key": "k"})):
        source = make_source(cast.house.pk)
        outcomes = at_once(6, partial(sent, source, delivery, now=NOW))
        assert sorted(outcome.state for outcome in outcomes) == [*[RawState.DUPLICATE] * 5, RawState.READ]
        raws, signals = rows(source)
        assert (len(raws), len(signals)) == (6, 1)
        assert {outcome.signal_id for outcome in outcomes} == {signals[0].pk}


def test_of_several_ids_under_one_key_at_once_one_is_a_signal(source: Source) -> None:
    bodies = iter([rest(id=f"try-{number}").body for number in range(6)])
    headers = {"Idempotency-Key": "the-same"}
    found = at_once(6, lambda: sent(source, Delivery(body=next(bodies), headers=headers), now=NOW))
    assert sorted((one.state, one.code) for one in found) == sorted(
        [(RawState.READ, ""), *[(RawState.REFUSED, Code.ID_REUSED)] * 5]
    )
    assert len(rows(source)[1]) == 1


def test_several_who_read_one_message_at_once_end_as_one(source: Source) -> None:
    """All of them have seen that it waits, and only then does any of them read."""
    for delivery, state, kind in (
        (rest(id="one"), RawState.READ, EventKind.PARSED),
        (Delivery(body=b"{"), RawState.REFUSED, EventKind.REFUSED),
    ):
        raw_id, late = kept(source, delivery), list[AlreadyRead]()

        def together(meet: threading.Barrier, late: list[AlreadyRead], *given: Any, **how: Any) -> None:
            meet.wait(30)
            try:
                read_message(*given, **how)
            except AlreadyRead as error:
                late.append(error)
                raise

        with patch("trading.pipeline.read", partial(together, threading.Barrier(4), late)):
            outcomes = at_once(4, partial(pipeline.understand, source.organization_id, raw_id, now=NOW))
        assert len(late) == 3
        assert [outcome.state for outcome in outcomes] == [state] * 4
        assert len(set(outcomes)) == 1
        assert kinds(source).count(kind) == 1
    assert len(rows(source)[1]) == 1


def test_two_workers_judge_once(source: Source) -> None:
    sent(source, rest(), now=NOW)
    at_once(4, partial(swept, source, NOW))
    assert [signal.state for signal in rows(source)[1]] == [SignalState.REJECTED]
    assert kinds(source).count(EventKind.JUDGED) == 1


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
        assert sent(source, push(source, sequence, kind), now=NOW).state is state, sequence
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
    assert [send("second"), send("third"), send("first")] == [RawState.READ, Code.TOO_MANY, Code.TOO_MANY]
    assert send("third", NOW + timedelta(minutes=1)) is RawState.READ
    with tenant_scope(cast.house.pk), atomic():
        assert sorted(SourceNonce.objects.filter(source_id=source.pk).values_list("nonce", flat=True)) == [
            "first", "second", "third",
        ]  # fmt: skip
        minutes = SourceMinute.objects.filter(source_id=source.pk).order_by("minute")
        assert [(minute.accepted, minute.refused) for minute in minutes] == [(2, 0), (1, 0)]


def test_who_is_turned_away_leaves_the_plans_of_the_connection(cast: Team) -> None:
    source = make_source(cast.house.pk, per_minute=1)
    pipeline.receive(source, rest(), now=NOW, nonce="used")
    raw: Any = connections["engine"].connection
    with patch.object(raw, "rollback", side_effect=AssertionError("a rollback forgets them")):
        for nonce in ("used", "another"):
            assert isinstance(pipeline.receive(source, rest(), now=NOW, nonce=nonce), Refusal)
        more = make_source(cast.house.pk)
        pipeline.receive(more, rest(), now=NOW, nonce="used")
        found = pipeline.receive(more, rest(), now=NOW, nonce="used")
    assert isinstance(found, Refusal)
    assert found.code is Code.NONCE_USED


def test_all_sources_of_an_organization_together_have_a_limit_too(cast: Team) -> None:
    later = NOW + timedelta(days=40)  # a minute in which nobody else sends
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
    assert {one.code for one in found if isinstance(one, Refusal)} == {Code.TOO_MANY}
    assert len(rows(source)[1]) == 5
    with tenant_scope(cast.house.pk), atomic():
        assert SourceNonce.objects.filter(source_id=source.pk).count() == 5, "who has to wait may come with it again"
    same = make_source(cast.house.pk)
    found = at_once(6, lambda: pipeline.receive(same, rest(id=uuid4().hex), now=NOW, nonce="one-for-all-of-them"))
    assert sum(isinstance(one, pipeline.Outcome) for one in found) == 1
    assert len(rows(same)[0]) == 1


def test_a_clock_is_learnt_from_arrivals(cast: Team) -> None:
    source = make_source(cast.house.pk, "ea_file")
    for minute in range(28, 32):
        stamps = (f"11:{minute}", "11:25", "11:26", "11:27")
        body = v8(stamps=stamps).encode("utf-16-le")
        outcome = sent(source, Delivery(body=body), now=NOW + timedelta(minutes=minute - 28))
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

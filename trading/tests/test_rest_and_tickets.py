"""Signals from programs and people: a key with the right scope, a repetition that is harmless, a ticket with sense."""

from __future__ import annotations

import json
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from accounts.access import Refused
from accounts.models import AuditEntry
from accounts.services import keys
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, client_for, team
from mikrobot_platform.kernel.decisions import Code
from trading import pipeline
from trading.models import RawState, Source
from trading.services import sources, tickets
from trading.services.tickets import Ticket
from trading.tests.sources import rows, validate

BODY = {"symbol": "EURUSD", "side": "buy", "entry": "1.0850", "stop": "1.0800", "targets": ["1.0950"]}


@pytest.fixture(name="cast")
def own_cast() -> Team:
    return team()


def robot(cast: Team, *scopes: str) -> Client:
    with tenant_scope(cast.house.pk), atomic():
        _key, text = keys.create(cast.as_alice, name="robot", scopes=scopes or ("signals",))
    return Client(headers={"authorization": f"Bearer {text}"})


def post(client: Client, body: object = BODY, key: str = "") -> Any:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Idempotency-Key": key or uuid4().hex}
    return client.post("/api/v1/signals/", raw, content_type="application/json", headers=headers)


def source_of(cast: Team, kind: str) -> Source:
    with tenant_scope(cast.house.pk), atomic():
        found: Source = Source.objects.get(organization_id=cast.house.pk, kind=kind)
    return found


# --- REST -------------------------------------------------------------------------------------------------------------
def test_a_program_sends_a_signal_and_reads_what_became_of_it(cast: Team) -> None:
    made = post(robot(cast, "signals", "read"))
    assert (made.status_code, made.json()["accepted"], made.json()["duplicate"]) == (201, True, False)
    [_raw], [signal] = rows(source_of(cast, "rest"))
    assert made.json()["id"] == str(signal.pk)
    validate(cast.house.pk, signal.pk, now=timezone.now())
    shown = robot(cast, "read").get(f"/api/v1/signals/{signal.pk}/").json()
    assert (shown["symbol"], shown["side"], shown["state"], shown["code"]) == (
        "EURUSD", "buy", "rejected", Code.FACT_MISSING
    )  # fmt: skip
    assert [event["kind"] for event in shown["events"]] == ["parsed", "judged"]
    assert client_for(cast.charlie).get(f"/api/v1/signals/{signal.pk}/").status_code == 404


def test_a_repetition_is_one_signal_and_another_body_under_the_same_key_is_refused(cast: Team) -> None:
    client, key = robot(cast), uuid4().hex
    first, again = post(client, key=key), post(client, key=key)
    assert (first.status_code, again.status_code) == (201, 200)
    assert (again.json()["duplicate"], again.json()["id"]) == (True, first.json()["id"])
    other = post(client, {**BODY, "side": "sell", "stop": "1.0900", "targets": []}, key=key)
    assert (other.status_code, other.json()["code"]) == (422, Code.ID_REUSED)
    assert post(client).json()["duplicate"] is False, "another key says that it is meant again"
    assert len(rows(source_of(cast, "rest"))[1]) == 2


def test_a_key_counts_beside_an_id_and_whatever_message_it_came_with(cast: Team) -> None:
    client = robot(cast)
    first = post(client, {**BODY, "id": "try-1"}, key="one")
    assert first.status_code == 201
    for body, key, status, code in [
        ({**BODY, "id": "try-2"}, "one", 422, Code.ID_REUSED),  # a program that makes a new id for each try
        (BODY, "one", 422, Code.ID_REUSED),
        ({**BODY, "id": "try-1"}, "one", 200, None),
        ({**BODY, "id": "try-1"}, "two", 200, None),
        ({**BODY, "id": "try-3"}, "two", 422, Code.ID_REUSED),
        ({**BODY, "id": "try-1", "side": "sell", "stop": "1.09", "targets": []}, "three", 422, Code.ID_REUSED),
        ({**BODY, "id": "try-4"}, "three", 201, None),  # what was refused under it used nothing up
        ({**BODY, "id": "try-5", "side": "up"}, "four", 422, Code.SIDE_UNKNOWN),
        ({**BODY, "id": "try-5"}, "four", 201, None),
    ]:
        answer = post(client, body, key=key)
        assert (answer.status_code, answer.json().get("code")) == (status, code), (body, key)
        if status == 200:
            assert (answer.json()["duplicate"], answer.json()["id"]) == (True, first.json()["id"])
    assert len(rows(source_of(cast, "rest"))[1]) == 3


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({**BODY, "stopp": "1.08"}, 422, Code.FIELD_UNKNOWN),
        ({**BODY, "side": "up"}, 422, Code.SIDE_UNKNOWN),
        ({"side": "buy"}, 422, Code.FIELD_MISSING),
        (b"", 422, Code.EMPTY),
        (b'{"symbol":"EURUSD"', 422, Code.UNFINISHED),
        (b'{"symbol":"EURUSD","symbol":"GBPUSD","side":"buy"}', 422, Code.DUPLICATE_KEY),
        (b"[" * 50_000, 422, Code.TOO_DEEP),
        (b" " * 70_000, 413, Code.TOO_LARGE),
    ],
)
def test_a_refusal_has_a_code_a_sentence_and_a_place_in_the_ledger(
    cast: Team, body: object, status: int, code: Code
) -> None:
    answer = post(robot(cast), body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]
    raws, signals = rows(source_of(cast, "rest"))
    assert ([raw.code for raw in raws], signals) == ([code], [])


def test_without_the_scope_or_an_idempotency_key_nothing_is_kept(cast: Team) -> None:
    for scopes in (("read",), ("trade",), ("admin",)):
        assert post(robot(cast, *scopes)).status_code == 403
    client = robot(cast)
    for key in (None, "", "k" * 256, "\u00e9"):
        headers = {} if key is None else {"Idempotency-Key": key}
        answer = client.post("/api/v1/signals/", BODY, content_type="application/json", headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (400, "idempotency_key_missing")
    assert Client().post("/api/v1/signals/", BODY, content_type="application/json").status_code == 401
    assert client_for(cast.bob).post("/api/v1/signals/", BODY, content_type="application/json").status_code == 403
    with tenant_scope(cast.house.pk), atomic():
        assert not Source.objects.filter(organization_id=cast.house.pk).exists()


def test_a_source_that_sends_too_much_waits(cast: Team) -> None:
    client = robot(cast)
    source = sources.built_in(cast.house.pk, "rest")
    with tenant_scope(cast.house.pk), atomic():
        Source.objects.filter(pk=source.pk).update(per_minute=2)
    answers = [post(client) for _ in range(5)]
    statuses = [answer.status_code for answer in answers]
    assert set(statuses) == {201, 429}
    last = answers[statuses.index(429)]
    assert 0 < int(last.headers["Retry-After"]) <= 60
    assert last.json()["code"] == Code.TOO_MANY
    assert len(rows(source)[1]) == statuses.count(201)


# --- Switched off -----------------------------------------------------------------------------------------------------
def switch_off(cast: Team, kind: str) -> Source:
    source = sources.built_in(cast.house.pk, kind)
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sources.switch(cast.as_alice, source.pk, is_on=False)
    return source


def test_a_program_sends_nothing_through_a_source_that_is_off(cast: Team) -> None:
    client, source = robot(cast), switch_off(cast, "rest")
    answer = post(client)
    assert (answer.status_code, answer.json()["code"]) == (403, Code.SOURCE_OFF)
    assert rows(source) == ([], [])


def test_a_person_sends_no_ticket_through_a_source_that_is_off(cast: Team) -> None:
    source = switch_off(cast, "manual")
    with pytest.raises(Refused) as refused:
        submit(cast)
    assert refused.value.code == Code.SOURCE_OFF
    assert rows(source) == ([], [])


# --- Tickets ----------------------------------------------------------------------------------------------------------
def submit(cast: Team, who: Any = None, **fields: Any) -> pipeline.Outcome:
    caller = who or cast.as_alice
    given = {"symbol": "EURUSD", "side": "buy", "id": uuid4().hex, **fields}
    with tenant_scope(caller.organization_id), atomic():
        return tickets.submit(caller, Ticket(**given), now=timezone.now())


def test_a_ticket_is_stored_when_it_is_said_to_be(cast: Team) -> None:
    outcome = submit(cast, entry="1.0850", stop="1.0800", targets=["1.0900", ""], type="limit", notes="London open")
    assert outcome.state is RawState.READ
    [raw], [signal] = rows(source_of(cast, "manual"))
    assert (raw.pk, signal.pk) == (outcome.raw_id, outcome.signal_id)
    assert (signal.symbol, signal.order_kind, str(signal.entry.normalize())) == ("EURUSD", "limit", "1.085")
    assert signal.draft["notes"] == "London open"
    with tenant_scope(cast.house.pk), atomic():
        [entry] = AuditEntry.objects.filter(action="ticket.submitted")
    assert entry.subject == f"signal:{signal.pk}"


def submitted(cast: Team) -> list[str]:
    with tenant_scope(cast.house.pk), atomic():
        return list(AuditEntry.objects.filter(action="ticket.submitted").values_list("subject", flat=True))


def test_a_ticket_that_is_kept_and_not_read_yet_is_in_the_trail_as_what_it_is(cast: Team) -> None:
    with patch("trading.pipeline.read", side_effect=OperationalError):
        outcome = submit(cast)
    assert (outcome.state, outcome.signal_id) == (RawState.RECEIVED, None)
    assert submitted(cast) == [f"raw:{outcome.raw_id}"]


def test_a_ticket_that_we_failed_on_is_no_success(cast: Team) -> None:
    with patch("trading.pipeline.read", side_effect=RuntimeError), pytest.raises(Refused) as refused:
        submit(cast)
    assert refused.value.code == Code.QUARANTINED
    assert "a fault of ours (RuntimeError)" in refused.value.sentence
    assert submitted(cast) == []
    assert [raw.state for raw in rows(source_of(cast, "manual"))[0]] == [RawState.QUARANTINED]


def test_the_same_form_twice_is_one_ticket(cast: Team) -> None:
    first, again = submit(cast, id="form-1"), submit(cast, id="form-1")
    assert (first.state, again.state, again.signal_id) == (RawState.READ, RawState.DUPLICATE, first.signal_id)
    with pytest.raises(Refused) as refused:
        submit(cast, id="form-1", side="sell")
    assert refused.value.code == Code.ID_REUSED


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"entry": "1.0850", "stop": "1.0900"}, Code.STOP_SIDE),
        ({"side": "sell", "entry": "1.0850", "stop": "1.0800"}, Code.STOP_SIDE),
        ({"entry": "1.0850", "targets": ["1.0800"]}, Code.TARGET_SIDE),
        ({"stop": "1.0850", "targets": ["1.0800"]}, Code.TARGET_SIDE),
        ({"symbol": "<script>"}, Code.SYMBOL_MALFORMED),
        ({"side": ""}, Code.FIELD_MISSING),
        ({"type": "limit"}, Code.FIELD_MISSING),
        ({"stop": "abc"}, Code.NOT_A_NUMBER),
        ({"stop": "-1"}, Code.NOT_A_NUMBER),
    ],
)
def test_a_ticket_that_cannot_be_right_is_refused_with_its_reason(
    cast: Team, fields: dict[str, Any], code: Code
) -> None:
    with pytest.raises(Refused) as refused:
        submit(cast, **fields)
    assert refused.value.code == code
    assert refused.value.sentence
    assert rows(source_of(cast, "manual"))[1] == []


def test_who_only_looks_submits_nothing(cast: Team) -> None:
    with pytest.raises(Refused) as refused:
        submit(cast, cast.as_bob)
    assert refused.value.code == "not_allowed"
    with tenant_scope(cast.house.pk), atomic():
        assert not Source.objects.filter(organization_id=cast.house.pk).exists()

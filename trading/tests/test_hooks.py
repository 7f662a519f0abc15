"""The hooks: who may send is let in and answered at once; everybody else is turned away, and learns nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
import redis
import time_machine
from django.db import IntegrityError, OperationalError
from django.db import connections as databases
from django.test import Client
from django.utils import timezone

from accounts.access import Caller, Refused
from accounts.models import AuditEntry
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import Team, team
from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.logs import mask
from trading import connections, pipeline
from trading.engine.replay import WINDOW_S
from trading.ledger import ledger_of
from trading.models import RawState, SignalState, Source, SourceMinute, SourceSecret
from trading.rehearsal.messages import CLIENTS
from trading.services import reception, sources
from trading.services.sources import Setup
from trading.sources import ea_push
from trading.sources.ea_push import sign
from trading.tests.sources import events, make_source, push, rows, swept

T = TypeVar("T")


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


@dataclass(frozen=True, slots=True, kw_only=True)
class Sender:
    """Somebody who holds a source's secret."""

    source: Source
    secret: str

    def post(self, body: bytes, *, secret: str = "", to: UUID | None = None, **changes: str) -> Any:
        timestamp = changes.get("timestamp") or str(int(time.time()))
        nonce = changes.get("nonce") or uuid4().hex
        signature = changes.get("signature") or sign(
            (secret or self.secret).encode(), timestamp=timestamp, nonce=nonce, body=body
        )
        return Client().post(
            changes.get("path") or f"/hooks/ea/{to or self.source.pk}/",
            body,
            content_type="application/json",
            headers={
                "X-Mikrobot-Timestamp": timestamp, "X-Mikrobot-Nonce": nonce, "X-Mikrobot-Signature": signature
            },
        )  # fmt: skip

    def send(self, sequence: int, kind: str = "signal", **how: Any) -> Any:
        return self.post(push(self.source, sequence, kind).body, **how)


def made(cast: Team, kind: str = "ea_push", **setup: Any) -> Sender:
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        source, secret = sources.make(cast.as_alice, kind, Setup(name=f"Source {uuid4().hex[:8]}", **setup))
    return Sender(source=source, secret=secret)


def trail(organization_id: UUID, source: Source | None) -> list[tuple[str, str]]:
    """Return who knocked at a source in vain, and what for."""
    scope = system_scope("staff") if organization_id == PLATFORM_ID else tenant_scope(organization_id)
    with scope, atomic():
        rows = AuditEntry.objects.filter(organization_id=organization_id, action="signal.turned_away").order_by("pk")
        return [
            (row.actor_kind, row.data["code"])
            for row in rows
            if row.subject == (f"source:{source.pk}" if source else "")
        ]


# --- The signed door --------------------------------------------------------------------------------------------------
def test_a_signed_message_becomes_a_signal_and_is_acknowledged(cast: Team) -> None:
    ea = made(cast)
    first = ea.send(1)
    [raw], [signal] = rows(ea.source)
    assert (first.status_code, first.json()) == (
        200, {"accepted": True, "duplicate": False, "ack": 1, "signal": str(signal.pk)}
    )  # fmt: skip
    assert raw.state == RawState.READ
    again = ea.send(1)
    assert (again.status_code, again.json()["duplicate"], again.json()["signal"]) == (200, True, str(signal.pk))
    heartbeat = ea.send(2, "heartbeat")
    assert (heartbeat.status_code, heartbeat.json()["accepted"], heartbeat.json()["ack"]) == (200, True, 2)
    refused = ea.post(push(ea.source, 5).body.replace(b'"kind":"signal"', b'"kind":"sgnal"'))
    assert (refused.status_code, refused.json()["accepted"], refused.json()["code"]) == (422, False, Code.FIELD_VALUE)
    assert refused.json()["ack"] == 5
    assert len(rows(ea.source)[1]) == 1


@pytest.mark.parametrize(
    ("written", "ack"),
    [("9" * 5_000, None), (str(ea_push.MAX_SEQUENCE + 1), ea_push.MAX_SEQUENCE + 1), ("-1", None), ("1e400", None)],
)
def test_a_number_that_cannot_be_is_refused_for_good(cast: Team, written: str, ack: int | None) -> None:
    """An answer of 500 would be repeated for ever: the client gives up only on 413 and 422."""
    ea = made(cast)
    answer = ea.post(push(ea.source, 1).body.replace(b'"sequence":1', f'"sequence":{written}'.encode()))
    assert (answer.status_code, answer.json()["accepted"], answer.json()["ack"]) == (422, False, ack)
    assert [raw.state for raw in rows(ea.source)[0]] == [RawState.REFUSED]


def test_a_length_that_cannot_be_is_not_believed(cast: Team) -> None:
    tv = made(cast, "tradingview")
    answer = Client().generic(
        "POST", f"/hooks/tv/{tv.secret}/", json.dumps(OWN), "application/json", CONTENT_LENGTH="9" * 5_000
    )
    assert answer.status_code < 500


@pytest.mark.parametrize("name", sorted(path.stem for path in (CLIENTS / "samples").glob("*.json")))
def test_a_golden_sample_is_answered_as_the_protocol_says(cast: Team, name: str) -> None:
    sample = json.loads((CLIENTS / "samples" / f"{name}.json").read_text(encoding="utf-8"))
    ea = made(cast)
    body = sample["body"].replace("0197a1f0-0000-7000-8000-000000000001", str(ea.source.pk)).encode()
    headers = dict(sample["headers"])
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        row = SourceSecret.objects.get(source=ea.source)
        connections.seal(row, sample["secret"])
        row.save()
    is_right = headers.get("X-Mikrobot-Signature") == sign(
        sample["secret"].encode(), timestamp=headers.get("X-Mikrobot-Timestamp", ""),
        nonce=headers.get("X-Mikrobot-Nonce", ""), body=sample["body"].encode(),
    )  # fmt: skip
    if is_right:  # the sample's own source cannot be made in every test's database, so its signature is made anew
        headers["X-Mikrobot-Signature"] = sign(
            sample["secret"].encode(), timestamp=headers["X-Mikrobot-Timestamp"], nonce=headers["X-Mikrobot-Nonce"],
            body=body,
        )  # fmt: skip
    with time_machine.travel(sample["now"], tick=False):
        answer = Client().post(f"/hooks/ea/{ea.source.pk}/", body, content_type="application/json", headers=headers)
    expected = 200 if sample["refused"] in {"", Code.HEARTBEAT} else 401 if "sender" in sample["refused"] else 422
    if sample["refused"] == Code.SOURCE_MISMATCH:
        expected = 422
    assert answer.status_code == expected, answer.content
    if sample["refused"] and expected != 200:
        assert answer.json()["code"] == sample["refused"]
    assert len(rows(ea.source)[1]) == (not sample["refused"])


def test_what_cannot_be_trusted_is_turned_away_remembered_and_kept_nowhere(cast: Team) -> None:
    ea, other = made(cast), made(cast)
    theirs = make_source(cast.other.pk, "ea_push")
    body = push(ea.source, 1).body
    nonce = uuid4().hex
    assert ea.post(body, nonce=nonce).status_code == 200
    early, late = (str(int(time.time()) + seconds) for seconds in (WINDOW_S + 9, -WINDOW_S - 9))
    cases = [
        (ea.post(body, nonce=nonce), 409, Code.NONCE_USED),
        (ea.post(body, secret="wrong"), 401, Code.SIGNATURE_WRONG),
        (ea.post(body, secret=other.secret), 401, Code.SIGNATURE_WRONG),
        (ea.post(body, timestamp=early), 401, Code.CLOCK_OUTSIDE_WINDOW),
        (ea.post(body, timestamp=late), 401, Code.CLOCK_OUTSIDE_WINDOW),
        (Client().post(f"/hooks/ea/{ea.source.pk}/", body, "application/json"), 401, Code.SIGNATURE_MISSING),
        (ea.post(b" " * 70_000), 413, Code.TOO_LARGE),
    ]
    for answer, status, code in cases:
        assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert trail(cast.house.pk, ea.source) == [("source", code) for _, _, code in cases]
    assert len(rows(ea.source)[0]) == 1

    assert ea.post(body, to=theirs.pk).json()["code"] == Code.SIGNATURE_WRONG
    assert trail(cast.other.pk, theirs) == [("source", Code.SIGNATURE_WRONG)]
    assert rows(theirs) == ([], [])
    mismatch = other.post(body)
    assert (mismatch.status_code, mismatch.json()["code"]) == (422, Code.SOURCE_MISMATCH)
    assert trail(cast.house.pk, other.source) == [("source", Code.SOURCE_MISMATCH)]
    assert rows(other.source)[1] == []


def test_nobody_learns_which_sources_there_are(cast: Team) -> None:
    ea = made(cast)
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sources.switch(cast.as_alice, ea.source.pk, is_on=False)
    body = push(ea.source, 1).body
    before = len(trail(PLATFORM_ID, None))
    with time_machine.travel("2026-03-01T11:00:01Z", tick=False):  # the trail takes ten a minute, of all tests together
        answers = [
            ea.post(body, secret="wrong"),
            ea.post(body, to=uuid4()),
            ea.post(body, to=make_source(cast.house.pk, "rest").pk),
            ea.post(body, secret="wrong", to=make_source(cast.house.pk, "ea_push").pk),
        ]
    assert len({(answer.status_code, answer.content) for answer in answers}) == 1
    assert len(trail(PLATFORM_ID, None)) == before + 2
    off = ea.send(1)
    assert (off.status_code, off.json()["code"]) == (403, Code.SOURCE_OFF)
    with patch("trading.services.reception.verify", wraps=ea_push.verify) as asked:
        ea.post(body, to=uuid4())
    assert [len(call.kwargs["secrets"]) for call in asked.call_args_list] == [1], "a signature is computed all the same"


def test_a_flood_of_knocks_does_not_bury_the_trail(cast: Team) -> None:
    ea = made(cast)
    with time_machine.travel("2026-03-01T10:00:01Z", tick=False):
        for _ in range(reception.TRAIL_A_MINUTE + 5):
            assert ea.send(1, secret="wrong").status_code == 401
    assert len(trail(cast.house.pk, ea.source)) == reception.TRAIL_A_MINUTE
    with tenant_scope(cast.house.pk), atomic():
        [minute] = SourceMinute.objects.filter(source_id=ea.source.pk)
    assert (minute.accepted, minute.refused) == (0, reception.TRAIL_A_MINUTE + 5)


def test_many_knocks_do_not_hide_the_one_that_matters(cast: Team) -> None:
    ea, nonce = made(cast), uuid4().hex
    with time_machine.travel("2026-03-01T10:30:01Z", tick=False):
        assert ea.send(1, nonce=nonce).status_code == 200
        for _ in range(reception.TRAIL_A_MINUTE + 5):
            ea.send(2, secret="wrong")
        for _ in range(2):
            assert ea.send(1, nonce=nonce).status_code == 409
    told = trail(cast.house.pk, ea.source)
    assert told == [*[("source", Code.SIGNATURE_WRONG)] * reception.TRAIL_A_MINUTE, *[("source", Code.NONCE_USED)] * 2]
    with tenant_scope(cast.house.pk), atomic():
        [minute] = SourceMinute.objects.filter(source_id=ea.source.pk)
    assert (minute.accepted, minute.refused) == (1, reception.TRAIL_A_MINUTE + 7)
    assert minute.refusals == {Code.SIGNATURE_WRONG: reception.TRAIL_A_MINUTE + 5, Code.NONCE_USED: 2}


@pytest.mark.parametrize(
    ("network", "address", "status"),
    [
        ("203.0.113.5", "::ffff:203.0.113.5", 200),
        ("203.0.113.0/24", "::ffff:203.0.113.77", 200),
        ("203.0.113.0/24", "::ffff:203.0.114.1", 403),
        ("::ffff:203.0.113.5", "203.0.113.5", 200),
        ("::ffff:203.0.113.0/120", "203.0.113.77", 200),
        ("::ffff:203.0.113.0/120", "203.0.114.1", 403),
        ("::/0", "2001:db8::1", 200),
        ("2001:db8::/32", "203.0.113.5", 403),
    ],
)
def test_an_address_is_the_same_in_either_family(cast: Team, network: str, address: str, status: int) -> None:
    tv = made(cast, "tradingview", networks=[network])
    answer = Client(REMOTE_ADDR=address).post(f"/hooks/tv/{tv.secret}/", OWN, content_type="application/json")
    assert answer.status_code == status


def test_more_than_its_share_is_told_to_wait_and_nothing_accepted_is_lost(cast: Team) -> None:
    ea = made(cast, per_minute=3)
    with time_machine.travel("2026-03-01T10:00:20Z", tick=False):
        answers = [ea.send(number) for number in range(1, 6)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert [answer.headers.get("Retry-After") for answer in answers] == [None, None, None, "40", "40"]
    assert len(rows(ea.source)[1]) == 3
    with time_machine.travel("2026-03-01T10:01:00Z", tick=False):
        assert ea.send(4).status_code == 200


def test_an_id_that_means_something_else_now_is_refused_and_not_swallowed(cast: Team) -> None:
    ea = made(cast)
    body = push(ea.source, 1).body
    assert ea.post(body).json()["duplicate"] is False
    other = body.replace(b"EURJPY", b"GBPJPY")
    answer = ea.post(other)
    assert (answer.status_code, answer.json()["code"]) == (422, Code.ID_REUSED)
    assert ea.post(body.replace(b'"sequence":1', b'"sequence": 1')).json()["duplicate"] is True


def test_a_message_that_was_kept_is_acknowledged_whatever_happens_then(cast: Team) -> None:
    ea = made(cast)
    with patch("trading.pipeline.read", side_effect=OperationalError):
        answer = ea.send(7)
    assert (answer.status_code, answer.json()) == (200, {"accepted": True, "duplicate": False, "ack": 7})
    assert [raw.state for raw in rows(ea.source)[0]] == [RawState.RECEIVED]
    assert ea.send(7).json()["duplicate"] is False  # the retry came first; the other is its duplicate
    outcome = pipeline.understand(cast.house.pk, rows(ea.source)[0][0].pk, now=timezone.now())
    assert outcome.state is RawState.DUPLICATE
    assert len(rows(ea.source)[1]) == 1


def test_a_source_of_the_platform_has_a_secret_too(cast: Team) -> None:
    source = make_source(PLATFORM_ID, "ea_push")
    with system_scope("signals.platform"):
        row = SourceSecret(organization_id=PLATFORM_ID, source=source)
        connections.seal(row, "the platform's own")
        row.save()
    assert Sender(source=source, secret="the platform's own").send(1).status_code == 200
    assert Sender(source=source, secret="another").send(2).status_code == 401
    assert len(rows(source)[1]) == 1


# --- Secrets ----------------------------------------------------------------------------------------------------------
def test_both_secrets_count_while_they_are_exchanged(cast: Team) -> None:
    ea = made(cast)
    assert ea.send(1).status_code == 200
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        _source, fresh = sources.exchange_secret(cast.as_alice, ea.source.pk)
    assert [ea.send(2).status_code, ea.send(3, secret=fresh).status_code] == [200, 200]
    with time_machine.travel(timezone.now() + sources.OVERLAP + timedelta(minutes=1)):
        assert [ea.send(4).status_code, ea.send(5, secret=fresh).status_code] == [401, 200]
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sources.end_old_secrets(cast.as_alice, ea.source.pk)
    assert [ea.send(6).status_code, ea.send(7, secret=fresh).status_code] == [401, 200]


def test_a_third_secret_ends_the_first(cast: Team) -> None:
    ea = made(cast)
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        _source, second = sources.exchange_secret(cast.as_alice, ea.source.pk)
        _source, third = sources.exchange_secret(cast.as_alice, ea.source.pk)
    assert [ea.send(n, secret=s).status_code for n, s in enumerate((ea.secret, second, third), 1)] == [401, 200, 200]


def test_opening_a_secret_is_in_the_trail_once_and_the_text_nowhere(cast: Team) -> None:
    ea = made(cast)
    for number in (1, 2, 3):
        assert ea.send(number).status_code == 200
    with tenant_scope(cast.house.pk), atomic():
        row = SourceSecret.objects.get(source=ea.source)
        subject = f"sourcesecret:{row.pk}"
        assert AuditEntry.objects.filter(action="secret.revealed", subject=subject).count() == 1
        assert ea.secret not in (row.sealed or "")
    stored = json.dumps([raw.headers for raw in rows(ea.source)[0]] + [event.evidence for event in events(ea.source)])
    assert ea.secret not in stored


# --- TradingView ------------------------------------------------------------------------------------------------------
OWN = {"action": "buy", "symbol": "MNQ1!", "price": 15000.25, "time": "2026-03-01T10:00:00Z"}


def alert(secret: str, body: object, content_type: str = "application/json") -> Any:
    text = body if isinstance(body, str) else json.dumps(body)
    return Client().post(f"/hooks/tv/{secret}/", text.encode(), content_type=content_type)


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (OWN, "application/json"),
        (json.dumps(OWN).replace("15000.25", "NaN"), "text/plain"),
        (json.dumps(OWN).replace(", ", ",\r\n"), "text/plain; charset=utf-8"),
        ({"ticker": "NQ1!", "action": "buy", "quantity": 1}, "application/json"),
        ("60123456789,buy,EURUSD,risk=1,sl_pips=20", "text/plain"),
        ("60123456789,buy,EURUSD,risk=1,sl_pips=20\r\n", "text/plain"),
        (
            {"embeds": [{"title": "open_long [MNQ1!]", "fields": [
                {"name": "entry", "value": "15000"}, {"name": "stop", "value": "14990"},
            ]}]},
            "application/json",
        ),
    ],
)  # fmt: skip
def test_every_form_of_an_alert_comes_in(cast: Team, body: object, content_type: str) -> None:
    tv = made(cast, "tradingview")
    first, again = alert(tv.secret, body, content_type), alert(tv.secret, body, content_type)
    assert (first.status_code, first.json()["duplicate"]) == (200, False), first.content
    assert (again.status_code, again.json()["duplicate"], again.json()["signal"]) == (200, True, first.json()["signal"])
    assert len(rows(tv.source)[1]) == 1


def test_an_alert_that_was_not_filled_in_is_refused_and_stored(cast: Team) -> None:
    tv = made(cast, "tradingview")
    answer = alert(tv.secret, {**OWN, "price": "{{close}}"})
    assert (answer.status_code, answer.json()["code"]) == (422, Code.PLACEHOLDER)
    assert [raw.state for raw in rows(tv.source)[0]] == [RawState.REFUSED]


def test_a_wrong_address_leads_nowhere(cast: Team) -> None:
    tv = made(cast, "tradingview", networks=["52.89.214.238", "34.212.75.0/24"])
    before = len(trail(PLATFORM_ID, None))
    with time_machine.travel("2026-03-01T12:00:01Z", tick=False):  # the trail takes ten a minute, of all tests together
        for secret in (tv.secret[:-1], tv.secret + "x", str(tv.source.pk), made(cast).secret, "%00", "é"):
            assert alert(secret, OWN).status_code == 404
    assert len(trail(PLATFORM_ID, None)) == before + 6
    assert alert(tv.secret, OWN).json()["code"] == Code.NETWORK
    assert trail(cast.house.pk, tv.source) == [("source", Code.NETWORK)]
    allowed = Client(REMOTE_ADDR="34.212.75.30").post(f"/hooks/tv/{tv.secret}/", OWN, content_type="application/json")
    assert allowed.status_code == 200
    assert Client().get(f"/hooks/tv/{tv.secret}/").status_code == 405
    assert tv.secret not in mask(f"Service Unavailable: /hooks/tv/{tv.secret}/")


def test_an_answer_does_not_wait_for_redis(cast: Team) -> None:
    tv = made(cast, "tradingview")

    released = threading.Event()

    def hangs() -> None:
        released.wait()
        raise redis.ConnectionError

    with patch("trading.pipeline.redis_client", side_effect=hangs) as asked:
        answers = [alert(tv.secret, {**OWN, "id": str(number)}) for number in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 5, "the first call to Redis still hangs"
        released.set()
        for thread in threading.enumerate():
            if thread.name == "wake":
                thread.join()
    assert 1 <= asked.call_count <= 2, "who asks while somebody asks already is one with the next"


# --- Setting up -------------------------------------------------------------------------------------------------------
def test_only_members_who_may_make_and_change_sources(cast: Team) -> None:
    ea = made(cast)
    for caller, code in ((cast.as_bob, "not_allowed"), (cast.as_charlie, "source_unknown")):
        for deed in (
            lambda who: sources.change(who, ea.source.pk, Setup(name="Mine")),
            lambda who: sources.switch(who, ea.source.pk, is_on=False),
            lambda who: sources.remove(who, ea.source.pk),
            lambda who: sources.exchange_secret(who, ea.source.pk),
            lambda who: sources.end_old_secrets(who, ea.source.pk),
        ):
            with (
                pytest.raises(Refused) as refused,
                tenant_scope(caller.organization_id),
                atomic(),
            ):
                deed(caller)
            assert refused.value.code == code
    with tenant_scope(cast.house.pk), atomic():
        assert Source.objects.get(pk=ea.source.pk).is_enabled


@pytest.mark.parametrize(
    ("setup", "code"),
    [
        ({"name": ""}, "name_invalid"),
        ({"per_minute": 0}, "rate_invalid"),
        ({"per_minute": 601}, "rate_invalid"),
        ({"networks": ["nowhere"]}, "network_invalid"),
        ({"networks": [f"10.0.0.{n}" for n in range(21)]}, "network_invalid"),
        ({"levels": "furlongs"}, "levels_invalid"),
        ({"power_scale": "x"}, "scale_invalid"),
        ({"clock_zone": "Mars/Olympus"}, "zone_invalid"),
        ({"clock_zone": "America/New_York", "clock_shift_s": 100}, "shift_invalid"),
        ({"clock_shift_s": 900}, "shift_invalid"),
    ],
)
def test_a_source_is_set_up_with_sense(setup: dict[str, Any], code: str) -> None:
    with pytest.raises(Refused) as refused:
        sources_make(team(), {"name": "x"} | setup)
    assert refused.value.code == code


def by_alice(cast: Team, deed: Callable[[Caller], T]) -> T:
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        return deed(cast.as_alice)


@pytest.mark.parametrize("kind", ["ea_push", "tradingview"])
def test_a_source_that_was_removed_lets_nobody_in_and_what_it_sent_stays(kind: str) -> None:
    cast = team()
    sender = made(cast, kind, networks=["127.0.0.1"])
    source = sender.source

    def knock(sequence: int) -> Any:
        return sender.send(sequence) if kind == "ea_push" else alert(sender.secret, OWN)

    assert knock(1).status_code == 200
    with pytest.raises(Refused) as refused:
        by_alice(cast, lambda who: sources.remove(who, source.pk))
    assert refused.value.code == "source_on"
    by_alice(cast, lambda who: sources.switch(who, source.pk, is_on=False))
    removed = by_alice(cast, lambda who: sources.remove(who, source.pk))
    assert removed.removed_at
    assert knock(2).json()["code"] == (Code.SIGNATURE_WRONG if kind == "ea_push" else Code.SOURCE_UNKNOWN)
    with tenant_scope(cast.house.pk), atomic():
        assert not SourceSecret.objects.filter(source=source).exists()
        [entry] = AuditEntry.objects.filter(action="source.removed")
        assert (entry.subject, entry.data["name"]) == (f"source:{source.pk}", source.name)
        assert Source.objects.get(pk=source.pk).name == source.name
    [raw], [signal] = rows(source)
    assert (raw.state, signal.raw_id) == (RawState.READ, raw.pk)
    swept(source, timezone.now())
    assert rows(source)[1][0].state != SignalState.WAITING, "what it sent before is judged all the same"

    again = by_alice(cast, lambda who: sources.make(who, kind, Setup(name=source.name)))[0]
    assert again.pk != source.pk
    for deed in (
        lambda who: sources.remove(who, source.pk),
        lambda who: sources.switch(who, source.pk, is_on=True),
        lambda who: sources.change(who, source.pk, Setup(name="Another")),
        lambda who: sources.exchange_secret(who, source.pk),
    ):
        with pytest.raises(Refused) as refused:
            by_alice(cast, deed)
        assert refused.value.code == "source_unknown"
    with pytest.raises(IntegrityError, match="removed_is_off"), ledger_of(cast.house.pk):
        Source.objects.filter(pk=source.pk).update(is_enabled=True)


def test_a_removed_source_takes_nobodys_place() -> None:
    cast = team()
    source = made(cast).source
    with patch("trading.services.sources.MAX_SOURCES", 1):
        with pytest.raises(Refused):
            made(cast)
        by_alice(cast, lambda who: sources.switch(who, source.pk, is_on=False))
        by_alice(cast, lambda who: sources.remove(who, source.pk))
        assert made(cast).source.pk != source.pk


def test_what_is_made_by_whoever_needs_it_cannot_be_removed() -> None:
    cast = team()
    source = sources.built_in(cast.house.pk, "rest")
    by_alice(cast, lambda who: sources.switch(who, source.pk, is_on=False))
    with pytest.raises(Refused) as refused:
        by_alice(cast, lambda who: sources.remove(who, source.pk))
    assert refused.value.code == "source_built_in"


def two_forms(cast: Team, *names: str) -> list[str]:
    """Make two sources at the same moment; return what became of them, sorted."""
    start = threading.Barrier(2)

    def make(name: str) -> str:
        start.wait()
        try:
            sources_make(cast, {"name": name})
        except Refused as refused:
            return refused.code
        finally:
            databases.close_all()
        return "made"

    with ThreadPoolExecutor(2) as both:
        return sorted(both.map(make, names))


def test_of_two_forms_at_once_with_one_name_the_second_is_told() -> None:
    name = f"Source {uuid4().hex[:8]}"
    assert two_forms(team(), name, name) == ["made", "name_taken"]


def test_of_two_forms_at_once_for_the_last_place_the_second_is_told(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        count = Source.objects.filter(organization_id=cast.house.pk).count()
    with patch("trading.services.sources.MAX_SOURCES", count + 1):
        assert two_forms(cast, uuid4().hex, uuid4().hex) == ["made", "too_many_sources"]


def test_a_name_that_a_form_takes_at_this_moment_is_no_fault_of_a_programs_signal() -> None:
    cast = team()
    with ThreadPoolExecutor(1) as one:
        with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
            for name in ("REST API", "REST API (2)"):
                sources.make(cast.as_alice, "ea_push", Setup(name=name))
            needed = one.submit(lambda: sources.built_in(cast.house.pk, "rest"))
            with databases["default"].cursor() as cursor:
                is_waiting = False
                while not is_waiting and not needed.done():
                    cursor.execute("select exists (select from pg_locks where not granted)")
                    [is_waiting] = cursor.fetchone() or [False]
        assert needed.result().name == "REST API (3)"
        one.submit(databases.close_all).result()


def test_who_has_his_source_already_waits_for_nobodys_form() -> None:
    cast = team()
    sources.built_in(cast.house.pk, "rest")
    with ThreadPoolExecutor(1) as one:
        with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
            sources.make(cast.as_alice, "ea_push", Setup(name="Another"))
            needed = one.submit(lambda: sources.built_in(cast.house.pk, "rest"))
            assert needed.result(timeout=30).name == "REST API"
        one.submit(databases.close_all).result()


def sources_make(cast: Team, setup: dict[str, Any]) -> None:
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        sources.make(cast.as_alice, "ea_push", Setup(**setup))

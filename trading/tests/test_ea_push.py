"""Our push protocol: the golden samples replayed, the signature in every wrong way, the order of messages."""

from __future__ import annotations

import hmac
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import LevelUnit, SignalDraft
from trading.engine.replay import WINDOW_S, Order, judge_sequence
from trading.rehearsal.messages import CLIENTS, SOURCE, code_of, context, read
from trading.sources import dedupe_key
from trading.sources.ea_push import Envelope, sign, verify
from trading.tests.corpus_writer import SECRET, TIMESTAMP, push_body, push_samples

SAMPLES = {path.stem: path for path in sorted((CLIENTS / "samples").glob("*.json"))}
NOW = datetime(2025, 8, 4, 8, 28, 32, tzinfo=UTC)
BODY = push_body().encode()
NONCE = "Zm9vYmFyYmF6cXV4MDAwMQ"


def answer(sample: dict[str, Any]) -> SignalDraft | Refusal:
    """Do what the door does: the envelope first, then the body."""
    now = datetime.fromisoformat(sample["now"].replace("Z", "+00:00"))
    body = sample["body"].encode()
    refused = verify(Envelope.of(sample["headers"]), body, secrets=[sample["secret"].encode()], now=now)
    found = refused or read("ea_push", body)
    assert isinstance(found, SignalDraft | Refusal)
    return found


@pytest.mark.parametrize("name", SAMPLES)
def test_a_golden_sample_is_answered_as_the_protocol_says(name: str) -> None:
    sample = json.loads(SAMPLES[name].read_text(encoding="utf-8"))
    assert sample == push_samples()[name]
    found = answer(sample)
    if not sample["refused"]:
        assert isinstance(found, SignalDraft)
    assert (code_of(found) or "") == sample["refused"]


def test_the_protocol_page_names_every_sample_and_header() -> None:
    page = (CLIENTS / "PROTOCOL.md").read_text(encoding="utf-8")
    assert SAMPLES.keys() == push_samples().keys()
    for word in (*SAMPLES, "X-Mikrobot-Timestamp", "X-Mikrobot-Nonce", "X-Mikrobot-Signature", str(WINDOW_S)):
        assert word in page


def test_a_signal_keeps_both_clocks() -> None:
    found = read("ea_push", BODY)
    assert isinstance(found, SignalDraft)
    assert found.said_at == datetime(2025, 8, 4, 8, 28, 31, tzinfo=UTC)
    assert (found.id, found.sequence, found.account) == ("9f31c2a0-17", 17, "107000001")
    assert dict(found.extras)["server_time"] == "2025.08.04 08:28:31"
    assert dict(found.extras)["stamp"] == "2025.08.04 08:28"
    assert dedupe_key(found, context=context()).text == "id:9f31c2a0-17"


def test_an_order_is_in_prices() -> None:
    found = answer(push_samples()["signal_with_order"])  # type: ignore[arg-type]
    assert isinstance(found, SignalDraft)
    assert found.stop is not None
    assert found.stop.unit is LevelUnit.PRICE
    assert found.ask is not None


def envelope(**changes: str) -> Envelope:
    parts = {"timestamp": TIMESTAMP, "nonce": NONCE} | {
        key: changes[key] for key in ("timestamp", "nonce") if key in changes
    }
    signature = sign(SECRET.encode(), timestamp=parts["timestamp"], nonce=parts["nonce"], body=BODY)
    return Envelope(**parts, signature=changes.get("signature", signature))


def check(
    given: Envelope, *, body: bytes = BODY, secrets: tuple[bytes, ...] = (SECRET.encode(),), now: datetime = NOW
) -> Code | None:
    refused = verify(given, body, secrets=secrets, now=now)
    return refused.code if refused else None


def test_either_secret_opens_while_they_are_rotated() -> None:
    assert check(envelope(), secrets=(b"new", SECRET.encode())) is None
    assert check(envelope(), secrets=(SECRET.encode(), b"old")) is None
    assert check(envelope(), secrets=(b"new", b"old")) is Code.SIGNATURE_WRONG
    assert check(envelope(), secrets=()) is Code.SIGNATURE_WRONG


@pytest.mark.parametrize("seconds", [-WINDOW_S, 0, WINDOW_S])
def test_the_window_is_closed_at_both_ends(seconds: int) -> None:
    moment = datetime.fromtimestamp(int(TIMESTAMP), tz=UTC) + timedelta(seconds=seconds)
    assert check(envelope(), now=moment) is None
    if seconds:
        assert check(envelope(), now=moment + timedelta(seconds=seconds // abs(seconds))) is Code.CLOCK_OUTSIDE_WINDOW


def test_a_stranger_does_not_learn_that_the_clock_was_wrong() -> None:
    assert check(envelope(signature="0" * 64), now=NOW + timedelta(days=9)) is Code.SIGNATURE_WRONG


@settings(deadline=None)
@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_any_changed_byte_is_noticed(place: int, change: int) -> None:
    body = bytearray(BODY)
    body[place] ^= change
    assert check(envelope(), body=bytes(body)) is Code.SIGNATURE_WRONG


@settings(deadline=None)
@given(st.text(max_size=80), st.text(max_size=80), st.text(max_size=80))
def test_any_headers_are_refused(timestamp: str, nonce: str, signature: str) -> None:
    given_headers = Envelope(timestamp=timestamp, nonce=nonce, signature=signature)
    assert check(given_headers) in (Code.SIGNATURE_MISSING, Code.SIGNATURE_WRONG)


def test_timestamp_and_nonce_are_signed_apart() -> None:
    """ "12" + "3..." must not be taken for "1" + "23...": the dots and the fixed form keep them apart."""
    for changes in ({"timestamp": "1754296112"}, {"nonce": NONCE[:-1] + "R"}):
        moved = Envelope(
            timestamp=changes.get("timestamp", TIMESTAMP),
            nonce=changes.get("nonce", NONCE),
            signature=envelope().signature,
        )
        assert check(moved) is Code.SIGNATURE_WRONG


def test_every_secret_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[object, object]] = []
    real = hmac.compare_digest

    def watched(left: Any, right: Any) -> bool:
        compared.append((left, right))
        return real(left, right)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for given_headers in (envelope(), envelope(signature="0" * 64), envelope(signature=""), envelope(nonce="x")):
        compared.clear()
        check(given_headers, secrets=(SECRET.encode(), b"second", b"third"))
        assert len(compared) == 3
        assert all(len(str(left)) == len(str(right)) == 64 for left, right in compared)


def test_headers_are_found_whatever_their_case() -> None:
    headers = {"x-mikrobot-timestamp": "1", "X-MIKROBOT-NONCE": "2", "X-Mikrobot-Signature": "3", "Host": "x"}
    assert Envelope.of(headers) == Envelope(timestamp="1", nonce="2", signature="3")


@pytest.mark.parametrize(
    ("last", "got", "order", "missing"),
    [
        (None, 17, Order.NEXT, 0),
        (17, 18, Order.NEXT, 0),
        (17, 17, Order.REPEATED, 0),
        (17, 3, Order.REPEATED, 0),
        (17, 21, Order.GAP, 3),
    ],
)
def test_the_order_of_messages(last: int | None, got: int, order: Order, missing: int) -> None:
    verdict = judge_sequence(last, got)
    assert (verdict.order, verdict.missing) == (order, missing)


@given(st.sets(st.integers(1, 60), min_size=1))
def test_gaps_add_up_to_what_never_came(numbers: set[int]) -> None:
    last, missing = None, 0
    for number in sorted(numbers):
        missing += judge_sequence(last, number).missing
        last = number
    assert missing == max(numbers) - min(numbers) + 1 - len(numbers)


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"source": "another"}, Code.SOURCE_MISMATCH),
        ({"sequence": 0}, Code.FIELD_VALUE),
        ({"sequence": 1.5}, Code.FIELD_VALUE),
        ({"sequence": "17"}, Code.FIELD_TYPE),
        ({"sequence": 2**53}, Code.FIELD_VALUE),
        ({"id": ""}, Code.ID_MALFORMED),
        ({"id": None}, Code.FIELD_MISSING),
        ({"protocol": "mikrobot-ea/2"}, Code.FIELD_VALUE),
        ({"kind": "order"}, Code.FIELD_VALUE),
        ({"clock": {"server": "2025.08.04 08:28:31"}}, Code.FIELD_MISSING),
        ({"stopp": 1}, Code.FIELD_UNKNOWN),
        ({"clock": {"server": "2025.08.04 08:28:31", "utc": "2025-08-04T08:28:31"}}, Code.STAMP_MALFORMED),
        ({"clock": {"server": "1970.01.01 00:00", "utc": "2025-08-04T08:28:31Z"}}, Code.STAMP_UNSET),
        ({"signal": None}, Code.FIELD_MISSING),
        ({"order": {"stop": -1}}, Code.NOT_A_NUMBER),
        ({"quote": []}, Code.FIELD_TYPE),
        ({"quote": {"bid": 1}}, Code.FIELD_MISSING),
        ({"stream": "a b"}, Code.ID_MALFORMED),
    ],
)
def test_bodies_that_are_not_ours(changes: dict[str, object], code: Code) -> None:
    assert code_of(read("ea_push", push_body(**changes).encode())) is code


def test_the_source_is_inside_the_signature() -> None:
    """A body signed for one source is refused at another's address even under a shared secret."""
    assert SOURCE in push_body()
    assert code_of(read("ea_push", BODY, source="0197a1f0-0000-7000-8000-000000000002")) is Code.SOURCE_MISMATCH


def test_samples_are_where_clients_look() -> None:
    assert Path(CLIENTS / "metatrader" / "MikrobotPush.mq5").exists()

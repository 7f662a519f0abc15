"""Sources and deliveries for the tests of the ledger: every test has a source of its own."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any, TypeVar
from unittest.mock import patch
from uuid import UUID, uuid4

import pytest
from django.db import OperationalError, connections

from trading import pipeline, sweep
from trading.ledger import ledger_of
from trading.models import RawSignal, RawState, Signal, SignalEvent, SignalState, Source
from trading.pipeline import Delivery, Outcome
from trading.rehearsal.messages import CLIENTS

T = TypeVar("T")
NOW = datetime(2025, 8, 4, 8, 28, 20, tzinfo=UTC)


def make_source(organization_id: UUID, kind: str = "rest", **fields: Any) -> Source:
    """Make a source, committed whatever transaction the caller has open: the ledger looks from another one."""
    row = Source(organization_id=organization_id, name=f"Source {uuid4().hex[:8]}", kind=kind, **fields)
    with ledger_of(organization_id):
        row.save()
    return row


def rest(symbol: str = "EURUSD", side: str = "buy", **fields: Any) -> Delivery:
    """Write one REST signal; without an `id` it is known by what it says."""
    return Delivery(body=json.dumps({"action": "open", "symbol": symbol, "side": side, **fields}).encode())


def push(source: Source, sequence: int, kind: str = "signal") -> Delivery:
    """Number a sample anew, without touching a digit of its prices."""
    body = json.loads((CLIENTS / "samples" / f"{kind}.json").read_text())["body"]
    told = json.loads(body)
    for name, value in (
        ("source", json.dumps(str(source.pk))), ("sequence", str(sequence)), ("id", json.dumps(f"m-{sequence}"))
    ):  # fmt: skip
        body = re.sub(f'"{name}": ?{re.escape(json.dumps(told[name]))}', f'"{name}":{value}', body, count=1)
    return Delivery(body=body.encode())


def sent(source: Source, delivery: Delivery, *, now: datetime = NOW) -> Outcome:
    """Let a message in, as a door does; it must not be turned away."""
    found = pipeline.receive(source, delivery, now=now)
    assert isinstance(found, Outcome), found
    return found


def kept(source: Source, delivery: Delivery, *, now: datetime = NOW) -> UUID:
    """Let a message in while it cannot be read yet."""
    with patch("trading.pipeline.read", side_effect=OperationalError):
        outcome = sent(source, delivery, now=now)
    assert outcome.state is RawState.RECEIVED
    return outcome.raw_id


def rows(source: Source) -> tuple[list[RawSignal], list[Signal]]:
    """Return everything that a source has in the ledger, oldest first."""
    with ledger_of(source.organization_id):
        return (
            list(RawSignal.objects.filter(source_id=source.pk).order_by("pk")),
            list(Signal.objects.filter(source_id=source.pk).order_by("pk")),
        )


def unreadable_signal(source: Source) -> Signal:
    """Make a signal of which nobody can read what was stored."""
    own = source.organization_id
    raw = RawSignal(organization_id=own, source_id=source.pk, received_at=NOW, body=b"", size=0, sha256=b"")
    signal = Signal(
        organization_id=own, source_id=source.pk, raw_id=raw.pk, dedupe_key=uuid4().hex, slot=0, received_at=NOW,
        dialect="x", action="open", symbol="X", order_kind="market", draft={"symbol": 1},
    )  # fmt: skip
    with ledger_of(own):
        raw.save()
        signal.save()
    return signal


def validate(organization_id: UUID, signal_id: UUID, *, now: datetime = NOW) -> SignalState:
    """Judge one signal, and say what became of it."""
    pipeline.validate(organization_id, [signal_id], now=now)
    with ledger_of(organization_id):
        return SignalState(Signal.objects.values_list("state", flat=True).get(pk=signal_id))


def events(source: Source) -> list[SignalEvent]:
    """Return the timeline of a source."""
    raws, _signals = rows(source)
    with ledger_of(source.organization_id):
        return list(SignalEvent.objects.filter(raw_id__in=[raw.pk for raw in raws]).order_by("pk"))


def kinds(source: Source) -> list[str]:
    return [event.kind for event in events(source)]


def swept(source: Source, now: datetime) -> int:
    """Sweep, leaving alone what other tests have standing about at this moment."""
    sweep.forget(now=now, among=[source.organization_id])
    return sweep.sweep(now=now, among=[source.organization_id])


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


def alarms(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    """Return what was alarmed about since the last look."""
    found = [vars(record) for record in caplog.records if record.levelname == "ERROR"]
    caplog.clear()
    return found

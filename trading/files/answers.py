"""What became of a file's messages, written beside it for the EA that wrote them (trading/clients/PROTOCOL.md).

The answer says what the ledger says at the moment of writing. It repeats a message until the EA has acknowledged it by
the message's id; then the timeline says so, and the next answer leaves it out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from uuid import UUID

from mikrobot_platform.kernel.decisions import Code, Refusal
from trading.files import disk
from trading.files.disk import Version
from trading.ledger import ledger_of, note
from trading.models import EventKind, RawSignal, RawState, Signal, SignalEvent, Source, SourceFile
from trading.models.sources import hold

ANSWER, ACKNOWLEDGED = ".answer.json", ".ack"  # after the name of the file itself
MOST = 20
LOOKED_BACK = 200  # an older message than that is not answered any more
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TOLD = re.compile(r'"(timestamp|symbol)"\s*:\s*"([^"\\]{1,40})"')


def publish(source: Source, *, now: datetime) -> None:
    """Take what the EA has acknowledged, then write what it has not; one at a time, so that the last is true."""
    ids = _acknowledged(source)
    with ledger_of(source.organization_id):
        hold(source.pk, "answers")
        waiting = _waiting(source)
        for raw in waiting:
            if raw.pk in ids:
                note(raw, EventKind.ACKNOWLEDGED, at=now, signal_id=raw.signal_id)
        text = _text(source, [raw for raw in waiting if raw.pk not in ids][-MOST:])
        _describe(source, _write(source.path + ANSWER, text.encode("ascii")))


def _write(path: str, body: bytes) -> Refusal | None:
    there = disk.read(path, limit=len(body) + 1)
    return None if isinstance(there, Version) and there.body == body else disk.write(path, body)


def _acknowledged(source: Source) -> Collection[UUID]:
    """Read the ids that the EA has written, one a line, in whatever encoding; half of one is none."""
    found = disk.read(source.path + ACKNOWLEDGED)
    if isinstance(found, Refusal):
        return ()
    return {UUID(text) for text in _ID.findall(_plain(found.body))}


def _waiting(source: Source) -> Sequence[RawSignal]:
    """List the messages that were read and not acknowledged, oldest first."""
    mine = RawSignal.objects.filter(
        organization_id=source.organization_id, source_id=source.pk, changed_ns__isnull=False
    )
    read = mine.exclude(state=RawState.RECEIVED).defer("body")
    latest = list(read.order_by("-changed_ns", "-pk")[:LOOKED_BACK])  # as the index of versions stands
    done = set(
        SignalEvent.objects.filter(
            organization_id=source.organization_id,
            raw_id__in=[raw.pk for raw in latest],
            kind=EventKind.ACKNOWLEDGED,
        ).values_list("raw_id", flat=True)
    )
    return [raw for raw in reversed(latest) if raw.pk not in done]


def _text(source: Source, raws: Sequence[RawSignal]) -> str:
    became = {raw.signal_id for raw in raws if raw.signal_id}
    signals = {row.pk: row for row in Signal.objects.filter(pk__in=became)}
    bodies = dict(RawSignal.objects.filter(pk__in=[raw.pk for raw in raws]).values_list("pk", "body"))
    answers = [
        _answer(raw, bytes(bodies[raw.pk]), signals.get(raw.signal_id) if raw.signal_id else None) for raw in raws
    ]
    return json.dumps({"protocol": "mikrobot-ea/1", "source": str(source.pk), "answers": answers}) + "\n"


def _plain(body: bytes) -> str:
    """Read what is ASCII in a text, in whatever encoding it was written."""
    return body.replace(b"\0", b"").decode("ascii", "replace")


def _answer(raw: RawSignal, body: bytes, signal: Signal | None) -> dict[str, object]:
    """Say what became of a message: of one that is a signal, what was decided about it so far."""
    state, code, sentence = raw.state, raw.code, raw.sentence
    if signal is not None and raw.state == RawState.READ:
        state, code, sentence = signal.state, signal.code, signal.sentence
    # In its own words, also where it was refused: the EA knows its message by them.
    told = dict(_TOLD.findall(_plain(body)))
    return {
        "id": str(raw.pk),
        "stamp": told.get("timestamp"),
        "symbol": told.get("symbol"),
        "state": state,
        "code": code,
        "sentence": sentence,
        "at": raw.received_at.astimezone(UTC).isoformat(timespec="milliseconds"),
    }


def _describe(source: Source, problem: Refusal | None) -> None:
    """Say at the file that its answer cannot be written, or that it can be again."""
    row = SourceFile.held(source)
    if problem is not None and not row.code:
        row.code, row.sentence = Code.FILE_ANSWER_UNWRITTEN, problem.sentence
    elif problem is None and row.code == Code.FILE_ANSWER_UNWRITTEN:
        row.code, row.sentence = "", ""
    else:
        return
    row.save(update_fields=["code", "sentence"])

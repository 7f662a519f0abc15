"""Messages as pages need them: one as a line, and one as a story from its bytes to the last thing that happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Q
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from dashboard import words
from mikrobot_platform.kernel.decisions import NOTICES, Code
from mikrobot_platform.kernel.masking import masked
from trading.models import EventKind, RawSignal, RawState, Signal, SignalEvent, SignalState, Source, Strategy
from trading.services.ledger import text_of

EVENTS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """What a message was about, what became of it, and why."""

    raw_id: UUID
    at: datetime
    state: str
    tone: str  # of its badge: good, warn or nothing in particular
    symbol: str = ""
    side: str = ""
    asks_for: str = ""
    strategy: str = ""
    sentence: str = ""
    code: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One thing that happened to a message or to the signal that it became."""

    at: datetime
    what: str
    sentence: str
    code: str
    strategy: str
    is_of_another: bool  # it happened to another message about the same signal


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """Everything that may be known of one message. `text` is None where its bytes are somebody else's."""

    message: Message
    size: int | None
    text: str | None
    said: list[tuple[str, str, datetime | None]]
    events: list[Happening]


def told(raw: RawSignal | None, signal: Signal | None) -> Message:
    """Tell a message and its signal as one line; of a source of the platform there is the signal only."""
    state, tone = _state(raw, signal)
    about = {}
    if signal is not None:
        about = {
            "symbol": signal.symbol,
            "side": signal.side,
            "asks_for": str(words.ASKS_FOR.get(signal.action, "")),
            "strategy": signal.strategy,
        }
    if raw is not None and raw.state != RawState.READ:
        why = {"code": raw.code, "sentence": raw.sentence}
    elif signal is not None:
        waits = _("Read, and about to be judged.") if signal.state == SignalState.WAITING else ""
        why = {"code": signal.code, "sentence": signal.sentence or waits}
    else:
        why = {}
    if raw is not None:
        return Message(raw_id=raw.pk, at=raw.received_at, state=state, tone=tone, **about, **why)
    if signal is None:
        raise ValueError("neither a message nor a signal")
    return Message(raw_id=signal.raw_id, at=signal.received_at, state=state, tone=tone, **about, **why)


def _state(raw: RawSignal | None, signal: Signal | None) -> tuple[str, str]:
    if raw is not None and raw.code in NOTICES:
        return (_("Sign of life") if raw.code == Code.HEARTBEAT else _("Connection test")), ""
    if raw is not None and raw.state != RawState.READ:
        return {
            RawState.RECEIVED: (_("Being read"), ""),
            RawState.DUPLICATE: (_("Duplicate"), ""),
            RawState.REFUSED: (_("Refused"), "warn"),
        }.get(RawState(raw.state), (_("Put aside"), "warn"))
    return {
        SignalState.WAITING: (_("Being judged"), ""),
        SignalState.VALID: (_("Valid"), "good"),
        SignalState.EXPIRED: (_("Too old"), ""),
        SignalState.REJECTED: (_("Not traded"), ""),
    }.get(SignalState(signal.state) if signal else SignalState.QUARANTINED, (_("Put aside"), "warn"))


def story(source: Source, raw_id: UUID) -> Story | None:
    """Tell a message of a source from its bytes to the last thing that happened; None where there is none in sight."""
    if source.is_of_platform:
        raw, signal = None, Signal.objects.filter(source_id=source.pk, raw_id=raw_id).first()
    else:
        raw = RawSignal.objects.filter(source_id=source.pk, pk=raw_id).first()
        signal = Signal.objects.filter(pk=raw.signal_id).first() if raw and raw.signal_id else None
    if raw is None and signal is None:
        return None
    return Story(
        message=told(raw, signal),
        size=raw.size if raw else None,
        text=masked(text_of(bytes(raw.body))) if raw else None,  # who may look need not be able to send
        said=list(_said(signal)) if signal else [],
        events=_events(raw_id, signal),
    )


def _events(raw_id: UUID, signal: Signal | None) -> list[Happening]:
    about = Q(raw_id=raw_id) | Q(signal_id=signal.pk) if signal else Q(raw_id=raw_id)
    rows: list[SignalEvent] = list(SignalEvent.objects.filter(about).order_by("pk")[:EVENTS])
    judges = {row.strategy_id for row in rows if row.strategy_id}
    strategies = {row.pk: str(row) for row in Strategy.objects.filter(pk__in=judges)} if judges else {}
    return [
        Happening(
            at=row.at,
            what=str(row.get_kind_display()),
            sentence=row.sentence or _spelled(row),
            code=row.code,
            strategy=strategies.get(row.strategy_id, "") if row.strategy_id else "",
            is_of_another=row.raw_id != raw_id,
        )
        for row in rows
    ]


def _spelled(event: SignalEvent) -> str:
    """Say what an event without a reason tells by its figures."""
    figures = event.evidence
    match event.kind:
        case EventKind.RECEIVED:
            return _("%(bytes)s bytes, kept as they came before anybody read them.") % {"bytes": figures.get("bytes")}
        case EventKind.PARSED:
            return _("It is a signal.")
        case EventKind.GAP:
            count = int(figures.get("missing", 0))
            return ngettext(
                "%(count)s number of its stream never came.", "%(count)s numbers of its stream never came.", count
            ) % {"count": count}
        case EventKind.MOVED_ON:
            return _("Try %(attempt)s.") % {"attempt": figures.get("attempt")}
    return ""


def _said(signal: Signal) -> Iterator[tuple[str, str, datetime | None]]:
    """Give what the signal says, figures as they were written; what it does not say is left out."""
    draft: Mapping[str, Any] = signal.draft
    for label, name in (
        (_("Order"), "kind"), (_("Entry"), "entry"), (_("Price then"), "reference"),
        (_("Bid"), "bid"), (_("Ask"), "ask"),
    ):  # fmt: skip
        if draft.get(name):
            yield label, str(draft[name]).replace("_", " "), None
    if draft.get("stop"):
        yield _("Stop"), _level(draft["stop"]), None
    for target in draft.get("targets") or ():
        yield _("Target"), _level(target), None
    if draft.get("quantity"):
        yield _("Quantity"), f"{draft['quantity']} {draft.get('quantity_kind') or ''}".strip(), None
    for label, name in ((_("Power"), "power"), (_("Confluence"), "confluence"), (_("Confidence"), "confidence")):
        if draft.get(name):
            yield label, _score(draft[name]), None
    for label, name in ((_("Timeframe"), "timeframe"), (_("Notes"), "notes"), (_("Read as"), "dialect")):
        if draft.get(name):
            yield label, str(draft[name]), None
    said_at = draft.get("said_at")
    if isinstance(said_at, dict):
        yield _("Stamped"), _("%(stamp)s on its own clock") % {"stamp": said_at["clock"]}, None
    elif said_at:
        yield _("Stamped"), "", parse_datetime(str(said_at))


def _score(score: Mapping[str, str]) -> str:
    value = Decimal(score["value"])
    figures = {"raw": score["raw"], "value": format(value.normalize(), "f")}
    if figures["raw"] == figures["value"]:
        return _("%(value)s of 100") % figures
    return _("%(raw)s, which is %(value)s of 100") % figures


def _level(level: Mapping[str, str]) -> str:
    unit = level["unit"]
    return level["value"] if unit == "price" else f"{level['value']} {words.LEVEL_UNITS.get(unit, unit)}"

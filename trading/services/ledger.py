"""Questions about the ledger: what came in lately, and everything that happened to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.tenancy import system_scope
from trading.models import RawSignal, Signal, SignalEvent, Source

SHOWN = 8_000  # characters of a body on a page; the rest is counted


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerLine:
    """One message with the signal that it became or repeats."""

    raw: RawSignal
    source: Source | None
    signal: Signal | None


def ledger(
    *,
    limit: int,
    organization_id: UUID | None = None,
    source_id: UUID | None = None,
    state: str = "",
    since: datetime | None = None,
) -> list[LedgerLine]:
    """List the latest messages of all organizations, or of one, for an operator."""
    wanted = {"organization_id": organization_id, "source_id": source_id, "state": state, "received_at__gte": since}
    with system_scope("doctor"):
        found = RawSignal.objects.filter(**{name: value for name, value in wanted.items() if value})
        raws: list[RawSignal] = list(found.defer("body").order_by("-received_at", "-pk")[:limit])
        sources = {row.pk: row for row in Source.objects.filter(pk__in={raw.source_id for raw in raws})}
        became = {raw.signal_id for raw in raws if raw.signal_id}
        signals = {row.pk: row for row in Signal.objects.filter(pk__in=became)}
    return [
        LedgerLine(
            raw=raw,
            source=sources.get(raw.source_id),
            signal=signals.get(raw.signal_id) if raw.signal_id else None,
        )
        for raw in raws
    ]


def timeline(raw_id: UUID) -> Sequence[SignalEvent]:
    """List everything that happened to a message and, where it became a signal, to that signal."""
    with system_scope("doctor"):
        own = list(SignalEvent.objects.filter(raw_id=raw_id).order_by("pk"))
        became = next((event.signal_id for event in own if event.signal_id), None)
        if became is None:
            return own
        others = SignalEvent.objects.filter(signal_id=became).exclude(raw_id=raw_id)
        return sorted([*own, *others], key=lambda event: event.pk)


def text_of(body: bytes) -> str:
    """Show bytes as the text that they probably are; what is none is shown as its codes."""
    encoding = "utf-16-le" if body[:2] == b"\xff\xfe" or body[1:2] == b"\0" else "utf-8"
    text = body.decode(encoding, "backslashreplace")
    shown = "".join(letter if letter.isprintable() or letter in "\r\n\t" else ascii(letter)[1:-1] for letter in text)
    if len(shown) <= SHOWN:
        return shown
    return _("%(text)s … and %(count)s characters more") % {"text": shown[:SHOWN], "count": len(shown) - SHOWN}

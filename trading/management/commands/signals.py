"""`manage.py signals`: what came in, what became of it, and why."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from trading import services
from trading.models import RawState, Signal, SignalEvent
from trading.services import LedgerLine


class Command(BaseCommand):
    """List the ledger, the latest message first, or tell one message's story."""

    help = "List the messages of all sources with their states and reasons; change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object instead of lines")
        parser.add_argument("--limit", type=int, default=50, help="how many of the latest (50)")
        parser.add_argument("--state", choices=RawState.values, default="", help="only messages in this state")
        parser.add_argument("--organization", type=UUID, metavar="ID", help="only of this organization")
        parser.add_argument("--source", type=UUID, metavar="ID", help="only of this source")
        parser.add_argument("--raw", type=UUID, metavar="ID", help="the whole story of this message")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, show."""
        if options["raw"]:
            self._story(services.timeline(options["raw"]), as_json=options["json"])
            return
        lines = services.ledger(
            limit=max(1, min(options["limit"], 10_000)),
            organization_id=options["organization"],
            source_id=options["source"],
            state=options["state"],
        )
        if options["json"]:
            self.stdout.write(json.dumps({"messages": [_line(line) for line in lines]}))
            return
        for line in lines:
            self.stdout.write(_text(line))
        self.stdout.write(f"{len(lines)} messages")

    def _story(self, events: Any, *, as_json: bool) -> None:
        if as_json:
            self.stdout.write(json.dumps({"events": [_event(event) for event in events]}))
            return
        for event in events:
            self.stdout.write(_stamp(event.at) + f"  {event.kind:<12} {event.code:<24} {event.sentence}".rstrip())
        self.stdout.write(f"{len(events)} events")


def _stamp(at: Any) -> str:
    return str(timezone.localtime(at).strftime("%Y-%m-%d %H:%M:%S"))


def _text(line: LedgerLine) -> str:
    raw, signal = line.raw, line.signal
    source = line.source.name.encode("ascii", "replace").decode() if line.source else str(raw.source_id)
    what = f"{signal.action} {signal.side} {signal.symbol}: {signal.state}" if signal else ""
    reason = raw.sentence or (signal.sentence if signal else "")
    text = f"{_stamp(raw.received_at)}  {raw.pk}  {source:<20} {raw.state:<12} {what:<32} {reason}"
    return text.rstrip().encode("ascii", "replace").decode()


def _line(line: LedgerLine) -> dict[str, object]:
    raw = line.raw
    return {
        "id": str(raw.pk),
        "organization_id": str(raw.organization_id),
        "source_id": str(raw.source_id),
        "source": line.source.name if line.source else None,
        "received_at": raw.received_at.isoformat(),
        "bytes": raw.size,
        "state": raw.state,
        "code": raw.code,
        "sentence": raw.sentence,
        "signal": _signal(line.signal) if line.signal else None,
    }


def _signal(signal: Signal) -> dict[str, object]:
    return {
        "id": str(signal.pk),
        "action": signal.action,
        "symbol": signal.symbol,
        "side": signal.side,
        "state": signal.state,
        "code": signal.code,
        "sentence": signal.sentence,
    }


def _event(event: SignalEvent) -> dict[str, object]:
    return {
        "at": event.at.isoformat(),
        "kind": event.kind,
        "signal_id": str(event.signal_id) if event.signal_id else None,
        "strategy_id": str(event.strategy_id) if event.strategy_id else None,
        "verdict": event.verdict,
        "code": event.code,
        "sentence": event.sentence,
        "evidence": event.evidence,
    }

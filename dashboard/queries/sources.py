"""Sources as pages need them: what each sent of late and what became of it.

Signs of life come every half minute; they are counted and dated, and left out where they would bury what matters. Of a
source of the platform everybody sees the signals, and nothing of its bytes, counts, clock or secrets.
Every look goes back a bounded time, because the ledger is indexed by time and not by source.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Count, Max, Q, QuerySet, Sum

from accounts.models import AuditEntry
from accounts.models.audit import PLATFORM_ID
from dashboard import words
from dashboard.queries.messages import Message, told
from mikrobot_platform.kernel.decisions import NOTICES, Code
from trading.models import RawSignal, RawState, Signal, Source, SourceMinute, SourceStream
from trading.models.sources import minute_of

LATEST = 25
DAY = timedelta(hours=24)
WINDOW = timedelta(days=30)
TURNED_AWAY = 5
NEWEST = ("-received_at", "-pk")
_SIGN_OF_LIFE = Q(code=Code.HEARTBEAT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """What a source sent in 24 hours. What was turned away at the door is not among the messages."""

    messages: int = 0
    signals: int = 0
    duplicates: int = 0
    refused: int = 0
    signs_of_life: int = 0
    turned_away: int = 0

    @property
    def unwanted(self) -> int:
        return self.refused + self.turned_away


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A source in the list."""

    source: Source
    last: Message | None
    alive_at: datetime | None
    missing: int
    day: Day


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A message that was turned away at the door."""

    at: datetime
    address: str | None
    sentence: str


def lines(*, now: datetime) -> list[Line]:
    """List the sources that stand, the organization's own first, with seven queries however many there are."""
    rows: list[Source] = list(Source.objects.filter(removed_at=None).order_by("name"))
    raws: dict[UUID, RawSignal] = _newest_of_each(_messages(now))
    signals: dict[UUID, Signal] = _newest_of_each(_platform_signals(now))
    became = _signals({raw.signal_id for raw in raws.values()})
    ids = {row.pk for row in rows}
    streams = {row["source_id"]: row for row in _streams(ids)}
    days = _days(ids, now)
    found = []
    for row in rows:
        raw = raws.get(row.pk)
        signal = became.get(raw.signal_id) if raw else signals.get(row.pk)
        stream = streams.get(row.pk, {})
        found.append(
            Line(
                source=row,
                last=told(raw, signal) if raw or signal else None,
                alive_at=stream.get("seen_at"),
                missing=stream.get("gone", 0),
                day=days.get(row.pk, Day()),
            )
        )
    return sorted(found, key=lambda line: line.source.is_of_platform)


def _messages(now: datetime, *, with_signs_of_life: bool = False) -> QuerySet[Any]:
    found = RawSignal.objects.filter(received_at__gt=now - WINDOW).defer("body", "headers")
    return found if with_signs_of_life else found.exclude(_SIGN_OF_LIFE)


def _platform_signals(now: datetime) -> QuerySet[Any]:
    return Signal.objects.filter(organization_id=PLATFORM_ID, received_at__gt=now - WINDOW)


def _newest_of_each(found: QuerySet[Any]) -> dict[UUID, Any]:
    """Take each source's newest row in one pass over the window; a look for each source would pass it each time."""
    return {row.source_id: row for row in found.order_by("source_id", *NEWEST).distinct("source_id")}


def _signals(ids: Collection[UUID | None]) -> dict[UUID | None, Signal]:
    return {row.pk: row for row in Signal.objects.filter(pk__in=[one for one in ids if one])}


def _streams(ids: Collection[UUID]) -> QuerySet[Any, dict[str, Any]]:
    found: QuerySet[Any, dict[str, Any]] = (
        SourceStream.objects.filter(source_id__in=ids)
        .values("source_id")
        .annotate(seen_at=Max("seen_at"), gone=Sum("missing"))
    )
    return found


def day(source: Source, *, now: datetime) -> Day:
    """Count what a source sent in the last 24 hours."""
    return _days({source.pk}, now).get(source.pk, Day())


def _days(ids: Collection[UUID], now: datetime) -> dict[UUID, Day]:
    went_wrong = Q(state__in=[RawState.REFUSED, RawState.QUARANTINED]) & ~Q(code__in=NOTICES)
    counted = (
        RawSignal.objects.filter(source_id__in=ids, received_at__gt=now - DAY)
        .values("source_id")
        .annotate(
            messages=Count("pk", filter=~_SIGN_OF_LIFE),
            signals=Count("pk", filter=Q(state=RawState.READ)),
            duplicates=Count("pk", filter=Q(state=RawState.DUPLICATE)),
            refused=Count("pk", filter=went_wrong),
            signs_of_life=Count("pk", filter=_SIGN_OF_LIFE),
        )
    )
    knocks = (
        SourceMinute.objects.filter(source_id__in=ids, minute__gt=minute_of(now - DAY))
        .values("source_id")
        .annotate(turned_away=Sum("refused"))
    )
    figures: dict[UUID, dict[str, int]] = {}
    for row in [*counted, *knocks]:
        figures.setdefault(row.pop("source_id"), {}).update(row)
    return {source_id: Day(**values) for source_id, values in figures.items()}


def latest(source: Source, *, now: datetime, with_signs_of_life: bool = False) -> list[Message]:
    """List the last messages of a source, the newest first; of a source of the platform, its last signals."""
    if source.is_of_platform:
        signals = _platform_signals(now).filter(source_id=source.pk).order_by(*NEWEST)[:LATEST]
        return [told(None, signal) for signal in signals]
    found = _messages(now, with_signs_of_life=with_signs_of_life).filter(source_id=source.pk)
    raws: list[RawSignal] = list(found.order_by(*NEWEST)[:LATEST])
    became = _signals({raw.signal_id for raw in raws})
    return [told(raw, became.get(raw.signal_id)) for raw in raws]


def streams(source: Source) -> list[SourceStream]:
    """List the installations that send for a source, the one heard of last first."""
    return list(SourceStream.objects.filter(source=source).order_by("-seen_at"))


def knocks(source: Source) -> list[Knock]:
    """List what was turned away last, as far as the trail has it. Ask only when there was something: it is searched."""
    entries = AuditEntry.objects.filter(action="signal.turned_away", subject=f"source:{source.pk}")
    return [
        Knock(at=entry.at, address=entry.address, sentence=words.turned_away(str(entry.data.get("code", ""))))
        for entry in entries.order_by("-sequence")[:TURNED_AWAY]
    ]

"""Where signals come from: a source, its secrets, the streams of its clients, what it sent in a minute, its clock."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import TenantRow
from accounts.models.fields import SealedField
from accounts.models.shared import LedgerRow, SharedManager
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.signals import LevelUnit


def minute_of(at: datetime) -> int:
    return int(at.timestamp()) // 60


class Source(LedgerRow):
    """A door for signals. The platform's own are read by everybody, an organization's by that organization."""

    name = models.CharField(_("name"), max_length=80)
    kind = models.CharField(_("kind"), max_length=32)  # a line of kernel/registry.py SOURCES
    is_enabled = models.BooleanField(_("enabled"), default=True)
    per_minute = models.PositiveIntegerField(_("messages a minute"), default=60)
    levels = models.CharField(
        _("unit of levels"),
        max_length=8,
        default=LevelUnit.UNKNOWN.value,
        choices=[(unit.value, unit.value) for unit in LevelUnit],
    )
    power_scale = models.CharField(max_length=20, default="percent")  # names of kernel/signals.py SCALES
    confluence_scale = models.CharField(max_length=20, default="L0-L4")
    confidence_scale = models.CharField(max_length=20, default="C1-C3")
    clock_zone = models.CharField(max_length=64, blank=True)  # declared; without it the clock is learnt
    clock_shift_s = models.IntegerField(default=0)
    clock_offset_s = models.IntegerField(null=True, editable=False)  # learnt, and believed until arrivals say otherwise
    networks = models.JSONField(default=list, blank=True)  # from which it may send; empty: from everywhere
    # For ea_file: which file is read, below SIGNAL_FILES_DIR. Only the engine's role may set it (migration 0003).
    path = models.CharField(max_length=400, blank=True, editable=False)
    answers = models.BooleanField(default=False, editable=False)  # write what became of its messages beside the file
    created_at = models.DateTimeField(default=timezone.now)
    # Taken away by its owner. The row stays: what it sent is read with its name and by its clock.
    removed_at = models.DateTimeField(null=True, editable=False)

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization_id", "name"], name="trading_source_name", condition=models.Q(removed_at=None)
            ),
            models.CheckConstraint(
                condition=models.Q(removed_at=None) | models.Q(is_enabled=False), name="trading_source_removed_is_off"
            ),
            models.UniqueConstraint(fields=["path"], name="trading_source_path", condition=~models.Q(path="")),
            models.CheckConstraint(
                condition=models.Q(path="", answers=False) | models.Q(kind="ea_file") & ~models.Q(path=""),
                name="trading_source_files_only",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class SourceSecret(LedgerRow):
    """What a sender proves itself with. While it is exchanged there are two, and the older one has an end.

    A secret that signs is kept sealed, because checking a signature needs it; one that stands in an address is kept as
    its digest only.
    """

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    sealed = SealedField()
    digest = models.BinaryField(max_length=32, null=True)
    created_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)

    source_id: UUID

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(fields=["digest"], name="trading_sourcesecret_digest"),
            models.CheckConstraint(
                condition=models.Q(sealed__isnull=True) ^ models.Q(digest__isnull=True),
                name="trading_sourcesecret_one_form",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "source"], name="trading_sourcesecret_of_source"),
        ]


ALL_SOURCES = UUID(int=0)  # in place of a source: all of an owner together


class SourceMinute(TenantRow):
    """What a source sent in one minute: how much was let in, and how much was turned away at the door.

    One row more (ALL_SOURCES) counts what all sources of an owner sent. Of the platform, it also counts the knocks at
    addresses that lead to no source.
    """

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    source_id = models.UUIDField()
    minute = models.BigIntegerField()  # since 1970
    accepted = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    refusals = models.JSONField(default=dict)  # how many of them by code

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "source_id", "minute"], name="trading_sourceminute_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["minute"], name="trading_sourceminute_age"),
        ]

    @classmethod
    def turned_away(cls, organization_id: UUID, source_id: UUID, code: str, *, now: datetime) -> int:
        """Count one more message that was turned away; return how many there were in this minute for this reason."""
        found = _first(
            "insert into trading_sourceminute as m (organization_id, source_id, minute, accepted, refused, refusals)"
            " values (%s, %s, %s, 0, 1, jsonb_build_object(%s::text, 1))"
            " on conflict (organization_id, source_id, minute) do update set refused = m.refused + 1, refusals ="
            " m.refusals || jsonb_build_object(%s::text, coalesce((m.refusals ->> %s)::int, 0) + 1)"
            " returning (refusals ->> %s)::int",
            [organization_id, source_id, minute_of(now), *[str(code)] * 4],
        )
        return found or 0


def hold(*parts: object) -> None:
    """Let nobody else do the same thing until this transaction ends."""
    hold_each([parts])


def hold_each(things: Iterable[Sequence[object]]) -> None:
    """Hold several things with one statement, in one order whoever asks, so that nobody waits in a circle."""
    ask(
        "select pg_advisory_xact_lock(number) from"
        " (select distinct hashtextextended(name, 0) as number from unnest(%s::text[]) as name order by number) as it",
        [[":".join(("signals", *map(str, parts))) for parts in things]],
    )


def _first(statement: str, parameters: list[Any]) -> int | None:
    """Run one statement, so that any number of callers at once get numbers of their own; return what it returns."""
    found = ask(statement, parameters)
    return int(found[0][0]) if found else None


class SourceStream(LedgerRow):
    """One installation of a client: the number that came last, and how many numbers never came."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    name = models.CharField(max_length=64)
    last_sequence = models.BigIntegerField()
    missing = models.BigIntegerField(default=0)
    seen_at = models.DateTimeField()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(fields=["organization_id", "source", "name"], name="trading_sourcestream_once"),
        ]

    @classmethod
    def last_of(cls, source: Source, name: str) -> int | None:
        """Return the number that came last, and let nobody else count in this stream until the transaction ends."""
        own = [source.organization_id, source.pk, name]
        last = (
            "select last_sequence from trading_sourcestream where organization_id = %s and source_id = %s and name = %s"
            " for update"
        )
        found = _first(last, own)
        if found is None:  # there is no row to wait at yet
            hold("stream", *own)
            found = _first(last, own)
        return found

    @classmethod
    def advance(cls, source: Source, name: str, sequence: int, *, missing: int, at: datetime) -> None:
        """Take note of a number; only after `last_of`, in the same transaction."""
        _first(
            "insert into trading_sourcestream as s"
            " (id, organization_id, source_id, name, last_sequence, missing, seen_at)"
            " values (%s, %s, %s, %s, %s, %s, %s) on conflict (organization_id, source_id, name) do update"
            " set last_sequence = excluded.last_sequence, missing = s.missing + excluded.missing,"
            " seen_at = excluded.seen_at returning last_sequence",
            [new_id(), source.organization_id, source.pk, name, sequence, missing, at],
        )


class SourceNonce(TenantRow):
    """A nonce that was used; kept for as long as its message could be replayed."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    source_id = models.UUIDField()
    nonce = models.CharField(max_length=64)
    expires_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id", "source_id", "nonce"], name="trading_sourcenonce_once"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["expires_at"], name="trading_sourcenonce_expiry"),
        ]


class ClockArrival(TenantRow):
    """A stamp of a source's clock, and when we first saw it: what its distance from UTC is learnt from."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    source_id = models.UUIDField()
    stamp_s = models.BigIntegerField()  # kernel/signals.py ClockStamp
    resolution_s = models.PositiveSmallIntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "source_id", "stamp_s", "resolution_s"], name="trading_clockarrival_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "source_id", "-at"], name="trading_clockarrival_recent"),
        ]

    @classmethod
    def note(cls, source: Source, seen: Sequence[tuple[int, int, datetime]]) -> None:
        """Keep the first sight of stamps; a later one, and the same one again, change nothing."""
        if not seen:
            return
        ask(
            "insert into trading_clockarrival (organization_id, source_id, stamp_s, resolution_s, at)"
            " select %s, %s, stamp_s, resolution_s, min(at)"
            " from unnest(%s::bigint[], %s::int[], %s::timestamptz[]) as seen (stamp_s, resolution_s, at)"
            " group by stamp_s, resolution_s order by stamp_s, resolution_s"
            " on conflict (organization_id, source_id, stamp_s, resolution_s)"
            " do update set at = excluded.at where trading_clockarrival.at > excluded.at",
            [source.organization_id, source.pk, *map(list, zip(*seen, strict=True))],
        )

    @classmethod
    def recent(cls, source: Source, count: int) -> list[tuple[Any, ...]]:
        """Return the latest stamps of a source, their resolutions and when they were seen, the earliest first."""
        rows = ask(
            "select stamp_s, resolution_s, at from trading_clockarrival where organization_id = %s and source_id = %s"
            " order by at desc, stamp_s desc limit %s",
            [source.organization_id, source.pk, count],
        )
        return rows[::-1]

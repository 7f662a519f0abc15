"""Where signals come from: a source, the streams of its clients, the nonces it has used, what its clock showed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar
from uuid import UUID

from django.db import connections, models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import TenantRow
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel.signals import LevelUnit
from trading.models.base import LedgerRow, SharedManager


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
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(fields=["organization_id", "name"], name="trading_source_name"),
        ]

    def __str__(self) -> str:
        return self.name


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

    @classmethod
    def is_first(cls, source: Source, nonce: str, *, now: datetime, keep_s: int) -> bool:
        """Use a nonce; False when it was used before, by whichever of two at once came second."""
        with connections[scopes.current().alias].cursor() as cursor:
            cursor.execute(
                "insert into trading_sourcenonce (organization_id, source_id, nonce, expires_at)"
                " values (%s, %s, %s, %s) on conflict do nothing",
                [source.organization_id, source.pk, nonce, now + timedelta(seconds=keep_s)],
            )
            return bool(cursor.rowcount)


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
    def note(cls, source: Source, *, stamp_s: int, resolution_s: int, at: datetime) -> None:
        """Keep the first sight of a stamp; a later one, and the same one again, change nothing."""
        with connections[scopes.current().alias].cursor() as cursor:
            cursor.execute(
                "insert into trading_clockarrival (organization_id, source_id, stamp_s, resolution_s, at)"
                " values (%s, %s, %s, %s, %s) on conflict (organization_id, source_id, stamp_s, resolution_s)"
                " do update set at = excluded.at where trading_clockarrival.at > excluded.at",
                [source.organization_id, source.pk, stamp_s, resolution_s, at],
            )

    @classmethod
    def recent(cls, source_id: UUID, count: int) -> list[ClockArrival]:
        """Return the latest stamps of a source in the order in which they were seen."""
        return list(reversed(cls.objects.filter(source_id=source_id).order_by("-at", "-stamp_s")[:count]))

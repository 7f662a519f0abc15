"""The file behind a source: which version of it was kept last, what is wrong with it now, how much nobody ever read."""

from __future__ import annotations

from typing import ClassVar, Self
from uuid import UUID

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.shared import LedgerRow
from trading.models.sources import Source


class ReadBy(models.TextChoices):
    """How a file is read: whoever writes it wakes us, or it is looked at time and again."""

    EVENTS = "events", _("File events")
    POLL = "poll", _("Looking at times")


class SourceFile(LedgerRow):
    """What is known of a source's file. Every version that was kept is a RawSignal with the same three marks."""

    source = models.ForeignKey(Source, on_delete=models.CASCADE, db_constraint=False, db_index=False, related_name="+")
    raw_id = models.UUIDField(null=True)  # the version that was kept last, and its marks
    changed_ns = models.BigIntegerField(null=True)  # on the clock of the file's own machine
    size = models.BigIntegerField(null=True)
    sha256 = models.BinaryField(max_length=32, null=True)
    kept_at = models.DateTimeField(null=True)
    missed = models.BigIntegerField(default=0)  # overwrites that were there and that nobody read (counting.py)
    kept_aside = models.JSONField(default=list)  # versions of which it is not known yet whether that number has them
    brought_ns = models.BigIntegerField(null=True)  # the latest version that came by events
    read_by = models.CharField(max_length=6, choices=ReadBy.choices, default=ReadBy.POLL)
    seen_at = models.DateTimeField(null=True)  # last, with something in it or nothing
    looked_at = models.DateTimeField(null=True)  # last, whether it was there or not
    code = models.CharField(max_length=60, blank=True)  # what is wrong with it now
    sentence = models.TextField(blank=True)

    source_id: UUID

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(fields=["organization_id", "source"], name="trading_sourcefile_once"),
        ]

    @classmethod
    def held(cls, source: Source) -> Self:
        """Return the row of a source, made when it is missing; nobody else has it until the transaction ends."""
        row = cls.objects.select_for_update().filter(source=source).first()
        if row is None:
            # Whoever comes second waits here for the first, and then finds its row.
            cls.objects.bulk_create([cls(organization_id=source.organization_id, source=source)], ignore_conflicts=True)
            row = cls.objects.select_for_update().get(source=source)
        found: Self = row
        return found

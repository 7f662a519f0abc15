"""The platform's own sources that send by themselves. Operators make them; what they signal, everybody may follow."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from django.utils import timezone

from accounts import audit
from accounts.access import Refused
from accounts.models.audit import PLATFORM_ID
from mikrobot_platform.db.ids import new_id
from trading.ledger import ledger_of
from trading.models import Source
from trading.services.sources import KINDS, OVERLAP, Setup, new_secret, set_up, supersede


def add(kind: str, setup: Setup) -> tuple[Source, str]:
    """Make a source of the platform; its secret is returned here and nowhere else, ever again."""
    if kind not in KINDS:
        raise Refused("kind_invalid", f"A source that sends is one of {', '.join(KINDS)}.")
    source = Source(id=new_id(), organization_id=PLATFORM_ID, kind=kind)
    with ledger_of(PLATFORM_ID):
        set_up(source, setup)
        source.save(force_insert=True)
        text = new_secret(source)
        audit.record_platform("source.made", source, kind=kind)
    return source, text


def exchange_secret(source_id: UUID, *, overlap: timedelta = OVERLAP) -> tuple[Source, str]:
    """Make a new secret; the one before counts for as long as `overlap` says."""
    with ledger_of(PLATFORM_ID):
        source: Source | None = (
            Source.objects.select_for_update().filter(pk=source_id, organization_id=PLATFORM_ID, kind__in=KINDS).first()
        )
        if source is None:
            raise Refused("source_unknown", f"The platform has no source {source_id} with a secret.")
        ends_at = timezone.now() + overlap
        supersede(source, ends_at)
        text = new_secret(source)
        audit.record_platform("source.secret_exchanged", source, old_ends_at=ends_at.isoformat())
    return source, text

"""Sources that read a file, for operators alone: whoever names a file on the server's disk has the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID
from zoneinfo import available_timezones

from django.db import IntegrityError

from accounts import audit
from accounts.models import Organization
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.decisions import Unreadable
from mikrobot_platform.kernel.signals import LevelUnit
from trading.files import disk
from trading.files.answers import ACKNOWLEDGED, ANSWER
from trading.files.arrivals import KIND
from trading.ledger import ledger_of
from trading.models import Source, SourceFile
from trading.services.sources import hold_names

MAX_NAME, MAX_PATH = 80, 400
MAX_SHIFT_S = 14 * 3600
OURS = (ANSWER, ACKNOWLEDGED)


class FileSourceRefused(Exception):
    """Raised with the sentence that the operator reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileLine:
    """One source with what is known of its file; None: nobody has looked yet."""

    source: Source
    file: SourceFile | None

    @property
    def missed(self) -> int:
        return max(0, self.file.missed) if self.file else 0


def add(
    name: str, path: str, *, organization_id: UUID, zone: str = "", shift_s: int = 0, answers: bool = False
) -> Source:
    """Make a source that reads a file below SIGNAL_FILES_DIR, and the folder that the file will lie in."""
    if not 1 <= len(name.strip()) <= MAX_NAME or not name.strip().isprintable():
        raise FileSourceRefused(f"A name has 1 to {MAX_NAME} characters.")
    if zone and zone not in available_timezones():
        raise FileSourceRefused(f"{zone} is not a time zone.")
    if abs(shift_s) > MAX_SHIFT_S or shift_s % 900 or (shift_s and not zone):
        raise FileSourceRefused("A shift is a number of quarter hours, at most 14 hours, beside a time zone.")
    kept = _path(path)
    _require_owner(organization_id)
    source = Source(
        id=new_id(), organization_id=organization_id, name=name.strip(), kind=KIND, path=kept, answers=answers,
        clock_zone=zone, clock_shift_s=shift_s, levels=LevelUnit.PRICE.value,
    )  # fmt: skip
    try:
        with ledger_of(organization_id):
            hold_names(organization_id)
            source.save(force_insert=True)
            _note("source.made", source)
    except IntegrityError as error:
        raise FileSourceRefused(_taken(error, name, kept)) from None
    disk.make_folder(kept)
    return source


def remove(source_id: UUID) -> Source:
    """Take a source away and what is known of its file. Its messages stay in the ledger, the file on the disk."""
    found = next((line.source for line in overview() if line.source.pk == source_id), None)
    if found is None:
        raise FileSourceRefused(f"There is no source {source_id} that reads a file.")
    with ledger_of(found.organization_id):
        Source.objects.filter(pk=found.pk, organization_id=found.organization_id).delete()
        _note("source.removed", found)
    return found


def overview() -> Sequence[FileLine]:
    """List every source that reads a file, with how its file stands."""
    with system_scope("doctor"):
        rows = list(Source.objects.filter(kind=KIND).exclude(path="").order_by("name", "pk"))
        files = {row.source_id: row for row in SourceFile.objects.filter(source__in=rows)}
    return [FileLine(source=row, file=files.get(row.pk)) for row in rows]


def _note(action: str, source: Source) -> None:
    audit.record_of(source.organization_id, action, source, kind=KIND, path=source.path)


def _path(path: str) -> str:
    try:
        kept = disk.clean(path)
    except Unreadable as found:
        raise FileSourceRefused(found.reason.sentence) from None
    if len(kept) > MAX_PATH or not kept.isprintable():
        raise FileSourceRefused(f"A path has at most {MAX_PATH} printable characters.")
    if kept.endswith(OURS):
        raise FileSourceRefused(f"Names that end in {' or '.join(OURS)} are for what is written beside a file.")
    return kept


def _require_owner(organization_id: UUID) -> None:
    if organization_id == PLATFORM_ID:
        return
    with tenant_scope(organization_id), atomic():
        if not Organization.objects.filter(pk=organization_id).exists():
            raise FileSourceRefused(f"There is no organization {organization_id}.")


def _taken(error: IntegrityError, name: str, path: str) -> str:
    if "trading_source_path" in str(error):
        return f"Another source reads {path} already."
    return f"There is a source called {name} already."

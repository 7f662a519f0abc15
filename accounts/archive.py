"""Writes everything an organization has here into one zip: a JSON file a table, its people, its audit trail.

Which columns go in is decided by type, exactly: what is not known to be harmless stays out, so a column of a new type
is missing from the zip until somebody decides about it. README.txt lists what was left out.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from ipaddress import IPv4Address, IPv6Address
from typing import IO, Any
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from django.apps import apps
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone

from accounts import audit_chain
from accounts.models import AuditEntry, Membership, Organization
from accounts.models.base import TenantRow
from mikrobot_platform.db import scope as scopes

PAGE = 2_000
HARMLESS: frozenset[type[models.Field[Any, Any]]] = frozenset({
    models.AutoField, models.BigAutoField, models.BigIntegerField, models.BooleanField, models.CharField,
    models.DateField, models.DateTimeField, models.DecimalField, models.DurationField, models.EmailField,
    models.FloatField, models.ForeignKey, models.GenericIPAddressField, models.IntegerField, models.JSONField,
    models.OneToOneField, models.PositiveBigIntegerField, models.PositiveIntegerField,
    models.PositiveSmallIntegerField, models.SlugField, models.SmallIntegerField, models.TextField, models.TimeField,
    models.URLField, models.UUIDField,
})  # fmt: skip
# A type can be harmless and the content not. When it happened is harmless whatever it is called.
SECRET_NAME = re.compile(
    r"(^|_)(credentials?|digest|hash|key|nonce|passphrase|passw(or)?d|private|sealed|secret|seed|signature|token|wrapped)"
    r"(_|$)"
)
NAMELESS = frozenset({models.DateField, models.DateTimeField, models.BooleanField, models.UUIDField, models.ForeignKey})

README = """\
{name}
Everything that MikroBot keeps for this organization, written on {at}.

{files}

Values: dates and times are in UTC, decimal numbers are text so that no digit is lost, ids are those of the API.
audit.csv and audit.json hold the same trail. Each entry's hash covers the entry and the hash of the one before, so a
missing or changed entry breaks the chain. In audit.csv an apostrophe stands before a cell that a spreadsheet would
take for a formula; audit.json is exact.

Left out because they are secrets, or of a kind that could hold one:
{left_out}
"""


def tenant_models() -> list[type[TenantRow]]:
    """List every table that belongs to organizations: the models say so themselves."""
    found = [model for model in apps.get_models() if issubclass(model, TenantRow)]
    return sorted(found, key=lambda model: model._meta.label_lower)


def is_exported(field: models.Field[Any, Any]) -> bool:
    """Decide about one column; an unknown type (binary, sealed, one that does not exist yet) is left out."""
    kind = type(field.base_field) if isinstance(field, ArrayField) else type(field)
    return kind in HARMLESS and (kind in NAMELESS or not SECRET_NAME.search(field.name))


def columns(model: type[models.Model]) -> tuple[list[str], list[str]]:
    """Return the columns that go into the zip, and those that do not."""
    kept = [field.attname for field in model._meta.concrete_fields if is_exported(field)]
    left = [field.attname for field in model._meta.concrete_fields if not is_exported(field)]
    return kept, left


def write(target: IO[bytes]) -> None:
    """Write the zip of the organization in scope, a page of rows in memory at a time."""
    organization = Organization.objects.get(pk=scopes.organization())
    files: dict[str, int] = {}
    left_out: list[str] = []
    with ZipFile(target, "w", ZIP_DEFLATED) as zipped:
        files["organization.json"] = _write_json(zipped, "organization.json", [_row(organization, Organization)])
        files["members.json"] = _write_json(zipped, "members.json", _members())
        for model in tenant_models():
            if model is AuditEntry:
                continue
            label, (kept, left) = model._meta.label_lower, columns(model)
            left_out += [f"{label}.{name}" for name in left]
            files[f"{label}.json"] = _write_json(zipped, f"{label}.json", _rows(model, kept))
        files["audit.json"] = _write_json(zipped, "audit.json", _trail())
        files["audit.csv"] = _write_csv(zipped, "audit.csv", audit_chain.rows_for_download())
        listing = "\n".join(f"{name:40} {count:>9} {'row' if count == 1 else 'rows'}" for name, count in files.items())
        at = f"{timezone.now():%Y-%m-%d %H:%M} UTC"
        text = README.format(name=organization.name, at=at, files=listing, left_out="\n".join(left_out))
        zipped.writestr(_entry("README.txt"), text)


def _entry(name: str) -> ZipInfo:
    """Name a file of the zip, dated in UTC like everything in it; a bare name would be dated 1980."""
    entry = ZipInfo(name, timezone.now().timetuple()[:6])
    entry.compress_type = ZIP_DEFLATED
    entry.external_attr = 0o600 << 16  # a bare ZipInfo would unpack into files that nobody may read
    return entry


def _row(row: models.Model, model: type[models.Model]) -> dict[str, object]:
    return {name: getattr(row, name) for name in columns(model)[0]}


def _rows(model: type[models.Model], names: list[str]) -> Iterator[dict[str, object]]:
    """Walk a table in order of its key; no server-side cursor, which PgBouncer would not keep."""
    rows = model._base_manager.filter(organization_id=scopes.organization()).order_by("pk")
    last: object = None
    while page := list((rows if last is None else rows.filter(pk__gt=last)).values("pk", *names)[:PAGE]):
        last = page[-1]["pk"]
        for row in page:
            yield {name: row[name] for name in names}


def _members() -> Iterator[dict[str, object]]:
    for row in Membership.objects.select_related("user").order_by("joined_at", "pk"):
        yield {
            "id": row.pk, "user_id": row.user_id, "name": row.user.name, "email": row.user.email, "role": row.role,
            "joined_at": row.joined_at,
        }  # fmt: skip


def _trail() -> Iterator[dict[str, object]]:
    kept = [*columns(AuditEntry)[0], "previous", "hash"]  # the chain's own hashes are there to be checked, not secret
    return _rows(AuditEntry, kept)


def _write_json(zipped: ZipFile, name: str, rows: Iterable[dict[str, object]]) -> int:
    count = 0
    with zipped.open(_entry(name), "w", force_zip64=True) as file:
        for row in rows:
            file.write(b",\n" if count else b"[\n")
            file.write(json.dumps(row, default=plain, ensure_ascii=False).encode())
            count += 1
        file.write(b"\n]\n" if count else b"[]\n")
    return count


def _write_csv(zipped: ZipFile, name: str, rows: Iterable[list[str]]) -> int:
    count = -1  # the header is no row
    with zipped.open(_entry(name), "w", force_zip64=True) as file, io.TextIOWrapper(file, "utf-8", newline="") as text:
        writer = csv.writer(text)
        for row in rows:
            writer.writerow(row)
            count += 1
    return count


def plain(value: object) -> object:
    """Turn what JSON does not know into text that can be read back exactly."""
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    if isinstance(value, Decimal | UUID | IPv4Address | IPv6Address):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no place in an export")

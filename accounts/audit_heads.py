"""Keeps the heads of the audit chains where the database cannot reach: one signed file a day.

Recomputing a chain finds a changed entry, but not a tail that was cut off, nor a chain written anew from some entry on.
A head that was exported before can then no longer be found. Heads are carried forward: a file names every chain there
ever was, with the furthest head that held, so that the newest file is enough."""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.signing import BadSignature, Signer
from django.db import connections
from django.utils import timezone

from accounts.audit_chain import SCOPE, SHOWN, Break, verify
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform import metrics
from mikrobot_platform.db import scope as scopes

log = logging.getLogger(__name__)

LOOKED_AT = 7  # files whose signature is checked; only the newest one's heads are needed


class ForgedError(Exception):
    """Raised for a file of heads that is not as it was written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The last entry of a chain, as it was seen at some time."""

    organization_id: UUID
    sequence: int
    hash: str
    at: str

    def line(self) -> str:
        mine = {"organization": str(self.organization_id), "sequence": self.sequence, "hash": self.hash, "at": self.at}
        return json.dumps(mine)

    @classmethod
    def read(cls, line: str) -> Head:
        values = json.loads(line)
        return cls(
            organization_id=UUID(values["organization"]), sequence=int(values["sequence"]), hash=str(values["hash"]),
            at=str(values["at"]),
        )  # fmt: skip


def daily() -> int:
    """Verify every chain, look for the exported heads, export today's; return how many breaks were found.

    Done once a day: today's file is the sign that it was. A broken chain keeps its last good head, so that tomorrow
    still finds the break, whatever has been appended since."""
    today = timezone.now().date()
    if (folder() / f"{today}.jsonl").exists():
        return 0
    breaks = [*verify(), *check_heads()]
    for found in breaks:
        metrics.AUDIT_BREAKS.inc()
        log.error(
            "the audit trail is broken",
            extra={"chain": found.organization_id, "position": found.sequence, "problem": found.problem},
        )
    export_heads(today, broken={found.organization_id for found in breaks})
    return len(breaks)


# --- Writing ---------------------------------------------------------------------------------------------------------
def folder() -> Path:
    return Path(settings.AUDIT_HEADS_DIR)


def export_heads(day: date, *, broken: Collection[UUID] = ()) -> Path:
    """Write the day's file, whole or not at all, unless it is there; a day is never written twice."""
    path = folder() / f"{day}.jsonl"
    if path.exists():
        return path
    heads = {head.organization_id: head for head in _newest_heads()}
    for head in _current_heads():
        known = heads.get(head.organization_id)
        if head.organization_id not in broken and (known is None or head.sequence > known.sequence):
            heads[head.organization_id] = head
    body = "".join(f"{heads[key].line()}\n" for key in sorted(heads))
    seal = {"day": str(day), "chains": len(heads), "seal": _signer().sign(_digest(body, day))}
    folder().mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = folder() / f".{path.name}.{os.getpid()}"
    with os.fdopen(os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(f"{body}{json.dumps(seal)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # unlike a rename it never replaces what another worker has just written
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path


# From chain to chain through the index, so that the cost is that of the chains and not of their entries.
_HEADS = """
    with recursive head as (
        (select organization_id, sequence, hash, at from accounts_auditentry
         order by organization_id desc, sequence desc limit 1)
        union all
        select next.* from head cross join lateral (
            select organization_id, sequence, hash, at from accounts_auditentry
            where organization_id < head.organization_id order by organization_id desc, sequence desc limit 1
        ) next
    )
    select * from head
"""


def _current_heads() -> Iterator[Head]:
    with system_scope(SCOPE), connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(_HEADS)
        for organization_id, sequence, digest, at in cursor.fetchall():
            yield Head(organization_id=organization_id, sequence=sequence, hash=bytes(digest or b"").hex(), at=_iso(at))


def _iso(at: datetime) -> str:
    return at.isoformat(timespec="microseconds")


def _signer() -> Signer:
    return Signer(salt="accounts.audit_heads")


def _digest(body: str, day: date) -> str:
    return sha256(f"{day}\n{body}".encode()).hexdigest()


# --- Reading ---------------------------------------------------------------------------------------------------------
def check_heads() -> list[Break]:
    """Find the chains that no longer contain an exported head, and the files that are not as they were written."""
    breaks, heads, day = [], None, ""
    for path in sorted(folder().glob("*.jsonl"), reverse=True)[:LOOKED_AT]:
        try:
            found = read(path)
        except ForgedError as error:
            breaks.append(Break(organization_id=PLATFORM_ID, sequence=0, problem=f"{path.name}: {error}"))
        else:
            if heads is None:
                heads, day = found, path.stem
    return [*breaks, *(_missing(heads, day) if heads else ())]


def read(path: Path) -> list[Head]:
    """Read a file of heads, or raise ForgedError."""
    try:
        *lines, last = path.read_text(encoding="ascii").splitlines(keepends=True)
        seal = json.loads(last)
        body = "".join(lines)
        if _signer().unsign(seal["seal"]) != _digest(body, date.fromisoformat(path.stem)):
            raise ForgedError("the file of exported heads was changed")
        return [Head.read(line) for line in lines]
    except BadSignature:
        raise ForgedError(
            "the file of exported heads was changed, or signed with a SECRET_KEY that is not among SECRET_KEY_FALLBACKS"
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ForgedError(f"the file of exported heads cannot be read ({error.__class__.__name__})") from error


def _newest_heads() -> list[Head]:
    for path in sorted(folder().glob("*.jsonl"), reverse=True):
        try:
            return read(path)
        except ForgedError:
            continue  # check_heads has told
    return []


_MISSING = """
    select head.organization_id, head.sequence, entry.hash is null
    from unnest(%(organizations)s::uuid[], %(sequences)s::bigint[], %(hashes)s::text[])
        as head (organization_id, sequence, hash)
    left join accounts_auditentry entry using (organization_id, sequence)
    where entry.hash is distinct from decode(head.hash, 'hex')
    order by 1 limit %(shown)s
"""


def _missing(heads: list[Head], day: str) -> list[Break]:
    parameters: dict[str, Any] = {
        "organizations": [head.organization_id for head in heads],
        "sequences": [head.sequence for head in heads],
        "hashes": [head.hash for head in heads],
        "shown": SHOWN,
    }
    with system_scope(SCOPE), connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(_MISSING, parameters)
        return [
            Break(
                organization_id=organization_id,
                sequence=sequence,
                problem=f"the trail reached this entry on {day} and is shorter now"
                if is_gone
                else f"this is not the entry that was exported on {day}",
            )
            for organization_id, sequence, is_gone in cursor.fetchall()
        ]

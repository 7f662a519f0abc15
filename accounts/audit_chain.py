"""Proves that the audit trail is whole: every chain recomputed in PostgreSQL, every exported head found again."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db import connections

from accounts.tenancy import system_scope
from mikrobot_platform.db import scope as scopes


@dataclass(frozen=True, slots=True, kw_only=True)
class Break:
    """A place where a chain does not hold."""

    organization_id: UUID
    sequence: int
    problem: str


_VERIFY = """
    select organization_id, sequence,
           case when sequence is distinct from expected then 'an entry before this one is missing'
                when previous is distinct from linked then 'the link to the entry before is broken'
                else 'the entry was changed' end
    from (
        select e.organization_id, e.sequence, e.previous, e.hash,
               row_number() over w as expected,
               coalesce(lag(e.hash) over w, decode(repeat('00', 32), 'hex')) as linked,
               accounts_audit_digest(e, e.previous) as digest
        from accounts_auditentry e
        where %(only)s::uuid is null or e.organization_id = %(only)s::uuid
        window w as (partition by e.organization_id order by e.sequence)
    ) chain
    where sequence is distinct from expected or previous is distinct from linked or hash is distinct from digest
    order by organization_id, sequence
    limit 100
"""


def verify(organization_id: UUID | None = None) -> list[Break]:
    """Recompute every chain, or one, inside PostgreSQL; return where it does not hold, first break first."""
    with system_scope("audit.verify"), connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(_VERIFY, {"only": organization_id})
        return [
            Break(organization_id=row[0], sequence=row[1], problem=row[2]) for row in cursor.fetchall()
        ]

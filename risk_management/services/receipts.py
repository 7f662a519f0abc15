"""Receipts: written for a whole shard at once, decided again from what was stored, handed out as a chain."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, cast
from uuid import UUID

from django.db import connections
from psycopg import Cursor

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import array
from risk_management.models import Receipt, SharedFacts
from risk_management.rules import VERSION
from risk_management.rules import receipt as papers
from risk_management.rules.facts import AccountFacts

PAGE = 100
ROWS = 500  # of a chain in memory at a time

_WRITE = """
    select account, receipt from risk_management_write_receipts(
        %b::uuid, %b::uuid, %b::timestamptz, %b::uuid, %b::text,
        %s::uuid[], %s::uuid[], %s::uuid[], %s::text[], %s::text[], %b::text[], %b::text[])
"""
_DECIDED = ("verdict", "code", "evidence")
# What is worked out from the facts themselves; whatever else stands among the versions was told by the caller.
_WORKED_OUT = frozenset({"gate", "program", "strategy"})


def write(
    signal_id: UUID,
    decided: Sequence[tuple[AccountFacts, papers.Receipt]],
    *,
    owner: UUID = PLATFORM_ID,
) -> Mapping[UUID, UUID]:
    """Write the receipts of one signal for a shard of accounts; return the new ones' ids by account.

    One statement for all of it. An account that has a receipt of this signal keeps the one it has, and is not in the
    answer: only what is in the answer may go on to an order. `owner` is whose signal it is. The caller stands in the
    system scope `gate.decide`, or, on the engine's connection, in the one organization of all these accounts.
    """
    if not decided:
        return {}
    shared, at = decided[0][1].facts.shared, decided[0][1].facts.at
    if any(paper.facts.shared != shared or paper.facts.at != at for _facts, paper in decided):
        raise ValueError("receipts of one batch are of one signal, one moment and one set of shared facts")
    values: list[object] = [
        owner, signal_id, at, new_id(), shared,
        array(new_id() for _ in decided),
        array(facts.organization for facts, _paper in decided),
        array(facts.account for facts, _paper in decided),
        array(paper.ruled.verdict.value for _facts, paper in decided),
        array(paper.ruled.code.value for _facts, paper in decided),
        [paper.text for _facts, paper in decided],
        [paper.facts.account for _facts, paper in decided],
    ]  # fmt: skip
    # Past Django's cursor, which writes values into the statement: megabytes of receipts go as binary parameters.
    connection: Any = connections[scopes.current().alias]
    with connection.wrap_database_errors:
        connection.ensure_connection()
        found = Cursor(connection.connection).execute(_WRITE, values).fetchall()
    return dict(found)


def stored_facts(receipt: Receipt) -> papers.StoredFacts | None:
    """Return what a decision saw; None when the part that was shared is not there (any more)."""
    owners = (receipt.organization_id, PLATFORM_ID)
    shared = SharedFacts.objects.filter(organization_id__in=owners, sha256=receipt.shared_sha256).first()
    if shared is None:
        return None
    return papers.StoredFacts(shared.text, receipt.facts, receipt.at)


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A receipt that was made once more from the stored facts, with the rules as they are now."""

    is_identical: bool  # byte for byte
    is_same: bool  # identical; or, of a receipt from before the rules changed, the same verdict on the same figures
    code: str
    text: str


def again(receipt: Receipt) -> Again | None:
    """Decide once more on the stored facts, with the rules as they are now; None when the facts are not there."""
    facts = stored_facts(receipt)
    if facts is None:
        return None
    told = {name: version for name, version in receipt.versions.items() if name not in _WORKED_OUT}
    made = papers.again(facts, versions=told)
    is_identical = made.text == receipt.body
    is_older = receipt.versions["gate"] != VERSION and receipt.said["facts"] == facts.sha256()
    is_same = is_identical or (is_older and all(made.body()[key] == receipt.said[key] for key in _DECIDED))
    return Again(is_identical=is_identical, is_same=is_same, code=made.ruled.code.value, text=made.text)


def find(receipt_id: UUID) -> tuple[Receipt, Again | None] | None:
    """Find any organization's receipt, for operators, and decide it again."""
    with system_scope("doctor"):
        receipt = cast("Receipt | None", Receipt.objects.filter(pk=receipt_id).first())
        return None if receipt is None else (receipt, again(receipt))


def page(*, account_id: UUID | None = None, before: int | None = None) -> tuple[list[Receipt], int | None]:
    """Return a page of the organization's receipts, newest first, and where the next one goes on."""
    rows = Receipt.objects.defer("facts").order_by("-position")
    if account_id is not None:
        rows = rows.filter(account_id=account_id)
    if before is not None:
        rows = rows.filter(position__lt=before)
    found = list(rows[: PAGE + 1])
    return found[:PAGE], found[PAGE - 1].position if len(found) > PAGE else None


def chain() -> Iterator[str]:
    """Give the organization's chain from its beginning, a line a receipt, for rules/verify_receipts.py.

    Runs in the tenant's transaction; read it before that ends. The hash is the stored one and not made anew: a chain
    that does not hold must be seen not to hold.
    """
    last = 0
    while True:
        rows = Receipt.objects.filter(position__gt=last).order_by("position")
        found = list(rows.values_list("position", "body", "hash", "previous")[:ROWS])
        for _position, body, own, previous in found:
            yield f'{{"body":{body},"hash":"{own}","previous":"{previous}"}}\n'
        if len(found) < ROWS:
            return
        last = found[-1][0]


def verifier() -> bytes:
    """Return the script with which whoever holds a chain verifies it."""
    return (resources.files("risk_management.rules") / "verify_receipts.py").read_bytes()

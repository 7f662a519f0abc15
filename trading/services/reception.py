"""Where messages from outside come in: who sends is found out first, and only then a message is received.

What is turned away is kept nowhere. It is counted, and written into the trail of the source's owner (the platform's for
an address that leads nowhere); of a flood the first ten in a minute for each reason: nobody buries a trail by knocking,
nor the one knock that matters under many that do not.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q

from accounts import audit
from accounts.auth import address
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.decisions import Code, Refusal, refusal
from mikrobot_platform.kernel.strict_json import LIMITS
from trading import connections
from trading.ledger import ledger_of
from trading.models import Source, SourceMinute, SourceSecret
from trading.models.sources import ALL_SOURCES
from trading.pipeline import Delivery, Outcome, receive
from trading.sources.ea_push import Envelope, verify
from trading.statements import SIGNER, row_of

DOOR = "signals.door"
TRAIL_A_MINUTE = 10  # of each reason
# Somebody who knocks at no source waits as long as at one: the same signature is computed, with a key that nobody has.
_NOBODYS = secrets.token_bytes(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A message before anybody has looked at it. The body is cut where it is longer than any message may be."""

    body: bytes
    headers: Mapping[str, str]
    declared_bytes: int | None
    address: str | None

    @property
    def is_too_large(self) -> bool:
        return max(len(self.body), self.declared_bytes or 0) > LIMITS.max_bytes

    def delivery(self) -> Delivery:
        return Delivery(body=self.body, headers=self.headers, declared_bytes=self.declared_bytes)


Answer = Outcome | Refusal


def signed(source_id: UUID, knock: Knock, *, now: datetime) -> Answer:
    """Receive a message of our own protocol for EAs, if it is signed with a secret of the source that it names.

    Whoever cannot sign is told the same about every address, in the same time: whether there is such a source, whose
    it is and whether it is switched on are learnt by its owner only.
    """
    source, kept = _source_of(source_id, now)
    envelope = Envelope.of(knock.headers)
    if knock.is_too_large:
        return _turned_away(source, refusal(Code.TOO_LARGE, limit=LIMITS.max_bytes), knock, now)
    opened = connections.signing(source, kept) if source and kept else []
    problem = verify(envelope, knock.body, secrets=opened or [_NOBODYS], now=now) or _may_send(source, knock)
    if problem or source is None:
        return _turned_away(source, problem or refusal(Code.SIGNATURE_WRONG), knock, now)
    return _received(source, knock, now, nonce=envelope.nonce)


def addressed(secret: str, knock: Knock, *, now: datetime) -> Answer:
    """Receive an alert for the source whose secret stands in the address."""
    source = _source_with(secret, now)
    if source is None:
        return _turned_away(None, refusal(Code.SOURCE_UNKNOWN), knock, now)
    problem = refusal(Code.TOO_LARGE, limit=LIMITS.max_bytes) if knock.is_too_large else _may_send(source, knock)
    return _turned_away(source, problem, knock, now) if problem else _received(source, knock, now)


def _received(source: Source, knock: Knock, now: datetime, *, nonce: str = "") -> Answer:
    found = receive(source, knock.delivery(), now=now, nonce=nonce)
    if isinstance(found, Refusal):
        return _turned_away(source, found, knock, now)
    if found.code == Code.SOURCE_MISMATCH:  # signed well, about somebody else's source: kept, refused, and remembered
        _write_down(source, found.code, knock, now)
    return found


def _live(now: datetime) -> Q:
    return Q(ends_at=None) | Q(ends_at__gt=now)


def _source_of(source_id: UUID, now: datetime) -> tuple[Source | None, Sequence[SourceSecret]]:
    with system_scope(DOOR):
        found = ask(SIGNER, {"source": source_id, "kind": "ea_push", "now": now})
    if not found:
        return None, []
    width = len(Source._meta.concrete_fields)
    kept = [row_of(SourceSecret, row[width:]) for row in found if row[width] is not None]
    return row_of(Source, found[0][:width]), kept


def _source_with(secret: str, now: datetime) -> Source | None:
    digest = connections.digest(secret)
    with system_scope(DOOR):
        row = SourceSecret.objects.filter(_live(now), digest=digest).select_related("source").first()
    return row.source if row is not None and hmac.compare_digest(bytes(row.digest or b""), digest) else None


def _may_send(source: Source | None, knock: Knock) -> Refusal | None:
    if source is None or not source.networks or address.is_within(knock.address, source.networks):
        return None
    return refusal(Code.NETWORK)


def _turned_away(source: Source | None, problem: Refusal, knock: Knock, now: datetime) -> Refusal:
    _write_down(source, problem.code, knock, now)
    return problem


def _write_down(source: Source | None, code: str, knock: Knock, now: datetime) -> None:
    organization_id, source_id = (source.organization_id, source.pk) if source else (PLATFORM_ID, ALL_SOURCES)
    who = audit.Actor(kind="source", id=str(source_id) if source else "", address=knock.address)
    with ledger_of(organization_id):
        count = SourceMinute.turned_away(organization_id, source_id, code, now=now)
        if count > TRAIL_A_MINUTE:
            return
        with audit.acting_as(who):
            audit.record_of(
                organization_id, "signal.turned_away", source or "",
                code=str(code), bytes=len(knock.body), of_this_minute=count,
            )  # fmt: skip

"""The one way into the ledger: a transaction of the engine, of its own, that sees one owner's rows.

It runs on the engine's connection whoever calls, so that a caller whose own transaction rolls back takes along
nothing that was accepted; the web's role cannot write here at all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import connections, transaction

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.scope import Scope, ScopeError
from mikrobot_platform.kernel.decisions import NO_EVIDENCE, Code, Decision, Evidence, sentence
from trading.engine.signal_facts import SignalFacts
from trading.models import EventKind, RawSignal, Signal, SignalEvent
from trading.sources import plain

PLATFORM_SCOPE = "signals.platform"


@contextmanager
def ledger_of(organization_id: UUID) -> Iterator[None]:
    """Open a transaction in the ledger of an organization or, with the id zero, of the platform."""
    if connections[scopes.ENGINE].in_atomic_block:
        raise ScopeError("a transaction of the engine is open; what is accepted must commit by itself")
    if organization_id == PLATFORM_ID:
        with system_scope(PLATFORM_SCOPE):
            yield
        return
    scope = Scope(organization_id=organization_id, alias=scopes.ENGINE)
    with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
        yield


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why something happened: a code with its figures, and the sentence that follows from them."""

    code: Code
    evidence: Evidence = field(default_factory=lambda: NO_EVIDENCE)

    @property
    def sentence(self) -> str:
        return sentence(self.code, self.evidence)


def note(
    raw: RawSignal,
    kind: EventKind,
    *,
    at: datetime,
    signal_id: UUID | None = None,
    reason: Reason | None = None,
    evidence: Mapping[str, object] | None = None,
) -> None:
    """Add a line to the timeline, in the transaction of what it tells."""
    SignalEvent.objects.create(
        organization_id=raw.organization_id,
        raw_id=raw.pk,
        signal_id=signal_id,
        kind=kind,
        code=reason.code if reason else "",
        sentence=reason.sentence if reason else "",
        evidence=dict(reason.evidence if reason else evidence or {}),
        at=at,
    )


def note_decision(
    decision: Decision, facts: SignalFacts, signal: Signal, *, strategy_id: UUID | None, at: datetime
) -> None:
    """Write a decision down as it was made, with the facts that it was made on."""
    SignalEvent.objects.create(
        organization_id=signal.organization_id,
        raw_id=signal.raw_id,
        signal_id=signal.pk,
        strategy_id=strategy_id,
        kind=EventKind.JUDGED,
        verdict=decision.verdict,
        code=decision.code,
        sentence=decision.sentence,
        evidence=dict(decision.evidence),
        facts=plain(facts),
        at=at,
    )


def hold(*parts: object) -> None:
    """Let nobody else do the same thing until this transaction ends."""
    with connections[scopes.ENGINE].cursor() as cursor:
        cursor.execute(
            "select pg_advisory_xact_lock(hashtextextended(%s, 0))", [":".join(("signals", *map(str, parts)))]
        )

"""What the tests of the gate's rows share: accounts of a cast, facts of theirs, and their receipts written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.db import transaction

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from accounts.tests import people
from accounts.tests.people import Team
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from risk_management.compliance.account import Event, Snapshot
from risk_management.models import AccountProgram
from risk_management.rules.facts import AccountFacts
from risk_management.rules.receipt import Clerk
from risk_management.services import SCOPE, quota, receipts, states
from risk_management.services.quota import Wish
from risk_management.tests import gate_facts


def facts_of(organization_id: UUID, account_id: UUID | None = None, **changes: Any) -> AccountFacts:
    """Make the facts of an account that is taken."""
    return gate_facts.account(organization=str(organization_id), account=str(account_id or new_id()), **changes)


def decide(
    accounts: Sequence[AccountFacts], *, now: datetime = gate_facts.NOW, owner: UUID = PLATFORM_ID, **shared: Any
) -> dict[UUID, UUID]:
    """Decide a signal for accounts and write the receipts; return what is new, by account."""
    signal_id = shared.pop("signal_id", None) or new_id()
    clerk = Clerk(gate_facts.shared(signal__id=str(signal_id), **shared), now=now)
    papers = clerk.receipts(accounts)
    with system_scope(SCOPE):
        return dict(receipts.write(signal_id, list(zip(accounts, papers, strict=True)), owner=owner))


def claim(organization_id: UUID, *, limit: int | None = None, now: datetime = gate_facts.NOW) -> UUID:
    """Let one order of a new account take a place of the day; return the account."""
    account_id = new_id()
    wish = Wish(organization_id=organization_id, account_id=account_id, day=now.date(), limit=limit)
    with system_scope(SCOPE):
        assert quota.admit(new_id(), [wish], now=now) == {account_id}
    return account_id


def observe(organization_id: UUID, account_id: UUID, *events: Event) -> list[bool]:
    """Take events of an account as the account watch does: by the engine, in a transaction each."""
    scope, taken = scopes.Scope(organization_id=organization_id, alias=scopes.ENGINE), []
    for event in events:
        with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
            taken.append(states.observe(account_id, event))
    return taken


def observed(cast: Team) -> UUID:
    """Make an account that was seen once; committed before, so that the engine can see it."""
    with scopes.enter(scopes.Scope(organization_id=cast.house.pk, alias=scopes.ENGINE)):
        account = people.make_account(cast.as_alice, f"Account {uuid4().hex[:6]}")
    seen = Snapshot(at=gate_facts.NOW, balance=Decimal(1000), equity=Decimal(990))
    observe(cast.house.pk, account.pk, seen)
    return account.pk


def told_program(cast: Team) -> AccountProgram:
    """Make an account whose owner was told of its program; committed before, so that everybody can see it."""
    scope = scopes.Scope(organization_id=cast.house.pk, alias=scopes.ENGINE)
    with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
        account = people.make_account(cast.as_alice, f"Account {uuid4().hex[:6]}")
        row: AccountProgram = AccountProgram.objects.create(account=account, doubt="a test", told_at=gate_facts.NOW)
    return row

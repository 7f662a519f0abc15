"""Who may choose what is done about differences, and lift what holds entries."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from accounts.access import Refused
from accounts.models import AuditEntry
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import team
from trading.engine.repair import Policy
from trading.models import VenueLink
from trading.services import links
from trading.tests import books
from trading.tests.orders import make_link, make_position


def link_of(account: Any) -> VenueLink:
    with tenant_scope(account.organization_id), atomic():
        found: VenueLink = VenueLink.objects.get(account_id=account.pk)
        return found


def test_a_policy_is_chosen_and_entries_are_let_through_again_on_the_record() -> None:
    cast = team()
    account = books.account_of(cast)
    make_link(account.organization_id, account_id=account.pk, blocked_reason="Look.", blocked_at=timezone.now())
    links.choose_policy(cast.as_alice, account.pk, Policy.ADOPT)
    links.unblock(cast.as_alice, account.pk)
    link = link_of(account)
    assert (link.policy, link.blocked_reason, link.blocked_at) == ("adopt", "", None)
    with tenant_scope(account.organization_id), atomic():
        actions = set(AuditEntry.objects.values_list("action", flat=True))
    assert {"account.policy_chosen", "account.unblocked"} <= actions


def test_a_stranger_and_a_viewer_change_nothing() -> None:
    cast = team()
    account = books.account_of(cast)
    make_link(account.organization_id, account_id=account.pk, blocked_reason="Look.", blocked_at=timezone.now())
    for caller in (cast.as_charlie, cast.as_bob):
        if caller.organization_id == account.organization_id and caller.can_change:
            continue
        with pytest.raises(Refused):
            links.unblock(caller, account.pk)
    assert link_of(account).blocked_reason == "Look."


def test_operators_see_how_accounts_stand() -> None:
    account = books.account_of(team())
    make_position(account.organization_id, account_id=account.pk, stop=None)
    make_link(account.organization_id, account_id=account.pk, blocked_reason="Look.", blocked_at=timezone.now())
    with system_scope("doctor"):
        found = links.overview(now=timezone.now())
    assert found.watched >= 1
    assert min(found.positions, found.unprotected, found.blocked) >= 1

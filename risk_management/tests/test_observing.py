"""Events of many accounts taken at once give what they give one by one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from uuid import UUID

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.outbox import publish_all
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import Team, make_account, team
from mikrobot_platform.db.prepared import ask
from risk_management.compliance.account import Settled, Snapshot
from risk_management.models import AccountState
from risk_management.rules.settings import Limits
from risk_management.services import limits
from risk_management.services.observing import Observation, observe_all
from risk_management.services.states import Seen
from risk_management.tests.rows import observe
from risk_management.tests.test_states import HISTORIES, MIDNIGHT, MINUTE, _events, news, prop_account, seen

D = Decimal


def at_once(told: list[Observation]) -> int:
    with system_scope("orders.carry"):
        found = observe_all(told)
        publish_all(found.news)
        return found.new


def standing(cast: Team, account: UUID) -> tuple[object, ...]:
    with tenant_scope(cast.house.pk), atomic():
        row = AccountState.objects.get(account_id=account)
        return row.state, row.seen_at, row.balance, row.equity, row.peak_equity, row.peak_close, row.is_day_open


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=HISTORIES, size=st.integers(1, 6))
def test_in_batches_it_is_what_it_is_one_by_one(drawn: list[tuple[str, int, int]], size: int) -> None:
    cast, other, third = team(), team(), team()
    together, beside, alone = prop_account(cast), prop_account(other), prop_account(third)
    events = _events(drawn)
    observe(third.house.pk, alone, *events)
    for first in range(0, len(events), size):
        told = [
            Observation(organization_id=owner.house.pk, account_id=account, event=event)
            for event in events[first : first + size]
            for owner, account in ((other, beside), (cast, together))
        ]
        at_once(told)
        assert at_once(told) == 0, "all of it once more changes nothing"
    assert standing(cast, together) == standing(third, alone) == standing(other, beside)


def test_own_limits_warn_with_what_was_settled_in_the_same_batch() -> None:
    cast = team()
    account = make_account(cast.as_alice).pk
    with tenant_scope(cast.house.pk), atomic():
        limits.set_limits(cast.as_alice, account, Limits(max_leverage=D(30), day_loss=D(1_000)), now=MIDNIGHT)
    day = MIDNIGHT + timedelta(hours=3)
    lost, after = Settled(number=1, at=day, profit=D(-700)), seen(day + MINUTE, 99_100, 99_300)
    beside = Seen(floating=D(-200), margin_used=D(5))
    told = [
        Observation(organization_id=cast.house.pk, account_id=account, event=lost),
        Observation(organization_id=cast.house.pk, account_id=account, event=after, seen=beside),
    ]
    assert at_once([*told, *told]) == 2
    assert news(cast) == [("own", "day_loss", 60), ("own", "day_loss", 80)]
    with tenant_scope(cast.house.pk), atomic():
        row = AccountState.objects.get(account_id=account)
    assert (row.balance, row.equity, row.floating, row.margin_used) == (99_300, 99_100, -200, 5)


def test_warnings_wait_for_whoever_publishes_so_that_no_organizations_lock_is_taken_out_of_turn() -> None:
    cast = team()
    account = make_account(cast.as_alice).pk
    with tenant_scope(cast.house.pk), atomic():
        limits.set_limits(cast.as_alice, account, Limits(max_leverage=D(30), day_loss=D(1_000)), now=MIDNIGHT)
    lost = Settled(number=1, at=MIDNIGHT + MINUTE, profit=D(-700))
    told = [
        Observation(organization_id=cast.house.pk, account_id=account, event=event)
        for event in (lost, seen(MIDNIGHT + 2 * MINUTE, 99_300, 99_300))
    ]
    with system_scope("orders.carry"):
        found = observe_all(told)
        assert [one.data["percent"] for one in found.news] == [60]
        assert _locks_held() == 0
        publish_all(found.news)
        assert _locks_held() == 1
    assert news(cast) == [("own", "day_loss", 60)]


def _locks_held() -> int:
    [(count,)] = ask("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()", ())
    return int(count)


def test_an_account_that_nobody_has_seen_begins_then() -> None:
    cast = team()
    account = make_account(cast.as_alice).pk
    snapshot = Snapshot(at=MIDNIGHT, balance=D(10), equity=D(10))
    assert at_once([Observation(organization_id=cast.house.pk, account_id=account, event=snapshot)]) == 1
    assert standing(cast, account)[1:4] == (MIDNIGHT, 10, 10)

"""Poison in the rows of one account is that account's receipt; in what all share, it stops that shard alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import TierGrant, TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import team
from accounts.tiers import Tier
from risk_management.models import AccountLimits, AccountState, Receipt
from trading import carrying, pipeline, planning, sending
from trading.ledger import ledger_of
from trading.models import Follow, Order, Shard, Signal, SignalEvent, Strategy
from trading.paper.control import PaperProcess
from trading.tests.sources import make_source, rest, rows, swept
from trading.tests.story import make_follower, make_strategy, tell_prices, venue


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


def _limits(account: TradingAccount) -> None:
    AccountLimits.objects.filter(account_id=account.pk).update(current="{not json")


def _program(account: TradingAccount) -> None:
    TradingAccount.objects.filter(pk=account.pk).update(kind="prop", firm="FTMO", program="2-Step", phase="challenge")
    with system_scope("gate.days"):
        AccountState.objects.filter(account_id=account.pk).update(state="[]")


def _windows(account: TradingAccount) -> None:
    Follow.objects.filter(account_id=account.pk).update(windows=[{"days": ["never"], "zone": 4}])


def _currency(account: TradingAccount) -> None:
    TradingAccount.objects.filter(pk=account.pk).update(currency="")


@pytest.mark.parametrize("poison", [_limits, _program, _windows, _currency])
def test_a_poisoned_account_is_its_own_receipt_and_everybody_else_trades(
    paper: PaperProcess, poison: Callable[[TradingAccount], None]
) -> None:
    cast, now = team(), timezone.now()
    tell_prices(now)
    strategy = make_strategy()
    with ledger_of(cast.house.pk):
        TierGrant.objects.create(tier=Tier.ENTERPRISE, reason="a test", granted_by="a test")
    followers = [make_follower(cast.as_alice, strategy, now=now) for _ in range(7)]
    with tenant_scope(cast.house.pk), atomic():
        poison(followers[3])
    signal = taken(strategy)
    assert carrying.carry_signals(now=now, among=[PLATFORM_ID]) == 1
    assert sending.wait(20)
    assert sorted(paper.count()["orders"]) == sorted(str(one.pk) for one in followers if one is not followers[3])
    with tenant_scope(cast.house.pk), atomic():
        found = {row.account_id: row for row in Receipt.objects.filter(signal_id=signal.pk)}
    assert len(found) == 7
    assert found[followers[3].pk].verdict == "refused"
    assert "missing" in found[followers[3].pk].code, found[followers[3].pk].code


def test_what_all_share_is_tried_again_and_then_put_aside_while_younger_shards_go_on(paper: PaperProcess) -> None:
    cast, now = team(), timezone.now()
    tell_prices(now)
    spoilt, sound = make_strategy(), make_strategy()
    make_follower(cast.as_alice, spoilt, now=now)
    follower = make_follower(cast.as_alice, sound, now=now)
    bad, good = taken(spoilt), taken(sound)
    with system_scope("signals.platform"):
        Strategy.objects.filter(pk=spoilt.pk).update(parameters={"version": []})
    assert carrying.carry_signals(now=now, among=[PLATFORM_ID]) == 2
    assert sending.wait(20)
    assert list(paper.count()["orders"]) == [str(follower.pk)]
    for _ in range(planning.MAX_ATTEMPTS):
        carrying.plan_shards(now=now, among=[PLATFORM_ID])
    with system_scope(planning.SCOPE):
        shards = dict(Shard.objects.filter(signal_id__in=[bad.pk, good.pk]).values_list("signal_id", "attempts"))
        assert not Shard.objects.filter(signal_id__in=[bad.pk, good.pk], planned_at=None).exists()
        assert not Order.objects.filter(signal_id=bad.pk).exists()
    assert shards == {bad.pk: planning.MAX_ATTEMPTS, good.pk: 0}
    with ledger_of(PLATFORM_ID):
        [event] = SignalEvent.objects.filter(signal_id=bad.pk, kind="quarantined")
    assert event.code == "input.quarantined"


@pytest.fixture(autouse=True)
def nothing_of_others() -> None:
    """Carry on what other tests let the platform's strategies take."""
    while carrying.carry_signals(now=timezone.now(), among=[PLATFORM_ID]):
        pass


def taken(strategy: Any) -> Signal:
    now = timezone.now()
    source = make_source(PLATFORM_ID)
    pipeline.receive(source, rest(strategy=strategy.code, stop="1.08300", targets=["1.09000"]), now=now)
    swept(source, now)
    [signal] = rows(source)[1]
    return signal

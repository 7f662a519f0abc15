"""Following: only narrower than the strategy, never above the hard limit, and nobody else's."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

import pytest

from accounts.access import Caller, Refused
from accounts.models import AuditEntry
from accounts.models.audit import PLATFORM_ID
from accounts.services import trading_accounts
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, make_account, team
from trading.models import Follow, Strategy
from trading.services import follows
from trading.services.follows import Settings, Window

LONDON = Window(days=(5, 1), start=time(8), end=time(16, 30), zone="Europe/London")


@pytest.fixture(scope="module", name="cast")
def shared_cast() -> Team:
    return team()


def strategy(cast: Team, code: str = "submarine_gold") -> UUID:
    with tenant_scope(cast.house.pk), atomic():
        found: UUID = Strategy.objects.get(organization_id=PLATFORM_ID, code=code).pk
    return found


def started(cast: Team, who: Caller | None = None, account: UUID | None = None, **settings: Any) -> Follow:
    caller = who or cast.as_alice
    account_id = account or make_account(cast.as_alice, f"Account {uuid4().hex[:6]}").pk
    with tenant_scope(caller.organization_id), atomic():
        return follows.follow(caller, account_id, strategy(cast), Settings(**settings))


def test_an_account_follows_with_its_own_settings(cast: Team) -> None:
    row = started(
        cast, risk_mode="percent", risk_value=Decimal("0.25"), symbols=["XAUUSD", "EURUSD"], sides=["buy"],
        windows=[LONDON], overrides={"max_positions": Decimal(2), "atr_pips_max": Decimal("12.5")},
    )  # fmt: skip
    with tenant_scope(cast.house.pk), atomic():
        found = Follow.objects.get(pk=row.pk)
        deeds = list(AuditEntry.objects.filter(subject=f"follow:{row.pk}").values_list("action", flat=True))
    assert (found.risk_mode, found.risk_value, found.symbols, found.sides) == (
        "percent", Decimal("0.25"), ["EURUSD", "XAUUSD"], ["buy"]
    )  # fmt: skip
    assert found.windows == [{"days": [1, 5], "from": "08:00", "to": "16:30", "zone": "Europe/London"}]
    assert found.overrides == {"max_positions": "2", "atr_pips_max": "12.5"}
    assert deeds == ["follow.started"]


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        ({"risk_mode": "everything"}, "risk_invalid"),
        ({"risk_mode": "percent"}, "risk_invalid"),
        ({"risk_mode": "percent", "risk_value": Decimal(0)}, "risk_invalid"),
        ({"risk_mode": "percent", "risk_value": Decimal("NaN")}, "risk_invalid"),
        ({"risk_mode": "percent", "risk_value": Decimal("2.01")}, "risk_too_high"),
        ({"risk_mode": "quantity", "risk_value": Decimal("-1")}, "risk_invalid"),
        ({"symbols": ["USDCHF"]}, "symbol_invalid"),
        ({"sides": ["up"]}, "side_invalid"),
        ({"windows": [Window(days=(), start=time(8), end=time(9), zone="UTC")]}, "window_invalid"),
        ({"windows": [Window(days=(0,), start=time(8), end=time(9), zone="UTC")]}, "window_invalid"),
        ({"windows": [Window(days=(1,), start=time(8), end=time(8), zone="UTC")]}, "window_invalid"),
        ({"windows": [Window(days=(1,), start=time(8), end=time(9), zone="Mars")]}, "zone_invalid"),
        ({"windows": [LONDON] * 21}, "windows_too_many"),
        ({"overrides": {"risk_percent": Decimal(1)}}, "override_unknown"),
        ({"overrides": {"max_positions": Decimal(6)}}, "override_invalid"),
        ({"overrides": {"max_positions": Decimal("1.5")}}, "override_invalid"),
        ({"overrides": {"atr_pips_min": Decimal("3.9")}}, "override_invalid"),
        ({"overrides": {"atr_pips_max": Decimal("15.1")}}, "override_invalid"),
        ({"overrides": {"atr_pips_min": Decimal(10), "atr_pips_max": Decimal(9)}}, "override_invalid"),
    ],
)
def test_settings_that_let_more_through_are_refused(cast: Team, settings: dict[str, Any], code: str) -> None:
    account = make_account(cast.as_alice, f"Account {uuid4().hex[:6]}")
    with pytest.raises(Refused) as refused:
        started(cast, account=account.pk, **settings)
    assert refused.value.code == code
    with tenant_scope(cast.house.pk), atomic():
        assert not Follow.objects.filter(account=account).exists()


def test_it_is_changed_paused_resumed_and_ended(cast: Team) -> None:
    row = started(cast)
    with tenant_scope(cast.house.pk), atomic():
        changed = follows.change(cast.as_tess, row.pk, Settings(sides=["sell"]))
        assert changed.sides == ["sell"]
        follows.change(cast.as_tess, row.pk, Settings(sides=["sell"]))
        assert follows.pause(cast.as_tess, row.pk, "  holiday ").pause_reason == "holiday"
        follows.pause(cast.as_tess, row.pk)
        assert not follows.resume(cast.as_tess, row.pk).is_paused
        follows.unfollow(cast.as_tess, row.pk)
        deeds = AuditEntry.objects.filter(subject=f"follow:{row.pk}").order_by("pk").values_list("action", flat=True)
        assert list(deeds) == [
            "follow.started", "follow.changed", "follow.paused", "follow.resumed", "follow.ended"
        ]  # fmt: skip
        assert not Follow.objects.filter(pk=row.pk).exists()


def test_what_cannot_be_followed_says_why(cast: Team) -> None:
    account = make_account(cast.as_alice, f"Account {uuid4().hex[:6]}")
    started(cast, account=account.pk)
    cases = [
        (cast.as_alice, account.pk, strategy(cast), "followed_already"),
        (cast.as_alice, uuid4(), strategy(cast), "account_unknown"),
        (cast.as_alice, account.pk, uuid4(), "strategy_unknown"),
        (cast.as_bob, account.pk, strategy(cast), "not_allowed"),
        (cast.as_charlie, account.pk, strategy(cast), "account_unknown"),
    ]
    for caller, account_id, strategy_id, code in cases:
        with pytest.raises(Refused) as refused, tenant_scope(caller.organization_id), atomic():
            follows.follow(caller, account_id, strategy_id, Settings())
        assert refused.value.code == code
    with tenant_scope(cast.house.pk), atomic():
        trading_accounts.close(cast.as_alice, account.pk)
        with pytest.raises(Refused) as refused:
            follows.follow(cast.as_alice, account.pk, strategy(cast, "ferrari_scalping"), Settings())
    assert refused.value.code == "account_closed"


def test_a_strangers_follow_is_not_there(cast: Team) -> None:
    row = started(cast)
    for caller, code in ((cast.as_charlie, "follow_unknown"), (cast.as_bob, "not_allowed")):
        for deed in (follows.pause, follows.resume, follows.unfollow):
            with pytest.raises(Refused) as refused, tenant_scope(caller.organization_id), atomic():
                deed(caller, row.pk)
            assert refused.value.code == code
    with tenant_scope(cast.house.pk), atomic():
        assert not Follow.objects.get(pk=row.pk).is_paused

"""Positions in rows are looked after by what the rows say: whose clocks they end by, what their strategies ask for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import accept_documents, make_account, team
from risk_management.rules.settings import Limits
from risk_management.services import limits
from trading import doing, managing, quotes
from trading.brokers import paper
from trading.engine.deeds import Close, Deed, MoveStop
from trading.engine.management.terms import DayEnd, Terms
from trading.models import Position
from trading.tests import books
from trading.tests.orders import make_position
from trading.tests.story import make_strategy, tell_prices
from trading.tests.test_deadlines import CLOCK
from trading.tests.trade_world import moment

ONE = Decimal(1)
OPENED = moment("2026-11-25 15:00:00")


@pytest.fixture(name="decided", autouse=True)
def what_was_decided(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Carry nothing out: what is decided is looked at here, how it is carried out elsewhere (test_books_death.py)."""
    monkeypatch.setattr(doing, "carry_out", lambda wanted, *, now: [])
    yield
    quotes.forget("paper")


def held(account: Any, **fields: Any) -> Position:
    """Hold a lot of EURUSD, bought at 1.0840 with a stop 20 pips below, which stands at the venue."""
    values = {
        "entry": Decimal("1.08400"), "first_stop": Decimal("1.08200"), "stop": Decimal("1.08200"),
        "wanted_stop": Decimal("1.08200"), "opened_at": OPENED, "seen_at": OPENED,
    }  # fmt: skip
    return make_position(account.organization_id, account_id=account.pk, **{**values, **fields})


def look(*accounts: Any, at: str) -> Sequence[Deed]:
    return managing.manage([books.door_of(one) for one in accounts], now=moment(at))


def exits(deeds: Sequence[Deed]) -> list[tuple[str, Decimal]]:
    return [(one.code.value, one.quantity) for one in deeds if isinstance(one, Close)]


def test_the_firms_clock_closes_a_minute_before_its_time_without_a_price() -> None:
    cast = team()
    accept_documents(cast.as_alice)
    account = make_account(
        cast.as_alice, kind="prop", firm="Topstep", program="Trading Combine", phase="evaluation", size=Decimal(50_000)
    )
    held(account)
    assert exits(look(account, at="2026-11-25 21:08:59")) == []
    assert exits(look(account, at="2026-11-25 21:09:00")) == [("manage.firm_cutoff", ONE)]
    assert exits(look(account, at="2026-11-27 21:09:00")) == [("manage.firm_cutoff", ONE)], "missed, it stays missed"


def test_the_customers_clock_and_the_strategys_each_close_their_own() -> None:
    cast = team()
    own, theirs, free = (books.account_of(cast) for _ in range(3))
    with tenant_scope(own.organization_id), atomic():
        limits.set_limits(cast.as_alice, own.pk, Limits(max_leverage=Decimal(30), flat_by=CLOCK), now=OPENED)
    strategy = make_strategy(management=Terms(day_end=DayEnd(zone="Europe/London", at="17:00")))
    for account in (own, free):
        held(account)
    late = held(theirs, strategy_id=strategy.pk)
    assert exits(look(own, theirs, free, at="2026-11-25 16:58:59")) == []
    found = look(own, theirs, free, at="2026-11-25 16:59:00")
    assert [(one.about, one.code.value) for one in found] == [(str(late.pk), "manage.day_end")]
    assert exits(look(own, free, at="2026-11-25 20:44:00")) == [("manage.day_end", ONE)]


def test_a_strategy_without_patience_closes_by_the_clock_what_has_not_come_far() -> None:
    cast, terms = team(), Terms(time_stop_s=600, time_stop_below_r=Decimal("0.5"))
    strategy = make_strategy(management=terms)
    account = books.account_of(cast)
    held(account, strategy_id=strategy.pk)
    at = OPENED + timedelta(minutes=10)
    tell_prices(at, EURUSD=("1.08499", "1.08509"))  # 9.9 pips of 20
    assert exits(managing.manage([books.door_of(account)], now=at - timedelta(seconds=1))) == []
    assert exits(managing.manage([books.door_of(account)], now=at)) == [("manage.time_stop", ONE)]
    tell_prices(at, EURUSD=("1.08500", "1.08510"))
    assert exits(managing.manage([books.door_of(account)], now=at)) == []


def test_a_strategy_with_one_target_takes_all_of_it_there() -> None:
    account, strategy = books.account_of(team()), make_strategy(target_r=Decimal("1.5"))
    held(account, strategy_id=strategy.pk)
    plain = books.account_of(team())
    held(plain)
    tell_prices(OPENED, EURUSD=("1.08600", "1.08610"))
    assert exits(look(account, at="2026-11-25 15:00:00")) == []
    assert exits(look(plain, at="2026-11-25 15:00:00")) == [("manage.target", Decimal("0.5"))]
    tell_prices(OPENED, EURUSD=("1.08700", "1.08710"))
    assert exits(look(account, at="2026-11-25 15:00:00")) == [("manage.target", ONE)]


def test_a_breakeven_pays_for_the_nights() -> None:
    """The stop goes to the entry, a spread of 1 pip, and 12.30 USD of swap: 1.23 pips of a lot, up to the next tick."""
    cast = team()
    account, free = books.account_of(cast), books.account_of(cast)
    held(account, swap=Decimal("-12.30"))
    held(free)
    tell_prices(OPENED, EURUSD=("1.08600", "1.08610"))
    moved = [one for one in look(account, free, at="2026-11-25 15:00:00") if isinstance(one, MoveStop)]
    assert [one.price for one in moved] == [Decimal("1.08423"), Decimal("1.08410")]


def test_where_a_venue_closes_no_parts_all_is_taken_home_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paper.BROKER, "capabilities", replace(paper.CAPABILITIES, partial_close=False))
    account = books.account_of(team())
    held(account)
    tell_prices(OPENED, EURUSD=("1.08600", "1.08610"))
    assert exits(look(account, at="2026-11-25 15:00:00")) == [("manage.target_whole", ONE)]


def test_a_plan_that_cannot_be_read_keeps_nobody_in() -> None:
    cast = team()
    account, beside = books.account_of(cast), books.account_of(cast)
    with tenant_scope(account.organization_id), atomic():
        limits.set_limits(cast.as_alice, account.pk, Limits(max_leverage=Decimal(30), flat_by=CLOCK), now=OPENED)
    broken = held(account)
    held(beside)
    with system_scope("orders.carry"):
        Position.objects.filter(pk=broken.pk).update(plan={"terms": "no"})
    tell_prices(moment("2026-11-25 20:44:00"), EURUSD=("1.08600", "1.08610"))
    assert exits(look(account, beside, at="2026-11-25 20:44:00")) == [
        ("manage.day_end", ONE),
        ("manage.target", Decimal("0.5")),
    ]

"""Without anybody who watches, the timetable looks at what is late: orders are resolved, positions are looked after."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.tenancy import system_scope
from accounts.tests.people import team
from mikrobot_platform.kernel.orders import OrderState
from trading import catching_up, sending
from trading.engine.management.terms import Terms
from trading.models import VenueLink
from trading.paper.control import PaperProcess
from trading.tests import books
from trading.tests.story import make_strategy, venue


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "ANSWER_S", 1)
    monkeypatch.setattr(catching_up, "ANSWER_S", 1)


def catch_up(*accounts: Any, at: datetime | None = None) -> int:
    return catching_up.catch_up(now=at or timezone.now(), among=[one.pk for one in accounts])


def link_of(account: Any) -> VenueLink:
    with system_scope("orders.carry"):
        found: VenueLink = VenueLink.objects.get(account_id=account.pk)
        return found


def test_an_order_of_which_nobody_knows_is_resolved_and_what_is_not_late_is_left_alone(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.fault("cut_after", account=str(account.pk))
    order = books.send(account)
    assert order.state == OrderState.UNKNOWN
    assert catch_up(account) == 1
    assert books.order_of(order).state == OrderState.FILLED
    [held] = books.positions_of(account)
    assert held.stop == Decimal("1.083")
    looked = link_of(account).reconciled_at
    assert catch_up(account) == 0
    assert link_of(account).reconciled_at == looked, "it is not late"
    due = link_of(account).look_at
    assert due is not None
    assert catch_up(account, at=due + catching_up.LATE - timedelta(seconds=1)) == 0
    assert catch_up(account, at=due + catching_up.LATE) == 1
    assert paper.count()["orders"][str(account.pk)] == {order.client_id: 1}


def test_a_position_ends_by_its_time_although_nobody_watches(paper: PaperProcess) -> None:
    account, strategy = books.account_of(team()), make_strategy(management=Terms(time_stop_s=60))
    books.send(account, strategy_id=strategy.pk)
    catch_up(account)
    assert [one.state for one in books.positions_of(account)] == ["open"]
    catch_up(account, at=timezone.now() + timedelta(minutes=2))
    catch_up(account, at=timezone.now() + timedelta(minutes=4))
    assert [one.state for one in books.positions_of(account)] == ["closed"]
    assert len(books.fills_of(account)) == 2


def test_who_does_not_answer_takes_nobodys_turn_and_is_left_alone_after_a_while(
    paper: PaperProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    cast = team()
    hung, well = books.account_of(cast), books.account_of(cast)
    for one in (hung, well):
        books.send(one)
    paper.fault("drop_before", account=str(hung.pk), on="*", times=-1)
    monkeypatch.setattr(catching_up, "AT_ONCE", 1)
    now = timezone.now()
    answered = [catch_up(hung, well, at=now) for _ in range(2)]
    assert sorted(answered) == [0, 1], "after it has failed once the other one comes first"
    assert [one.state for one in books.positions_of(well)] == ["open"]
    for _ in range(4):
        assert catch_up(hung, at=now) == 0
    closed_until = link_of(hung).closed_until
    assert closed_until is not None
    assert link_of(hung).failures == 5
    assert catch_up(hung, at=closed_until - timedelta(seconds=1)) == 0
    assert link_of(hung).failures == 5, "it was not asked"

"""Whoever settles, compares or manages may die before any statement: whoever comes next ends at the same books."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from accounts.models import OutboxEvent
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import team
from mikrobot_platform.db import scope as scopes
from risk_management.compliance.account import Snapshot
from risk_management.models import AccountEvent
from risk_management.tests.rows import observe
from trading import carrying, doing, sending
from trading.engine.management.terms import Terms
from trading.managing import manage
from trading.models import Order, Position
from trading.paper.control import PaperProcess
from trading.settling import settle
from trading.tests import books
from trading.tests.orders import make_booking
from trading.tests.story import make_strategy, tell_prices, venue
from trading.tests.test_tracking import by_hand, choose
from trading.tracking import reconcile

MOST = 400


class Died(BaseException):
    """The process ends here: nobody catches this."""


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@contextmanager
def dying_at(statement: int) -> Iterator[None]:
    """Die before the given statement of this thread, counted from one."""
    left = statement

    def count(execute: Callable[..., Any], *rest: Any) -> Any:
        nonlocal left
        left -= 1
        if not left:
            raise Died
        return execute(*rest)

    with connections[scopes.ENGINE].execute_wrapper(count):
        yield


def die_everywhere(work: Callable[[], Any], between: Callable[[], Any] = lambda: None) -> int:
    """Begin some work until it gets to its end, dying one statement later each time; return how often it died."""
    for statement in range(1, MOST):
        try:
            with dying_at(statement):
                work()
        except Died:
            doing.wait(10)
            sending.wait(10)
            between()
        else:
            return statement - 1
    raise AssertionError("it never came to its end")


def standing(account: Any) -> dict[str, Any]:
    """Say what the books hold of an account, whatever ids it has."""
    with tenant_scope(account.organization_id), atomic():
        orders = Order.objects.filter(account_id=account.pk).order_by("decided_at", "pk")
        events = AccountEvent.objects.filter(account_id=account.pk).exclude(kind="Snapshot").order_by("pk")
        news = OutboxEvent.objects.filter(data__account=str(account.pk)).order_by("pk")
        return {
            "positions": [
                (one.state, one.side, one.quantity, one.entry, one.profit, one.stop, one.wanted_stop, one.plan)
                for one in books.positions_of(account)
            ],
            "orders": [(one.purpose, one.side, one.quantity, one.state, one.filled) for one in orders],
            "fills": [(one.side, one.quantity, one.price) for one in books.fills_of(account)],
            "bookings": [(one.kind, one.quantity, one.profit) for one in books.bookings_of(account)],
            "events": list(events.values_list("kind", "profit")),
            "news": list(news.values_list("name", flat=True)),
        }


def test_settling_dies_before_every_statement_and_nothing_is_lost_or_doubled(paper: PaperProcess) -> None:
    account, calm = books.account_of(team()), books.account_of(team())
    for one in (account, calm):
        books.send(one)
    first = {one.pk: books.heard(one) for one in (account, calm)}
    paper.price("EURUSD", "1.08290", "1.08300")
    second = {one.pk: books.heard(one) for one in (account, calm)}
    for told in (first, second):
        settle(told[calm.pk], now=timezone.now())
        before = standing(account)

        def untouched(before: dict[str, Any] = before) -> None:
            assert standing(account) == before, "what is not finished is as if it had not begun"

        died = die_everywhere(lambda told=told: settle(told[account.pk], now=timezone.now()), untouched)  # type: ignore[misc]
        assert died >= 8
        after = standing(account)
        settle(told[account.pk], now=timezone.now())
        assert standing(account) == after == standing(calm), "twice is once"


def opened(account: Any, **fields: Any) -> Position:
    """Send an entry and settle it."""
    books.send(account, **fields)
    settle(books.heard(account), now=timezone.now())
    [held] = books.positions_of(account)
    return held


def test_managing_dies_before_every_statement_and_one_exit_leaves(paper: PaperProcess) -> None:
    """The strategy wants out a minute after opening; the week is an extra one."""
    account, strategy = books.account_of(team()), make_strategy(management=Terms(time_stop_s=60))
    now = timezone.now()
    observe(account.organization_id, account.pk, Snapshot(at=_monday(now), balance=Decimal(1000), equity=Decimal(1000)))
    make_booking(
        account.organization_id, account_id=account.pk, kind="settled", profit=Decimal(100), at=_monday(now)
    )  # fmt: skip
    held = opened(account, strategy_id=strategy.pk)
    tell_prices(now)
    seen: set[str] = set()

    def looked() -> None:
        [row] = books.positions_of(account)
        seen.add(str(row.plan.get("week")))
        with system_scope("orders.carry"):
            assert Order.objects.filter(position_id=held.pk, purpose="exit").count() <= 1

    later = now + timedelta(minutes=2)
    assert die_everywhere(lambda: manage([books.door_of(account)], now=later), looked) >= 8
    assert len(seen - {"None"}) == 1, "whoever settled the plan first has settled it"
    carrying.carry_on(now=timezone.now() + carrying.GRACE + timedelta(seconds=1), among=[account.organization_id])
    assert sending.wait(20)
    settle(books.heard(account), now=timezone.now())
    manage([books.door_of(account)], now=later)
    after = standing(account)
    assert [one[:2] for one in after["orders"]] == [("entry", "buy"), ("exit", "sell")]
    assert after["positions"][0][0] == "closed"
    assert paper.count()["orders"][str(account.pk)] == dict.fromkeys(paper.count()["orders"][str(account.pk)], 1)
    assert books.positions_of(account)[0].plan["week"]["realised"] == "100"
    assert books.positions_of(account)[0].plan["terms"]["time_stop_s"] == 60


def _monday(now: datetime) -> datetime:
    start = (now - timedelta(days=now.weekday())).replace(hour=0, minute=0, second=0, microsecond=0)
    return start if start < now else now - timedelta(seconds=1)


@pytest.mark.parametrize("policy", ["flatten", "adopt"])
def test_comparing_dies_before_every_statement_and_repairs_once(paper: PaperProcess, policy: str) -> None:
    account = books.account_of(team())
    door = books.door_of(account)
    reconcile(door, now=timezone.now())
    choose(account, policy)
    opened(account)
    by_hand(account, quantity="1", stop="1.08000")
    assert die_everywhere(lambda: reconcile(door, now=timezone.now())) >= 8
    carrying.carry_on(now=timezone.now() + carrying.GRACE + timedelta(seconds=1), among=[account.organization_id])
    assert sending.wait(20)
    reconcile(door, now=timezone.now())
    after = standing(account)
    reconcile(door, now=timezone.now())
    assert standing(account) == after
    sent = paper.count()["orders"][str(account.pk)]
    assert set(sent.values()) == {1}

"""What venues tell becomes positions and results, to the cent, however often and in whichever order it is told."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from accounts.models import OutboxEvent
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import team
from mikrobot_platform.kernel.orders import FillReport, OrderState, PositionReport
from risk_management.models import AccountEvent, AccountState
from trading.models import PositionState
from trading.paper.control import PaperProcess
from trading.settling import settle
from trading.tests import books
from trading.tests.story import venue


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


def news_of(account: Any) -> list[str]:
    with tenant_scope(account.organization_id), atomic():
        rows = OutboxEvent.objects.filter(data__account=str(account.pk)).order_by("pk")
        return list(rows.values_list("name", flat=True))


def told_upwards(account: Any) -> list[tuple[str, Decimal | None]]:
    with tenant_scope(account.organization_id), atomic():
        rows = AccountEvent.objects.filter(account_id=account.pk).exclude(kind="Snapshot").order_by("pk")
        return [
            (kind, None if profit is None else profit.normalize())
            for kind, profit in rows.values_list("kind", "profit")
        ]


def test_a_fill_opens_a_position_and_the_stop_at_the_venue_closes_it_to_the_cent(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.open(str(account.pk), token=_token(account), commission_per_lot="3.50")
    order = books.send(account, take_profit=Decimal("1.09000"))
    settle(books.heard(account), now=timezone.now())
    [held] = books.positions_of(account)
    assert (held.state, held.pk, held.quantity, held.entry) == ("open", order.pk, 1, Decimal("1.08510"))
    assert (held.first_stop, held.stop, held.target) == (Decimal("1.083"), Decimal("1.083"), Decimal("1.09"))
    assert (held.receipt_id, held.risk) == (order.receipt_id, 210)
    assert (held.profit, held.fees) == (Decimal("-3.50"), Decimal("3.50"))
    assert books.order_of(order).position_id == held.pk
    paper.price("EURUSD", "1.08290", "1.08300")  # through the stop: filled at the price that there is
    settle(books.heard(account), now=timezone.now())
    [closed] = books.positions_of(account)
    # 22 pips of one lot are 220 USD; twice 3.50 for opening and closing
    assert (closed.state, closed.quantity) == (PositionState.CLOSED, 0)
    assert (closed.profit, closed.fees) == (Decimal("-227.00"), 7)
    assert closed.r == Decimal("-1.0810")  # of 210 USD at the first stop
    assert told_upwards(account) == [("Opened", None), ("Settled", Decimal("-227"))]
    assert news_of(account) == ["order.filled", "position.opened", "position.closed"]
    with tenant_scope(account.organization_id), atomic():
        assert AccountState.objects.get(account_id=account.pk).balance == Decimal("99773.00")


def _token(account: Any) -> str:
    from trading.connections import account_credentials

    found = account_credentials([(account.organization_id, account.pk)])[account.pk]
    assert not isinstance(found, Exception)
    return found["access_token"]


def test_partial_fills_and_a_partial_close_add_up_to_the_trade(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.open(str(account.pk), token=_token(account), commission_per_lot="3.50")
    paper.price("EURUSD", "1.08500", "1.08510", "0.33")  # so much trades at this price
    order = books.send(account)
    assert (order.state, order.filled) == (OrderState.PARTIAL, Decimal("0.33"))
    settle(books.heard(account), now=timezone.now())
    paper.price("EURUSD", "1.08520", "1.08530", "5")
    settle(books.heard(account), now=timezone.now())
    [held] = books.positions_of(account)
    assert held.quantity == 1
    assert held.entry == (Decimal("0.33") * Decimal("1.0851") + Decimal("0.67") * Decimal("1.0853"))
    assert news_of(account) == ["position.opened", "order.filled"], "filled once, by the last part"
    books.send(
        account, purpose="exit", receipt_id=None, side="sell", quantity=Decimal("0.4"), stop_loss=None,
        position_id=held.pk, reduces_only=True, expires_at=None,
    )  # fmt: skip
    settle(books.heard(account), now=timezone.now())
    [half] = books.positions_of(account)
    assert (half.state, half.quantity, half.opened) == ("open", Decimal("0.6"), 1)
    paper.price("EURUSD", "1.08290", "1.08300", "5")
    settle(books.heard(account), now=timezone.now())
    [closed] = books.positions_of(account)
    profits = [one.profit for one in books.bookings_of(account) if one.kind == "settled"]
    assert len(profits) == 2
    assert sum(profits) == closed.profit
    with tenant_scope(account.organization_id), atomic():
        assert AccountState.objects.get(account_id=account.pk).balance == 100_000 + closed.profit


def test_what_is_told_twice_and_out_of_order_is_taken_in_once(paper: PaperProcess) -> None:
    account = books.account_of(team())
    books.send(account)
    books.send(account, quantity=Decimal("0.5"))
    told = books.heard(account)
    paper.price("EURUSD", "1.08290", "1.08300")
    told += books.heard(account)
    shuffled = random.Random(5)
    for one in shuffled.sample(told, len(told)):
        settle([one], now=timezone.now())
    for _ in range(3):
        settle(shuffled.sample(told * 2, len(told)), now=timezone.now())
    settle(told, now=timezone.now())
    [held] = books.positions_of(account)
    assert (held.state, held.opened, held.quantity) == ("closed", Decimal("1.5"), 0)
    assert held.profit == Decimal("-330.00")
    assert len(books.fills_of(account)) == 3
    assert [one.kind for one in books.bookings_of(account)].count("settled") == 1
    assert sorted(told_upwards(account)) == [("Opened", None), ("Settled", Decimal("-330"))]
    assert news_of(account).count("position.closed") == 1


def test_where_positions_are_hedged_each_goes_by_its_own_id(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.open(str(account.pk), token=_token(account), positions="hedged")
    long = books.send(account, stop_loss=Decimal("1.08300"))
    short = books.send(account, side="sell", quantity=Decimal("0.5"), stop_loss=Decimal("1.08800"))
    settle(books.heard(account), now=timezone.now())
    held = {one.pk: one for one in books.positions_of(account)}
    assert {(one.side, one.quantity, one.stop) for one in held.values()} == {
        ("buy", Decimal(1), Decimal("1.083")),
        ("sell", Decimal("0.5"), Decimal("1.088")),
    }
    books.send(
        account, purpose="exit", receipt_id=None, side="sell", stop_loss=None, position_id=long.pk, reduces_only=True,
        venue_position=held[long.pk].venue_position_id,
    )  # fmt: skip
    settle(books.heard(account), now=timezone.now())
    after = {one.pk: one.state for one in books.positions_of(account)}
    assert after == {long.pk: "closed", short.pk: "open"}


def test_money_in_another_currency_is_the_venues_own_word(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.open(str(account.pk), token=_token(account))
    paper.price("USDJPY", "150.000", "150.010")
    books.send(account, symbol="USDJPY", venue_symbol="USDJPY", stop_loss=Decimal("149.500"))
    settle(books.heard(account), now=timezone.now())
    paper.price("USDJPY", "149.400", "149.410")
    settle(books.heard(account), now=timezone.now())
    [closed] = books.positions_of(account)
    [fill] = [one for one in books.fills_of(account) if one.profit is not None]
    assert closed.state == "closed"
    assert closed.profit == fill.profit
    assert Decimal("-409") < fill.profit < Decimal("-407")  # 61,000 yen at 149.4
    assert closed.r is None, "nobody told a rate, so what was at stake is not known"


def test_what_the_venue_says_of_swap_is_kept_and_its_silence_too(paper: PaperProcess) -> None:
    account = books.account_of(team())
    books.send(account)
    told = books.heard(account)
    for swap, kept in (("-7.50", Decimal("-7.50")), ("-15.00", Decimal(-15)), (None, None)):
        spoken = None if swap is None else Decimal(swap)
        reports = [
            replace(one, what=replace(one.what, swap=spoken)) if isinstance(one.what, PositionReport) else one
            for one in told
        ]
        settle(reports, now=timezone.now())
        assert [one.swap for one in books.positions_of(account)] == [kept]
    settle(told, now=timezone.now())
    assert [one.swap for one in books.positions_of(account)] == [0], "the paper venue says it"


def test_a_refused_order_is_told_once(paper: PaperProcess) -> None:
    account = books.account_of(team())
    paper.fault("reject", account=str(account.pk), code="no_money")
    order = books.send(account)
    assert (order.state, order.reason_code) == (OrderState.REFUSED, "no_money")
    settle(books.heard(account), now=timezone.now())
    assert news_of(account) == ["order.refused"]
    assert books.positions_of(account) == []


def test_one_accounts_reports_that_cannot_be_taken_disturb_no_other(paper: PaperProcess) -> None:
    cast = team()
    well, broken = books.account_of(cast), books.account_of(cast)
    books.send(well)
    books.send(broken)
    told, spoilt = books.heard(well), books.heard(broken)
    poison = [replace(one, what=replace(one.what, symbol="x" * 99)) if isinstance(one.what, FillReport) else one
              for one in spoilt]  # fmt: skip
    settle([*poison, *told], now=timezone.now())
    assert [one.state for one in books.positions_of(well)] == ["open"]
    assert books.positions_of(broken) == []
    settle(spoilt, now=timezone.now())
    assert [one.state for one in books.positions_of(broken)] == ["open"], "what is told rightly later is taken"

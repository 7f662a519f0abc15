"""The watching process: news become positions within moments, venues that hang or die disturb nobody else."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from accounts.tenancy import system_scope
from accounts.tests.people import team
from trading import connections, quotes, tracking, watching
from trading import desk as desk_module
from trading.engine import breaker
from trading.models import Order, Position, VenueLink
from trading.paper.control import PaperProcess
from trading.tests import books
from trading.tests.story import make_follower, make_strategy, tell_prices, venue
from trading.watching import Lookout


@pytest.fixture(name="paper")
def paper_venue(tmp_path: Path) -> Iterator[PaperProcess]:
    with venue(tmp_path) as process:
        yield process


@contextmanager
def watch(*accounts: Any) -> Iterator[Lookout]:
    """Watch some accounts in a thread of this process."""
    lookout, stop = Lookout(among=[account.pk for account in accounts]), threading.Event()
    thread = threading.Thread(target=lookout.run, args=[stop])
    thread.start()
    try:
        yield lookout
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive()


def until(reached: Callable[[], Any], seconds: int = 10, seen: Callable[[], Any] = lambda: "") -> int:
    """Wait for something; return how many milliseconds it took."""
    began = time.monotonic()
    while not reached():
        assert time.monotonic() - began < seconds, f"it did not happen: {seen()}"
        time.sleep(1 / 50)
    return round((time.monotonic() - began) * 1000)


def state_of(account: Any) -> list[tuple[str, Decimal | None]]:
    return [(held.state, held.stop) for held in books.positions_of(account)]


def link_of(account: Any) -> VenueLink | None:
    with system_scope("orders.carry"):
        found: VenueLink | None = VenueLink.objects.filter(account_id=account.pk).first()
        return found


def test_a_fill_is_a_position_and_a_stop_at_the_venue_closes_it_by_news_alone(paper: PaperProcess) -> None:
    account = books.account_of(team())
    with watch(account):
        books.send(account)
        until(lambda: state_of(account) == [("open", Decimal("1.083"))])
        until(lambda: (link := link_of(account)) is not None and link.reconciled_at is not None)
        paper.price("EURUSD", "1.08290", "1.08300")
        took = until(lambda: [state for state, _ in state_of(account)] == ["closed"])
    assert took < 2_000, "long before the next look"
    assert books.positions_of(account)[0].profit == Decimal("-220.00")


def test_prices_of_followed_symbols_are_kept_fresh(paper: PaperProcess) -> None:
    follower = make_follower(team().as_alice, make_strategy(), now=timezone.now())
    with watch(follower):
        paper.price("EURUSD", "1.09100", "1.09110")
        until(lambda: (told := quotes.latest("paper", ["EURUSD"]).get("EURUSD")) and told.bid == Decimal("1.09100"))


def test_half_is_taken_home_at_one_r_and_the_stop_follows_to_breakeven(paper: PaperProcess) -> None:
    account = books.account_of(team())
    tell_prices(timezone.now())
    with watch(account):
        books.send(account, stop_loss=Decimal("1.08310"))  # 20 pips: 1 R
        until(lambda: state_of(account) == [("open", Decimal("1.0831"))])
        paper.price("EURUSD", "1.08715", "1.08725")
        until(lambda: books.positions_of(account)[0].quantity == Decimal("0.5"))
        until(lambda: (stop := books.positions_of(account)[0].stop) is not None and stop > Decimal("1.0851"))
        paper.price("EURUSD", "1.08915", "1.08925")
        until(lambda: books.positions_of(account)[0].state == "closed")
    [closed] = books.positions_of(account)
    assert closed.profit == Decimal("0.5") * (205 + 405) * 10 / 10
    with system_scope("orders.carry"):
        exits = list(Order.objects.filter(position_id=closed.pk, purpose="exit"))
    assert [one.state for one in exits] == ["filled", "filled"]
    assert {one.cause_code for one in exits} == {"manage.target"}


def test_a_position_without_its_stop_gets_it_within_five_seconds(paper: PaperProcess) -> None:
    account = books.account_of(team())
    tell_prices(timezone.now())
    with watch(account):
        order = books.send(account, stop_loss=None)
        until(lambda: bool(books.positions_of(account)))
        with system_scope("orders.carry"):  # it was meant to have one, and the venue has lost it
            Position.objects.filter(pk=order.pk).update(wanted_stop=Decimal("1.08300"))
        took = until(lambda: state_of(account) == [("open", Decimal("1.083"))])
    assert took < 5_000


def test_after_the_venue_died_sessions_begin_anew_and_nothing_is_missed(paper: PaperProcess) -> None:
    account = books.account_of(team())
    with watch(account):
        order = books.send(account)
        until(lambda: state_of(account) == [("open", Decimal("1.083"))])
        paper.kill()
        paper.start()
        paper.price("EURUSD", "1.08290", "1.08300")  # before anybody has signed in again
        until(lambda: [state for state, _ in state_of(account)] == ["closed"])
    assert len(books.fills_of(account)) == 2
    assert paper.count()["orders"][str(account.pk)][order.client_id] == 1


def test_an_account_that_hangs_delays_nobody_else(paper: PaperProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "ANSWER_S", 1)
    monkeypatch.setattr(breaker, "OPENS_AFTER", 2)
    cast = team()
    well, hung = books.account_of(cast), books.account_of(cast)
    books.send(hung)
    paper.fault("drop_before", account=str(hung.pk), on="*", times=-1)
    with watch(well, hung):
        books.send(well)
        until(lambda: state_of(well) == [("open", Decimal("1.083"))])
        paper.price("EURUSD", "1.08290", "1.08300")
        took = until(lambda: [state for state, _ in state_of(well)] == ["closed"])
        until(lambda: (link := link_of(hung)) is not None and link.closed_until is not None, 15)
    assert took < 2_000


def test_our_own_database_being_away_is_held_against_no_account(
    paper: PaperProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Secrets cannot be opened for a while: nobody is left alone for half a minute for that."""
    monkeypatch.setattr(breaker, "OPENS_AFTER", 1)
    opened, failed = connections.account_credentials, threading.Event()

    def away(*_: Any) -> Any:
        failed.set()
        raise OperationalError

    monkeypatch.setattr(desk_module, "account_credentials", away)
    account = make_follower(team().as_alice, make_strategy(), now=timezone.now())
    began = timezone.now()
    with watch(account):
        until(failed.is_set)
        monkeypatch.setattr(desk_module, "account_credentials", opened)
        until(lambda: (link := link_of(account)) is not None and (link.reconciled_at or began) > began)
    assert (link := link_of(account)) is not None
    assert link.closed_until is None


def test_a_look_for_which_our_database_was_away_is_taken_again(
    paper: PaperProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    questions, failed = tracking.questions, threading.Event()

    def away(*asked: Any, **named: Any) -> Any:
        if not failed.is_set():
            failed.set()
            raise OperationalError
        return questions(*asked, **named)

    monkeypatch.setattr(tracking, "questions", away)
    account = make_follower(team().as_alice, make_strategy(), now=timezone.now())
    began = timezone.now()
    with watch(account):
        until(lambda: (link := link_of(account)) is not None and (link.reconciled_at or began) > began)
    assert failed.is_set()

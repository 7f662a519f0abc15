"""A changed rule is told once with its difference; a doubt is told when it begins and while it lasts not again."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.db import connections, transaction
from django.db.utils import DatabaseError

from accounts import outbox
from accounts.models import OutboxEvent, TradingAccount
from accounts.tenancy import atomic, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, team
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel import plain
from risk_management.compliance import account as compliance
from risk_management.compliance.account import DayTurned, Snapshot
from risk_management.compliance.clock import ResetClock
from risk_management.compliance.library import Library, bundled, load
from risk_management.models import AccountProgram, AccountState
from risk_management.services import program_news, programs, states
from risk_management.tests.rows import observe

D = Decimal
BEFORE, AFTER = datetime(2026, 10, 20, 12, tzinfo=UTC), datetime(2027, 1, 2, 12, tzinfo=UTC)
CHICAGO = ResetClock(zone="America/Chicago", at=time(17))
COMBINE = "topstep-trading-combine.2026-10.json"


def shelf(*, sequel: bool = True, verified: str = "2027-01-01") -> Library:
    """Our files as they are; with a next edition of the Combine that allows a loss of 1,800 from 2027 on."""
    files = {name: json.loads(text) for name, text in bundled().items()}
    if sequel:
        new = json.loads(bundled()[COMBINE])
        files[COMBINE]["valid_until"] = "2026-12-31"
        new.update(version="2027-01", valid_from="2027-01-01", verified=verified)
        new["phases"]["challenge"]["sizes"]["50000"]["max_loss_amount"] = 1_800
        files["next"] = new
    return load({name: json.dumps(text) for name, text in files.items()})


@pytest.fixture(autouse=True)
def editions(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Give a way to deploy files: it replaces those that are read, as a new release would."""

    def deploy(found: Library) -> None:
        monkeypatch.setattr(programs, "library", lambda: found)
        forget()

    def forget() -> None:
        programs._find.cache_clear()
        programs._by_key.cache_clear()

    deploy(shelf())
    yield deploy
    monkeypatch.undo()
    forget()


def combine(cast: Team, name: str = "Fifty", **fields: Any) -> UUID:
    people.accept_documents(cast.as_alice)
    given = {"firm": "Topstep", "program": "Trading Combine", "phase": "evaluation", "size": D(50_000)} | fields
    return people.make_account(cast.as_alice, name, kind="prop", **given).pk


def news(cast: Team) -> list[tuple[str, dict[str, Any]]]:
    with tenant_scope(cast.house.pk), atomic():
        rows = OutboxEvent.objects.filter(name__startswith="program.").order_by("pk")
        return [(row.name, row.data) for row in rows]


def letters(cast: Team) -> list[Any]:
    mail.outbox.clear()
    outbox.relay(among=[cast.house.pk])
    assert all(letter.to == [cast.alice.email] for letter in mail.outbox)
    return [letter for letter in mail.outbox if "firm" in str(letter.subject)]


# --- What changed ----------------------------------------------------------------------------------------------------
def test_a_changed_rule_is_told_once_with_the_difference() -> None:
    cast = team()
    accounts = {str(combine(cast)), str(combine(cast, "Another fifty"))}
    combine(cast, "Hundred", size=D(100_000))  # of a size whose rules are what they were
    program_news.tell(now=BEFORE)
    assert news(cast) == []  # what somebody has just chosen is no news
    for now in (AFTER, AFTER, AFTER + timedelta(days=1)):
        program_news.tell(now=now)
    ((name, data),) = news(cast)
    (told,) = data["programs"]
    assert (name, set(told["accounts"])) == ("program.changed", accounts)
    assert (told["program"], told["version"], told["valid_from"]) == (
        "Topstep Trading Combine, challenge, 50,000 USD", "2027-01", "2027-01-01",
    )  # fmt: skip
    (change,) = told["changes"]
    assert change.pop("source").startswith("https://help.topstep.com/")
    assert change == {"rule": "max loss, amount", "before": "2,000", "after": "1,800", "verified": "2027-01-01"}
    (letter,) = letters(cast)
    assert "Accounts: Another fifty, Fifty" in letter.body
    assert "- max loss, amount: 2,000 became 1,800 (read 2027-01-01, https://" in letter.body
    assert "Hundred" not in letter.body


def test_the_accounts_state_goes_on_under_the_new_rules() -> None:
    cast = team()
    account, day = combine(cast), timedelta(days=1)
    scope = scopes.Scope(organization_id=cast.house.pk, alias=scopes.ENGINE)
    with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
        states.begin(account, at=BEFORE, is_new=True)
    program_news.tell(now=BEFORE)
    observe(cast.house.pk, account, Snapshot(at=BEFORE + timedelta(hours=1), balance=D(50_000), equity=D(49_500)))

    def floor(now: datetime) -> Decimal | None:
        with tenant_scope(cast.house.pk), atomic():
            found = states.room_of(account, now=now)
            row = AccountState.objects.get()
            assert states.rebuilt(account) == plain.read(compliance.AccountState, row.state)
        assert found is not None
        return found.firm[0].level

    assert floor(BEFORE + timedelta(hours=2)) == D(48_000)
    for number in range((AFTER - BEFORE).days):  # each day is told
        turn = CHICAGO.next_reset(BEFORE + number * day)
        observe(cast.house.pk, account, DayTurned(at=turn, balance=D(50_000)))
    program_news.tell(now=AFTER)
    program_news.tell(now=AFTER)
    observe(cast.house.pk, account, Snapshot(at=AFTER + timedelta(minutes=1), balance=D(50_000), equity=D(48_900)))
    assert floor(AFTER + timedelta(minutes=2)) == D(48_200)
    with tenant_scope(cast.house.pk), atomic():
        warned = OutboxEvent.objects.get(name="limit.reached").data  # 1,100 of 1,800; of 2,000 it would be 55 %
    assert (warned["limit"], warned["percent"], warned["floor"]) == ("max_loss", 60, "48200.00")


def test_two_who_look_at_once_tell_it_once() -> None:
    cast = team()
    combine(cast)
    program_news.tell(now=BEFORE)
    problems: list[BaseException] = []

    def look() -> None:
        try:
            program_news.tell(now=AFTER)
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [name for name, _data in news(cast)] == ["program.changed"]


def test_an_account_that_its_owner_moved_to_another_program_is_no_news() -> None:
    cast = team()
    account = combine(cast)
    program_news.tell(now=BEFORE)
    with tenant_scope(cast.house.pk), atomic():
        TradingAccount.objects.filter(pk=account).update(size=D(150_000))
    program_news.tell(now=AFTER)
    assert news(cast) == []


def test_an_older_release_beside_a_newer_one_tells_nothing(editions: Any) -> None:
    """While a release is rolled out, workers with old and with new files look in turns."""
    cast = team()
    combine(cast)
    program_news.tell(now=BEFORE)
    for is_new in (True, False, True, False, True):
        editions(shelf(sequel=is_new))
        program_news.tell(now=AFTER)
    assert [name for name, _data in news(cast)] == ["program.changed"]


def test_a_closed_account_hears_nothing() -> None:
    cast = team()
    account = combine(cast)
    program_news.tell(now=BEFORE)
    with tenant_scope(cast.house.pk), atomic():
        TradingAccount.objects.filter(pk=account).update(status="closed")
    program_news.tell(now=AFTER)
    assert news(cast) == []


# --- What is not sure ------------------------------------------------------------------------------------------------
def test_an_unknown_firm_is_told_once_and_not_every_day() -> None:
    cast = team()
    first = combine(cast, firm="Nobody Funding")
    for day in range(3):
        program_news.tell(now=BEFORE + timedelta(days=day))
    ((name, data),) = news(cast)
    (doubt,) = data["doubts"]
    assert (name, doubt["accounts"]) == ("program.unsure", [str(first)])
    assert doubt["sentence"].startswith("The rules of Nobody Funding are not known here. Advice only: ")
    (letter,) = letters(cast)
    assert doubt["sentence"] in letter.body
    assert "Accounts: Fifty" in letter.body


def test_a_record_that_nobody_verified_for_30_days_is_told_once_until_it_is_verified(editions: Any) -> None:
    cast = team()
    combine(cast)
    verified = datetime(2027, 1, 1, tzinfo=UTC)
    told = []
    for day in (0, 30, 31, 32, 60):
        program_news.tell(now=verified + timedelta(days=day))
        told.append(len(news(cast)))
    assert told == [0, 0, 1, 1, 1]
    assert "last verified 31 days ago, on 2027-01-01" in news(cast)[0][1]["doubts"][0]["sentence"]
    editions(shelf(verified="2027-03-03"))  # somebody has read the page again, and nothing had changed
    program_news.tell(now=datetime(2027, 3, 4, tzinfo=UTC))
    with tenant_scope(cast.house.pk), atomic():
        assert AccountProgram.objects.get().doubt == ""
    assert len(news(cast)) == 1
    program_news.tell(now=datetime(2027, 4, 4, tzinfo=UTC))
    assert len(news(cast)) == 2  # another doubt, another word


def test_a_program_that_comes_back_changed_is_told_with_what_was_known_before(editions: Any) -> None:
    cast = team()
    combine(cast)
    program_news.tell(now=BEFORE)
    old = json.loads(bundled()[COMBINE])
    old["valid_until"] = "2026-12-31"
    editions(load({"old": json.dumps(old)}))
    program_news.tell(now=AFTER)
    editions(shelf())
    program_news.tell(now=AFTER + timedelta(days=1))
    assert [name for name, _data in news(cast)] == ["program.unsure", "program.changed"]


# --- Who sees it -----------------------------------------------------------------------------------------------------
def test_staff_are_told_by_the_doctor(editions: Any) -> None:
    from mikrobot_platform.doctor import State, work

    cast = team()
    combine(cast, firm="Nobody Funding")
    found = work.programs()
    assert found.state is State.WARN
    assert "prop accounts are under none that is known" in found.sentence
    assert found.sentence.isascii()


def test_the_overview_counts_what_is_stale() -> None:
    from accounts.tenancy import system_scope

    with system_scope(program_news.SCOPE):
        fresh = program_news.overview(now=datetime(2026, 10, 5, tzinfo=UTC))
        later = program_news.overview(now=datetime(2026, 12, 5, tzinfo=UTC))
    assert fresh.editions == later.editions == 8
    assert len(later.stale) == 8
    assert len(fresh.stale) < 8


def test_the_web_writes_nothing_of_it_and_a_stranger_sees_nothing() -> None:
    cast = team()
    account = combine(cast)
    program_news.tell(now=BEFORE)
    with tenant_scope(cast.other.pk), atomic():
        assert not AccountProgram.objects.exists()
    with pytest.raises(DatabaseError, match="permission denied"), tenant_scope(cast.house.pk), atomic():
        AccountProgram.objects.filter(account_id=account).update(doubt="none")

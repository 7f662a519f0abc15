"""Where an account stands: folded from stored events, the same when folded again; warnings, the clock, the room."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.db.utils import DatabaseError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import outbox
from accounts.models import OutboxEvent, User
from accounts.tenancy import atomic, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, team
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel import plain
from risk_management import own_rooms
from risk_management.compliance.account import (
    AccountState,
    DayTurned,
    Deposit,
    Event,
    Opened,
    Settled,
    Snapshot,
    Withdrawal,
)
from risk_management.models import AccountEvent
from risk_management.models import AccountState as StateRow
from risk_management.rules.settings import Limits
from risk_management.services import limits, states
from risk_management.tests.rows import observe

D = Decimal
MIDNIGHT = datetime(2026, 11, 20, 23, tzinfo=UTC)  # in Prague, where FTMO's days begin
MINUTE = timedelta(minutes=1)


def prop_account(cast: Team, *, is_new: bool = True) -> UUID:
    """Connect an FTMO challenge of 100,000: 5,000 may be lost in a day, 10,000 in all."""
    people.accept_documents(cast.as_alice)
    account = people.make_account(
        cast.as_alice, kind="prop", firm="FTMO", program="2-Step", phase="evaluation", size=D(100_000)
    )
    scope = scopes.Scope(organization_id=cast.house.pk, alias=scopes.ENGINE)
    with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
        states.begin(account.pk, at=MIDNIGHT - timedelta(hours=12), is_new=is_new)
    return account.pk


def seen(at: datetime, equity: str | int, balance: str | int = 100_000) -> Snapshot:
    return Snapshot(at=at, balance=D(balance), equity=D(equity))


def stored(cast: Team, account: UUID) -> tuple[AccountState, AccountState | None]:
    """Return the stored state, and the one that the stored events give."""
    with tenant_scope(cast.house.pk), atomic():
        row = StateRow.objects.get(account_id=account)
        return plain.read(AccountState, row.state), states.rebuilt(account)


def news(cast: Team) -> list[tuple[str, str, int]]:
    with tenant_scope(cast.house.pk), atomic():
        rows = OutboxEvent.objects.filter(name="limit.reached").order_by("pk").values_list("data", flat=True)
        return [(data["whose"], data["limit"], data["percent"]) for data in rows]


# --- Folded, and folded again ----------------------------------------------------------------------------------------
def _events(drawn: Iterable[tuple[str, int, int]]) -> list[Event]:
    """Make events of a few days: minutes pass, sometimes none, and sometimes something is told late."""
    at, balance, made = MIDNIGHT - timedelta(hours=3), D(100_000), list[Event]()
    for number, (kind, minutes, amount) in enumerate(drawn, start=1):
        at += timedelta(minutes=minutes)
        change = D(amount)
        match kind:
            case "seen":
                made.append(Snapshot(at=at, balance=balance, equity=balance + change))
            case "late":
                made.append(Snapshot(at=at - timedelta(hours=2), balance=balance, equity=balance + change))
            case "opened":
                made.append(Opened(number=number, at=at))
            case "settled":
                balance += change
                made.append(Settled(number=number, at=at, profit=change))
            case "moved":
                balance += change
                kind_of: Any = Deposit if amount > 0 else Withdrawal
                made.append(kind_of(number=number, at=at, amount=abs(change), balance_after=balance))
            case _:
                made.append(DayTurned(at=MIDNIGHT, balance=balance))
    return made


KINDS = ("seen", "seen", "seen", "late", "opened", "settled", "moved", "turned")
HISTORIES = st.lists(
    st.tuples(st.sampled_from(KINDS), st.integers(0, 900), st.integers(-4000, 4000)), min_size=1, max_size=12
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(drawn=HISTORIES)
def test_the_stored_state_is_what_the_stored_events_give(drawn: list[tuple[str, int, int]]) -> None:
    cast = team()
    account, events = prop_account(cast), _events(drawn)
    observe(cast.house.pk, account, *events)
    state, rebuilt = stored(cast, account)
    assert rebuilt == state
    told = news(cast)
    assert not any(observe(cast.house.pk, account, *events))  # all of it once more: nothing changes
    assert stored(cast, account) == (state, state)
    assert news(cast) == told


def test_the_same_event_twice_is_stored_once() -> None:
    cast = team()
    account, event = prop_account(cast), seen(MIDNIGHT + MINUTE, 99_000)
    assert observe(cast.house.pk, account, event, event) == [True, False]
    with tenant_scope(cast.house.pk), atomic():
        assert AccountEvent.objects.filter(account_id=account).count() == 1


def test_the_web_moves_no_state() -> None:
    cast = team()
    account = prop_account(cast)
    refused = pytest.raises(DatabaseError, match="permission denied")
    with refused, tenant_scope(cast.house.pk), atomic():
        states.observe(account, seen(MIDNIGHT + MINUTE, 99_000))
    with refused, tenant_scope(cast.house.pk), atomic(), connections["default"].cursor() as cursor:
        cursor.execute("update risk_management_accountstate set state = ''")


# --- Warned of once --------------------------------------------------------------------------------------------------
def test_each_level_of_a_firms_limit_is_news_once_a_day() -> None:
    cast = team()
    account, at = prop_account(cast), MIDNIGHT
    observe(cast.house.pk, account, seen(at, 100_000))
    for number, equity in enumerate((97_100, 97_000, 99_000, 96_900, 95_900, 95_000, 94_999, 96_000), start=1):
        observe(cast.house.pk, account, seen(at + number * MINUTE, equity))
    assert [one for one in news(cast) if one[1] == "daily_loss"] == [
        ("firm", "daily_loss", 60), ("firm", "daily_loss", 80), ("firm", "daily_loss", 95), ("firm", "daily_loss", 100),
    ]  # fmt: skip
    observe(cast.house.pk, account, seen(at + timedelta(days=1), 96_900))
    assert news(cast)[-1] == ("firm", "daily_loss", 60)  # a new day, the loss is carried over


def test_each_level_of_an_own_limit_is_news_once_a_period() -> None:
    cast = team()
    people.set_zone(cast.house, "Europe/Prague")
    account = people.make_account(cast.as_alice).pk
    with tenant_scope(cast.house.pk), atomic():
        limits.set_limits(cast.as_alice, account, Limits(max_leverage=D(30), day_loss=D(100)), now=MIDNIGHT)
    first = [seen(MIDNIGHT + number * MINUTE, equity, 1000) for number, equity in enumerate((1000, 940, 960, 930, 890))]
    observe(cast.house.pk, account, *first)
    assert news(cast) == [("own", "day_loss", percent) for percent in (60, 80, 95, 100)]
    settled = Settled(number=1, at=MIDNIGHT + timedelta(hours=1), profit=D(-70))
    observe(cast.house.pk, account, settled, seen(settled.at + MINUTE, 930, 930))
    assert len(news(cast)) == 4
    with tenant_scope(cast.house.pk), atomic():
        found = states.room_of(account, now=settled.at + MINUTE)
    assert found is not None
    assert [(room.limit, room.room, room.level) for room in found.own] == [("day_loss", D(30), D(900))]
    observe(cast.house.pk, account, seen(MIDNIGHT + timedelta(days=1), 860, 930))
    assert news(cast)[4:] == [("own", "day_loss", 60)]  # of the new day: 70 of 100


def letters(cast: Team) -> list[str]:
    mail.outbox.clear()
    outbox.relay(among=[cast.house.pk])
    found = [letter for letter in mail.outbox if "% used of" in str(letter.subject)]
    assert all(letter.to == [cast.alice.email] for letter in found)
    return [f"{letter.subject}\n{letter.body}" for letter in found]


def test_a_warning_reaches_the_owner_with_its_figures_and_the_time_to_the_reset() -> None:
    cast = team()
    User.objects.filter(pk=cast.alice.pk).update(time_zone="Europe/Helsinki")
    account, at = prop_account(cast), MIDNIGHT + timedelta(hours=1)
    observe(cast.house.pk, account, seen(MIDNIGHT, 100_000), seen(at, "95700.505"))  # past 60 and 80 in one step
    (letter,) = letters(cast)
    assert letter.startswith("80 % used of “Daily loss” on “Paper one”\n")
    assert "80 % or more of “Daily loss” is used up on “Paper one”. It is a limit of the firm." in letter
    assert "Left: 700.50 of 5,000.00 USD" in letter
    assert "The account stands at 95,700.50 USD, the limit at 95,000.00 USD." in letter
    assert "It begins anew on 22 Nov 2026, 01:00 Europe/Helsinki, 23 h 0 min after this was seen." in letter
    observe(cast.house.pk, account, seen(at + MINUTE, 95_600), seen(at + 2 * MINUTE, 94_990))
    (last,) = letters(cast)  # 95 and 100
    assert "“Daily loss” is used up on “Paper one”. Nothing new is opened there while it is" in last
    assert "Left: -10.00 of 5,000.00 USD" in last
    observe(cast.house.pk, account, seen(at + 3 * MINUTE, 94_000))
    (whole,) = letters(cast)
    assert whole.startswith("60 % used of “Maximum loss”")
    assert "It does not begin anew." in whole


def test_a_warning_of_an_own_limit_rounds_what_is_left_down() -> None:
    cast = team()
    account = people.make_account(cast.as_alice, currency="JPY").pk
    with tenant_scope(cast.house.pk), atomic():
        limits.set_limits(cast.as_alice, account, Limits(max_leverage=D(30), week_loss=D(1000)), now=MIDNIGHT)
    observe(cast.house.pk, account, seen(MIDNIGHT, 10_000, 10_000), seen(MIDNIGHT + MINUTE, "9399.9", 10_000))
    (letter,) = letters(cast)
    assert "60 % or more of “Week loss” is used up on “Paper one”. It is a limit that you have set." in letter
    assert "Left: 399 of 1,000 JPY" in letter


# --- The clock -------------------------------------------------------------------------------------------------------
def turn() -> int:
    return states.turn_days(now=MIDNIGHT + timedelta(hours=1))


def day_start(cast: Team, account: UUID) -> Decimal | None:
    return stored(cast, account)[0].day_start


def test_a_day_that_turned_unseen_is_closed_when_both_sides_agree() -> None:
    cast = team()
    account = prop_account(cast)
    observe(
        cast.house.pk, account,
        seen(MIDNIGHT - MINUTE, 100_500),
        Settled(number=1, at=MIDNIGHT + MINUTE, profit=D(500)),
        seen(MIDNIGHT + 2 * MINUTE, 100_500, 100_500),
    )  # fmt: skip
    assert day_start(cast, account) is None
    with tenant_scope(cast.house.pk), atomic():
        found = states.room_of(account, now=MIDNIGHT + 3 * MINUTE)
    assert found is not None
    assert found.firm[0].room is None  # not known, and not guessed
    assert turn() >= 1
    assert day_start(cast, account) == D(100_000)
    state, rebuilt = stored(cast, account)
    assert rebuilt == state
    turn()
    assert stored(cast, account) == (state, state)


def test_a_day_stays_open_when_the_ledger_does_not_explain_the_balance() -> None:
    cast = team()
    account = prop_account(cast)
    observe(
        cast.house.pk, account,
        seen(MIDNIGHT - MINUTE, 100_500),
        seen(MIDNIGHT + 2 * MINUTE, 100_500, 100_500),  # a trade by hand, before midnight or after it
    )  # fmt: skip
    turn()
    assert day_start(cast, account) is None
    observe(cast.house.pk, account, Settled(number=1, at=MIDNIGHT - timedelta(seconds=1), profit=D(500)))
    turn()
    assert day_start(cast, account) == D(100_500)


# --- Shown -----------------------------------------------------------------------------------------------------------
def test_headroom_tells_money_percent_and_time(capsys: pytest.CaptureFixture[str]) -> None:
    cast = team()
    account = prop_account(cast)
    observe(cast.house.pk, account, seen(MIDNIGHT, 100_000), seen(MIDNIGHT + MINUTE, 98_000))
    with tenant_scope(cast.house.pk), atomic():
        found = states.room_of(account, now=MIDNIGHT + timedelta(hours=2))
    assert found is not None
    daily = found.firm[0]
    assert (daily.room, daily.left_pct, daily.resets_in) == (D(3000), D(60), timedelta(hours=22))
    call_command("headroom", str(account))
    shown = capsys.readouterr().out
    assert "Daily loss" in shown
    assert "Settled trades of late: not enough data (n = 0)" in shown
    call_command("headroom", str(account), "--json")
    told = json.loads(capsys.readouterr().out)
    assert told["equity"] == "98000.00000000"
    assert {line["limit"] for line in told["limits"]} == {"daily_loss", "max_loss"}
    with pytest.raises(CommandError, match="no account"):
        call_command("headroom", str(new_id()))
    with tenant_scope(cast.other.pk), atomic():
        assert states.room_of(account, now=MIDNIGHT) is None


def test_an_account_with_an_unknown_past_has_no_room_to_tell() -> None:
    cast = team()
    account = prop_account(cast, is_new=False)
    observe(cast.house.pk, account, seen(MIDNIGHT - timedelta(hours=1), 98_000))
    with tenant_scope(cast.house.pk), atomic():
        found = states.room_of(account, now=MIDNIGHT - MINUTE)
    assert found is not None
    assert found.firm[0].room is None


@pytest.mark.parametrize(
    ("zone", "now", "day_hours"),
    [
        ("Europe/Prague", datetime(2026, 3, 29, 12, tzinfo=UTC), 23),
        ("America/New_York", datetime(2026, 11, 1, 12, tzinfo=UTC), 25),
        ("Pacific/Auckland", datetime(2026, 9, 26, 20, tzinfo=UTC), 23),
    ],
)
def test_periods_begin_by_the_wall_clock(zone: str, now: datetime, day_hours: int) -> None:
    found = own_rooms.periods(zone, now)
    assert found.day.ends - found.day.starts == timedelta(hours=day_hours)
    assert abs((found.week.ends - found.week.starts) - timedelta(days=7)) <= timedelta(hours=1)
    for period in (found.day, found.week, found.month):
        assert period.starts <= now < period.ends
        assert own_rooms.periods(zone, period.ends).day.starts == period.ends

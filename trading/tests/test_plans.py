"""How a position is managed: what is settled once, and the clocks that hold whenever it is looked at."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import connections

from accounts.models import Organization, TradingAccount
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import Team, accept_documents, make_account, team
from mikrobot_platform.kernel import plain
from risk_management.catalogue import find
from risk_management.compliance.account import Deposit, Event, Settled, Snapshot, Withdrawal
from risk_management.models import AccountLimits
from risk_management.rules.settings import Limits
from risk_management.services import closing, limits, weeks
from risk_management.tests.rows import observe
from trading import plans
from trading.engine import stored
from trading.engine.management.deadlines import Deadline
from trading.engine.management.plan import ALL_AT_TWO, HALVES, Plan, Target, TimeStop, Trail
from trading.engine.management.terms import Agreed, DayEnd, Terms
from trading.engine.management.weekly import Week
from trading.models import Booking, Position, Strategy
from trading.tests import books
from trading.tests.orders import make_booking, make_position
from trading.tests.story import make_strategy
from trading.tests.test_deadlines import CLOCK
from trading.tests.trade_world import moment

D = Decimal
HELSINKI = "Europe/Helsinki"
WEDNESDAY = datetime(2026, 3, 4, 10, tzinfo=UTC)
MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


def settle(*rows: Position) -> None:
    with system_scope("orders.carry"):
        plans.settle_plans(rows)


def opened(account: Any, at: datetime, **fields: Any) -> Position:
    """Open a position, settle its plan, and read it back."""
    row = make_position(account.organization_id, account_id=account.pk, opened_at=at, **fields)
    settle(row)
    return read_back(row)


def read_back(row: Position) -> Position:
    with system_scope("orders.carry"):
        found: Position = Position.objects.get(pk=row.pk)
        return found


def mode_of(row: Position) -> str:
    return plans.agreed(row).plan.mode


def won(account: Any, profit: str | None, at: datetime, symbol: str = "EURUSD") -> Booking:
    amount = None if profit is None else D(profit)
    return make_booking(
        account.organization_id, account_id=account.pk, kind="settled", symbol=symbol, profit=amount, at=at
    )


def seen(at: datetime, balance: str) -> Snapshot:
    return Snapshot(at=at, balance=D(balance), equity=D(balance))


def account_in(zone: str) -> TradingAccount:
    account = books.account_of(team())
    with tenant_scope(account.organization_id), atomic():
        Organization.objects.filter(pk=account.organization_id).update(trading_zone=zone)
    return account


# --- the week ---------------------------------------------------------------------------------------------------------
def test_after_a_week_of_ten_percent_a_trade_runs_to_two_r_and_one_before_does_not() -> None:
    account = books.account_of(team())
    observe(account.organization_id, account.pk, seen(MONDAY, "1000"))
    won(account, "60", MONDAY + timedelta(hours=1))
    won(account, "500", MONDAY + timedelta(hours=1), "GBPUSD")
    won(account, "999", MONDAY - timedelta(days=3))
    won(books.account_of(team()), "999", MONDAY + timedelta(hours=1))
    before = opened(account, WEDNESDAY)
    won(account, "39.99", WEDNESDAY + timedelta(hours=1))
    almost = opened(account, WEDNESDAY + timedelta(hours=2))
    won(account, "0.01", WEDNESDAY + timedelta(hours=3))
    after = opened(account, WEDNESDAY + timedelta(hours=4))
    assert (mode_of(before), mode_of(almost), mode_of(after)) == ("halves", "halves", "xpws")
    week = Week(monday=MONDAY.date(), realised=D(100), starting_balance=D(1000))
    assert plans.agreed(after).week == week
    assert plans.agreed(after).plan.targets == ALL_AT_TWO
    assert mode_of(opened(account, WEDNESDAY + timedelta(days=7))) == "halves", "Monday begins anew"


def test_what_was_settled_stays_whatever_the_week_brings_and_whoever_settles_again() -> None:
    account = books.account_of(team())
    observe(account.organization_id, account.pk, seen(MONDAY, "1000"))
    row = make_position(account.organization_id, account_id=account.pk, opened_at=WEDNESDAY)
    late = read_back(row)  # another process has read it before it was settled
    settle(row)
    won(account, "100", WEDNESDAY - timedelta(hours=1))  # heard of late
    settle(late)
    settle(row, row)
    assert mode_of(row) == mode_of(late) == mode_of(read_back(row)) == "halves"
    assert row.plan == late.plan == read_back(row).plan
    assert mode_of(opened(account, WEDNESDAY + timedelta(hours=1))) == "xpws", "the next one knows"


@pytest.mark.parametrize(
    ("opened_at", "won_at", "monday", "mode"),
    [
        # the clocks go forward on Sunday 29 March: Monday begins at 22:00 UTC before, at 21:00 after
        ("2026-03-22 21:59:59", "2026-03-22 21:00:00", "2026-03-16", "xpws"),
        ("2026-03-22 22:00:00", "2026-03-22 21:59:59", "2026-03-23", "halves"),
        ("2026-03-29 20:59:59", "2026-03-22 22:00:00", "2026-03-23", "xpws"),
        ("2026-03-29 20:59:59", "2026-03-22 21:59:59", "2026-03-23", "halves"),
        ("2026-03-29 21:00:00", "2026-03-29 20:59:59", "2026-03-30", "halves"),
        ("2026-03-29 21:30:00", "2026-03-29 21:00:00", "2026-03-30", "xpws"),
        # and back on Sunday 25 October: a week of 169 hours
        ("2026-10-25 21:59:59", "2026-10-18 21:00:00", "2026-10-19", "xpws"),
        ("2026-10-25 22:00:00", "2026-10-25 21:59:59", "2026-10-26", "halves"),
        # what ends in the moment in which it is opened was not there before it
        ("2026-03-25 12:00:00", "2026-03-25 12:00:00", "2026-03-23", "halves"),
    ],
)
def test_the_week_rolls_at_monday_midnight_where_the_account_is_kept(
    opened_at: str, won_at: str, monday: str, mode: str
) -> None:
    account = account_in(HELSINKI)
    observe(account.organization_id, account.pk, seen(moment("2026-03-01 12:00:00"), "1000"))
    won(account, "100", moment(won_at))
    row = opened(account, moment(opened_at))
    assert mode_of(row) == mode
    assert row.plan["week"]["monday"] == monday


def test_a_zone_that_comes_into_force_rolls_the_week_from_then_on() -> None:
    account = account_in("UTC")
    with tenant_scope(account.organization_id), atomic():
        Organization.objects.filter(pk=account.organization_id).update(
            next_zone="Asia/Tokyo", next_zone_from=moment("2026-03-15 18:00:00")
        )
    observe(account.organization_id, account.pk, seen(moment("2026-03-01 12:00:00"), "1000"))
    assert opened(account, moment("2026-03-15 17:59:59")).plan["week"]["monday"] == "2026-03-09"
    assert opened(account, moment("2026-03-15 18:00:00")).plan["week"]["monday"] == "2026-03-16"


def test_a_week_that_nobody_can_count_is_a_plain_one() -> None:
    account = books.account_of(team())
    won(account, "999", MONDAY)
    assert opened(account, WEDNESDAY).plan["week"] is None, "nobody saw with what it began"
    observe(account.organization_id, account.pk, seen(MONDAY - timedelta(hours=9), "1000"))
    assert mode_of(opened(account, WEDNESDAY)) == "xpws"
    won(account, None, WEDNESDAY - timedelta(hours=1))
    assert opened(account, WEDNESDAY).plan["week"] is None, "a result that nobody knows may be a loss"
    assert mode_of(opened(account, WEDNESDAY - timedelta(hours=2))) == "xpws", "it was opened before"


BEGINS = moment("2026-03-02 00:00:00")


@pytest.mark.parametrize(
    ("events", "balance"),
    [
        ([], None),
        ([seen(BEGINS - timedelta(days=2), "1000")], "1000"),
        ([seen(BEGINS, "1000")], "1000"),
        ([seen(BEGINS + timedelta(days=3), "1000")], None),  # after the trade was opened
        # settled at the weekend, when nobody saw the balance any more; what the week itself has settled is not in it
        (
            [
                seen(BEGINS - timedelta(days=2), "1000"),
                Settled(number=1, at=BEGINS - timedelta(hours=1), profit=D("-30.50")),
                Settled(number=2, at=BEGINS, profit=D(70)),
            ],
            "969.50",
        ),
        # money that was moved tells the balance after it
        (
            [
                seen(BEGINS - timedelta(days=2), "1000"),
                Withdrawal(number=1, at=BEGINS - timedelta(days=1), amount=D(400), balance_after=D(600)),
            ],
            "600",
        ),
        # first seen in the week: without what the week had settled by then
        (
            [
                Settled(number=1, at=BEGINS + timedelta(hours=1), profit=D(40)),
                seen(BEGINS + timedelta(hours=2), "1040"),
                Settled(number=2, at=BEGINS + timedelta(hours=3), profit=D(50)),
                seen(BEGINS + timedelta(hours=4), "1090"),
            ],
            "1000",
        ),
        # and where money was moved in between, nobody knows
        (
            [
                Deposit(number=1, at=BEGINS + timedelta(hours=1), amount=D(400), balance_after=D(1400)),
                seen(BEGINS + timedelta(hours=2), "1400"),
            ],
            None,
        ),
    ],
)
def test_with_what_a_week_began(events: list[Event], balance: str | None) -> None:
    account, beside = books.account_of(team()), books.account_of(team())
    observe(account.organization_id, account.pk, *events)
    observe(beside.organization_id, beside.pk, seen(BEGINS, "7"))
    asked = [
        weeks.Beginning(
            organization_id=one.organization_id, account_id=one.pk, begins=BEGINS, until=BEGINS + timedelta(days=2)
        )
        for one in (beside, account, beside)
    ]
    with system_scope("orders.carry"):
        assert weeks.starting_balances(asked) == [7, None if balance is None else D(balance), 7]
        assert weeks.starting_balances([]) == []


def test_many_positions_are_settled_with_as_few_statements_as_one(django_assert_max_num_queries: Any) -> None:
    cast = team()
    account = books.account_of(cast)
    rows = [
        make_position(account.organization_id, account_id=account.pk, opened_at=WEDNESDAY, strategy_id=made.pk)
        for made in (make_strategy(), make_strategy())
        for _ in range(10)
    ]
    with system_scope("orders.carry"), django_assert_max_num_queries(6, connection=connections["engine"]):
        plans.settle_plans(rows)
    assert all(row.plan for row in rows)


# --- the strategy -----------------------------------------------------------------------------------------------------
TERMS = Terms(
    trail=Trail(multiple=D("2.5")), time_stop_s=5400, time_stop_below_r=D("0.5"), ends_with_session=True,
    longest_break_min=90, day_end=DayEnd(zone="America/New_York", at="15:45"),
)  # fmt: skip


def test_a_position_is_managed_as_its_strategy_asks() -> None:
    account, strategy = books.account_of(team()), make_strategy(management=TERMS, target_r=D("1.5"))
    row = opened(account, moment("2026-11-24 15:00:00"), strategy_id=strategy.pk)
    assert plans.agreed(row) == Agreed(version=f"{strategy.code}/1", target_r=D("1.5"), terms=TERMS)
    plan = plan_now(row, closing.NO_CLOCKS)
    assert (plan.version, plan.mode, plan.targets) == (
        f"{strategy.code}/1",
        "single",
        (Target(at_r=D("1.5"), share=D(1)),),
    )
    assert plan.time_stop == TimeStop(after=timedelta(minutes=90), below_r=D("0.5"))
    assert plan.trail == Trail(multiple=D("2.5"))
    assert by_code(plan) == {
        "manage.session_end": "2026-11-24 22:00",
        "manage.break_ahead": "2026-11-27 22:00",
        "manage.day_end": "2026-11-24 20:45",
    }


def test_an_extra_week_overrules_the_target_unless_the_strategy_counts_none() -> None:
    account = books.account_of(team())
    observe(account.organization_id, account.pk, seen(MONDAY, "1000"))
    won(account, "100", MONDAY)
    one, none = make_strategy(target_r=D("1.5")), make_strategy(management=Terms(counts_weeks=False))
    assert plans.agreed(opened(account, WEDNESDAY, strategy_id=one.pk)).plan.targets == ALL_AT_TWO
    assert plans.agreed(opened(account, WEDNESDAY, strategy_id=none.pk)).plan.targets == HALVES


@pytest.mark.parametrize("written", [Agreed(), Agreed(version="x/2", target_r=D("1.50"), terms=TERMS)])
def test_what_was_settled_is_read_as_it_was_written(written: Agreed) -> None:
    week = Week(monday=MONDAY.date(), realised=D("-0.10"), starting_balance=D("1e3"))
    for one in (written, Agreed(version="y", week=week, terms=written.terms)):
        assert stored.read(Agreed, json.loads(plain.text(one))) == one


def test_a_plan_or_a_strategy_that_nobody_can_read_leaves_a_position_to_the_platforms_way() -> None:
    account, strategy = books.account_of(team()), make_strategy()
    with system_scope("signals.platform"):
        Strategy.objects.filter(pk=strategy.pk).update(parameters={"signals": 7})
    row = opened(account, WEDNESDAY, strategy_id=strategy.pk)
    assert plans.agreed(row) == Agreed()
    row.plan = {"version": 7}
    assert plans.agreed(row) == Agreed()
    assert plan_now(row, closing.NO_CLOCKS) == Plan()


@pytest.mark.parametrize(("zone", "at"), [("Nowhere/Else", "15:45"), ("UTC", "25:00"), ("UTC", "noon")])
def test_a_day_that_ends_nowhere_is_refused_when_it_is_written(zone: str, at: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        DayEnd(zone=zone, at=at)


# --- the clocks -------------------------------------------------------------------------------------------------------
def plan_now(row: Position, clocks: closing.Clocks) -> Plan:
    spec = find(row.symbol)
    assert spec is not None
    return plans.plan_of(row, spec, clocks, venue="paper")


def by_code(plan: Plan) -> dict[str, str]:
    def shown(one: Deadline) -> str:
        return f"{one.at:%Y-%m-%d %H:%M}"

    return {one.code.value: shown(one) for one in plan.deadlines}


def clocks_of(account: TradingAccount, now: datetime) -> closing.Clocks:
    with system_scope("orders.carry"):
        return closing.load([account.pk], now=now)[account.pk]


def prop(cast: Team, firm: str, program: str, phase: str, size: int) -> TradingAccount:
    accept_documents(cast.as_alice)
    return make_account(cast.as_alice, kind="prop", firm=firm, program=program, phase=phase, size=D(size))


def test_a_firms_clock_ends_what_was_opened_before_it_and_ends_early_on_a_half_day() -> None:
    account = prop(team(), "Topstep", "Trading Combine", "evaluation", 50_000)
    clocks = clocks_of(account, moment("2026-11-25 12:00:00"))
    for at, by in (("2026-11-25 15:00:00", "2026-11-25 21:10"), ("2026-11-27 15:00:00", "2026-11-27 18:00")):
        row = make_position(account.organization_id, account_id=account.pk, opened_at=moment(at))
        assert by_code(plan_now(row, clocks)) == {"manage.firm_cutoff": by}


def test_a_firm_that_wants_nothing_held_over_the_weekend() -> None:
    cast = team()
    account = prop(cast, "FTMO", "2-Step", "funded", 100_000)
    row = make_position(
        account.organization_id, account_id=account.pk, opened_at=moment("2026-11-25 15:00:00"), symbol="EURUSD"
    )
    found = by_code(plan_now(row, clocks_of(account, moment("2026-11-25 15:00:00"))))
    assert found == {"manage.break_ahead": "2026-11-27 22:00"}
    own = books.account_of(cast)
    assert clocks_of(own, moment("2026-11-25 15:00:00")) == closing.NO_CLOCKS


def test_the_customers_own_day_ends_and_a_tighter_one_is_heard_at_the_next_look() -> None:
    cast = team()
    account = books.account_of(cast)
    now = moment("2026-11-25 15:00:00")
    row = opened(account, now)
    assert by_code(plan_now(row, clocks_of(account, now))) == {}
    with tenant_scope(account.organization_id), atomic():
        limits.set_limits(cast.as_alice, account.pk, Limits(max_leverage=D(30), flat_by=CLOCK), now=now)
    assert by_code(plan_now(row, clocks_of(account, now))) == {"manage.day_end": "2026-11-25 20:45"}


def test_limits_that_cannot_be_read_leave_the_firms_clock_and_everybody_elses(caplog: pytest.LogCaptureFixture) -> None:
    cast = team()
    account, well = prop(cast, "Topstep", "Trading Combine", "evaluation", 50_000), books.account_of(cast)
    now = moment("2026-11-25 15:00:00")
    with tenant_scope(account.organization_id), atomic():
        limits.set_limits(cast.as_alice, account.pk, Limits(max_leverage=D(30)), now=now)
        AccountLimits.objects.filter(account_id=account.pk).update(current="{}")
    with system_scope("orders.carry"):
        found = closing.load([account.pk, well.pk], now=now)
    assert found[account.pk].firm is not None
    assert found[account.pk].own is None
    assert found[well.pk] == closing.NO_CLOCKS
    assert "cannot be read" in caplog.text

"""An account's own limits: which of two is tighter, and from when the looser one holds."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from accounts.access import Refused
from accounts.models import AuditEntry, OutboxEvent, User
from accounts.models.base import Several
from accounts.services import organizations
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, team
from mikrobot_platform.kernel.sessions import Window
from risk_management import limits as own
from risk_management.compliance.clock import FlatBy
from risk_management.rules.settings import Hours, Limits, Trail, Trailing
from risk_management.services import SCOPE, account_facts, limits
from risk_management.services.limits import Standing

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
D = Decimal
BASE = Limits(max_leverage=D(30))
PRAGUE = "Europe/Prague"
# What the trail says of BASE: leverage, and what holds because nobody has said otherwise.
UNSAID = {
    "max_leverage": "30", "buffer": "0", "correlation_from": "0.7", "allows_opposite": "no", "keeps_best_day": "yes"
}  # fmt: skip


def hours(opens: int, closes: int, zone: str = PRAGUE) -> Hours:
    return Hours(zone, tuple(Window(weekday=day, opens_min=opens, closes_min=closes) for day in (0, 3)))


def flat(at: int, reopen: int) -> FlatBy:
    nothing: Any = MappingProxyType({})
    return FlatBy(zone=PRAGUE, at=time(at), reopen=time(reopen), earlier=nothing, early_closes=nothing)


def trail(amount: Decimal, follows: Trailing, lock: Decimal | None = None) -> Trail:
    return Trail(amount=amount, follows=follows, lock=lock)


# Name: from the loosest to the tightest.
LADDERS: dict[str, list[Any]] = {
    "max_leverage": [D(100), D(30)],
    "buffer": [D(0), D(100)],
    "max_risk_percent": [None, D(2), D(1)],
    "max_quantity": [None, D(2), D(1)],
    "max_open": [None, 5, 4],
    "max_per_symbol": [None, 5, 4],
    "max_trades_per_day": [None, 5, 4],
    "cooldown_s": [None, 60, 90],
    "loss_pause_s": [None, 60, 90],
    "max_loss_streak": [None, 5, 4],
    "hours": [None, hours(480, 1080), hours(540, 1080), hours(540, 1020)],
    "day_loss": [None, D(500), D(400)],
    "week_loss": [None, D(500), D(400)],
    "month_loss": [None, D(500), D(400)],
    "least_equity": [None, D(9000), D(9500)],
    "trail": [None, trail(D(500), Trailing.EQUITY, D(10000)), trail(D(500), Trailing.EQUITY, D(10100)),
              trail(D(400), Trailing.EQUITY)],
    "max_spread": [None, D(3), D(2)],
    "max_slippage": [None, D(3), D(2)],
    "news_before_min": [None, 5, 10],
    "news_after_min": [None, 5, 10],
    "flat_by": [None, flat(22, 1), flat(21, 2)],
    "max_exposure": [None, D(10), D(5)],
    "max_symbol_exposure": [None, D(10), D(5)],
    "max_correlated_risk_percent": [None, D(3), D(2)],
    "correlation_from": [D("0.9"), D("0.7")],
    "allows_opposite": [True, False],
    "keeps_best_day": [False, True],
}  # fmt: skip


# --- Which one is tighter --------------------------------------------------------------------------------------------
def test_every_limit_has_a_ladder_and_a_direction() -> None:
    assert LADDERS.keys() == {field.name for field in fields(Limits)}


@pytest.mark.parametrize("name", LADDERS)
def test_down_the_ladder_is_tighter_and_up_is_not(name: str) -> None:
    for place, before in enumerate(LADDERS[name]):
        for other, after in enumerate(LADDERS[name]):
            assert own.is_tighter(name, before, after) == (other >= place), (before, after)


@pytest.mark.parametrize(
    ("name", "before", "after"),
    [
        ("hours", hours(480, 1080), hours(480, 1080, "America/New_York")),
        ("hours", hours(480, 1080), hours(470, 1000)),
        ("trail", trail(D(500), Trailing.EQUITY), trail(D(400), Trailing.CLOSED_DAYS)),
        ("trail", trail(D(500), Trailing.EQUITY), trail(D(400), Trailing.EQUITY, D(10_000))),
        ("flat_by", flat(22, 1), replace(flat(21, 1), zone="America/New_York")),
    ],
)
def test_what_cannot_be_compared_waits(name: str, before: Any, after: Any) -> None:
    assert not own.is_tighter(name, before, after)


rungs = st.fixed_dictionaries({name: st.sampled_from(ladder) for name, ladder in LADDERS.items()})


@given(rungs, rungs)
def test_at_once_is_never_looser_than_before_nor_than_what_was_wanted(
    before_values: dict[str, Any], wanted_values: dict[str, Any]
) -> None:
    before, wanted = Limits(**before_values), Limits(**wanted_values)
    holds = own.at_once(before, wanted)
    assert own.looser_names(before, holds) == ()
    for name in LADDERS:
        assert getattr(holds, name) in (getattr(before, name), getattr(wanted, name))
    if not own.looser_names(before, wanted):
        assert holds == wanted


# --- What may be set -------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({"max_leverage": D("0.5")}, "max_leverage"),
        ({"max_risk_percent": D("2.01")}, "max_risk_percent"),
        ({"day_loss": D(0)}, "day_loss"),
        ({"day_loss": D("NaN")}, "day_loss"),
        ({"day_loss": D(500), "week_loss": D(400)}, "week_loss"),
        ({"week_loss": D(500), "month_loss": D(400)}, "month_loss"),
        ({"max_open": 0}, "max_open"),
        ({"cooldown_s": -1}, "cooldown_s"),
        ({"buffer": D(-1)}, "buffer"),
        ({"trail": trail(D(0), Trailing.EQUITY)}, "trail"),
        ({"hours": Hours(PRAGUE, ())}, "hours"),
        ({"correlation_from": D("1.1")}, "correlation_from"),
    ],
)
def test_values_that_make_no_sense_are_named(values: dict[str, Any], name: str) -> None:
    found = list(own.problems(replace(BASE, **values)))
    assert [problem.name for problem in found] == [name]


def test_values_that_make_sense_have_no_problem() -> None:
    assert list(own.problems(Limits(**{name: ladder[-1] for name, ladder in LADDERS.items()}))) == []


# --- From when -------------------------------------------------------------------------------------------------------
def account_of(cast: Team, zone: str, **fields: Any) -> Any:
    people.set_zone(cast.house, zone)
    return people.make_account(cast.as_alice, **fields).pk


def put(cast: Team, account: Any, wanted: Limits, now: datetime) -> Standing:
    with tenant_scope(cast.house.pk), atomic():
        return limits.set_limits(cast.as_tess, account, wanted, now=now)


def holds(cast: Team, account: Any, now: datetime) -> Limits:
    with tenant_scope(cast.house.pk), atomic():
        found = limits.standing(account, now=now)
    assert found is not None
    with system_scope(SCOPE):
        assert limits.load(Several.of([(cast.house.pk, account)]), now=now) == {
            account: found.now
        }  # the gate reads the same
    return found.now


def test_tightening_acts_at_once_and_loosening_the_next_day() -> None:
    cast = team()
    account = account_of(cast, PRAGUE)
    put(cast, account, replace(BASE, day_loss=D(500), max_open=3), NOW)
    told = put(cast, account, replace(BASE, day_loss=D(800), max_open=2), NOW)
    assert (told.now.day_loss, told.now.max_open) == (D(500), 2)
    assert told.later_from == datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert told.sentences == ("From 2026-11-21 00:00 Prague: Day loss becomes 800 (now 500).",)
    midnight = told.later_from
    assert holds(cast, account, midnight - timedelta(microseconds=1)).day_loss == D(500)
    assert holds(cast, account, midnight).day_loss == D(800)
    assert holds(cast, account, midnight).max_open == 2


@pytest.mark.parametrize(
    ("zone", "now", "hours_left"),
    [
        (PRAGUE, datetime(2026, 3, 28, 23, tzinfo=UTC), 23),  # clocks go forward in the night to come: 00:00 to 00:00
        (PRAGUE, datetime(2026, 10, 24, 22, tzinfo=UTC), 25),
        ("America/New_York", datetime(2026, 3, 8, 5, tzinfo=UTC), 23),
        ("America/New_York", datetime(2026, 11, 1, 4, tzinfo=UTC), 25),
        ("Pacific/Auckland", datetime(2026, 9, 26, 12, tzinfo=UTC), 23),
        ("Asia/Tokyo", datetime(2026, 3, 28, 15, tzinfo=UTC), 24),
    ],
)
def test_the_next_day_begins_by_the_wall_clock_also_when_clocks_are_set(
    zone: str, now: datetime, hours_left: int
) -> None:
    cast = team()
    account = account_of(cast, zone)
    assert now.astimezone(ZoneInfo(zone)).time() == time(0)
    put(cast, account, replace(BASE, day_loss=D(500)), now)
    told = put(cast, account, BASE, now)
    end = now + timedelta(hours=hours_left)
    assert told.later_from == end
    for number in range(0, hours_left * 60, 20):  # a walk over the day, also over its doubled or missing hour
        assert holds(cast, account, now + timedelta(minutes=number)).day_loss == D(500)
    assert holds(cast, account, end).day_loss is None


def test_no_zone_of_a_profile_and_no_change_of_zone_brings_the_next_day_nearer() -> None:
    """NOW is 14:00 UTC; in Tokyo the next day begins in an hour, in Prague in nine."""
    cast = team()
    account = account_of(cast, PRAGUE)
    put(cast, account, replace(BASE, day_loss=D(500)), NOW)
    User.objects.filter(pk=cast.alice.pk).update(time_zone="Asia/Tokyo")
    midnight = datetime(2026, 11, 20, 23, tzinfo=UTC)
    assert put(cast, account, BASE, NOW).later_from == midnight
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        organizations.change_zone(cast.as_alice, "Asia/Tokyo", now=NOW)
    told = put(cast, account, replace(BASE, day_loss=D(900)), NOW)
    assert told.later_from == midnight
    with system_scope(SCOPE):
        facts = account_facts.load([account], symbol="EURUSD", now=NOW + timedelta(hours=2)).accounts[0]
    assert (facts.zone, facts.day) == (PRAGUE, midnight.date())
    moved = midnight + timedelta(hours=24)
    with system_scope(SCOPE):
        facts = account_facts.load([account], symbol="EURUSD", now=moved).accounts[0]
    assert facts.zone == "Asia/Tokyo"


def test_a_prop_account_waits_for_its_firms_reset() -> None:
    cast = team()
    people.accept_documents(cast.as_alice)
    account = account_of(
        cast, "America/New_York", kind="prop", firm="FTMO", program="2-Step", phase="evaluation", size=D(100_000)
    )
    put(cast, account, replace(BASE, day_loss=D(500)), NOW)
    told = put(cast, account, BASE, NOW)
    assert told.zone == PRAGUE
    assert told.later_from == datetime(2026, 11, 20, 23, tzinfo=UTC)


def test_what_waits_is_replaced_and_can_be_taken_back() -> None:
    cast = team()
    account = account_of(cast, PRAGUE)
    put(cast, account, replace(BASE, day_loss=D(500)), NOW)
    put(cast, account, replace(BASE, day_loss=D(900)), NOW)
    told = put(cast, account, replace(BASE, day_loss=D(700)), NOW + timedelta(hours=1))
    assert told.later is not None
    assert told.later.day_loss == D(700)
    told = put(cast, account, replace(BASE, day_loss=D(500)), NOW + timedelta(hours=2))
    assert told.later is None
    assert holds(cast, account, NOW + timedelta(days=3)).day_loss == D(500)


def test_what_has_come_into_force_is_what_the_next_change_is_held_against() -> None:
    cast = team()
    account = account_of(cast, PRAGUE)
    put(cast, account, replace(BASE, day_loss=D(500)), NOW)
    put(cast, account, replace(BASE, day_loss=D(900)), NOW)
    told = put(cast, account, replace(BASE, day_loss=D(700)), NOW + timedelta(days=1))
    assert told == Standing(now=replace(BASE, day_loss=D(700)))  # tighter than 900, at once


def test_both_ways_stand_in_the_trail_and_in_the_news() -> None:
    cast = team()
    account = account_of(cast, PRAGUE)
    put(cast, account, replace(BASE, day_loss=D(500)), NOW)
    wanted = replace(BASE, day_loss=D(900), max_open=2)
    put(cast, account, wanted, NOW)
    put(cast, account, wanted, NOW)  # said twice, told once
    with tenant_scope(cast.house.pk), atomic():
        trail = [(row.action, row.data) for row in AuditEntry.objects.filter(action__startswith="limits.")]
        news = OutboxEvent.objects.filter(name="limits.changed").count()
    assert trail == [
        ("limits.tightened", {"values": UNSAID | {"day_loss": "500"}}),
        ("limits.tightened", {"values": {"max_open": "2"}}),
        ("limits.loosened", {"values": {"day_loss": "900"}, "holds_from": "2026-11-20T23:00:00+00:00"}),
    ]
    assert news == len(trail) == 3


def test_first_limits_of_leverage_alone_are_told_as_well() -> None:
    cast = team()
    put(cast, account_of(cast, PRAGUE), BASE, NOW)
    with tenant_scope(cast.house.pk), atomic():
        [entry] = AuditEntry.objects.filter(action__startswith="limits.")
        [news] = OutboxEvent.objects.filter(name="limits.changed")
    assert (entry.action, entry.data) == ("limits.tightened", {"values": UNSAID})
    assert sorted(news.data["names"]) == sorted(UNSAID)


def test_every_limit_that_is_set_is_named() -> None:
    assert set(own.set_names(BASE)) == UNSAID.keys()
    full = Limits(**{name: ladder[-1] for name, ladder in LADDERS.items()})
    assert set(own.set_names(full)) == LADDERS.keys()


def test_a_viewer_and_a_stranger_set_nothing() -> None:
    cast = team()
    account = account_of(cast, PRAGUE)
    for who in (cast.as_bob, cast.as_charlie):
        with pytest.raises(Refused), tenant_scope(who.organization_id), atomic():
            limits.set_limits(who, account, BASE, now=NOW)
    with pytest.raises(Refused, match="is from"), tenant_scope(cast.house.pk), atomic():
        limits.set_limits(cast.as_alice, account, replace(BASE, max_risk_percent=D(3)), now=NOW)
    with tenant_scope(cast.house.pk), atomic():
        assert limits.standing(account, now=NOW) is None

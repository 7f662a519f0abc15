"""The daily quota: of any number of orders at once exactly as many come in as may, on the right day, once each."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.db import connections
from django.db.utils import DatabaseError
from django.utils import timezone

from accounts.services import staff, tiers
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests.people import team
from accounts.tiers import TERMS, Tier
from mikrobot_platform.db.ids import new_id
from risk_management.models import DailyQuota, QuotaClaim
from risk_management.services import SCOPE, quota
from risk_management.services.quota import Wish, day_of
from risk_management.tests.rows import claim

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
TODAY = NOON.date()


def wish(house: UUID, *, day: date = TODAY, limit: int | None = 10, account: UUID | None = None) -> Wish:
    return Wish(organization_id=house, account_id=account or new_id(), day=day, limit=limit)


def admit(signal_id: UUID, wishes: Sequence[Wish], now: datetime = NOON) -> frozenset[UUID]:
    with system_scope(SCOPE):
        return quota.admit(signal_id, wishes, now=now)


def give_back(signal_id: UUID, house: UUID, account: UUID) -> int:
    with system_scope(SCOPE):
        return quota.give_back(signal_id, [(house, account)], now=NOON)


def used(house: UUID, day: date = TODAY) -> int:
    with tenant_scope(house), atomic():
        assert QuotaClaim.objects.filter(day=day, given_back_at=None).count() == quota.used({house: day})[house]
        return quota.used({house: day})[house]


def at_once(work: Sequence[tuple[UUID, Wish, datetime]]) -> list[UUID]:
    """Ask from as many threads as there are orders, each on a connection of its own; return who came in."""
    inside: list[UUID] = []
    problems: list[BaseException] = []
    start = threading.Barrier(len(work))

    def ask(signal_id: UUID, one: Wish, now: datetime) -> None:
        try:
            start.wait()
            inside.extend(admit(signal_id, [one], now))
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    return inside


# --- Exactly as many as may ------------------------------------------------------------------------------------------
def test_fifty_orders_at_once_against_ten() -> None:
    house = new_id()
    inside = at_once([(new_id(), wish(house), NOON) for _ in range(50)])
    assert len(inside) == len(set(inside)) == 10
    assert used(house) == 10
    assert admit(new_id(), [wish(house)]) == frozenset()


@pytest.mark.parametrize(
    ("zone", "day", "hours_before"),
    [
        # How long the day before this midnight was: an ordinary one, and both days on which each zone sets its clocks
        ("Pacific/Auckland", date(2026, 11, 21), 24),
        ("Pacific/Auckland", date(2026, 4, 5), 24),
        ("Pacific/Auckland", date(2026, 4, 6), 25),
        ("Pacific/Auckland", date(2026, 9, 27), 24),
        ("Pacific/Auckland", date(2026, 9, 28), 23),
        ("America/New_York", date(2026, 11, 21), 24),
        ("America/New_York", date(2026, 3, 8), 24),
        ("America/New_York", date(2026, 3, 9), 23),
        ("America/New_York", date(2026, 11, 1), 24),
        ("America/New_York", date(2026, 11, 2), 25),
    ],
)
def test_fifty_orders_around_midnight_use_two_quotas(zone: str, day: date, hours_before: int) -> None:
    house, midnight = new_id(), datetime(day.year, day.month, day.day, tzinfo=ZoneInfo(zone)).astimezone(UTC)
    began = datetime.combine(day - timedelta(days=1), time(0), tzinfo=ZoneInfo(zone)).astimezone(UTC)
    assert midnight - began == timedelta(hours=hours_before)
    assert day_of(zone, began) == day - timedelta(days=1) == day_of(zone, midnight - timedelta(microseconds=1))
    moments = [midnight + timedelta(microseconds=number) for number in range(-25, 25)]
    at_once([(new_id(), wish(house, day=day_of(zone, now)), now) for now in moments])
    assert used(house, day - timedelta(days=1)) == 10
    assert used(house, day) == 10


def test_a_day_lasts_from_midnight_to_midnight() -> None:
    auckland = "Pacific/Auckland"
    spring = datetime(2026, 9, 26, 12, tzinfo=UTC)  # 27 September 00:00 in Auckland; the day has 23 hours
    assert day_of(auckland, spring) == date(2026, 9, 27)
    assert day_of(auckland, spring - timedelta(microseconds=1)) == date(2026, 9, 26)
    assert day_of(auckland, spring + timedelta(hours=23)) == date(2026, 9, 28)
    autumn = datetime(2026, 11, 1, 4, tzinfo=UTC)  # 1 November 00:00 in New York; the day has 25 hours
    assert day_of("America/New_York", autumn + timedelta(hours=24)) == date(2026, 11, 1)
    assert day_of("America/New_York", autumn + timedelta(hours=25)) == date(2026, 11, 2)


def test_a_shard_of_many_organizations_is_admitted_each_by_its_own_tier() -> None:
    houses = {new_id(): limit for limit in (0, 3, 10, None)}
    wishes = [wish(house, limit=limit) for _ in range(20) for house, limit in houses.items()]
    inside = admit(new_id(), wishes)
    for house, limit in houses.items():
        asked = [one.account_id for one in wishes if one.organization_id == house]
        assert [account in inside for account in asked] == [
            number < (20 if limit is None else limit) for number in range(20)
        ]
        assert used(house) == (20 if limit is None else limit)


def test_shards_in_opposite_orders_do_not_wait_in_a_circle() -> None:
    houses = [new_id() for _ in range(6)]
    problems: list[BaseException] = []

    def ask(number: int) -> None:
        try:
            for _ in range(10):
                admit(new_id(), [wish(house, limit=None) for house in (houses if number % 2 else houses[::-1])])
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert [used(house) for house in houses] == [40] * 6


# --- Once each -------------------------------------------------------------------------------------------------------
def test_the_same_order_takes_one_place_however_often_it_asks() -> None:
    house, signal, account = new_id(), new_id(), new_id()
    assert at_once([(signal, wish(house, account=account), NOON)] * 8) == [account] * 8
    assert used(house) == 1
    tomorrow = wish(house, account=account, day=TODAY + timedelta(days=1), limit=0)
    assert admit(signal, [tomorrow]) == {account}  # its place is yesterday's
    assert used(house, tomorrow.day) == 0


def test_a_place_that_is_given_back_is_free_once() -> None:
    house, signal, account = new_id(), new_id(), new_id()
    assert admit(signal, [wish(house, account=account, limit=1)]) == {account}
    assert admit(new_id(), [wish(house, limit=1)]) == frozenset()
    assert [give_back(signal, house, account) for _ in range(3)] == [1, 0, 0]
    assert used(house) == 0
    assert len(admit(new_id(), [wish(house, limit=1)])) == 1
    assert admit(signal, [wish(house, account=account, limit=1)]) == frozenset()
    assert admit(signal, [wish(house, account=account, limit=2)]) == {account}
    assert used(house) == 2


def test_what_never_claimed_gives_nothing_back() -> None:
    house = new_id()
    claim(house)
    assert give_back(new_id(), house, new_id()) == 0
    assert used(house) == 1


def test_giving_back_and_asking_at_once_keep_the_count() -> None:
    house, signal = new_id(), new_id()
    accounts = [new_id() for _ in range(12)]
    assert len(admit(signal, [wish(house, account=account, limit=12) for account in accounts])) == 12
    problems: list[BaseException] = []

    def work(number: int) -> None:
        try:
            if number % 2:
                give_back(signal, house, accounts[number])
            else:
                admit(new_id(), [wish(house, limit=12)])
        except BaseException as problem:
            problems.append(problem)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    assert 6 <= used(house) <= 12  # and used() has compared the count with the places


# --- Whose ------------------------------------------------------------------------------------------------------------
def test_the_web_counts_nothing() -> None:
    cast = team()
    refused = pytest.raises(DatabaseError, match="permission denied")
    with refused, tenant_scope(cast.house.pk), atomic():
        quota.admit(new_id(), [wish(cast.house.pk)], now=NOON)


def test_a_strangers_quota_is_not_seen() -> None:
    cast = team()
    claim(cast.house.pk)
    with tenant_scope(cast.other.pk), atomic():
        assert not DailyQuota.objects.exists()


# --- Tiers -----------------------------------------------------------------------------------------------------------
def test_the_tiers() -> None:
    assert {tier.value: TERMS[tier].daily_quota for tier in Tier} == {
        "trial": 3, "basic": 10, "professional": 50, "enterprise": None,
    }  # fmt: skip


def test_an_organization_is_on_trial_until_staff_grant_another_tier() -> None:
    cast, now = team(), timezone.now()

    def tier(at: datetime) -> Tier:
        with tenant_scope(cast.house.pk), atomic():
            return tiers.tier_of(cast.house, now=at)

    assert tier(now) is Tier.TRIAL
    with system_scope("staff"):
        assert staff.grant_tier(cast.house.pk, Tier.PROFESSIONAL, "while we repair the import")
        assert not staff.grant_tier(cast.house.pk, Tier.PROFESSIONAL, "asked a second time")
        assert staff.grant_tier(cast.house.pk, Tier.ENTERPRISE, "a week for free", until=now + timedelta(days=7))
    assert tier(now) is Tier.ENTERPRISE
    assert tier(now + timedelta(days=7)) is Tier.PROFESSIONAL
    with system_scope(SCOPE):
        found = tiers.tiers_of([cast.house.pk, cast.other.pk], now=now)
    assert found == {cast.house.pk: Tier.ENTERPRISE, cast.other.pk: Tier.TRIAL}


def test_nobody_grants_a_tier_to_themselves() -> None:
    from accounts.models import TierGrant

    cast = team()
    refused = pytest.raises(DatabaseError, match="permission denied")
    with refused, tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        TierGrant.objects.create(tier=Tier.ENTERPRISE, reason="because", granted_by="me")

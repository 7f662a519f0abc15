"""By whose midnight days turn: kept by the organization, changed by its owner, and never so that a day is won."""

from __future__ import annotations

import importlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from django.db import connections, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as some

from accounts.access import Refused
from accounts.models import AuditEntry, Organization, User
from accounts.services import organizations, people
from accounts.services.organizations import ZONE_WAIT, change_zone
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, client_for, make_organization, make_user, set_zone, team

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
PRAGUE, TOKYO, LOS_ANGELES = "Europe/Prague", "Asia/Tokyo", "America/Los_Angeles"
HOUR = timedelta(hours=1)


def changed(cast: Team, zone: str, now: datetime = NOW) -> Organization:
    with tenant_scope(cast.house.pk, user_id=cast.alice.pk), atomic():
        return change_zone(cast.as_alice, zone, now=now)


def house_of(cast: Team) -> Organization:
    with tenant_scope(cast.house.pk), atomic():
        return Organization.objects.get(pk=cast.house.pk)


def test_an_organization_begins_with_its_founders_zone_and_keeps_it() -> None:
    founder = make_user("nora", time_zone=TOKYO)
    house = make_organization(founder)
    people.update_profile(founder, name="Nora", time_zone=PRAGUE, currency="USD")
    with tenant_scope(house.pk), atomic():
        assert Organization.objects.get(pk=house.pk).zone_at(NOW + timedelta(days=365)) == TOKYO


@pytest.mark.parametrize(
    ("before", "after", "holds_from"),
    [
        # The later of both midnights to come, and 24 hours.
        ("UTC", TOKYO, datetime(2026, 11, 22, 0, tzinfo=UTC)),  # Tokyo's came at 15:00
        ("UTC", LOS_ANGELES, datetime(2026, 11, 22, 8, tzinfo=UTC)),
        (TOKYO, LOS_ANGELES, datetime(2026, 11, 22, 8, tzinfo=UTC)),
        (LOS_ANGELES, TOKYO, datetime(2026, 11, 22, 8, tzinfo=UTC)),
    ],
)
def test_another_zone_holds_after_the_day_that_runs_and_one_more(before: str, after: str, holds_from: datetime) -> None:
    cast = team()
    set_zone(cast.house, before)
    changed(cast, after)
    house = house_of(cast)
    assert house.next_zone_from == holds_from
    assert house.zone_at(holds_from - timedelta(microseconds=1)) == before
    assert house.zone_at(holds_from) == after
    with tenant_scope(cast.house.pk), atomic():
        [entry] = AuditEntry.objects.filter(action="organization.zone_changed")
    assert entry.data == {"before": before, "after": after, "holds_from": holds_from.isoformat()}


def test_a_change_can_be_taken_back_and_asked_for_twice_says_nothing_new() -> None:
    cast = team()
    first = changed(cast, TOKYO).next_zone_from
    assert changed(cast, TOKYO, NOW + 5 * HOUR).next_zone_from == first
    assert changed(cast, "UTC", NOW + 6 * HOUR).next_zone_from is None
    assert house_of(cast).zone_at(NOW + timedelta(days=9)) == "UTC"
    again = changed(cast, TOKYO, NOW + 30 * HOUR).next_zone_from
    assert again is not None
    assert again >= NOW + 30 * HOUR + ZONE_WAIT, "what was taken back has not waited"
    later = again + HOUR
    assert changed(cast, "UTC", later).trading_zone == TOKYO, "what has come into force is where the next one begins"


def test_whoever_asks_for_a_third_zone_waits_anew() -> None:
    cast = team()
    first = changed(cast, TOKYO).next_zone_from
    second = changed(cast, PRAGUE, NOW + 30 * HOUR).next_zone_from
    assert first is not None
    assert second is not None
    assert second >= NOW + 54 * HOUR
    assert house_of(cast).zone_at(first) == "UTC"


def test_only_the_owner_moves_midnight_and_only_to_a_place_on_earth() -> None:
    cast = team()
    for who in (cast.as_tess, cast.as_bob):
        with pytest.raises(Refused), tenant_scope(cast.house.pk), atomic():
            change_zone(who, TOKYO, now=NOW)
    for zone in ("Mars/Olympus", "", "../etc/passwd", "x" * 900, "\x00"):
        with pytest.raises(Refused) as refused:
            changed(cast, zone)
        assert refused.value.code == "time_zone_unknown"
    assert house_of(cast).next_zone == ""


zones = some.sampled_from(sorted(available_timezones()))


@given(before=zones, after=zones, hours=some.integers(0, 9000), minutes=some.integers(0, 59))
def test_both_days_that_run_are_over_before_the_zone_changes(before: str, after: str, hours: int, minutes: int) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours, minutes=minutes)
    midnights = [organizations._next_midnight(zone, now) for zone in (before, after)]
    for zone, midnight in zip((before, after), midnights, strict=True):
        today, then = (moment.astimezone(ZoneInfo(zone)).date() for moment in (now, midnight))
        assert now < midnight
        assert then > today
    assert max(midnights) - now <= timedelta(hours=50)


def test_the_owners_page_shows_it_with_when_it_takes_effect() -> None:
    cast = team()
    alice = client_for(cast.alice)
    assert "Days turn at midnight in UTC." in alice.get("/organization/").content.decode()
    answer = alice.post("/organization/zone/", {"time_zone": TOKYO}, follow=True)
    assert answer.status_code == 200
    house = house_of(cast)
    assert house.next_zone == TOKYO
    assert house.next_zone_from is not None
    assert house.next_zone_from > timezone.now() + ZONE_WAIT
    page = answer.content.decode()
    assert "Days turn at midnight in UTC." in page
    assert "they turn by Asia/Tokyo" in page
    assert client_for(cast.bob).post("/organization/zone/", {"time_zone": PRAGUE}).status_code == 403
    assert client_for(cast.tess).post("/organization/zone/", {"time_zone": PRAGUE}).status_code == 403
    assert alice.post("/organization/zone/", {"time_zone": "Mars/Olympus"}).status_code == 422
    assert house_of(cast).next_zone == TOKYO
    assert "they turn by Asia/Tokyo" in client_for(cast.bob).get("/organization/").content.decode()


def test_the_migration_takes_over_the_zone_of_each_owner() -> None:
    take_over = importlib.import_module("accounts.migrations.0006_trading_zone").TAKE_OVER
    cast = team()
    User.objects.filter(pk=cast.alice.pk).update(time_zone=TOKYO)
    User.objects.filter(pk=cast.bob.pk).update(time_zone=PRAGUE)
    with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
        cursor.execute(take_over)
        cursor.execute("select set_config('app.organization_id', %s, true)", [str(cast.house.pk)])
        cursor.execute("select id, trading_zone from accounts_organization")
        assert cursor.fetchall() == [(cast.house.pk, TOKYO)], "and row-level security holds again"
        transaction.set_rollback(True, using="owner")

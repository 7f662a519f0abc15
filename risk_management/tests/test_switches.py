"""Kill switches and lockouts: who sets them, who may lift them, how they end, and what the rules are told."""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from django.core.management import CommandError, call_command
from django.db import connections
from django.db.utils import DatabaseError

from accounts import audit
from accounts.access import Caller, Refused
from accounts.admin.base import record_url
from accounts.audit import Actor
from accounts.models import AuditEntry, OutboxEvent, User
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import atomic, system_scope, tenant_scope
from accounts.tests import people
from accounts.tests.people import Team, team
from accounts.tests.staff_desk import desk, do, staff_user
from mikrobot_platform.db.ids import new_id
from risk_management.models import Level, Switch
from risk_management.rules import decide, facts
from risk_management.services import SCOPE, switches
from risk_management.services.switches import Switches
from risk_management.tests import gate_facts

NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
HOUR = timedelta(hours=1)


def acting(caller: Caller, user: User | None = None) -> AbstractContextManager[object]:
    """Stand where the middleware puts a request of this person."""
    stack = ExitStack()
    who = user or (caller.membership.user if caller.membership else None)
    stack.enter_context(tenant_scope(caller.organization_id))
    stack.enter_context(atomic())
    stack.enter_context(audit.acting_as(Actor(kind="user", id=str(who.pk)) if who else Actor(kind="key", id="mk_1")))
    return stack


def as_staff(name: str = "staff-1") -> AbstractContextManager[object]:
    stack = ExitStack()
    stack.enter_context(audit.acting_as(Actor(kind="staff", id=name, reason="a rehearsal of ours")))
    stack.enter_context(system_scope("staff"))
    return stack


def off(caller: Caller, level: Level = Level.ORGANIZATION, **more: object) -> Switch:
    with acting(caller):
        return switches.switch_off(caller, level, "too fast today", now=NOW, **more)  # type: ignore[arg-type]


def lift(caller: Caller, row: Switch, *, now: datetime = NOW + HOUR) -> Switch:
    with acting(caller):
        return switches.lift(caller, row.pk, "all is well", now=now)


def told(cast: Team, *, now: datetime = NOW, strategy_id: UUID | None = None) -> Switches:
    connections.close_all()  # as after a restart: nothing is known but the rows
    with system_scope(SCOPE):
        return switches.load([cast.house.pk, cast.other.pk], now=now, strategy_id=strategy_id)


# --- What the rules are told -----------------------------------------------------------------------------------------
def test_each_level_is_told_to_whom_it_concerns() -> None:
    cast, strategy = team(), new_id()
    account = people.make_account(cast.as_alice)
    own = off(cast.as_tess, Level.ACCOUNT, target=account.pk)
    assert set(told(cast).accounts) == {account.pk}
    assert told(cast).organizations == {}
    assert told(cast).accounts[account.pk] == facts.Switch(reason="too fast today", since=NOW, until=None)
    off(cast.as_alice, Level.STRATEGY, target=strategy)
    assert told(cast).organizations == {}
    assert set(told(cast, strategy_id=strategy).organizations) == {cast.house.pk}
    assert told(cast, strategy_id=strategy).strategy is None  # for the others it is on
    off(cast.as_charlie)
    assert set(told(cast).organizations) == {cast.other.pk}
    lift(cast.as_tess, own)
    assert told(cast).accounts == {}


def test_of_several_the_one_that_ends_last_is_told() -> None:
    cast = team()
    off(cast.as_alice, until=NOW + HOUR)
    off(cast.as_alice, until=NOW + 3 * HOUR)
    off(cast.as_alice, until=NOW + 2 * HOUR)
    assert told(cast).organizations[cast.house.pk].until == NOW + 3 * HOUR
    assert told(cast, now=NOW + 3 * HOUR).organizations == {}


def test_the_gate_denies_by_what_is_told() -> None:
    cast = team()
    off(cast.as_alice)
    stop = told(cast).organizations[cast.house.pk]
    ruled = decide(gate_facts.shared(), gate_facts.account(organization_stop=stop), now=NOW)
    assert ruled.code == "gate.organization_off"
    assert not ruled.sends_order
    assert ruled.numbers["reason"] == "too fast today"


# --- Who may set -----------------------------------------------------------------------------------------------------
def test_a_viewer_sets_nothing_and_a_stranger_finds_no_account() -> None:
    cast = team()
    account = people.make_account(cast.as_alice)
    with pytest.raises(Refused, match="role does not allow"):
        off(cast.as_bob)
    with pytest.raises(Refused, match="no such account"):
        off(cast.as_charlie, Level.ACCOUNT, target=account.pk)
    with pytest.raises(Refused, match="Only staff"):
        off(cast.as_alice, Level.PLATFORM)
    assert told(cast) == Switches()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"until": NOW}, "until_past"),
        ({"reason": "  "}, "reason_missing"),
        ({"reason": "too short"}, "reason_missing"),
        ({"reason": "." * 10}, "reason_missing"),
        ({"reason": "\u200b" * 10}, "reason_missing"),
        ({"reason": "\u3164" * 10}, "reason_missing"),
        ({"reason": "see https://elsewhere.example/"}, "reason_missing"),
    ],
)
def test_a_switch_has_a_reason_and_an_end_that_is_to_come(more: dict[str, object], code: str) -> None:
    cast = team()
    given: dict[str, object] = {"reason": "why not today", **more}
    with pytest.raises(Refused) as refused, acting(cast.as_alice):
        switches.switch_off(cast.as_alice, Level.ORGANIZATION, now=NOW, **given)  # type: ignore[arg-type]
    assert refused.value.code == code


# --- Who may lift ----------------------------------------------------------------------------------------------------
def test_a_switch_is_lifted_by_whoever_set_it_or_by_somebody_else() -> None:
    cast = team()
    account = people.make_account(cast.as_alice)
    for who in (cast.as_tess, cast.as_alice):
        row = off(cast.as_tess, Level.ACCOUNT, target=account.pk)
        assert lift(who, row).lifted_at == NOW + HOUR
    row = off(cast.as_tess)
    with pytest.raises(Refused, match="role does not allow"):
        lift(cast.as_tess, row)  # the organization's is for its owner to lift
    assert lift(cast.as_alice, row).lifted_at is not None


def test_a_lockout_is_lifted_by_a_second_person_only() -> None:
    cast = team()
    account = people.make_account(cast.as_alice)
    row = off(cast.as_tess, Level.ACCOUNT, target=account.pk, is_lockout=True)
    for who in (cast.as_tess, cast.as_bob, cast.as_charlie):
        with pytest.raises(Refused) as refused:
            lift(who, row)
        assert refused.value.code in {"second_person_required", "not_allowed", "switch_unknown"}
    assert told(cast).accounts.keys() == {account.pk}
    assert lift(cast.as_alice, row).lifted_by_id == str(cast.alice.pk)
    assert told(cast).accounts == {}


def test_an_owner_does_not_lift_an_own_lockout() -> None:
    cast = team()
    row = off(cast.as_alice, is_lockout=True, until=NOW + 2 * HOUR)
    with pytest.raises(Refused, match="second person"):
        lift(cast.as_alice, row)
    assert told(cast).organizations.keys() == {cast.house.pk}
    assert told(cast, now=NOW + 2 * HOUR).organizations == {}  # it ends by time
    with pytest.raises(Refused, match="ended already"):
        lift(cast.as_alice, row, now=NOW + 2 * HOUR)


def test_what_the_system_has_locked_only_staff_lift() -> None:
    cast = team()
    account = people.make_account(cast.as_alice)
    with tenant_scope(cast.house.pk), atomic():
        row = switches.lock_out(account.pk, "your loss of a day was reached", now=NOW, until=NOW + 10 * HOUR)
    for who in (cast.as_alice, cast.as_tess):
        with pytest.raises(Refused, match="second person"):
            lift(who, row)
    with as_staff():
        assert switches.lift_as_staff(row.pk, "the figures of the broker were wrong", now=NOW + HOUR)
        assert not switches.lift_as_staff(row.pk, "asked a second time", now=NOW + HOUR)
    assert told(cast).accounts == {}


def test_a_key_sets_and_never_lifts() -> None:
    cast = team()
    row = off(cast.as_alice)
    by_key = audit.acting_as(Actor(kind="key", id="mk_1"))
    with pytest.raises(Refused, match="signed-in person"), tenant_scope(cast.house.pk), atomic(), by_key:
        switches.lift(cast.as_alice, row.pk, "because it is right", now=NOW)


# --- Staff -----------------------------------------------------------------------------------------------------------
def test_the_platform_is_switched_off_by_staff_for_everybody() -> None:
    cast, strategy = team(), new_id()
    with as_staff():
        row = switches.switch_platform_off("the feed is wrong", now=NOW, is_lockout=True)
        switches.switch_platform_off("it loses every day", now=NOW, strategy_id=strategy, until=NOW + HOUR)
    try:
        assert told(cast).platform == facts.Switch(reason="the feed is wrong", since=NOW, until=None)
        assert told(cast).strategy is None
        found = told(cast, strategy_id=strategy).strategy
        assert found is not None
        assert found.reason == "it loses every day"
        with pytest.raises(Refused, match="second person"), as_staff():
            switches.lift_as_staff(row.pk, "it was me alone", now=NOW)
        with pytest.raises(Refused, match="no such switch"):
            lift(cast.as_alice, row)
    finally:
        with as_staff("staff-2"):
            assert switches.lift_as_staff(row.pk, "the feed is right again", now=NOW + HOUR)
    assert told(cast).platform is None


def test_the_web_does_not_write_the_platforms() -> None:
    cast = team()
    with pytest.raises(DatabaseError, match="row-level security"), tenant_scope(PLATFORM_ID), atomic():
        Switch.objects.create(level=Level.PLATFORM, reason="x", set_at=NOW, set_by_kind="user")
    assert told(cast).platform is None


def test_staff_switch_the_platform_off_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (staff_user().email for _ in range(2))
    call_command("platform_switch", "off", "--by", one, "--reason", "the feed is wrong", "--lockout")
    pk = capsys.readouterr().out.split()[-1]
    call_command("platform_switch", "list")
    assert f"{pk}  the platform  until it is lifted  LOCKOUT  the feed is wrong" in capsys.readouterr().out
    for who in (one, other):  # whoever types may be the same person behind both
        with pytest.raises(CommandError, match="on the staff page"):
            call_command("platform_switch", "lift", pk, "--by", who, "--reason", "it is right again")
    with system_scope("doctor"):
        assert Switch.objects.get(pk=pk).holds(NOW)
    client = desk(User.objects.get(email=one))
    do(client, Switch(pk=pk), "lift")
    with system_scope("doctor"):
        assert Switch.objects.get(pk=pk).lifted_at is None, "on the page, whoever set it is known"
    assert do(desk(User.objects.get(email=other)), Switch(pk=pk), "lift").status_code == 302
    with system_scope("doctor"):
        assert Switch.objects.get(pk=pk).lifted_at is not None


def test_a_switch_that_is_no_lockout_is_lifted_from_the_command_line(capsys: pytest.CaptureFixture[str]) -> None:
    one = people.make_user("sam", is_staff=True).email
    call_command("platform_switch", "off", "--by", one, "--reason", "the feed is wrong")
    pk = capsys.readouterr().out.split()[-1]
    for who, reason, problem in (
        (people.make_user("nobody").email, "it is right again", "is not staff"),
        (one, ".", "Say why"),
        (one, "\u200b" * 10, "Say why"),
        (one, "it is \u202eright again", "invisible"),
    ):
        with pytest.raises(CommandError, match=problem):
            call_command("platform_switch", "lift", pk, "--by", who, "--reason", reason)
    call_command("platform_switch", "lift", pk, "--by", one, "--reason", "it is right again")
    call_command("platform_switch", "lift", pk, "--by", one, "--reason", "it is right again")
    assert "nothing was changed" in capsys.readouterr().out
    with pytest.raises(CommandError, match="no switch"):
        call_command("platform_switch", "lift", str(new_id()), "--by", one, "--reason", "it is right again")


def test_one_person_behind_two_doors_is_one_person() -> None:
    """A customer who is staff as well sets a lockout as the one and is refused as the other."""
    cast = team()
    row = off(cast.as_alice, is_lockout=True)
    with pytest.raises(Refused, match="second person"), as_staff(str(cast.alice.pk)):
        switches.lift_as_staff(row.pk, "it was me alone", now=NOW + HOUR)
    assert told(cast).organizations.keys() == {cast.house.pk}
    with as_staff():
        assert switches.lift_as_staff(row.pk, "the owner has asked us", now=NOW + HOUR)


def test_staff_who_belong_to_an_organization_are_not_its_second_person() -> None:
    cast = team()
    account = people.make_account(cast.as_alice)
    with tenant_scope(cast.house.pk), atomic():
        row = switches.lock_out(account.pk, "your loss of a day was reached", now=NOW, until=NOW + 10 * HOUR)
    for member in (cast.alice, cast.bob):
        with pytest.raises(Refused, match="second person"), as_staff(str(member.pk)):
            switches.lift_as_staff(row.pk, "it was wrong, I think", now=NOW + HOUR)
    assert told(cast).accounts.keys() == {account.pk}


def test_the_staff_page_lifts_for_a_customer_and_not_twice() -> None:
    cast = team()
    row, client = off(cast.as_alice, is_lockout=True), desk()
    assert client.get(record_url(row)).status_code == 200
    assert do(client, row, "lift").status_code == 302
    assert told(cast).organizations == {}
    do(client, row, "lift")
    with tenant_scope(cast.house.pk), atomic():
        assert AuditEntry.objects.filter(action="switch.lifted").count() == 1


# --- Kept ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("change", ["until = now()", "is_lockout = false", "set_by_id = ''", "reason = ''"])
def test_nothing_of_a_switch_is_changed_after_it_is_set(change: str) -> None:
    cast = team()
    off(cast.as_alice, is_lockout=True, until=NOW + HOUR)
    refused = pytest.raises(DatabaseError, match="permission denied")
    with refused, tenant_scope(cast.house.pk), atomic(), connections["default"].cursor() as cursor:
        cursor.execute(f"update risk_management_switch set {change}")


def test_setting_and_lifting_stand_in_the_trail_and_in_the_news() -> None:
    cast = team()
    lift(cast.as_alice, off(cast.as_alice))
    with tenant_scope(cast.house.pk), atomic():
        trail = [row.action for row in AuditEntry.objects.order_by("sequence")]
        news = [row.name for row in OutboxEvent.objects.order_by("pk")]
    assert trail[-2:] == ["switch.off", "switch.lifted"]
    assert news[-2:] == ["switch.off", "switch.lifted"]

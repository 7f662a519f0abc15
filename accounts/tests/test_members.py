"""Seats: who may offer, take, change and end them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from accounts.access import MATRIX, Permission, Refused, may_role
from accounts.models import AuditEntry, Invitation, Membership, Organization, OutboxEvent, Role
from accounts.services import members, organizations, people
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import Team, caller, make_user, team


@pytest.fixture
def cast() -> Team:
    return team()


def seat(cast: Team, user: object) -> Membership:
    with tenant_scope(cast.house.pk), atomic():
        row: Membership = Membership.objects.get(user=user)
    return row


OWNERS_ALONE = {Permission.MANAGE_MEMBERS, Permission.MANAGE_KEYS, Permission.MANAGE_ORGANIZATION}


@pytest.mark.parametrize(
    ("role", "allowed"),
    [
        (Role.OWNER, set(Permission)),
        (Role.TRADER, set(Permission) - OWNERS_ALONE),
        (Role.VIEWER, {Permission.VIEW}),
    ],
)
def test_the_matrix(role: Role, allowed: set[Permission]) -> None:
    assert MATRIX[role] == allowed
    assert not may_role("something else", Permission.VIEW)


def test_founding_seats_one_owner_with_a_key_and_a_trail(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        assert Membership.objects.get(role=Role.OWNER).user_id == cast.alice.pk
        assert AuditEntry.objects.order_by("sequence")[0].action == "organization.founded"


@pytest.mark.parametrize("who", ["as_bob", "as_tess"])
def test_only_the_owner_manages_seats(cast: Team, who: str) -> None:
    by = getattr(cast, who)
    bob = seat(cast, cast.bob)
    with tenant_scope(cast.house.pk), atomic():
        for deed in (
            lambda: members.invite(by, "x@example.com", "viewer"),
            lambda: members.change_role(by, bob.pk, "trader"),
            lambda: members.remove(by, bob.pk),
            lambda: members.transfer(by, bob.pk),
            lambda: organizations.rename(by, "Mine now"),
            lambda: organizations.close(by, cast.house.name),
        ):
            with pytest.raises(Refused) as refusal:
                deed()
            assert refusal.value.code == "not_allowed"
        assert Membership.objects.get(pk=bob.pk).role == Role.VIEWER
        assert Organization.objects.get().name == cast.house.name


def test_an_invitation_is_for_its_address_and_works_once(cast: Team) -> None:
    guest, other = make_user("guest"), make_user("other")
    with tenant_scope(cast.house.pk), atomic():
        invitation = members.invite(cast.as_alice, f"  {guest.email.upper()} ", "viewer")
    token = members.link(invitation).rstrip("/").rsplit("/", 1)[-1]
    found = members.look_up(token)
    assert found is not None
    assert found.organization.name == cast.house.name

    with pytest.raises(Refused, match="sent to"):
        members.accept(other, token)
    assert members.accept(guest, token).role == Role.VIEWER
    with tenant_scope(cast.house.pk), atomic():
        assert people.has_acknowledged(guest.pk, "terms")
        assert not people.has_acknowledged(guest.pk, "risk")
    with pytest.raises(Refused, match="used already"):
        members.accept(guest, token)
    assert members.look_up(token) is None
    assert members.look_up(token + "x") is None


def test_sending_again_kills_the_older_link(cast: Team) -> None:
    guest = make_user("guest")
    with tenant_scope(cast.house.pk), atomic():
        invitation = members.invite(cast.as_alice, guest.email, "trader")
        old = members.link(invitation).rstrip("/").rsplit("/", 1)[-1]
        again = members.send_again(cast.as_alice, invitation.pk)
        new = members.link(again).rstrip("/").rsplit("/", 1)[-1]
    assert members.look_up(old) is None
    assert members.look_up(new) is not None
    with tenant_scope(cast.house.pk), atomic():
        members.withdraw(cast.as_alice, invitation.pk)
    assert members.look_up(new) is None
    with pytest.raises(Refused):
        members.accept(guest, new)


def test_an_expired_invitation_opens_nothing_and_makes_room(cast: Team) -> None:
    guest = make_user("guest")
    with tenant_scope(cast.house.pk), atomic():
        invitation = members.invite(cast.as_alice, guest.email, "viewer")
        with pytest.raises(Refused, match="invited already"):
            members.invite(cast.as_alice, guest.email, "viewer")
        Invitation.objects.filter(pk=invitation.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    token = members.link(invitation).rstrip("/").rsplit("/", 1)[-1]
    with pytest.raises(Refused):
        members.accept(guest, token)
    with tenant_scope(cast.house.pk), atomic():
        assert members.invite(cast.as_alice, guest.email, "viewer").pk != invitation.pk


@pytest.mark.parametrize(
    ("email", "role", "code"),
    [
        ("nonsense", "viewer", "email_invalid"),
        ("a@example.com", "owner", "role_invalid"),
        ("a@b.example", "", "role_invalid"),
    ],
)
def test_what_cannot_be_invited(cast: Team, email: str, role: str, code: str) -> None:
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused) as refusal:
        members.invite(cast.as_alice, email, role)
    assert refusal.value.code == code


def test_a_member_is_not_invited_twice(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused, match="member already"):
        members.invite(cast.as_alice, cast.bob.email, "viewer")


def test_no_event_and_no_row_holds_the_link(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        invitation = members.invite(cast.as_alice, "guest@example.com", "viewer")
        event = OutboxEvent.objects.order_by("-id")[0]
    token = members.link(invitation).rstrip("/").rsplit("/", 1)[-1]
    assert event.name == "member.invited"
    assert token not in str(event.data)


def test_changing_a_role_takes_effect_and_is_told(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        members.change_role(cast.as_alice, seat(cast, cast.bob).pk, "trader")
        assert AuditEntry.objects.order_by("-sequence")[0].data["after"] == "trader"
    assert cast.as_bob.may(Permission.TRADE)


def test_the_owner_seat_moves_only_as_a_whole(cast: Team) -> None:
    own, bob = seat(cast, cast.alice), seat(cast, cast.bob)
    with tenant_scope(cast.house.pk), atomic():
        for deed in (
            lambda: members.change_role(cast.as_alice, own.pk, "viewer"),
            lambda: members.remove(cast.as_alice, own.pk),
            lambda: members.leave(cast.as_alice),
        ):
            with pytest.raises(Refused):
                deed()
        members.transfer(cast.as_alice, bob.pk)
        assert {row.user_id: row.role for row in Membership.objects.all()} == {
            cast.alice.pk: Role.TRADER,
            cast.bob.pk: Role.OWNER,
            cast.tess.pk: Role.TRADER,
        }
    with pytest.raises(IntegrityError), tenant_scope(cast.house.pk), atomic():
        Membership.objects.filter(user=cast.alice).update(role=Role.OWNER)  # two owners cannot be


def test_leaving_and_being_removed(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        members.leave(cast.as_bob)
        members.remove(cast.as_alice, seat(cast, cast.tess).pk)
        assert list(Membership.objects.values_list("user_id", flat=True)) == [cast.alice.pk]


def test_a_suspended_organization_may_only_look(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        Organization.objects.update(suspended_at=timezone.now(), suspended_reason="unpaid")
    assert caller(cast.house, cast.alice).permissions == {Permission.VIEW}
    with tenant_scope(cast.house.pk), atomic(), pytest.raises(Refused, match="suspended"):
        organizations.rename(cast.as_alice, "New name")


def test_closing_needs_the_name_and_can_be_taken_back(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        with pytest.raises(Refused, match="exactly"):
            organizations.close(cast.as_alice, "something")
        assert organizations.close(cast.as_alice, cast.house.name).closing_at is not None
        with pytest.raises(Refused, match="being closed"):
            members.invite(cast.as_alice, "late@example.com", "viewer")
        assert organizations.keep_open(cast.as_alice).closing_at is None


def test_nobody_can_be_pestered_with_letters(cast: Team) -> None:
    address = "stranger@example.com"
    with tenant_scope(cast.house.pk), atomic():
        for _time in range(members.MAX_FOR_ONE_A_DAY):
            invitation = members.invite(cast.as_alice, address, Role.VIEWER)
            for _again in range(members.MAX_SENT_AGAIN):
                members.send_again(cast.as_alice, invitation.pk)
            with pytest.raises(Refused) as refusal:
                members.send_again(cast.as_alice, invitation.pk)
            assert refusal.value.code == "sent_often"
            members.withdraw(cast.as_alice, invitation.pk)
        with pytest.raises(Refused) as refusal:
            members.invite(cast.as_alice, address, Role.VIEWER)
        assert refusal.value.code == "invited_often"
        members.invite(cast.as_alice, "another@example.com", Role.VIEWER)


def test_nobody_owns_organizations_without_end(cast: Team) -> None:
    with tenant_scope(cast.house.pk), atomic():
        mine = [Membership.objects.get(user=cast.alice)] * organizations.MAX_OWNED
    with pytest.raises(Refused) as refusal:
        organizations.found_another(cast.alice, "One more", mine)
    assert refusal.value.code == "too_many_organizations"
    assert organizations.found_another(cast.alice, "One more", mine[1:]).name == "One more"

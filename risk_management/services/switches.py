"""Switching off, and on again: account, strategy, organization, platform. Exits are never held, whatever is off.

Who may lift what (`refusal_to_lift`):
1. A switch: whoever set it, and anybody else who may lift at that level.
2. A lockout ends by time, or by a second person: never by the one who set it, whether as a customer or as staff. What
   the system or a key has set (a limit that was broken) counts as set by everybody in the organization, so that staff
   who do not belong to it are the second person.
3. An API key sets and never lifts. It cannot show who is behind it.
Whoever is locked out cannot shorten it either: nothing changes a switch, and setting one more only adds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from accounts import audit, outbox
from accounts.access import Caller, Permission, Refused
from accounts.audit import Actor
from accounts.models import Membership, TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.services.reasons import clean_reason
from accounts.tenancy import tenant_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import array
from mikrobot_platform.kernel.events import EventName
from risk_management.models import Level, Switch
from risk_management.rules import facts

# --- What the rules are told -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """What is off at a moment, as facts of the rules; what is not named is on."""

    platform: facts.Switch | None = None
    strategy: facts.Switch | None = None
    organizations: Mapping[UUID, facts.Switch] = field(default_factory=dict)
    accounts: Mapping[UUID, facts.Switch] = field(default_factory=dict)


def load(organizations: Collection[UUID], *, now: datetime, strategy_id: UUID | None = None) -> Switches:
    """Read with one query what is off for accounts of these organizations and a strategy.

    A strategy that an organization has switched off for itself is off for that organization, and for nobody else.
    """
    rows: list[Switch] = Switch.objects.fetch(
        "t.organization_id = any(%(owners)s::uuid[]) and t.lifted_at is null"
        " and (t.until is null or t.until > %(now)s)",
        {"owners": array([PLATFORM_ID, *organizations]), "now": now},
    )
    whole: dict[UUID, list[Switch]] = {}
    accounts: dict[UUID, list[Switch]] = {}
    for row in rows:
        if row.level == Level.ACCOUNT and row.account_id is not None:
            accounts.setdefault(row.account_id, []).append(row)
        elif (
            row.organization_id != PLATFORM_ID and row.level != Level.ACCOUNT and row.strategy_id in (None, strategy_id)
        ):
            whole.setdefault(row.organization_id, []).append(row)
    platforms = [row for row in rows if row.is_of_platform]
    return Switches(
        platform=_longest(row for row in platforms if row.level == Level.PLATFORM),
        strategy=_longest(
            row for row in platforms if row.level == Level.STRATEGY and row.strategy_id == strategy_id is not None
        ),
        organizations={one: found for one, of in whole.items() if (found := _longest(of))},
        accounts={one: found for one, of in accounts.items() if (found := _longest(of))},
    )


def _longest(rows: Iterable[Switch]) -> facts.Switch | None:
    """Take the one that ends last: the others would be over by then."""
    last: Switch | None = None
    for row in rows:
        if last is None or (last.until is not None and (row.until is None or row.until > last.until)):
            last = row
    return None if last is None else facts.Switch(reason=last.reason, since=last.set_at, until=last.until)


# --- Deeds -----------------------------------------------------------------------------------------------------------


def switch_off(
    caller: Caller,
    level: Level,
    reason: str,
    *,
    now: datetime,
    target: UUID | None = None,
    until: datetime | None = None,
    is_lockout: bool = False,
    name: UUID | None = None,
) -> Switch:
    """Hold all entries of an account, of a strategy as this organization follows it, or of the organization.

    Whoever may ask twice gives it a `name`, which becomes its id: the switch of that name is returned as it is.
    """
    caller.require(Permission.TRADE)
    if level is Level.PLATFORM:
        raise Refused("switch_level", _("Only staff switch the platform off."))
    if level is Level.ACCOUNT and not TradingAccount.objects.filter(pk=target).exists():
        raise Refused("account_unknown", _("There is no such account."))
    if name is not None and (before := _named(name, level, target)) is not None:
        return before
    try:
        with transaction.atomic(using=scopes.current().alias):
            row = _new(
                caller.organization_id, level, reason,
                now=now, target=target, until=until, is_lockout=is_lockout, name=name,
            )  # fmt: skip
    except IntegrityError:  # somebody has asked for the same at the same moment
        if name is None or (before := _named(name, level, target)) is None:
            raise
        return before
    audit.record("switch.off", row, **_told(row))
    outbox.publish(EventName.SWITCH_OFF, switch=str(row.pk), level=level.value, reason=row.reason)
    return row


def _named(name: UUID, level: Level, target: UUID | None) -> Switch | None:
    """Find the switch of a name, which is about the same thing; or there is none."""
    found: Switch | None = Switch.objects.filter(pk=name).first()
    if found is not None and (found.level, found.account_id or found.strategy_id) != (level, target):
        raise Refused("idempotency_key_used", _("This Idempotency-Key was used for another switch."))
    return found


def lock_out(account_id: UUID, reason: str, *, now: datetime, until: datetime) -> Switch:
    """Lock an account because a limit of it was broken; the system does this, in the organization's scope."""
    organization_id: UUID = TradingAccount.objects.values_list("organization_id", flat=True).get(pk=account_id)
    row = _new(organization_id, Level.ACCOUNT, reason, now=now, target=account_id, until=until, is_lockout=True)
    audit.record("switch.off", row, **_told(row))
    outbox.publish(EventName.SWITCH_OFF, switch=str(row.pk), level=row.level, reason=row.reason)
    return row


def lift(caller: Caller, switch_id: UUID, reason: str, *, now: datetime) -> Switch:
    """End a switch of one's organization, as far as the rules at the top let this person."""
    row: Switch | None = (
        Switch.objects.select_for_update().filter(pk=switch_id, organization_id=caller.organization_id).first()
    )
    if row is None:
        raise Refused("switch_unknown", _("There is no such switch."))
    caller.require(Permission.MANAGE_ORGANIZATION if row.level == Level.ORGANIZATION else Permission.TRADE)
    return _lift(row, reason, now)


PEOPLE = ("user", "staff")  # one person has one id, whichever door they come through


def refusal_to_lift(row: Switch, who: Actor, *, is_member: bool) -> str | None:
    """Say which rule keeps somebody from lifting a switch, as a stable code; None when none does."""
    if who.kind not in PEOPLE:
        return "person_required"
    if not row.is_lockout:
        return None
    is_by_a_person = row.set_by_kind in PEOPLE
    is_own = row.set_by_id == who.id if is_by_a_person else is_member or who.kind != "staff"
    return "second_person_required" if is_own else None


# --- Deeds of staff: inside system_scope("staff") ---------------------------------------------------------------------


def switch_platform_off(
    reason: str,
    *,
    now: datetime,
    strategy_id: UUID | None = None,
    until: datetime | None = None,
    is_lockout: bool = False,
) -> Switch:
    """Hold all entries on the platform, or those of one of its strategies."""
    level = Level.PLATFORM if strategy_id is None else Level.STRATEGY
    row = _new(PLATFORM_ID, level, reason, now=now, target=strategy_id, until=until, is_lockout=is_lockout)
    audit.record_platform("switch.off", row, **_told(row))
    return row


def switch_off_for(
    organization_id: UUID, level: Level, reason: str, *, now: datetime, target: UUID | None = None
) -> Switch:
    """Hold entries of a customer, for whom staff act; in that organization's scope."""
    row = _new(organization_id, level, reason, now=now, target=target, until=None, is_lockout=False)
    audit.record("switch.off", row, **_told(row))
    outbox.publish(EventName.SWITCH_OFF, switch=str(row.pk), level=row.level, reason=row.reason)
    return row


def lift_as_staff(switch_id: UUID, reason: str, *, now: datetime) -> bool:
    """End a switch of the platform, or one of a customer, for whom staff are the second person."""
    row: Switch = Switch.objects.get(pk=switch_id)
    if row.is_of_platform:
        return _lift_if_holding(switch_id, reason, now)
    with tenant_scope(row.organization_id):
        return _lift_if_holding(switch_id, reason, now)


def _lift_if_holding(switch_id: UUID, reason: str, now: datetime) -> bool:
    row = Switch.locked(switch_id)
    if row.holds(now):
        _lift(row, reason, now)
        return True
    return False


def _new(
    organization_id: UUID,
    level: Level,
    reason: str,
    *,
    now: datetime,
    target: UUID | None,
    until: datetime | None,
    is_lockout: bool,
    name: UUID | None = None,
) -> Switch:
    words, who = clean_reason(reason), audit.actor()
    if until is not None and until <= now:
        raise Refused("until_past", _("That is over already."))
    if level is Level.STRATEGY and target is None:
        raise Refused("strategy_unknown", _("There is no such strategy."))
    row: Switch = Switch.objects.create(
        id=name or new_id(),
        organization_id=organization_id,
        level=level,
        account_id=target if level is Level.ACCOUNT else None,
        strategy_id=target if level is Level.STRATEGY else None,
        is_lockout=is_lockout,
        reason=words,
        set_at=now,
        set_by_kind=who.kind,
        set_by_id=who.id,
        until=until,
    )
    return row


def _lift(row: Switch, reason: str, now: datetime) -> Switch:
    who, words = audit.actor(), clean_reason(reason)
    if not row.holds(now):
        raise Refused("switch_over", _("This has ended already."))
    code = refusal_to_lift(row, who, is_member=_is_member(row, who))
    if code == "person_required":
        raise Refused(code, _("Only a signed-in person can do this."))
    if code is not None:
        raise Refused(code, _("A lockout ends by itself, or a second person lifts it; not the one who set it."))
    row.lifted_at, row.lifted_by_kind, row.lifted_by_id, row.lift_reason = now, who.kind, who.id, words
    row.save(update_fields=["lifted_at", "lifted_by_kind", "lifted_by_id", "lift_reason"])
    audit.record_of(row.organization_id, "switch.lifted", row, **_told(row), lifted_because=words)
    if not row.is_of_platform:
        outbox.publish(EventName.SWITCH_LIFTED, switch=str(row.pk), level=row.level, reason=words)
    return row


def _is_member(row: Switch, who: Actor) -> bool:
    members = Membership.objects.filter(organization_id=row.organization_id).values_list("user_id", flat=True)
    return who.id in map(str, members)


def _told(row: Switch) -> dict[str, object]:
    return {
        "level": row.level,
        "account": str(row.account_id) if row.account_id else None,
        "strategy": str(row.strategy_id) if row.strategy_id else None,
        "is_lockout": row.is_lockout,
        "because": row.reason,
        "until": row.until.isoformat() if row.until else None,
    }

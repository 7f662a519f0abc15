"""The emergency stop as people ask for it: hold the entries first, then close what is open, and say what remains.

The switch is committed before the first venue is asked, so that nothing is opened behind the back of what is being
closed. It stays off afterwards, and is lifted by the rules of switches. Nobody needs a permission to make a loss
smaller beyond that to trade; a program needs a key of the scope `trade`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.access import Caller, Permission, Refused
from accounts.models import AccountStatus, TradingAccount
from accounts.tenancy import atomic, system_scope, tenant_scope
from risk_management.models import Level
from risk_management.services import switches
from trading import flatten
from trading.desk import Door
from trading.flatten import Report
from trading.models import Follow, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """What was switched off, and how the closing went."""

    switch_id: UUID
    report: Report


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A switch that is set, and the accounts that are to be closed once it is committed."""

    switch_id: UUID
    doors: Sequence[Door]

    def close(self) -> Stopped:
        """Close everything. No transaction may be open, least of all the one in which the switch was set."""
        return Stopped(switch_id=self.switch_id, report=flatten.flatten(self.doors, stop_id=self.switch_id))


def hold(
    caller: Caller, level: Level, reason: str, *, target: UUID | None = None, now: datetime, name: UUID | None = None
) -> Held:
    """Switch off, in the transaction of the caller's organization, and say whom it is about."""
    caller.require(Permission.TRADE)
    if level is Level.STRATEGY and not Strategy.objects.filter(pk=target).exists():
        raise Refused("strategy_unknown", _("There is no such strategy."))
    row = switches.switch_off(caller, level, reason, now=now, target=target, name=name)
    return Held(switch_id=row.pk, doors=_doors(caller.organization_id, level, target))


def stop(caller: Caller, level: Level, reason: str, *, target: UUID | None = None, now: datetime) -> Stopped:
    """Stop an account, what follows a strategy, or the whole organization. No transaction may be open."""
    with tenant_scope(caller.organization_id), atomic():
        held = hold(caller, level, reason, target=target, now=now)
    return held.close()


def stop_as_staff(
    level: Level, reason: str, *, organization_id: UUID | None = None, target: UUID | None = None, now: datetime
) -> Stopped:
    """Stop anything, also the platform. The caller acts as somebody of the staff (audit.acting_as)."""
    with system_scope("staff"):
        if organization_id is not None:
            with tenant_scope(organization_id):
                row = switches.switch_off_for(organization_id, level, reason, now=now, target=target)
        else:
            row = switches.switch_platform_off(reason, now=now, strategy_id=target)
        doors = _doors(organization_id, level, target)
    return Held(switch_id=row.pk, doors=doors).close()


def _doors(organization_id: UUID | None, level: Level, target: UUID | None) -> list[Door]:
    """List whom it is about: also accounts that are paused, because they may hold something."""
    rows = TradingAccount.objects.exclude(status=AccountStatus.CLOSED)
    if organization_id is not None:
        rows = rows.filter(organization_id=organization_id)
    if level is Level.ACCOUNT:
        rows = rows.filter(pk=target)
    if level is Level.STRATEGY:
        rows = rows.filter(pk__in=Follow.objects.filter(strategy_id=target).values("account_id"))
    found = rows.order_by("organization_id", "pk").values_list("organization_id", "pk", "venue")
    return [Door(*one) for one in found]

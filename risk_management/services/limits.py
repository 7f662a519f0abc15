"""An account's own limits: what is tighter holds at once, what is looser from the account's next day on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.utils.translation import gettext as _

from accounts import audit, outbox
from accounts.access import Caller, Permission, Refused
from accounts.models import AccountStatus, TradingAccount
from accounts.models.base import Several
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.events import EventName
from risk_management import limits as own
from risk_management.models import AccountLimits
from risk_management.rules.settings import Limits
from risk_management.services.days import zone_of
from risk_management.services.programs import day_clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What an account may do now, and what it may do from a later moment on."""

    now: Limits
    later: Limits | None = None
    later_from: datetime | None = None
    zone: str = ""

    @property
    def sentences(self) -> tuple[str, ...]:
        """Say what is going to change, a sentence a limit."""
        if self.later is None or self.later_from is None:
            return ()
        at = self.later_from.astimezone(ZoneInfo(self.zone))
        place = self.zone.rpartition("/")[2].replace("_", " ")
        return tuple(
            f"From {at:%Y-%m-%d %H:%M} {place}: {own.words(name)} becomes {own.value_words(getattr(self.later, name))}"
            f" (now {own.value_words(getattr(self.now, name))})."
            for name in own.changed_names(self.now, self.later)
        )


def standing(account_id: UUID, *, now: datetime) -> Standing | None:
    """Return an account's limits; None when none were ever set, and then nothing is traded."""
    row = AccountLimits.objects.filter(account_id=account_id).first()
    return None if row is None else _standing(row, now)


def set_limits(caller: Caller, account_id: UUID, wanted: Limits, *, now: datetime) -> Standing:
    """Set all limits of an account.

    1. The account's row is locked, so that two people do not both loosen what the other one read.
    2. Against what holds now, the tighter values hold at once; the first limits of an account hold at once as well.
    3. The rest waits for the account's next day. What waited before is replaced: the customer has said anew what to do.
    """
    caller.require(Permission.MANAGE_ACCOUNTS)
    account = _own(account_id)
    found = next(own.problems(wanted), None)
    if found is not None:
        raise Refused("limits_invalid", found.sentence)
    row: AccountLimits | None = AccountLimits.objects.select_for_update().filter(account_id=account_id).first()
    if row is None:
        row = AccountLimits(organization_id=caller.organization_id, account=account, current=plain.text(wanted))
        tightened: tuple[str, ...] = own.set_names(wanted)
        waits: tuple[str, ...] = ()
    else:
        before = row.at(now)
        holds, waits = own.at_once(before, wanted), own.looser_names(before, wanted)
        tightened = own.changed_names(before, holds)
        if not tightened and row.later(now) == (wanted if waits else None):
            return _standing(row, now)
        row.current = plain.text(holds)
    row.pending, row.pending_from, row.pending_zone = "", None, ""
    if waits:
        clock = day_clock(account, zone_of(caller.organization_id, now), now=now)
        row.pending, row.pending_from, row.pending_zone = plain.text(wanted), clock.next_reset(now), clock.zone
    row.changed_at = now
    row.save()
    _tell(row, account, tightened, waits, wanted)
    return _standing(row, now)


def load(accounts: Several, *, now: datetime) -> Mapping[UUID, Limits]:
    """Return the limits of many accounts with one query; one that has none is not in the answer."""
    return {row.account_id: row.at(now) for row in AccountLimits.objects.of(accounts)}


def _standing(row: AccountLimits, now: datetime) -> Standing:
    later = row.later(now)
    if later is None:
        return Standing(now=row.at(now))
    return Standing(now=row.at(now), later=later, later_from=row.pending_from, zone=row.pending_zone)


def _tell(
    row: AccountLimits, account: TradingAccount, tightened: tuple[str, ...], waits: tuple[str, ...], wanted: Limits
) -> None:
    since = None if row.pending_from is None else row.pending_from.isoformat()
    for action, names, at in (("limits.tightened", tightened, None), ("limits.loosened", waits, since)):
        if names:
            values = {name: own.value_words(getattr(wanted, name)) for name in names}
            audit.record(action, account, values=values, **({"holds_from": at} if at else {}))
            outbox.publish(EventName.LIMITS_CHANGED, account=str(account.pk), names=list(names), holds_from=at)


def _own(account_id: UUID) -> TradingAccount:
    account: TradingAccount | None = TradingAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise Refused("account_unknown", _("There is no such account."))
    if account.status == AccountStatus.CLOSED:
        raise Refused("account_closed", _("This account is closed."))
    return account

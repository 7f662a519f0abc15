"""`manage.py platform_switch`: hold all entries on the platform, or let them go again. Exits are never held.

Who types the command is believed to be whom --by names: good enough to switch off, and to lift what anybody may lift.
A lockout wants a second person, so it is lifted on the staff page alone, where people sign in with a second factor.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import audit
from accounts.access import Refused
from accounts.models import User
from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from risk_management.models import Switch
from risk_management.services import switches


class Command(BaseCommand):
    """Switch the platform or one of its strategies off, lift a switch, list what is off."""

    help = "off: hold all entries, or those of one strategy; lift: end a switch, not a lockout; list: what is off."

    def add_arguments(self, parser: CommandParser) -> None:
        doing = parser.add_subparsers(dest="deed", required=True)
        off, lift = doing.add_parser("off"), doing.add_parser("lift")
        doing.add_parser("list")
        lift.add_argument("switch", type=UUID, metavar="ID")
        for one in (off, lift):
            one.add_argument("--by", required=True, metavar="EMAIL", help="the member of staff who does it")
            one.add_argument("--reason", required=True)
        off.add_argument("--strategy", type=UUID, metavar="ID", help="only this strategy")
        off.add_argument("--until", type=datetime.fromisoformat, metavar="TIME", help="ends by itself (ISO, with zone)")
        off.add_argument("--lockout", action="store_true", help="lifted by a second person, on the staff page")

    def handle(self, *args: Any, **options: Any) -> None:
        """Find who does it, do one thing, say what was done."""
        now = timezone.now()
        if options["deed"] == "list":
            self._list(now)
            return
        until = options.get("until")
        if until is not None and until.tzinfo is None:
            raise CommandError("--until needs its zone, as in 2026-11-20T18:00+00:00.")
        who = audit.Actor(kind="staff", id=str(_staff(options["by"]).pk), reason=options["reason"])
        try:
            with audit.acting_as(who), system_scope("staff"):
                if options["deed"] == "off":
                    row = switches.switch_platform_off(
                        options["reason"],
                        now=now,
                        strategy_id=options["strategy"],
                        until=until,
                        is_lockout=options["lockout"],
                    )
                    self.stdout.write(f"Off: {row.pk}")
                else:
                    _refuse_lockout(options["switch"])
                    was_off = switches.lift_as_staff(options["switch"], options["reason"], now=now)
                    self.stdout.write("Lifted." if was_off else "It had ended already; nothing was changed.")
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal
        except Switch.DoesNotExist:
            raise CommandError(f"There is no switch {options['switch']}.") from None

    def _list(self, now: datetime) -> None:
        with system_scope("doctor"):
            rows = [row for row in Switch.objects.filter(lifted_at=None).order_by("pk") if row.holds(now)]
        for row in rows:
            if row.organization_id == PLATFORM_ID:
                until = "until it is lifted" if row.until is None else f"until {row.until:%Y-%m-%d %H:%M} UTC"
                target = f"strategy {row.strategy_id}" if row.strategy_id else "the platform"
                text = f"{row.pk}  {target}  {until}{'  LOCKOUT' if row.is_lockout else ''}  {row.reason}"
                self.stdout.write(text.encode("ascii", "replace").decode())


def _refuse_lockout(switch_id: UUID) -> None:
    if Switch.objects.get(pk=switch_id).is_lockout:
        raise CommandError(
            "A lockout is lifted on the staff page (/admin/, Switches), by a second person signed in there."
        )


def _staff(email: str) -> User:
    person = User.objects.filter(email=email.strip().lower(), is_staff=True, is_active=True).first()
    if person is None:
        raise CommandError(f"{email} is not staff.")
    return person

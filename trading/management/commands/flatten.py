"""`manage.py flatten`: the emergency stop from the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from accounts import audit
from accounts.access import Refused
from accounts.models import User
from risk_management.models import Level
from trading.services import emergency
from trading.services.emergency import Stopped


class Command(BaseCommand):
    """Hold entries, cancel waiting orders, close positions, and say what remains by the venues' own word."""

    help = "Stop an account, an organization, a strategy or the platform; exit code 1 when something remains open."

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group(required=True)
        what.add_argument("--account", type=UUID, metavar="ID", help="with --organization")
        what.add_argument("--strategy", type=UUID, metavar="ID", help="of everybody, or with --organization of one")
        what.add_argument("--all", action="store_true", help="everything of --organization")
        what.add_argument("--platform", action="store_true", help="everything of everybody")
        parser.add_argument("--organization", type=UUID, metavar="ID")
        parser.add_argument("--by", required=True, metavar="EMAIL", help="the member of staff who does it")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--json", action="store_true", help="one object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Find who does it, stop, report."""
        level, target = _level(options)
        if level in (Level.ACCOUNT, Level.ORGANIZATION) and options["organization"] is None:
            raise CommandError("Name the organization with --organization.")
        person = User.objects.filter(email=options["by"].strip().lower(), is_staff=True, is_active=True).first()
        if person is None:
            raise CommandError(f"{options['by']} is not staff.")
        who = audit.Actor(kind="staff", id=str(person.pk), reason=options["reason"])
        try:
            with audit.acting_as(who):
                done = emergency.stop_as_staff(
                    level,
                    options["reason"],
                    organization_id=options["organization"],
                    target=target,
                    now=timezone.now(),
                )
        except Refused as refusal:
            raise CommandError(refusal.sentence) from refusal
        self._tell(done, as_json=options["json"])
        if done.report.residual:
            raise SystemExit(1)

    def _tell(self, done: Stopped, *, as_json: bool) -> None:
        report = done.report
        if as_json:
            told = {**asdict(report), "switch": done.switch_id}
            self.stdout.write(json.dumps(told, default=str))
            return
        self.stdout.write(f"Entries are held (switch {done.switch_id}).")
        self.stdout.write(
            f"{report.accounts} accounts looked at, {report.closed} positions closed,"
            f" {report.cancelled} orders cancelled."
        )
        self.stdout.write(f"{report.flat} accounts were flat after {report.flat_ms} ms, by the venues' own word.")
        for left in report.residual:
            self.stdout.write(
                f"REMAINS: account {left.account_id} at {left.venue}: {left.problem}"
                f" ({left.positions} positions, {left.orders} orders)".encode("ascii", "replace").decode()
            )


def _level(options: dict[str, Any]) -> tuple[Level, UUID | None]:
    if options["account"]:
        return Level.ACCOUNT, options["account"]
    if options["strategy"]:
        return Level.STRATEGY, options["strategy"]
    return (Level.PLATFORM if options["platform"] else Level.ORGANIZATION), None

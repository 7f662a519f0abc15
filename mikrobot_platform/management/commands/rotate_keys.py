"""`manage.py rotate_keys`: exchange keys while the service runs (accounts/rotation)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.data_keys import Sealed
from accounts.key_providers import NoMasterKey
from accounts.rotation import Unfinished, data, master


class Command(BaseCommand):
    """Read what is asked for, run it, say how it goes."""

    help = (
        "Exchange master keys (--master) or the organizations' data keys (--data) while the service runs. "
        "May be interrupted at any time and run again. With MASTER_KEYS_FILE a new master key is made and put first; "
        "with MASTER_KEYS put one first yourself, restart, and run this."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--master", action="store_true", help="bring everything under a new master key")
        parser.add_argument("--drop-old", action="store_true", help="remove older master keys that nothing needs")
        parser.add_argument("--data", action="store_true", help="make new data keys and re-seal what they keep")
        parser.add_argument("--organization", type=UUID, metavar="ID", help="with --data: this organization only")
        parser.add_argument(
            "--now", action="store_true", help="with --data: delete old data keys at once, not an hour later"
        )
        parser.add_argument(
            "--wait",
            type=float,
            default=0.0,
            metavar="SECONDS",
            help="with --master: time that other hosts need to receive the changed key file (default 0: they share it)",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if not (options["master"] or options["data"] or options["drop_old"]):
            raise CommandError("Say what to rotate: --master, --data or --drop-old.")
        if options["organization"] and not options["data"]:
            raise CommandError("--organization goes with --data; master keys are the whole platform's.")
        try:
            if options["master"]:
                master.rotate(self.say, wait_s=options["wait"])
            if options["drop_old"]:
                master.drop_old(self.say)
            if options["data"]:
                chosen = [options["organization"]] if options["organization"] else data.all_organizations()
                grace = timedelta(0) if options["now"] else data.GRACE
                for organization_id in chosen:
                    data.rotate(organization_id, self.say, grace=grace)
            lost = master.unreadable_keys()
        except (Unfinished, NoMasterKey, Sealed, OSError) as error:
            raise CommandError(f"{error}. Nothing is lost; run the same command again.") from error
        if lost:
            raise CommandError(f"{lost} data keys open with none of the master keys. Bring the missing one back.")

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

"""`manage.py replay`: every decision about one signal, made again from its stored facts, and what is different."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.services import story


class Command(BaseCommand):
    """Judge and decide once more, with the rules as they are now; nothing is written and nothing is sent."""

    help = "Make every decision about a signal again and show what is different; exit code 1 when something is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("signal", type=UUID, metavar="SIGNAL")
        parser.add_argument("--json", action="store_true", help="one object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, show."""
        found = story.again(options["signal"])
        if found is None:
            raise CommandError(f"There is no signal {options['signal']}.")
        different = [one for one in found if not one.is_same]
        if options["json"]:
            told = [
                {"what": one.what, "id": one.id, "code": one.code, "code_again": one.code_again} for one in different
            ]
            self.stdout.write(json.dumps({"decisions": len(found), "different": told}))
        else:
            for one in different:
                self.stdout.write(f"{one.what} {one.id}: {one.code}, again {one.code_again}")
            self.stdout.write(f"{len(found)} decisions made again, {len(different)} different")
        if different:
            raise SystemExit(1)

"""`manage.py trace`: everything that happened because of one signal, with times."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.services import story


class Command(BaseCommand):
    """Tell one signal's story: received, read, judged, decided for each account, sent, acknowledged, filled."""

    help = "Print the whole story of a signal, oldest first; change nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("signal", type=UUID, metavar="SIGNAL")
        parser.add_argument("--json", action="store_true", help="one object instead of lines")

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask, show."""
        steps = story.story(options["signal"])
        if steps is None:
            raise CommandError(f"There is no signal {options['signal']}.")
        if options["json"]:
            told = [
                {
                    "at": step.at.isoformat(),
                    "what": str(step.what),
                    "account_id": step.account_id and str(step.account_id),
                    "text": step.text,
                }
                for step in steps
            ]
            self.stdout.write(json.dumps({"signal": str(options["signal"]), "steps": told}))
            return
        for step in steps:
            who = str(step.account_id)[-12:] if step.account_id else "-"
            line = f"{step.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f"  {step.what:<13} {who:<12}  {step.text}"
            self.stdout.write(line.rstrip().encode("ascii", "replace").decode())
        self.stdout.write(f"{len(steps)} steps")

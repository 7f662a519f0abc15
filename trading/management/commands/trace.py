"""`manage.py trace`: everything that happened because of one signal, with times."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from trading.services import legs, story


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
            ways = [
                {
                    "account_id": str(one.account_id),
                    "order": str(one.order_id),
                    **{name: at and at.isoformat() for name in legs.LEGS for at in (getattr(one, name),)},
                    **{f"{name}_ms": took for name, took in one.took_ms().items()},
                    "signal_slippage": _text(one.signal_slippage),
                    "decision_slippage": _text(one.decision_slippage),
                }
                for one in legs.legs(options["signal"]) or []
            ]
            self.stdout.write(json.dumps({"signal": str(options["signal"]), "steps": told, "legs": ways}))
            return
        for step in steps:
            who = str(step.account_id)[-12:] if step.account_id else "-"
            line = f"{step.at:%Y-%m-%d %H:%M:%S.%f}"[:-3] + f"  {step.what:<13} {who:<12}  {step.text}"
            self.stdout.write(line.rstrip().encode("ascii", "replace").decode())
        self.stdout.write(f"{len(steps)} steps")
        for one in legs.legs(options["signal"]) or []:
            took = ", ".join(f"{name.replace('_', ' to ')} {ms} ms" for name, ms in one.took_ms().items())
            slipped = f"{_text(one.signal_slippage) or '?'} from the signal's price"
            slipped += f", {_text(one.decision_slippage) or '?'} from the decision's"
            self.stdout.write(f"legs  {str(one.account_id)[-12:]}  {took}; slipped {slipped}")


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")

"""`manage.py watch_accounts`: the process that hears venues, settles, compares, and looks after open positions."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from trading.watching import Lookout


class Command(BaseCommand):
    """Watch until SIGTERM or Ctrl-C."""

    help = "Hear the venues of all accounts and look after their positions, until stopped. One process is enough."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--account", type=UUID, action="append", default=[], metavar="ID", help="only this one (again for another)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask_to_stop)
        Lookout(among=options["account"]).run(stop)

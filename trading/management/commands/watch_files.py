"""`manage.py watch_files`: the process that reads signal files the moment they are written."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandParser

from trading.files.watcher import Broken, Watcher


class Command(BaseCommand):
    """Watch until SIGTERM or Ctrl-C."""

    help = "Read the files of all sources whenever they are written, until stopped. One process is enough."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--source", type=UUID, action="append", default=[], metavar="ID",
            help="only this one (again for another); gives no sign of life, as it speaks for no other",
        )  # fmt: skip

    def handle(self, *args: Any, **options: Any) -> None:
        sys.setswitchinterval(1 / 2_000)  # whoever reads waits no longer than that for whoever stores
        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask_to_stop)
        try:
            Watcher(among=options["source"]).run(stop)
        except Broken:
            sys.exit(1)

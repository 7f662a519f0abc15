"""`manage.py watch_files`: the process that reads signal files the moment they are written."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType
from typing import Any

from django.core.management.base import BaseCommand

from trading.files.watcher import Broken, Watcher


class Command(BaseCommand):
    """Watch until SIGTERM or Ctrl-C."""

    help = "Read the files of all sources whenever they are written, until stopped. One process is enough."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()

        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            stop.set()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, ask_to_stop)
        try:
            Watcher().run(stop)
        except Broken:
            sys.exit(1)

"""Door to local/up.py."""

from __future__ import annotations

import os
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mikrobot_platform.local import up


class Command(BaseCommand):
    """Show `up` in `manage.py help`; the work begins before Django, because it makes the variables Django reads."""

    help = "Start PostgreSQL, Redis, web, workers and beat, and keep them running."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        up.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        words = ["--port", str(options["port"])]
        words += ["--data", options["data"]] if options["data"] else []
        words += [] if options["demo"] else ["--no-demo"]
        python = sys.executable
        os.execv(python, [python, str(up.ROOT / "manage.py"), "up", *words])  # noqa: S606

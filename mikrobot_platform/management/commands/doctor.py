"""`manage.py doctor`: is everything as it must be?"""

from __future__ import annotations

import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandParser


class Command(BaseCommand):
    """Look at everything, change nothing; exit with 0 only when nothing fails."""

    help = "Look at database, roles, tenants, Redis, workers, outbox, audit trail, disk and clock, and say what to do."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="one object instead of lines")
        parser.add_argument("--data", metavar="DIR", help="data directory of the `up` to look at (DATA_DIR or .local)")

    def handle(self, *args: Any, **options: Any) -> None:
        """Examine, show, answer the exit code."""
        from mikrobot_platform.doctor import examine, report
        from mikrobot_platform.doctor.checks import CHECKS
        from mikrobot_platform.logs import mask

        if not report.show(examine(CHECKS, mask), self.stdout, as_json=options["json"]):
            sys.exit(1)

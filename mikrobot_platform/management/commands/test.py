"""Door to local/suite.py; it replaces Django's own `test`."""

from __future__ import annotations

import argparse
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mikrobot_platform.local import suite


class Command(BaseCommand):
    """Run the suite with its own PostgreSQL and Redis; the arguments are pytest's."""

    help = "Run the whole test suite with throw-away PostgreSQL and Redis. Arguments are pytest's."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("arguments", nargs=argparse.REMAINDER, help="arguments for pytest")

    def handle(self, *args: Any, **options: Any) -> None:
        suite.main(options["arguments"])

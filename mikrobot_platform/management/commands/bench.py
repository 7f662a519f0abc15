"""`manage.py bench NAME`: figures with their baseline from the same run."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mikrobot_platform.benches import BENCHES


class Command(BaseCommand):
    """Measure one thing and its baseline, show the figures."""

    help = "Measure this installation, in organizations of its own that it takes away again."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        names = parser.add_subparsers(dest="name", required=True)
        for name, module in BENCHES.items():
            chosen = names.add_parser(name, help=(import_module(module).__doc__ or "").partition("\n")[0])
            chosen.add_argument("--json", action="store_true", help="one object instead of lines")
            import_module(module).add_arguments(chosen)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the bench."""
        measured = import_module(BENCHES[options["name"]]).run(options)
        self.stdout.write(measured.as_json() if options["json"] else measured.as_text())

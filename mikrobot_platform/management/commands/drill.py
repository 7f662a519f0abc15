"""`manage.py drill NAME`: a rehearsed failure with a measured result."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from mikrobot_platform.drills import DRILLS


class Command(BaseCommand):
    """Rehearse one failure, show its figures; exit with 0 only when the drill was passed."""

    help = "Rehearse a failure against this installation, in organizations of its own that it takes away again."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        names = parser.add_subparsers(dest="name", required=True)
        for name, module in DRILLS.items():
            chosen = names.add_parser(name, help=(import_module(module).__doc__ or "").partition("\n")[0])
            chosen.add_argument("--json", action="store_true", help="one object instead of lines")
            import_module(module).add_arguments(chosen)

    def handle(self, *args: Any, **options: Any) -> None:
        """Run the drill, answer the exit code."""
        drill = import_module(DRILLS[options["name"]])
        measured = drill.run(options)
        self.stdout.write(measured.as_json() if options["json"] else measured.as_text())
        if not drill.has_passed(measured):
            self.stderr.write("The drill was not passed.")
            sys.exit(1)

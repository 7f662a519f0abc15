"""`manage.py source_push`: the platform's own sources that push, with their secrets; customers have a page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from accounts.access import Refused
from trading.models import Source
from trading.services import platform_sources
from trading.services.sources import ADDRESSED, KINDS, Setup


class Command(BaseCommand):
    """Make one, or exchange its secret."""

    help = "Make a source of the platform that pushes its signals, or exchange its secret. A secret is shown once."

    def add_arguments(self, parser: CommandParser) -> None:
        verbs = parser.add_subparsers(dest="verb", required=True)
        add = verbs.add_parser("add", help="make a source; everybody may follow what it signals")
        add.add_argument("name")
        add.add_argument("--kind", choices=KINDS, default=KINDS[0], help="who sends (%(default)s)")
        add.add_argument("--per-minute", type=int, default=60, help="messages a minute (%(default)s)")
        add.add_argument("--network", action="append", default=[], help="from where it sends; repeatable")
        exchange = verbs.add_parser("exchange", help="make a new secret; the old one counts for another day")
        exchange.add_argument("id", type=UUID)

    def handle(self, *args: Any, **options: Any) -> None:
        """Ask the service, show what is shown once."""
        try:
            if options["verb"] == "add":
                setup = Setup(name=options["name"], per_minute=options["per_minute"], networks=options["network"])
                self._show(*platform_sources.add(options["kind"], setup))
            else:
                self._show(*platform_sources.exchange_secret(options["id"]))
        except Refused as refused:
            raise CommandError(refused.sentence.encode("ascii", "replace").decode()) from None

    def _show(self, source: Source, secret: str) -> None:
        is_addressed = source.kind == ADDRESSED
        address = f"{settings.SITE_URL}/hooks/{f'tv/{secret}' if is_addressed else f'ea/{source.pk}'}/"
        self.stdout.write(f"source   {source.pk}")
        self.stdout.write(f"address  {address}")
        if not is_addressed:
            self.stdout.write(f"secret   {secret}")
        self.stdout.write("It is not shown again.")

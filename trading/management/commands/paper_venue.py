"""`manage.py paper_venue`: the venue of paper accounts, apart from everything else."""

from __future__ import annotations

import logging
import sys
from argparse import Namespace
from typing import Any

import redis
from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from mikrobot_platform import heartbeats
from trading.paper import run

log = logging.getLogger(__name__)


class Command(BaseCommand):
    """Serve until SIGTERM or Ctrl-C."""

    help = "Be the paper venue: its own ledger below DATA_DIR, reached at PAPER_VENUE_URL. There is one a ledger."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        run.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        given = Namespace(**options, address=settings.PAPER_VENUE_URL, folder=settings.PAPER_VENUE_DIR)
        if code := run.run(given, admin_token=settings.PAPER_VENUE_ADMIN_TOKEN, alive=_give_a_sign):
            sys.exit(code)


def _give_a_sign() -> None:
    try:
        heartbeats.write(heartbeats.PAPER_VENUE)
    except redis.RedisError as error:
        log.warning("a sign of life could not be given", extra={"error": type(error).__name__})

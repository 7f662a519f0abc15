"""Django's `migrate`, as the owner: nobody else may."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.core.management.commands.migrate import Command as DjangoCommand


class Command(DjangoCommand):
    """Migrate the owner's connection unless another is named."""

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Say that the owner's address is missing, before the checks say something cryptic about it."""
        if settings.DATABASES[options["database"]]["ENGINE"] == "django.db.backends.dummy":
            raise CommandError("DATABASE_OWNER_URL is missing; migrations run as the owner of the tables.")
        return super().execute(*args, **options)

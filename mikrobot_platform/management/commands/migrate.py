"""Django's `migrate`, as the owner: nobody else may."""

from __future__ import annotations

from argparse import ArgumentParser

from django.core.management.commands.migrate import Command as DjangoCommand


class Command(DjangoCommand):
    """Migrate the owner's connection unless another is named."""

    def add_arguments(self, parser: ArgumentParser) -> None:
        super().add_arguments(parser)
        parser.set_defaults(database="owner")

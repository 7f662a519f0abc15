"""Door: make the demo house."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from mikrobot_platform import demo


class Command(BaseCommand):
    help = "Make a demo organization with an owner, a trader and a viewer; running it again changes nothing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            house = demo.make()
        except RuntimeError as problem:
            raise CommandError(str(problem)) from problem
        self.stdout.write(f"Sign in as {', '.join(house.emails)}; the password is in {house.password_file}")

"""Door to local/roles.py and the migrations: what a deployment runs once before the new version serves."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connections

from mikrobot_platform.local import addresses, roles
from mikrobot_platform.local.problem import Problem


class Command(BaseCommand):
    """Create the three roles and the database when DATABASE_ADMIN_URL is given, then migrate as the owner."""

    help = "Prepare a database: roles (with DATABASE_ADMIN_URL), then migrations as the owner role. May run twice."
    requires_system_checks = []

    def handle(self, *args: Any, **options: Any) -> None:
        admin = given("DATABASE_ADMIN_URL")
        if admin:
            app, engine, owner = (given(f"DATABASE_{name}URL") for name in ("", "ENGINE_", "OWNER_"))
            if not (app and engine and owner):
                raise CommandError("DATABASE_URL, DATABASE_ENGINE_URL and DATABASE_OWNER_URL say which roles to make.")
            try:
                roles.ensure(admin, addresses.Plan.from_urls(app=app, engine=engine, owner=owner))
            except Problem as problem:
                raise CommandError(str(problem)) from problem
            self.stdout.write("Roles and database are there.")
        call_command("migrate", database="owner", interactive=False, verbosity=options["verbosity"])
        connections["owner"].close()


def given(name: str) -> str:
    """Read NAME, or the file that NAME_FILE points at."""
    path = os.environ.get(f"{name}_FILE", "")
    value = os.environ.get(name, "")
    return Path(path).read_text(encoding="utf-8").strip() if path and not value else value

"""`manage.py staff_user EMAIL`: make somebody staff, or end that. The only way in: no page gives these rights."""

from __future__ import annotations

import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.core.validators import validate_email
from django.urls import reverse

from accounts import audit
from accounts.models import User
from accounts.services import staff
from accounts.tenancy import system_scope


def reset_address() -> str:
    """Return where somebody without a password sets one."""
    return f"{settings.SITE_URL}{reverse('account_reset_password')}"


class Command(BaseCommand):
    """Make or promote a person; the address counts as verified, the deed stands in the platform's audit chain."""

    help = (
        "Makes EMAIL staff: promotes the person who has this address, or makes one and asks for a password (without a"
        " terminal, or with --no-password, they set one through 'Forgot password'). The staff pages under /admin/ then"
        " open to sessions that used a second factor. --dismiss takes the rights away and ends the person's sessions."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("email", help="the person's e-mail address")
        parser.add_argument("--name", default="", help="the name of a person who is made by this command")
        parser.add_argument("--no-password", action="store_true", help="make the person without a password")
        parser.add_argument("--dismiss", action="store_true", help="take the rights away instead")

    def handle(self, *args: Any, **options: Any) -> None:
        email = str(options["email"]).strip().lower()
        try:
            validate_email(email)
        except ValidationError:
            raise CommandError(f"{email} is not an e-mail address.") from None
        is_known = User.objects.filter(email=email).exists()
        if options["dismiss"] and not is_known:
            raise CommandError(f"Nobody has the address {email}.")
        password = None if is_known or options["no_password"] else self._ask_password(email)
        with audit.acting_as(audit.Actor(kind="system", reason="manage.py staff_user")), system_scope("staff"):
            user = User.objects.filter(email=email).first()
            if user is None:
                user = User.objects.create_user(email, password, name=str(options["name"])[:120])
            is_changed = staff.dismiss(user) if options["dismiss"] else staff.appoint(user)
        state = "not staff any more" if options["dismiss"] else "staff"
        self.stdout.write(
            f"{email} is {state}." if is_changed else f"{email} was {state} already; nothing was changed."
        )
        if not is_known:
            how = "the password you typed" if password else f"a password set at {reset_address()}"
            self.stdout.write(f"Nobody had this address, so a new person was made, who signs in with {how}.")
        if not options["dismiss"]:
            self.stdout.write(
                f"{settings.SITE_URL}{reverse('admin:index')} opens to them after a sign-in with a second factor,"
                " which they add under Security."
            )

    def _ask_password(self, email: str) -> str | None:
        if not sys.stdin.isatty():
            return None
        password = getpass.getpass("Password (empty: they set one through 'Forgot password'): ")
        if not password:
            return None
        try:
            validate_password(password, User(email=email))
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        if getpass.getpass("Again: ") != password:
            raise CommandError("The two passwords differ. Nothing was made.")
        return password

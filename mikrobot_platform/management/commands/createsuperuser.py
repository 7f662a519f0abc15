"""`manage.py createsuperuser`: Django's own, whose people can sign in here at once and see the staff pages."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.management.commands.createsuperuser import Command as DjangoCommand

from accounts import audit
from accounts.models import User
from accounts.services import staff
from accounts.tenancy import system_scope


class Command(DjangoCommand):
    """Vouch for the address: sign-in wants a verified one, and whoever types here could verify any."""

    help = (
        "Makes a person with staff rights and a verified e-mail address. `staff_user EMAIL` does the same for somebody"
        " who is here already. The staff pages under /admin/ open to sessions that used a second factor."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        super().handle(*args, **options)
        with audit.acting_as(audit.Actor(kind="system", reason="manage.py createsuperuser")), system_scope("staff"):
            for user in User.objects.filter(is_superuser=True, emailaddress=None).order_by("pk"):
                staff.appoint(user)

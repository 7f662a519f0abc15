"""How allauth behaves in this house: addresses behind proxies, mail that may fail, factors sealed at rest."""

from __future__ import annotations

import logging
import smtplib
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.db import connections
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy

from accounts.auth import address, history
from accounts.models import SignIn, User
from accounts.platform_box import platform_decrypt, platform_encrypt
from mikrobot_platform.db import scope as scopes

log = logging.getLogger(__name__)


def _at_our_address(url: str) -> str:
    return str(settings.SITE_URL + urlunsplit(("", "", *urlsplit(url)[2:])))


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]
    """Accounts: e-mail addresses in lower case, a sign-in history, mail that cannot break a page."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "email_password_mismatch": _lazy("The e-mail address or the password is not right."),
    }

    def get_client_ip(self, request: HttpRequest) -> str:
        return address.of(request) or "0.0.0.0"  # noqa: S104  (a unix socket has no address; allauth's column wants one)

    def clean_email(self, email: str) -> str:
        """Store lower case; forms about one address wait for each other, so that a second sign-up finds the first."""
        cleaned = str(super().clean_email(email)).lower()
        with connections[scopes.current().alias].cursor() as cursor:
            cursor.execute("select pg_advisory_xact_lock(hashtextextended('mikrobot.email:' || %s, 0))", [cleaned])
        return cleaned

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            history.note_failure(request, str(credentials.get("email", "")), SignIn.Outcome.LOCKED)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        history.note_failure(request, str(credentials.get("email", "")), SignIn.Outcome.FAILED)

    def get_reauthentication_methods(self, user: User | AnonymousUser) -> list[dict[str, Any]]:
        """Offer the passkey first: it is the quickest proof, and for somebody without a password the only usual one."""
        words = {
            "reauthenticate": _("Use the password"),
            "mfa_reauthenticate": _("Use a code"),
            "mfa_reauthenticate:webauthn": _("Use a passkey"),
        }
        methods = [
            {**one, "description": words.get(one["id"], one["description"])}
            for one in super().get_reauthentication_methods(user)
        ]
        return sorted(methods, key=lambda one: one["id"] != "mfa_reauthenticate:webauthn")

    def send_notification_mail(
        self, template_prefix: str, user: User, context: dict[str, Any] | None = None, email: str | None = None
    ) -> None:
        """Tell of a change to somebody's sign-in, with its moment in that person's zone."""
        with timezone.override(user.time_zone):
            super().send_notification_mail(template_prefix, user, context, email)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        """Send, or say on the page that it could not be sent; the step itself stays done and can be repeated.

        Links lead to the site's own address, whatever host or port the request claimed to have come to.
        """
        ours = {name: _at_our_address(value) if name.endswith("_url") else value for name, value in context.items()}
        try:
            super().send_mail(template_prefix, email, {**ours, "site_url": settings.SITE_URL})
        except (OSError, smtplib.SMTPException):
            log.exception("e-mail could not be sent", extra={"template": template_prefix})
            if self.request is not None:
                messages.error(self.request, _("We could not send the e-mail. Please try again in a few minutes."))


class MFAAdapter(DefaultMFAAdapter):  # type: ignore[misc]
    """Second factors: TOTP secrets and recovery seeds are stored under the platform's master keys."""

    def encrypt(self, text: str) -> str:
        return platform_encrypt(text)

    def decrypt(self, encrypted_text: str) -> str:
        return platform_decrypt(encrypted_text)

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        """Keep the last passkey of somebody who has no password: it is the only way in."""
        if authenticator.type != Authenticator.Type.WEBAUTHN or authenticator.user.has_usable_password():
            return True
        others = Authenticator.objects.filter(user=authenticator.user, type=Authenticator.Type.WEBAUTHN)
        return bool(others.exclude(pk=authenticator.pk).exists())

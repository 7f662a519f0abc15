"""People: profile, acknowledgements, signing in without a password."""

from __future__ import annotations

from uuid import UUID

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from accounts import audit
from accounts.access import Caller, Refused
from accounts.models import Acknowledgement, User
from accounts.models.people import Currency, Experience, known_time_zone
from accounts.services.organizations import clean_name

VERSIONS = {
    Acknowledgement.Document.TERMS.value: settings.TERMS_VERSION,
    Acknowledgement.Document.RISK.value: settings.RISK_VERSION,
}


def acknowledge(caller: Caller, document: str, address: str | None = None) -> Acknowledgement:
    """Record that the person accepts the current version; doing it twice changes nothing."""
    if document not in VERSIONS:
        raise Refused("document_unknown", _("There is no such document."))
    member = caller.member()
    row, is_new = Acknowledgement.objects.get_or_create(
        organization_id=caller.organization_id,
        user_id=member.user_id,
        document=document,
        version=VERSIONS[document],
        defaults={"address": address},
    )
    if is_new:
        audit.record(f"{document}.acknowledged", row, version=VERSIONS[document])
    return row  # type: ignore[no-any-return]


def has_acknowledged(user_id: UUID, document: str) -> bool:
    """Tell whether the person accepted the version that is in force now, in the current organization."""
    return bool(Acknowledgement.objects.filter(user_id=user_id, document=document, version=VERSIONS[document]).exists())


def update_profile(
    user: User, *, name: str, time_zone: str, currency: str, experience: str = "", language: str = "en"
) -> User:
    """Change what a person says of themselves."""
    try:
        known_time_zone(time_zone)
    except ValidationError:
        raise Refused("time_zone_unknown", _("“%(name)s” is not a known time zone.") % {"name": time_zone}) from None
    if currency not in Currency.values or language not in dict(settings.LANGUAGES):
        raise Refused("choice_invalid", _("Choose one of the offered values."))
    if experience and experience not in Experience.values:
        raise Refused("choice_invalid", _("Choose one of the offered values."))
    user.name = clean_name(name) if name.strip() else ""
    user.time_zone, user.currency, user.experience, user.language = time_zone, currency, experience, language
    user.save(update_fields=["name", "time_zone", "currency", "experience", "language"])
    return user


def passkeys(user: User) -> int:
    return int(Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN).count())


def remove_password(user: User) -> None:
    """Make the passkey the only way in; a password can be set again later through a reset by e-mail."""
    if passkeys(user) == 0:
        raise Refused("passkey_missing", _("Add a passkey first, or you could not sign in any more."))
    user.set_unusable_password()
    user.save(update_fields=["password"])

"""API keys: mk_<organization>_<prefix>_<secret>. The first part lets row-level security guard the look-up too."""

from __future__ import annotations

import hashlib
import hmac
import logging
import secrets
import string
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.http import HttpRequest
from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed

from accounts.auth import address
from accounts.models import ApiKey

log = logging.getLogger(__name__)

_DIGITS = string.digits + string.ascii_letters
_ORGANIZATION_LENGTH, _PREFIX_LENGTH, _SECRET_LENGTH = 22, 10, 43  # 43 base62 digits hold 256 bits
_NOTE_USE_EVERY = timedelta(minutes=1)


def _base62(number: int, length: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    return digits.rjust(length, "0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Presented:
    """A key as somebody shows it; nothing about it is believed yet."""

    organization_id: UUID
    prefix: str
    digest: bytes


def make(organization_id: UUID) -> tuple[str, str, bytes]:
    """Make a key: the text shown once, its prefix, its digest."""
    prefix = "".join(secrets.choice(_DIGITS) for _ in range(_PREFIX_LENGTH))
    secret = _base62(secrets.randbits(256), _SECRET_LENGTH)
    text = f"mk_{_base62(organization_id.int, _ORGANIZATION_LENGTH)}_{prefix}_{secret}"
    return text, prefix, hashlib.sha256(text.encode()).digest()


def presented(request: HttpRequest) -> Presented | None:
    """Read a key from `Authorization: Bearer mk_...`; None when there is none of ours."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not text.startswith("mk_"):
        return None
    parts = text.strip().split("_")
    number = 0
    if len(parts) == 4 and len(parts[1]) == _ORGANIZATION_LENGTH and set(parts[1]) <= set(_DIGITS):
        for digit in parts[1]:
            number = number * 62 + _DIGITS.index(digit)
    # A malformed key is looked up like any other, and not found.
    organization_id = UUID(int=number) if number < 1 << 128 else UUID(int=0)
    prefix = parts[2] if len(parts) == 4 else ""
    return Presented(
        organization_id=organization_id, prefix=prefix, digest=hashlib.sha256(text.strip().encode()).digest()
    )


def find(shown: Presented, came_from: str | None) -> ApiKey | None:
    """Return the key if it is right, alive and used from where it may be; note its use at most once a minute."""
    key: ApiKey | None = ApiKey.objects.select_related("organization").filter(prefix=shown.prefix).first()
    expected = bytes(key.digest) if key else b"\0" * 32
    if not hmac.compare_digest(expected, shown.digest) or key is None:
        return None
    if not key.is_usable or key.organization.is_suspended or not _may_come_from(key.networks, came_from):
        return None
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > _NOTE_USE_EVERY or key.last_used_address != came_from:
        ApiKey.objects.filter(pk=key.pk).update(last_used_at=now, last_used_address=came_from)
    return key


def _may_come_from(networks: list[str], came_from: str | None) -> bool:
    return not networks or address.is_within(came_from, networks)


@dataclass(frozen=True, slots=True)
class Machine:
    """The principal behind a key: no person, bound to one organization."""

    key: ApiKey
    is_authenticated: bool = True
    is_active: bool = True
    is_anonymous: bool = False
    is_staff: bool = False

    @property
    def pk(self) -> str:
        return f"key:{self.key.pk}"


class ApiKeyAuthentication(BaseAuthentication):
    """Take over what the middleware found out about the key."""

    def authenticate(self, request: Any) -> tuple[Machine, ApiKey] | None:
        django_request = request._request
        if presented(django_request) is None:
            return None
        key = getattr(django_request, "api_key", None)
        if key is None:
            log.warning("api key refused", extra={"address": address.of(django_request)})
            raise AuthenticationFailed("This API key is unknown, expired, revoked or not allowed from this address.")
        return Machine(key), key

    def authenticate_header(self, request: Any) -> str:
        return "Bearer"

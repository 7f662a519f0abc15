"""API keys: make, revoke."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, outbox
from accounts.access import Caller, Permission, Refused
from accounts.auth import keys
from accounts.models import ApiKey, KeyScope
from accounts.services.organizations import clean_name
from mikrobot_platform.kernel.events import EventName

MAX_KEYS = 50


def create(
    caller: Caller,
    *,
    name: str,
    scopes: Sequence[str],
    networks: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; its text is returned here and nowhere else, ever again."""
    caller.require(Permission.MANAGE_KEYS)
    chosen = [scope for scope in KeyScope.values if scope in scopes]
    if not chosen or set(scopes) - set(KeyScope.values):
        raise Refused("scopes_invalid", _("Choose at least one scope."))
    if expires_at is not None and expires_at <= timezone.now():
        raise Refused("expiry_past", _("The expiry lies in the past."))
    if ApiKey.objects.filter(revoked_at=None).count() >= MAX_KEYS:
        raise Refused("too_many_keys", _("%(limit)s keys are the limit. Revoke one first.") % {"limit": MAX_KEYS})
    text, prefix, digest = keys.make(caller.organization_id)
    key = ApiKey.objects.create(
        organization_id=caller.organization_id,
        name=clean_name(name)[:80],
        prefix=prefix,
        digest=digest,
        scopes=chosen,
        networks=clean_networks(networks),
        expires_at=expires_at,
        created_by=caller.member(),
    )
    audit.record("api_key.created", key, scopes=chosen, networks=key.networks, prefix=prefix)
    outbox.publish(EventName.API_KEY_CREATED, key=str(key.pk), name=key.name, prefix=prefix)
    return key, text


def revoke(caller: Caller, key_id: UUID) -> ApiKey:
    """End a key at once; doing it twice changes nothing."""
    caller.require(Permission.MANAGE_KEYS)
    key: ApiKey | None = ApiKey.objects.select_for_update().filter(pk=key_id).first()
    if key is None:
        raise Refused("key_unknown", _("There is no such key."))
    if key.revoked_at is None:
        key.revoked_at = timezone.now()
        key.save(update_fields=["revoked_at"])
        audit.record("api_key.revoked", key, prefix=key.prefix)
        outbox.publish(EventName.API_KEY_REVOKED, key=str(key.pk), name=key.name, prefix=key.prefix)
    return key


def clean_networks(networks: Iterable[str]) -> list[str]:
    """Return addresses and networks as they are written by the book, or refuse the first that is none."""
    cleaned = []
    for text in networks:
        try:
            cleaned.append(str(ipaddress.ip_network(text.strip(), strict=False)))
        except ValueError:
            raise Refused(
                "network_invalid",
                _("“%(text)s” is not an address or network, such as 203.0.113.0/24.") % {"text": text},
            ) from None
    return sorted(set(cleaned))

"""API keys: shown once, stored as a digest, bound to one organization."""

from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import TenantModel


class KeyScope(models.TextChoices):
    """What a key may do; accounts/access.py says which permissions each stands for."""

    READ = "read", _("Read everything of this organization")
    SIGNALS = "signals", _("Send signals")
    TRADE = "trade", _("Trade, and read")
    ADMIN = "admin", _("Manage trading accounts, and read")


class ApiKey(TenantModel):
    """A machine's way in. `prefix` finds the row, SHA-256 of a 256-bit secret proves the key."""

    name = models.CharField(_("name"), max_length=80)
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.BinaryField(max_length=32, editable=False)
    scopes = ArrayField(models.CharField(max_length=8, choices=KeyScope.choices))
    networks = ArrayField(
        models.CharField(max_length=43),
        default=list,
        blank=True,
        help_text=_("Addresses or networks (CIDR) from which it works; empty: from everywhere."),
    )
    created_by = models.ForeignKey(
        "accounts.Membership", null=True, on_delete=models.SET_NULL, related_name="+", db_constraint=False
    )  # held by a composite key (migration 0001), so that it cannot point across tenants
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, editable=False)
    last_used_at = models.DateTimeField(null=True, editable=False)
    last_used_address = models.GenericIPAddressField(null=True, editable=False)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "prefix"], name="accounts_apikey_prefix"),
        ]

    @property
    def is_usable(self) -> bool:
        return self.revoked_at is None and (self.expires_at is None or self.expires_at > timezone.now())

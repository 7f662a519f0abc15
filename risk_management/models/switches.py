"""Kill switches and lockouts: what is off, who said so, why, until when. Set once, lifted once, never edited."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models.shared import LedgerRow, SharedManager


class Level(models.TextChoices):
    """What a switch switches off."""

    ACCOUNT = "account", _("Account")
    STRATEGY = "strategy", _("Strategy")
    ORGANIZATION = "organization", _("Organization")
    PLATFORM = "platform", _("Platform")


class Switch(LedgerRow):
    """Entries are off until the switch is lifted or ends. The platform's own have the organization zero."""

    level = models.CharField(max_length=12, choices=Level.choices)
    account_id = models.UUIDField(null=True)
    strategy_id = models.UUIDField(null=True)
    is_lockout = models.BooleanField(default=False)  # ends by time or by a second person only
    reason = models.CharField(max_length=300)
    set_at = models.DateTimeField()
    set_by_kind = models.CharField(max_length=10)  # as in the audit trail: user, key, staff, system
    set_by_id = models.CharField(max_length=60, blank=True)
    until = models.DateTimeField(null=True)  # None: until somebody lifts it
    lifted_at = models.DateTimeField(null=True)
    lifted_by_kind = models.CharField(max_length=10, blank=True)
    lifted_by_id = models.CharField(max_length=60, blank=True)
    lift_reason = models.CharField(max_length=300, blank=True)

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(
                condition=models.Q(level="account", account_id__isnull=False, strategy_id__isnull=True)
                | models.Q(level="strategy", account_id__isnull=True, strategy_id__isnull=False)
                | models.Q(level__in=("organization", "platform"), account_id__isnull=True, strategy_id__isnull=True),
                name="risk_management_switch_has_its_target",
            ),
            models.CheckConstraint(
                condition=~models.Q(level="platform")
                | models.Q(organization_id="00000000-0000-0000-0000-000000000000"),
                name="risk_management_switch_platform_is_platforms",
            ),
            models.CheckConstraint(
                condition=models.Q(until__isnull=True) | models.Q(until__gt=models.F("set_at")),
                name="risk_management_switch_ends_later",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            # Few are in force at a time, however many there have been.
            models.Index(
                fields=["organization_id", "level"],
                name="risk_management_switch_holding",
                condition=models.Q(lifted_at__isnull=True),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_level_display()}: {self.reason}"

    def holds(self, at: datetime) -> bool:
        """Tell whether it is in force."""
        return self.lifted_at is None and (self.until is None or at < self.until)

"""What the customer allows an account, and what is to be allowed from its next day on."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models

from accounts.models import TradingAccount
from accounts.models.base import TenantModel
from mikrobot_platform.kernel import plain
from risk_management.rules.settings import Limits


class AccountLimits(TenantModel):
    """One row an account. Nobody has to wake up for the next day: whoever reads it knows what time it is."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    account_id: UUID
    current = models.TextField()  # canonical JSON of rules.settings.Limits
    pending = models.TextField(blank=True)
    pending_from = models.DateTimeField(null=True)
    pending_zone = models.CharField(max_length=64, blank=True)  # in which pending_from is midnight, or the reset
    changed_at = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "account"], name="risk_management_accountlimits_one"),
            models.CheckConstraint(
                condition=models.Q(pending="", pending_from__isnull=True)
                | (~models.Q(pending="") & models.Q(pending_from__isnull=False)),
                name="risk_management_accountlimits_pending_is_dated",
            ),
        ]

    def has_turned(self, at: datetime) -> bool:
        """Tell whether the day has begun from which the other limits hold."""
        return self.pending_from is not None and at >= self.pending_from

    def at(self, moment: datetime) -> Limits:
        """Return the limits that hold at a moment."""
        return plain.recall(Limits, self.pending if self.has_turned(moment) else self.current)

    def later(self, moment: datetime) -> Limits | None:
        """Return the limits that will hold from `pending_from` on; None when nothing waits."""
        return None if self.pending_from is None or self.has_turned(moment) else plain.read(Limits, self.pending)

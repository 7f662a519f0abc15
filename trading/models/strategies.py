"""What may be followed, and who follows it how."""

from __future__ import annotations

from typing import ClassVar
from uuid import UUID

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models import TradingAccount
from accounts.models.audit import PLATFORM_ID
from accounts.models.base import TenantModel
from accounts.models.shared import LedgerRow, SharedManager
from trading.engine import stored
from trading.strategies import Parameters


class Strategy(LedgerRow):
    """One version of a strategy. Its parameters never change: other parameters are another version."""

    code = models.CharField(max_length=40)
    version = models.CharField(max_length=20)
    name = models.CharField(_("name"), max_length=80)
    is_beta = models.BooleanField(_("beta"), default=False)
    tiers = models.JSONField(default=list)  # codes of the tiers that may follow it
    parameters = models.JSONField()  # trading/strategies/__init__.py Parameters
    retired_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(fields=["organization_id", "code", "version"], name="trading_strategy_version"),
        ]

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    def read_parameters(self) -> Parameters:
        return stored.read(Parameters, self.parameters)


class RiskMode(models.TextChoices):
    """How much an account puts at stake when it follows."""

    STRATEGY = "strategy", _("As the strategy says")
    PERCENT = "percent", _("Percent of the account")
    QUANTITY = "quantity", _("Fixed quantity")


class Follow(TenantModel):
    """This account follows that strategy with these settings. Empty filters let everything through."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    strategy = models.ForeignKey(
        Strategy, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    strategy_organization_id = models.UUIDField(default=PLATFORM_ID)  # whose strategy it is: the platform's or our own
    risk_mode = models.CharField(max_length=10, choices=RiskMode.choices, default=RiskMode.STRATEGY)
    risk_value = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    overrides = models.JSONField(default=dict)  # fields of Parameters that this account sees differently
    symbols = models.JSONField(default=list)
    sides = models.JSONField(default=list)
    windows = models.JSONField(default=list)  # {"days": [1], "from": "08:00", "to": "17:00", "zone": "Europe/London"}
    is_paused = models.BooleanField(default=False)
    pause_reason = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    strategy_id: UUID
    account_id: UUID

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "account", "strategy"], name="trading_follow_once"),
            models.CheckConstraint(
                condition=models.Q(strategy_organization_id=PLATFORM_ID)
                | models.Q(strategy_organization_id=models.F("organization_id")),
                name="trading_follow_of_platform_or_own",
            ),
            models.CheckConstraint(
                condition=models.Q(risk_mode=RiskMode.STRATEGY, risk_value__isnull=True)
                | (~models.Q(risk_mode=RiskMode.STRATEGY) & models.Q(risk_value__isnull=False, risk_value__gt=0)),
                name="trading_follow_risk_is_said",
            ),
        ]

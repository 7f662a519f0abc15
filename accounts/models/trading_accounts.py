"""Broker accounts that customers connect."""

from __future__ import annotations

from decimal import Decimal
from typing import ClassVar

from django.core.validators import MinValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from accounts.models.base import TenantModel
from accounts.models.fields import SealedField
from accounts.models.people import Currency


class AccountStatus(models.TextChoices):
    """Where an account stands; why and since when is kept beside it."""

    READY = "ready", _("Ready")
    PAUSED = "paused", _("Paused")
    CLOSED = "closed", _("Closed")


class Phase(models.TextChoices):
    """How far along a prop firm's path the account is."""

    EVALUATION = "evaluation", _("Evaluation")
    VERIFICATION = "verification", _("Verification")
    FUNDED = "funded", _("Funded")


class TradingAccount(TenantModel):
    """An account at a venue. Credentials go in sealed and come out only to open a session."""

    class Kind(models.TextChoices):
        """What is at stake (kernel/venues.py AccountKind, worded for people)."""

        DEMO = "demo", _("Demo")
        LIVE = "live", _("Live")
        PROP = "prop", _("Prop firm")

    name = models.CharField(_("name"), max_length=80)
    venue = models.CharField(_("venue"), max_length=32)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    currency = models.CharField(_("currency"), max_length=3, choices=Currency.choices)
    firm = models.CharField(_("firm"), max_length=60, blank=True)
    program = models.CharField(_("program"), max_length=80, blank=True)
    phase = models.CharField(_("phase"), max_length=16, choices=Phase.choices, blank=True)
    size = models.DecimalField(
        _("account size"),
        max_digits=20,
        decimal_places=8,
        null=True,
        blank=True,
        validators=[MinValueValidator(Decimal("0.00000001"))],
    )
    credentials = SealedField()
    credentials_at = models.DateTimeField(null=True, editable=False)
    status = models.CharField(max_length=8, choices=AccountStatus.choices, default=AccountStatus.READY)
    status_reason = models.CharField(max_length=300, blank=True)
    status_at = models.DateTimeField(default=timezone.now)
    is_auto_trading = models.BooleanField(_("auto-trading"), default=False)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=~models.Q(status=AccountStatus.CLOSED),
                name="accounts_tradingaccount_name",
            ),
            models.CheckConstraint(
                condition=~models.Q(kind="prop") | (~models.Q(firm="") & ~models.Q(program="") & ~models.Q(phase="")),
                name="accounts_tradingaccount_prop_complete",
            ),
            models.CheckConstraint(
                condition=models.Q(is_auto_trading=False) | models.Q(status=AccountStatus.READY),
                name="accounts_tradingaccount_trades_when_ready",
            ),
        ]

    def __str__(self) -> str:
        return self.name

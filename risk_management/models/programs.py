"""What the owner of a prop account was last told of its program: which edition, and what is not sure."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models

from accounts.models import TradingAccount
from accounts.models.base import TenantModel


class AccountProgram(TenantModel):
    """One row an account. News is what differs from this row, so that each is told once, however often one looks."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    account_id: UUID
    program = models.CharField(max_length=200, blank=True)  # services.programs.key_of; empty: it was never known
    doubt = models.TextField(blank=True)  # which doubt was told: it has no day in it, and stays the same while it lasts
    doubt_sentence = models.TextField(blank=True)  # as it was told
    told_at: models.DateTimeField[datetime, datetime] = models.DateTimeField()

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "account"], name="risk_management_accountprogram_one"),
        ]

    def __str__(self) -> str:
        return self.program

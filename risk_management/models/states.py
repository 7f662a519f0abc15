"""What happened to an account, in the order in which it was kept, and the state that it adds up to."""

from __future__ import annotations

from datetime import datetime
from typing import ClassVar
from uuid import UUID

from django.db import models

from accounts.models import TradingAccount
from accounts.models.base import TenantModel, TenantRow


class AccountEvent(TenantRow):
    """One event of compliance.account: a snapshot, a day that turned, or a numbered entry of the broker's ledger."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    account_id = models.UUIDField()
    kind = models.CharField(max_length=12)
    number = models.BigIntegerField(null=True)  # of a ledger entry; what has none is known by its moment
    at = models.DateTimeField()
    profit = models.DecimalField(max_digits=20, decimal_places=8, null=True)  # of a settled trade
    symbol = models.CharField(max_length=32, blank=True)  # of an opened position
    body = models.TextField()  # canonical JSON of compliance.account.Event

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "account_id", "number"],
                name="risk_management_accountevent_number",
                condition=models.Q(number__isnull=False),
            ),
            models.UniqueConstraint(
                fields=["organization_id", "account_id", "kind", "at"],
                name="risk_management_accountevent_moment",
                condition=models.Q(number__isnull=True),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "account_id", "id"], name="risk_management_event_order"),
            models.Index(
                fields=["organization_id", "account_id", "at"],
                name="risk_management_event_ledger",
                condition=models.Q(number__isnull=False),
            ),
            # The last results of many accounts at once, without a look at the table (services/stats.py)
            models.Index(
                fields=["organization_id", "account_id", "-at", "-number"],
                name="risk_management_event_result",
                condition=models.Q(kind="Settled"),
                include=["profit"],
            ),
        ]


class AccountState(TenantModel):
    """Where an account stands. It is a fold of its events: `start` and those after it give `state` again."""

    account = models.ForeignKey(
        TradingAccount, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+"
    )
    account_id: UUID
    program = models.CharField(max_length=200, blank=True)  # services.programs.key_of; empty: of no firm, or unknown
    start = models.TextField(blank=True)  # canonical JSON of compliance.account.AccountState, where there is a program
    started_after = models.BigIntegerField(default=0)  # the id of the last event that `start` has in it
    state = models.TextField(blank=True)
    warned = models.TextField(default="[]")  # canonical JSON of own_rooms.Warned
    # The last snapshot, and the highest since the account came here: equity, and balance at the end of an owner's day.
    seen_at: models.DateTimeField[datetime | None, datetime | None] = models.DateTimeField(null=True)
    balance = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    equity = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    floating = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    margin_used = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    peak_equity = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    peak_close = models.DecimalField(max_digits=20, decimal_places=8, null=True)
    is_day_open = models.BooleanField(default=False)  # a reset was passed and nobody knows with which balance

    class Meta(TenantModel.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *TenantModel.Meta.constraints,
            models.UniqueConstraint(fields=["organization", "account"], name="risk_management_accountstate_one"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organization", "account"],
                name="risk_management_state_day_open",
                condition=models.Q(is_day_open=True),
            ),
        ]

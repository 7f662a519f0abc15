"""Receipts of decisions, chained per organization, and the facts they were made on. Nobody changes any of it."""

from __future__ import annotations

import json
from functools import cached_property
from typing import Any, ClassVar

from django.db import models

from accounts.models.base import TenantRow
from accounts.models.shared import LedgerRow, SharedManager
from mikrobot_platform.db.ids import new_id

HEX = 64  # characters of a SHA-256


class SharedFacts(LedgerRow):
    """What all accounts of a signal saw, once for all their receipts. It belongs to whoever owns the signal."""

    signal_id = models.UUIDField()
    sha256 = models.CharField(max_length=HEX)
    text = models.TextField()  # canonical JSON of rules.facts.Shared
    at = models.DateTimeField()

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(fields=["organization_id", "sha256"], name="risk_management_sharedfacts_once"),
        ]


class ReceiptChain(TenantRow):
    """Where an organization's chain ends. Whoever adds to the chain holds this row."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    position = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=HEX)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id"], name="risk_management_receiptchain_one"),
        ]


class Receipt(TenantRow):
    """One decision for one account. What was said stands in `body`, which is hashed; columns are there to search by."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization_id = models.UUIDField(editable=False)
    position = models.BigIntegerField(editable=False)  # in the organization's chain, from 1
    signal_id = models.UUIDField()
    account_id = models.UUIDField()
    verdict = models.CharField(max_length=8)
    code = models.CharField(max_length=60)
    at = models.DateTimeField()
    body = models.TextField()  # canonical JSON of rules/receipt.py
    facts = models.TextField()  # canonical JSON of rules.facts.AccountFacts
    shared_sha256 = models.CharField(max_length=HEX)  # of SharedFacts
    previous = models.CharField(max_length=HEX, editable=False)
    hash = models.CharField(max_length=HEX, editable=False)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "signal_id", "account_id"], name="risk_management_receipt_once"
            ),
            models.UniqueConstraint(fields=["organization_id", "position"], name="risk_management_receipt_chain"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "account_id", "-position"], name="risk_management_receipt_of_acc"),
        ]

    @cached_property
    def said(self) -> dict[str, Any]:
        """Return the body as plain values."""
        found: dict[str, Any] = json.loads(self.body)
        return found

    @property
    def sentence(self) -> str:
        """Say the decision to a person."""
        return str(self.said["sentence"])

    @property
    def evidence(self) -> dict[str, Any]:
        """Return the numbers behind the sentence."""
        found: dict[str, Any] = self.said["evidence"]
        return found

    @property
    def versions(self) -> dict[str, str]:
        """Name the versions of rules, strategy and program that decided."""
        found: dict[str, str] = self.said["versions"]
        return found

    @property
    def facts_sha256(self) -> str:
        """Return the hash of everything the decision saw."""
        return str(self.said["facts"])

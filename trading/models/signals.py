"""The ledger: bytes as they came, the signals that were read from them, and everything that happened to either.

Bytes and events are never changed: no role may update them (migration 0001). Only the engine writes here.
"""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models.fields.json import KeyTextTransform
from django.utils.translation import gettext_lazy as _

from accounts.models.base import TenantRow
from accounts.models.shared import LedgerRow, SharedManager
from mikrobot_platform.kernel.decisions import Code


class RawState(models.TextChoices):
    """What became of a message. It is received until it is one of the others; none of those is ever left."""

    RECEIVED = "received", _("Received")
    READ = "read", _("Read as a signal")
    DUPLICATE = "duplicate", _("Duplicate")
    REFUSED = "refused", _("Refused")
    QUARANTINED = "quarantined", _("Quarantined")


class SignalState(models.TextChoices):
    """How far a signal is. It waits until it was judged; then a strategy takes it, none does, or it was too old."""

    WAITING = "waiting", _("Waiting")
    VALID = "valid", _("Valid")
    REJECTED = "rejected", _("Rejected")
    EXPIRED = "expired", _("Expired")
    QUARANTINED = "quarantined", _("Quarantined")


class EventKind(models.TextChoices):
    """What can happen to a message or a signal."""

    RECEIVED = "received", _("Received")
    PARSED = "parsed", _("Read")
    REFUSED = "refused", _("Refused")
    DUPLICATE = "duplicate", _("Came again")
    GAP = "gap", _("Messages are missing before it")
    JUDGED = "judged", _("Judged")
    MOVED_ON = "moved_on", _("Stood still and was moved on")
    QUARANTINED = "quarantined", _("Quarantined")
    ACKNOWLEDGED = "acknowledged", _("Its answer was acknowledged")


class RawSignal(LedgerRow):
    """One message, byte for byte, kept before anybody looks at what it says."""

    source_id = models.UUIDField()
    body = models.BinaryField()  # at most one byte more than any dialect reads; `size` and `sha256` are of the whole
    size = models.BigIntegerField()
    sha256 = models.BinaryField(max_length=32)
    headers = models.JSONField(default=dict)  # those that say how to read it; never one that proves who sent it
    declared_bytes = models.BigIntegerField(null=True)
    changed_ns = models.BigIntegerField(null=True)  # of a version of a file: when it was written (trading/files/)
    received_at = models.DateTimeField()
    trace_id = models.CharField(max_length=32, blank=True)
    state = models.CharField(max_length=12, choices=RawState.choices, default=RawState.RECEIVED)
    code = models.CharField(max_length=60, blank=True)
    sentence = models.TextField(blank=True)
    signal_id = models.UUIDField(null=True)  # what it became, or repeats
    attempts = models.PositiveSmallIntegerField(default=0)  # how often the sweep had to take it up
    tried_at = models.DateTimeField(null=True)  # when it did so last

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.CheckConstraint(condition=models.Q(state__in=RawState.values), name="trading_rawsignal_state"),
            # One version of a file is one message, whoever reads it, and however often.
            models.UniqueConstraint(
                fields=["organization_id", "source_id", "changed_ns", "size", "sha256"],
                name="trading_rawsignal_version",
                condition=models.Q(changed_ns__isnull=False),
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["received_at"], name="trading_rawsignal_waiting", condition=models.Q(state=RawState.RECEIVED)
            ),
            models.Index(fields=["organization_id", "-received_at"], name="trading_rawsignal_latest"),
            # The page of a source that is seldom heard of, beside one that never stops.
            models.Index(fields=["organization_id", "source_id", "-received_at"], name="trading_rawsignal_source"),
            # A key that comes again, with whatever body, is found by the message that it came with first.
            models.Index(
                models.F("organization_id"),
                models.F("source_id"),
                KeyTextTransform("idempotency-key", "headers"),
                name="trading_rawsignal_request",
                condition=models.Q(headers__has_key="idempotency-key"),
            ),
        ]


def _figure() -> models.DecimalField:  # type: ignore[type-arg]  # its two parameters say nothing here
    """Hold any figure that kernel/market.py lets in, to the last digit."""
    return models.DecimalField(max_digits=48, decimal_places=24, null=True)


class Signal(LedgerRow):
    """One signal: the draft as it was read, and the columns by which it is looked for."""

    source_id = models.UUIDField()
    raw_id = models.UUIDField()
    dedupe_key = models.CharField(max_length=80)
    slot = models.BigIntegerField()  # 0: its key is taken for ever; else the second in which its window began
    received_at = models.DateTimeField()
    dialect = models.CharField(max_length=60)
    action = models.CharField(max_length=8)
    symbol = models.CharField(max_length=40)
    side = models.CharField(max_length=4, blank=True)
    order_kind = models.CharField(max_length=10)
    strategy = models.CharField(max_length=80, blank=True)  # as the source calls it
    entry = _figure()
    reference = _figure()
    stop = _figure()
    stop_unit = models.CharField(max_length=8, blank=True)
    target = _figure()  # the first; the draft has all
    target_unit = models.CharField(max_length=8, blank=True)
    quantity = _figure()
    power = _figure()  # these three from 0 to 100; the draft has them on their own scales
    confluence = _figure()
    confidence = _figure()
    draft = models.JSONField()
    state = models.CharField(max_length=12, choices=SignalState.choices, default=SignalState.WAITING)
    code = models.CharField(max_length=60, blank=True)
    sentence = models.TextField(blank=True)
    judged_at = models.DateTimeField(null=True)
    fanned_at = models.DateTimeField(null=True)  # its followers stand in shards
    attempts = models.PositiveSmallIntegerField(default=0)  # as of a message
    tried_at = models.DateTimeField(null=True)

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization_id", "source_id", "dedupe_key", "slot"], name="trading_signal_once"
            ),
            models.UniqueConstraint(fields=["organization_id", "raw_id"], name="trading_signal_of_one_message"),
            models.CheckConstraint(condition=models.Q(state__in=SignalState.values), name="trading_signal_state"),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["received_at"], name="trading_signal_waiting", condition=models.Q(state=SignalState.WAITING)
            ),
            models.Index(
                fields=["received_at"],
                name="trading_signal_to_fan",
                condition=models.Q(state=SignalState.VALID, fanned_at__isnull=True),
            ),
            models.Index(fields=["organization_id", "symbol", "-received_at"], name="trading_signal_symbol"),
            models.Index(fields=["organization_id", "-received_at"], name="trading_signal_latest"),
        ]


class SignalEvent(TenantRow):
    """One thing that happened to a message, and to the signal that it became."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    raw_id = models.UUIDField()
    signal_id = models.UUIDField(null=True)
    strategy_id = models.UUIDField(null=True)  # who judged; None: the platform's rules for signals of no strategy
    kind = models.CharField(max_length=12, choices=EventKind.choices)
    verdict = models.CharField(max_length=8, blank=True)
    code = models.CharField(max_length=60, blank=True)
    sentence = models.TextField(blank=True)
    evidence = models.JSONField(default=dict)
    facts = models.JSONField(null=True)  # of a judgement: with them, its rules and `at` it can be made again
    at = models.DateTimeField()

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "signal_id", "strategy_id"],
                name="trading_signalevent_judged_once",
                condition=models.Q(kind=EventKind.JUDGED),
                nulls_distinct=False,
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "raw_id", "id"], name="trading_signalevent_of_raw"),
            models.Index(
                fields=["organization_id", "signal_id", "id"],
                name="trading_signalevent_of_signal",
                condition=models.Q(signal_id__isnull=False),
            ),
            # What was taken lately is asked for with every signal, and is little among everything that was not.
            models.Index(
                fields=["organization_id", "strategy_id", "-at"],
                name="trading_signalevent_taken",
                condition=models.Q(kind=EventKind.JUDGED, code=Code.VALID),
            ),
        ]

"""What was asked of venues and what came of it: shards of accounts, orders, fills, positions.

These tables are hot: few indexes, no foreign keys (the join that plans holds them together). An order's state moves
along kernel/orders.py MOVES only, by updates that name the states it may come from. Fills are never changed.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from accounts.models.base import TenantRow
from accounts.models.shared import LedgerRow, SharedManager
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.orders import MAX_CLIENT_ID, OrderState, OrderType, Purpose, TimeInForce
from trading.engine.repair import Policy

_OPEN_AT_THE_VENUE = [state.value for state in OrderState if state.may_stand_at_the_venue]


def _figure(**options: Any) -> models.DecimalField:  # type: ignore[type-arg]  # its two parameters say nothing here
    """Hold any figure that kernel/market.py lets in, to the last digit."""
    return models.DecimalField(max_digits=48, decimal_places=24, **options)


def _money(**options: Any) -> models.DecimalField:  # type: ignore[type-arg]
    return models.DecimalField(max_digits=28, decimal_places=8, **options)


class Shard(LedgerRow):
    """Accounts that are decided together for one signal and strategy. It belongs to the owner of the signal."""

    signal_id = models.UUIDField()
    strategy_id = models.UUIDField()
    venue = models.CharField(max_length=32)  # of all its accounts: they share its prices and its instruments
    number = models.PositiveIntegerField()
    accounts = ArrayField(models.UUIDField())
    created_at = models.DateTimeField()
    attempts = models.PositiveSmallIntegerField(default=0)
    planned_at = models.DateTimeField(null=True)

    objects: ClassVar[SharedManager] = SharedManager()

    class Meta(LedgerRow.Meta):
        constraints: ClassVar[list[models.BaseConstraint]] = [
            *LedgerRow.Meta.constraints,
            models.UniqueConstraint(
                fields=["organization_id", "signal_id", "strategy_id", "venue", "number"], name="trading_shard_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["created_at"], name="trading_shard_waiting", condition=models.Q(planned_at__isnull=True)
            ),
        ]


class Order(TenantRow):
    """One order: first an intent with its client id, then whatever its venue makes of it."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization_id = models.UUIDField(editable=False)
    account_id = models.UUIDField()
    client_id = models.CharField(max_length=MAX_CLIENT_ID)
    purpose = models.CharField(max_length=8, choices=[(one.value, one.value) for one in Purpose])
    signal_id = models.UUIDField(null=True)
    receipt_id = models.UUIDField(null=True)  # the decision that it follows from; entries have one
    strategy_id = models.UUIDField(null=True)
    position_id = models.UUIDField(null=True)  # ours, which it opens, protects or makes smaller
    symbol = models.CharField(max_length=40)  # InstrumentSpec.symbol
    venue_symbol = models.CharField(max_length=40)
    side = models.CharField(max_length=4, choices=[(one.value, one.value) for one in Side])
    type = models.CharField(max_length=10, choices=[(one.value, one.value) for one in OrderType])
    quantity = _figure()
    limit = _figure(null=True)
    stop = _figure(null=True)
    trail = _figure(null=True)
    stop_loss = _figure(null=True)
    take_profit = _figure(null=True)
    risk = _money(null=True)  # of an entry, at its stop, costs included, as decided
    time_in_force = models.CharField(max_length=3, default=TimeInForce.GTC.value)
    reduces_only = models.BooleanField(default=False)
    venue_position = models.CharField(max_length=64, blank=True)  # where positions are hedged: the one it makes smaller
    state = models.CharField(max_length=9, default=OrderState.PLANNED.value)
    cause_code = models.CharField(max_length=60, blank=True)  # of what management or repair made: why
    cause = models.CharField(max_length=300, blank=True)  # the same as a sentence
    reason_code = models.CharField(max_length=60, blank=True)  # how it came to its state
    reason = models.CharField(max_length=300, blank=True)  # in words, the venue's or ours
    venue_order_id = models.CharField(max_length=64, blank=True)
    revision = models.BigIntegerField(default=0)  # of the venue's last report
    filled = _figure(default=0)
    average_price = _figure(null=True)
    # When each leg was reached; those of the signal stand with the signal.
    decided_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)  # not sent any more after that; exits have none
    claimed_by = models.UUIDField(null=True)
    sent_at = models.DateTimeField(null=True)
    acknowledged_at = models.DateTimeField(null=True)
    filled_at = models.DateTimeField(null=True)
    changed_at = models.DateTimeField(null=True)  # when its state or its fills last did
    asked_at = models.DateTimeField(null=True)  # when its unknown outcome was last asked about

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id", "client_id"], name="trading_order_client_id"),
            models.CheckConstraint(
                condition=models.Q(state__in=[state.value for state in OrderState]), name="trading_order_state"
            ),
            models.CheckConstraint(
                condition=~models.Q(purpose=Purpose.ENTRY.value) | models.Q(receipt_id__isnull=False),
                name="trading_order_entry_has_receipt",
            ),
            models.CheckConstraint(
                condition=models.Q(state__in=[OrderState.PLANNED.value, OrderState.WITHDRAWN.value])
                | models.Q(sent_at__isnull=False),
                name="trading_order_sent_when_claimed",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["decided_at"], name="trading_order_waiting", condition=models.Q(state=OrderState.PLANNED.value)
            ),
            models.Index(
                fields=["organization_id", "account_id"],
                name="trading_order_at_venue",
                condition=models.Q(state__in=_OPEN_AT_THE_VENUE),
            ),
            models.Index(fields=["organization_id", "account_id", "-decided_at"], name="trading_order_latest"),
            # Entries that were filled and are in no position yet: whoever watches accounts has something to hear.
            models.Index(
                fields=["organization_id", "account_id"],
                name="trading_order_unsettled",
                condition=models.Q(position_id__isnull=True, filled__gt=0, purpose=Purpose.ENTRY.value),
            ),
            models.Index(
                fields=["organization_id", "position_id"],
                name="trading_order_of_position",
                condition=models.Q(position_id__isnull=False),
            ),
        ]


class Fill(TenantRow):
    """Part of an order that was carried out, as its venue told it; however often it is told, it is one row."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    account_id = models.UUIDField()
    venue_fill_id = models.CharField(max_length=64)
    client_id = models.CharField(max_length=MAX_CLIENT_ID, blank=True)  # empty: nobody here asked for it
    venue_order_id = models.CharField(max_length=64, blank=True)
    venue_position_id = models.CharField(max_length=64, blank=True)
    book = models.CharField(max_length=64, blank=True)  # it is folded with: its symbol, or its position where hedged
    position_id = models.UUIDField(null=True)  # ours that it was written for: what was adopted has no order of ours
    symbol = models.CharField(max_length=40)  # the venue's
    side = models.CharField(max_length=4)
    quantity = _figure()
    price = _figure()
    fee = _money(default=0)
    profit = _money(null=True)  # realised by it, fees apart; None where the venue does not say
    # From the quote currency to the account's when it was first heard of, as a fraction; None when nobody knew.
    rate_top = _figure(null=True)
    rate_bottom = _figure(null=True)
    at = models.DateTimeField()
    told_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "account_id", "venue_fill_id"], name="trading_fill_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "client_id"], name="trading_fill_of_order"),
            models.Index(fields=["organization_id", "account_id", "at"], name="trading_fill_of_account"),
        ]


class PositionState(models.TextChoices):
    """Where a position stands."""

    OPEN = "open"
    CLOSED = "closed"


class BookingKind(models.TextChoices):
    """What a fill can do."""

    OPENED = "opened"
    SETTLED = "settled"


class Position(TenantRow):
    """What is open on an account, folded from its fills; with the plan by which it is looked after."""

    id = models.UUIDField(primary_key=True, default=new_id, editable=False)
    organization_id = models.UUIDField(editable=False)
    account_id = models.UUIDField()
    signal_id = models.UUIDField(null=True)
    receipt_id = models.UUIDField(null=True)
    strategy_id = models.UUIDField(null=True)
    is_foreign = models.BooleanField(default=False)  # nobody here opened it: found at the venue, and adopted
    venue_position_id = models.CharField(max_length=64, blank=True)
    symbol = models.CharField(max_length=40)
    venue_symbol = models.CharField(max_length=40)
    side = models.CharField(max_length=4)
    state = models.CharField(max_length=6, choices=PositionState.choices, default=PositionState.OPEN)
    opened = _figure()  # in all
    quantity = _figure()  # open now
    entry = _figure()  # average
    first_stop = _figure(null=True)  # with which it was opened: what R is counted from
    stop = _figure(null=True)  # at the venue now
    wanted_stop = _figure(null=True)  # where we want it: committed before the venue is told
    # How often its venue was asked to keep a stop with it, and has refused in a row: an attached stop is no order.
    stops_made = models.PositiveIntegerField(default=0)
    stops_refused = models.PositiveIntegerField(default=0)
    stop_refused_at = models.DateTimeField(null=True)
    target = _figure(null=True)
    best = _figure(null=True)  # the best price at which it could have been closed so far
    risk = _money(null=True)  # at the first stop, costs included, as decided
    profit = _money(null=True, default=0)  # realised, fees and swap included; None: a part of it nobody knows
    fees = _money(default=0)
    entry_fees = _money(default=0)  # of these, what was paid to open it
    # On what is open, as its venue says; None where it does not. What a part has cost comes with the part's profit.
    swap = _money(null=True)
    r = models.DecimalField(max_digits=20, decimal_places=4, null=True)  # the same as a multiple of the first risk
    plan = models.JSONField(default=dict)  # engine/management: empty is the platform's
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(null=True)  # at the venue, last; before that nobody knows what protects it

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "account_id", "venue_position_id"],
                name="trading_position_at_venue",
                condition=models.Q(state=PositionState.OPEN) & ~models.Q(venue_position_id=""),
            ),
            models.CheckConstraint(
                condition=models.Q(is_foreign=True) | models.Q(receipt_id__isnull=False),
                name="trading_position_has_receipt",
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(
                fields=["organization_id", "account_id"],
                name="trading_position_open",
                condition=models.Q(state=PositionState.OPEN),
            ),
            models.Index(fields=["organization_id", "account_id", "-closed_at"], name="trading_position_latest"),
        ]


class Booking(TenantRow):
    """What a fill did to a position, as it was told upwards: opened it, or settled a part of it with this result.

    Its id is the number under which risk management keeps it: a fill that is heard of late gets a late number.
    """

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    account_id = models.UUIDField()
    position_id = models.UUIDField()
    venue_fill_id = models.CharField(max_length=64)
    kind = models.CharField(max_length=7, choices=BookingKind.choices)
    symbol = models.CharField(max_length=40)
    quantity = _figure()
    profit = _money(null=True)  # of what was settled, costs included; None: nobody knows
    at = models.DateTimeField()

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(
                fields=["organization_id", "account_id", "venue_fill_id", "kind"], name="trading_booking_once"
            ),
        ]
        indexes: ClassVar[list[models.Index]] = [
            models.Index(fields=["organization_id", "position_id"], name="trading_booking_of_position"),
            models.Index(fields=["organization_id", "account_id", "at"], name="trading_booking_of_account"),
        ]


class VenueLink(TenantRow):
    """What is known of the way to an account's venue: its terms, when it was last heard, whether entries may pass."""

    id = models.BigAutoField(primary_key=True)
    organization_id = models.UUIDField(editable=False)
    account_id = models.UUIDField()
    leverage = models.DecimalField(max_digits=10, decimal_places=4, null=True)
    commission = _money(null=True)  # a lot, there and back, in account money
    seen_at = models.DateTimeField(null=True)  # its account's figures
    reconciled_at = models.DateTimeField(null=True)  # ours and theirs compared, and found the same or repaired
    look_at = models.DateTimeField(null=True)  # when ours and theirs are compared next; None: at once
    alarms = models.JSONField(default=list)  # differences that were told and are still there
    policy = models.CharField(max_length=8, default=Policy.ALARM.value)  # for what nobody here did
    blocked_reason = models.CharField(max_length=300, blank=True)  # entries wait until somebody has looked
    blocked_at = models.DateTimeField(null=True)
    failures = models.PositiveSmallIntegerField(default=0)  # in a row
    successes = models.PositiveSmallIntegerField(default=0)  # in a row, since the breaker was last open
    closed_until = models.DateTimeField(null=True)  # the breaker is open until then
    requests_on = models.DateField(null=True)
    requests = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["organization_id", "account_id"], name="trading_venuelink_once"),
        ]

"""How long each leg of a signal's orders took, and what the way to the venue cost: said, decided on, and got."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import pairwise
from uuid import UUID

from accounts.tenancy import system_scope
from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.orders import Purpose
from mikrobot_platform.kernel.signals import SignalDraft
from risk_management.models import Receipt
from risk_management.rules.facts import Missing, Shared
from risk_management.services import receipts
from trading.engine import stored
from trading.engine.signal_facts import SignalFacts
from trading.engine.validate import emitted_at
from trading.models import EventKind, Order, Signal, SignalEvent

LEGS = ("emitted", "stored", "decided", "sent", "acknowledged", "filled")


@dataclass(frozen=True, slots=True, kw_only=True)
class Legs:
    """When an entry reached each point of its way; and by how much it was filled at a worse price than was expected.

    Slippage is in price, positive where it cost something: against the price that the source saw, and against the
    price that the decision was made on. What is not known, or was not reached, is None.
    """

    organization_id: UUID
    account_id: UUID
    order_id: UUID
    emitted: datetime | None
    stored: datetime
    decided: datetime
    sent: datetime | None
    acknowledged: datetime | None
    filled: datetime | None
    signal_slippage: Decimal | None
    decision_slippage: Decimal | None

    def took_ms(self) -> Mapping[str, int]:
        """Return the milliseconds of each leg that has two ends."""
        points = [(name, getattr(self, name)) for name in LEGS]
        reached = [(name, at) for name, at in points if at is not None]
        return {
            f"{before}_{after}": round((till - since).total_seconds() * 1000)
            for (before, since), (after, till) in pairwise(reached)
        }


def legs(signal_id: UUID) -> list[Legs] | None:
    """Measure each entry that was made of a signal, in the order of its accounts; None when there is no such signal."""
    with system_scope("doctor"):
        signal: Signal | None = Signal.objects.filter(pk=signal_id).first()
        if signal is None:
            return None
        orders = list(Order.objects.filter(signal_id=signal_id, purpose=Purpose.ENTRY.value).order_by("account_id"))
        decisions = {row.pk: row for row in Receipt.objects.filter(pk__in=[order.receipt_id for order in orders])}
        judged = SignalEvent.objects.filter(signal_id=signal_id, kind=EventKind.JUDGED).order_by("pk").first()
        quotes = {pk: _quoted(row) for pk, row in decisions.items()}
    draft = stored.read(SignalDraft, signal.draft)
    emitted = None if judged is None else emitted_at(draft, stored.read(SignalFacts, judged.facts))
    said = draft.entry or draft.reference
    return [
        Legs(
            organization_id=order.organization_id,
            account_id=order.account_id,
            order_id=order.pk,
            emitted=emitted,
            stored=signal.received_at,
            decided=order.decided_at,
            sent=order.sent_at,
            acknowledged=order.acknowledged_at,
            filled=order.filled_at,
            signal_slippage=_slippage(order, said),
            decision_slippage=_slippage(order, quotes.get(order.receipt_id)),
        )
        for order in orders
    ]


def _quoted(receipt: Receipt) -> Decimal | None:
    """Return the price at which the decision expected to be filled."""
    found = receipts.stored_facts(receipt)
    return None if found is None else _expected(found.shared)


@lru_cache(maxsize=64)
def _expected(text: str) -> Decimal | None:
    shared = plain.read(Shared, text)
    if shared.signal.entry is not None and not isinstance(shared.signal.entry, Missing):
        return shared.signal.entry
    if isinstance(shared.quote, Missing) or isinstance(shared.signal.side, Missing) or shared.quote is None:
        return None
    return shared.quote.ask if shared.signal.side is Side.BUY else shared.quote.bid


def _slippage(order: Order, expected: Decimal | None) -> Decimal | None:
    if expected is None or order.average_price is None or not order.filled:
        return None
    worse: Decimal = (order.average_price - expected) * Side(order.side).sign
    return worse


__all__: Sequence[str] = ("LEGS", "Legs", "legs")

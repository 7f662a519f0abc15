"""One signal from the wire to the last fill, for an operator; and whether every decision of it would be made again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from accounts.tenancy import system_scope
from mikrobot_platform.kernel.signals import SignalDraft
from risk_management.models import Receipt
from risk_management.services import receipts
from trading.engine import stored
from trading.engine.signal_facts import SignalFacts, SignalRules
from trading.engine.validate import validate
from trading.models import EventKind, Fill, Order, Signal, SignalEvent, Strategy


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Something that happened to a signal, or on an account because of it."""

    at: datetime
    what: str  # received, parsed, judged, decided, sent, acknowledged, filled ...
    account_id: UUID | None
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Again:
    """A decision that was made once more from its stored facts."""

    what: str  # judged, decided
    id: str
    code: str
    code_again: str
    is_same: bool


def story(signal_id: UUID) -> list[Step] | None:
    """Tell everything that is stored of a signal, in the order in which it happened; None when there is none."""
    with system_scope("doctor"):
        signal: Signal | None = Signal.objects.filter(pk=signal_id).first()
        if signal is None:
            return None
        events = SignalEvent.objects.filter(raw_id=signal.raw_id) | SignalEvent.objects.filter(signal_id=signal_id)
        steps = [
            *(
                Step(at=event.at, what=event.kind, account_id=None, text=f"{event.code} {event.sentence}".strip())
                for event in events.order_by("pk")
            ),
            *(
                Step(at=one.at, what="decided", account_id=one.account_id, text=f"{one.code} {one.sentence}")
                for one in Receipt.objects.filter(signal_id=signal_id)
            ),
        ]
        orders = list(Order.objects.filter(signal_id=signal_id))
        fills = list(Fill.objects.filter(client_id__in=[order.client_id for order in orders]))
    steps += [step for order in orders for step in _legs(order, signal)]
    steps += [
        Step(
            at=fill.at, what="filled", account_id=fill.account_id,
            text=f"{fill.side} {_plain(fill.quantity)} {fill.symbol} at {_plain(fill.price)}",
        )
        for fill in fills
    ]  # fmt: skip
    return sorted(steps, key=lambda step: step.at)


def _legs(order: Order, signal: Signal) -> Iterator[Step]:
    """Give each leg of an order that was reached, with the time since the signal came."""
    about = f"{order.purpose} {order.side} {_plain(order.quantity)} {order.symbol} ({order.client_id})"
    for what, at in (
        ("planned", order.decided_at),
        ("sent", order.sent_at),
        ("acknowledged", order.acknowledged_at),
    ):
        if at is not None:
            after_ms = round((at - signal.received_at).total_seconds() * 1000)
            yield Step(at=at, what=what, account_id=order.account_id, text=f"{about} after {after_ms} ms")
    if order.reason or order.reason_code:
        at = order.acknowledged_at or order.sent_at or order.decided_at
        text = f"{about}: {order.reason_code} {order.reason}".rstrip()
        yield Step(at=at, what=order.state, account_id=order.account_id, text=text)


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


def again(signal_id: UUID) -> list[Again] | None:
    """Make every decision about a signal once more from what was stored with it; nothing is written."""
    with system_scope("doctor"):
        signal: Signal | None = Signal.objects.filter(pk=signal_id).first()
        if signal is None:
            return None
        judged = list(SignalEvent.objects.filter(signal_id=signal_id, kind=EventKind.JUDGED).order_by("pk"))
        strategies = {row.pk: row for row in Strategy.objects.filter(pk__in=[event.strategy_id for event in judged])}
        found = [_judged(signal, event, strategies.get(event.strategy_id)) for event in judged]
        return found + [_decided(one) for one in Receipt.objects.filter(signal_id=signal_id).order_by("position")]


def _judged(signal: Signal, event: SignalEvent, strategy: Strategy | None) -> Again:
    rules = SignalRules() if strategy is None else strategy.read_parameters().rules
    draft = stored.read(SignalDraft, signal.draft)
    decision = validate(draft, stored.read(SignalFacts, event.facts), rules, now=event.at)
    is_same = (decision.code, decision.sentence) == (event.code, event.sentence)
    return Again(what="judged", id=str(event.pk), code=event.code, code_again=decision.code, is_same=is_same)


def _decided(receipt: Receipt) -> Again:
    made = receipts.again(receipt)
    if made is None:
        return Again(what="decided", id=str(receipt.pk), code=receipt.code, code_again="facts missing", is_same=False)
    return Again(what="decided", id=str(receipt.pk), code=receipt.code, code_again=made.code, is_same=made.is_same)


__all__: Sequence[str] = ("Again", "Step", "again", "story")

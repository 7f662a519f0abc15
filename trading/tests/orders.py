"""Orders, fills and positions for tests, written as the engine writes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, TypeVar, cast
from uuid import UUID, uuid4

from django.utils import timezone

from accounts.models.base import TenantRow
from mikrobot_platform.db.ids import new_id
from trading.ledger import ledger_of
from trading.models import Booking, Fill, Order, Position, Shard, VenueLink

Row = TypeVar("Row", bound=TenantRow)


def make_order(organization_id: UUID, **fields: Any) -> Order:
    values: dict[str, Any] = {
        "account_id": new_id(), "client_id": uuid4().hex[:26], "purpose": "exit", "symbol": "EURUSD",
        "venue_symbol": "EURUSD", "side": "buy", "type": "market", "quantity": Decimal(1), "decided_at": timezone.now(),
    }  # fmt: skip
    return _written(Order(organization_id=organization_id, **{**values, **fields}))


def make_fill(organization_id: UUID, **fields: Any) -> Fill:
    values: dict[str, Any] = {
        "account_id": new_id(), "venue_fill_id": uuid4().hex, "symbol": "EURUSD", "side": "buy", "quantity": Decimal(1),
        "price": Decimal("1.1"), "at": timezone.now(), "told_at": timezone.now(),
    }  # fmt: skip
    return _written(Fill(organization_id=organization_id, **{**values, **fields}))


def make_position(organization_id: UUID, **fields: Any) -> Position:
    values: dict[str, Any] = {
        "account_id": new_id(), "is_foreign": True, "symbol": "EURUSD", "venue_symbol": "EURUSD", "side": "buy",
        "opened": Decimal(1), "quantity": Decimal(1), "entry": Decimal("1.1"), "opened_at": timezone.now(),
        "seen_at": timezone.now(),
    }  # fmt: skip
    return _written(Position(organization_id=organization_id, **{**values, **fields}))


def make_shard(organization_id: UUID, **fields: Any) -> Shard:
    values: dict[str, Any] = {
        "signal_id": new_id(), "strategy_id": new_id(), "venue": "paper", "number": 0, "accounts": [new_id()],
        "created_at": timezone.now(),
    }  # fmt: skip
    return _written(Shard(organization_id=organization_id, **{**values, **fields}))


def make_booking(organization_id: UUID, **fields: Any) -> Booking:
    values: dict[str, Any] = {
        "account_id": new_id(), "position_id": new_id(), "venue_fill_id": uuid4().hex, "kind": "opened",
        "symbol": "EURUSD", "quantity": Decimal(1), "at": timezone.now(),
    }  # fmt: skip
    return _written(Booking(organization_id=organization_id, **{**values, **fields}))


def make_link(organization_id: UUID, **fields: Any) -> VenueLink:
    return _written(VenueLink(organization_id=organization_id, **{"account_id": new_id(), **fields}))


def _written(row: Row) -> Row:
    with ledger_of(cast(UUID, row.organization_id)):
        row.save(force_insert=True)
    return row

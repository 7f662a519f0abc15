"""Orders and positions for programs, newest first; nothing is changed here."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Permission
from mikrobot_platform.kernel.orders import OrderState
from trading.models import Order, Position, PositionState

PAGE = 100


class QuerySerializer(serializers.Serializer[Any]):
    """What may be asked for in the address; `before` is the id with which the last page ended."""

    account = serializers.UUIDField(required=False, default=None)
    signal = serializers.UUIDField(required=False, default=None)
    before = serializers.UUIDField(required=False, default=None)


class OrderQuerySerializer(QuerySerializer):
    """For orders, also how they stand."""

    state = serializers.ChoiceField(choices=[one.value for one in OrderState], required=False, default=None)


class PositionQuerySerializer(QuerySerializer):
    """For positions, also whether they are open."""

    state = serializers.ChoiceField(choices=PositionState.values, required=False, default=None)


class _Page(APIView):
    """A page of rows, in the order in which they were made: their ids grow with time."""

    reads = Permission.VIEW
    model: type[Order | Position]
    query: type[QuerySerializer]

    def get(self, request: Request) -> Response:
        asked = self.query(data=request.query_params)
        asked.is_valid(raise_exception=True)
        told = asked.validated_data
        wanted = {"account_id": told["account"], "signal_id": told["signal"], "state": told["state"]}
        rows = self.model.objects.filter(**{name: value for name, value in wanted.items() if value is not None})
        if told["before"] is not None:
            rows = rows.filter(pk__lt=told["before"])
        found = list(rows.order_by("-pk")[: PAGE + 1])
        last = found[PAGE - 1].pk if len(found) > PAGE else None
        return Response({"results": [self.shown(row) for row in found[:PAGE]], "before": last})

    def shown(self, row: Any) -> dict[str, Any]:
        """Show one row."""
        raise NotImplementedError


class OrdersView(_Page):
    """GET the orders, of all accounts or of one, with the receipt that each follows from."""

    model, query = Order, OrderQuerySerializer

    def shown(self, row: Order) -> dict[str, Any]:
        return {
            "id": row.pk,
            "account": row.account_id,
            "signal": row.signal_id,
            "receipt": row.receipt_id,
            "strategy": row.strategy_id,
            "position": row.position_id,
            "client_id": row.client_id,
            "purpose": row.purpose,
            "symbol": row.symbol,
            "side": row.side,
            "type": row.type,
            "quantity": _figure(row.quantity),
            "limit": _figure(row.limit),
            "stop": _figure(row.stop),
            "stop_loss": _figure(row.stop_loss),
            "take_profit": _figure(row.take_profit),
            "state": row.state,
            "code": row.reason_code or None,
            "reason": row.reason or None,
            "cause": row.cause or None,
            "filled": _figure(row.filled),
            "average_price": _figure(row.average_price),
            "decided_at": row.decided_at,
            "sent_at": row.sent_at,
            "acknowledged_at": row.acknowledged_at,
            "filled_at": row.filled_at,
        }


class PositionsView(_Page):
    """GET the positions, open and closed, as their venues have told them."""

    model, query = Position, PositionQuerySerializer

    def shown(self, row: Position) -> dict[str, Any]:
        return {
            "id": row.pk,
            "account": row.account_id,
            "signal": row.signal_id,
            "receipt": row.receipt_id,
            "strategy": row.strategy_id,
            "is_foreign": row.is_foreign,
            "symbol": row.symbol,
            "side": row.side,
            "state": row.state,
            "quantity": _figure(row.quantity),
            "entry": _figure(row.entry),
            "stop": _figure(row.stop),
            "target": _figure(row.target),
            "profit": _figure(row.profit),
            "r": _figure(row.r),
            "opened_at": row.opened_at,
            "closed_at": row.closed_at,
        }


def _figure(value: Decimal | None) -> str | None:
    return None if value is None else format(value.normalize(), "f")

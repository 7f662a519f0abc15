"""The emergency stop for programs: POST holds the entries and closes what is open, DELETE lets a person go on."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid5

from django.http import StreamingHttpResponse
from django.utils import timezone
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller, Permission
from accounts.api.views import caller_of
from risk_management.models import Level
from risk_management.services import switches
from trading.api.keys import idempotency_key
from trading.services import emergency
from trading.services.emergency import Held

log = logging.getLogger(__name__)


class StopSerializer(serializers.Serializer[Any]):
    """What is to stop, and why."""

    level = serializers.ChoiceField(choices=[Level.ACCOUNT.value, Level.STRATEGY.value, Level.ORGANIZATION.value])
    target = serializers.UUIDField(required=False, allow_null=True, default=None)
    reason = serializers.CharField(max_length=200)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["target"] is None) != (attrs["level"] == Level.ORGANIZATION):
            raise serializers.ValidationError({"target": "Name an account or a strategy; an organization takes none."})
        return attrs


class EmergencyStopView(APIView):
    """POST a stop. The answer is written once the entries are held and committed, and after the venues were asked.

    It comes within five seconds or a little more, and says what remains by the venues' own word. The same
    Idempotency-Key is the same stop: nothing is switched off twice, and what is still open is closed.
    """

    changes = Permission.TRADE

    def post(self, request: Request) -> StreamingHttpResponse:
        caller: Caller = caller_of(request)
        name = uuid5(caller.organization_id, f"emergency-stop:{idempotency_key(request)}")
        body = StopSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        asked = body.validated_data
        held = emergency.hold(
            caller, Level(asked["level"]), asked["reason"], target=asked["target"], now=timezone.now(), name=name
        )
        # Streamed: what is read of it is made when the transaction of this request has been committed.
        return StreamingHttpResponse(_closed(held), content_type="application/json")


def _closed(held: Held) -> Iterator[bytes]:
    told: dict[str, Any] = {"id": str(held.switch_id)}
    try:
        report = held.close().report
    except Exception:
        log.exception("an emergency stop could not be carried out to its end", extra={"switch": str(held.switch_id)})
        told |= {"accounts": len(held.doors), "problem": "Entries are held; what is open could not be closed."}
    else:
        told |= {
            "accounts": report.accounts,
            "flat": report.flat,
            "closed": report.closed,
            "cancelled": report.cancelled,
            "sent_ms": report.sent_ms,
            "flat_ms": report.flat_ms,
            "residual": [
                {
                    "account": str(one.account_id), "venue": one.venue, "problem": one.problem, "orders": one.orders,
                    "positions": one.positions,
                }
                for one in report.residual
            ],
        }  # fmt: skip
    yield json.dumps(told).encode()


class LiftSerializer(serializers.Serializer[Any]):
    """Why entries may go on."""

    reason = serializers.CharField(max_length=200)


class LiftView(APIView):
    """DELETE a switch: entries go on. Only a person may; what a limit has switched off needs a second one."""

    changes = Permission.TRADE

    def delete(self, request: Request, switch_id: UUID) -> Response:
        body = LiftSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        switches.lift(caller_of(request), switch_id, body.validated_data["reason"], now=timezone.now())
        return Response(status=204)

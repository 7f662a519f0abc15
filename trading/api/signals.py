"""Signals for programs: POST one with an API key of the scope `signals`, GET what became of it."""

from __future__ import annotations

from uuid import UUID

from django.utils import timezone
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller, Permission
from accounts.api.problems import problem
from accounts.api.views import caller_of
from mikrobot_platform.kernel.strict_json import MAX_KEPT
from trading.api.answers import headers_of, is_accepted, said, status_of
from trading.api.keys import idempotency_key
from trading.models import RawState, Signal, SignalEvent
from trading.pipeline import Delivery, Outcome, receive
from trading.services.sources import built_in


class SignalsView(APIView):
    """POST a signal. The Idempotency-Key makes a repetition harmless, and so does an `id` in the body, for ever."""

    changes = Permission.SIGNAL

    def post(self, request: Request) -> Response:
        caller: Caller = caller_of(request)
        key = idempotency_key(request)
        stream = request.stream  # past DRF's parsers: the ledger keeps bytes, and a parser of ours reads them
        body = stream.read(MAX_KEPT) if stream else b""
        headers = {"Content-Type": request.content_type or "", "Idempotency-Key": key}
        headers["User-Agent"] = request.headers.get("User-Agent", "")
        source = built_in(caller.organization_id, "rest")
        found = receive(source, Delivery(body=body, headers=headers), now=timezone.now())
        if not is_accepted(found):
            return problem(status_of(found), str(found.code), found.sentence, headers=headers_of(found))
        assert isinstance(found, Outcome)
        answer = {"id": found.signal_id, "message": found.raw_id, **said(found)}
        return Response(answer, status=_STATUS.get(found.state, 202))


_STATUS = {RawState.READ: 201, RawState.DUPLICATE: 200}


class SignalView(APIView):
    """GET one signal with everything that happened to it."""

    reads = Permission.VIEW

    def get(self, request: Request, signal_id: UUID) -> Response:
        row: Signal | None = Signal.objects.filter(pk=signal_id).first()
        if row is None:
            raise NotFound
        events = SignalEvent.objects.filter(signal_id=signal_id).order_by("pk")
        return Response(
            {
                "id": row.pk,
                "source": row.source_id,
                "received_at": row.received_at,
                "symbol": row.symbol,
                "side": row.side or None,
                "action": row.action,
                "strategy": row.strategy or None,
                "state": row.state,
                "code": row.code or None,
                "sentence": row.sentence or None,
                "events": [
                    {
                        "at": event.at,
                        "kind": event.kind,
                        "strategy": event.strategy_id,
                        "code": event.code or None,
                        "sentence": event.sentence or None,
                        "evidence": event.evidence,
                    }
                    for event in events
                ],
            }
        )

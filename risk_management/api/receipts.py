"""Receipts for programs: a list, one with all its rules, the whole chain, and the script that verifies it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.http import HttpResponse, StreamingHttpResponse
from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Permission
from accounts.api.views import caller_of
from accounts.tenancy import atomic, tenant_scope
from risk_management.models import Receipt
from risk_management.services import receipts


class QuerySerializer(serializers.Serializer[Any]):
    """What may be asked for in the address."""

    account = serializers.UUIDField(required=False, default=None)
    before = serializers.IntegerField(required=False, default=None, min_value=1, max_value=2**63 - 1)


def receipt_json(row: Receipt) -> dict[str, Any]:
    """Show a receipt in a list."""
    return {
        "id": row.pk,
        "position": row.position,
        "signal": row.signal_id,
        "account": row.account_id,
        "at": row.at,
        "verdict": row.verdict,
        "code": row.code,
        "sentence": row.sentence,
        "evidence": row.evidence,
        "hash": row.hash,
    }


class ReceiptsView(APIView):
    """GET the receipts, newest first, of all accounts or of one; `before` continues where the last page ended."""

    reads = Permission.VIEW

    def get(self, request: Request) -> Response:
        asked = QuerySerializer(data=request.query_params)
        asked.is_valid(raise_exception=True)
        rows, before = receipts.page(account_id=asked.validated_data["account"], before=asked.validated_data["before"])
        return Response({"results": [receipt_json(row) for row in rows], "before": before})


class ReceiptView(APIView):
    """GET one receipt with what every rule said, and whether deciding again gives the same."""

    reads = Permission.VIEW

    def get(self, request: Request, receipt_id: UUID) -> Response:
        row = Receipt.objects.filter(pk=receipt_id).first()
        if row is None:
            raise NotFound
        again = receipts.again(row)
        return Response(
            {
                **receipt_json(row),
                "body": row.said,
                "previous": row.previous,
                "is_made_again": None if again is None else again.is_same,
            }
        )


class ChainView(APIView):
    """GET the whole chain, a JSON object a line, as rules/verify_receipts.py reads it."""

    reads = Permission.VIEW

    def get(self, request: Request) -> StreamingHttpResponse:
        return StreamingHttpResponse(
            _lines(caller_of(request).organization_id),
            content_type="application/jsonl",
            headers={"Content-Disposition": 'attachment; filename="receipts.jsonl"', "Cache-Control": "no-store"},
        )


class VerifierView(APIView):
    """GET the script that verifies the chain: short, so that it is read before it is run."""

    reads = Permission.VIEW

    def get(self, request: Request) -> HttpResponse:
        return HttpResponse(
            receipts.verifier(),
            content_type="text/x-python; charset=us-ascii",
            headers={"Content-Disposition": 'attachment; filename="verify_receipts.py"'},
        )


def _lines(organization_id: UUID) -> Iterator[str]:
    """Read while sending: the request's own transaction is over by then, so the scope is entered again."""
    with tenant_scope(organization_id), atomic():
        yield from receipts.chain()

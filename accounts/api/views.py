"""Organization, members, trading accounts and trail for machines."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from rest_framework import serializers
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import Caller, Permission
from accounts.models import AuditEntry, Membership, TradingAccount
from accounts.services import trading_accounts

PAGE = 100


def caller_of(request: Request) -> Caller:
    """Return the caller that the permission class has let through."""
    caller: Caller | None = getattr(request._request, "caller", None)
    assert caller is not None
    return caller


class OrganizationView(APIView):
    """GET the organization this key or session belongs to."""

    reads = Permission.VIEW

    def get(self, request: Request) -> Response:
        caller = caller_of(request)
        return Response(
            {
                "id": caller.organization.pk,
                "name": caller.organization.name,
                "closing_at": caller.organization.closing_at,
                "permissions": sorted(caller.permissions),
            }
        )


class MembersView(APIView):
    """GET the members."""

    reads = Permission.VIEW

    def get(self, request: Request) -> Response:
        rows = Membership.objects.select_related("user").order_by("joined_at", "pk")
        return Response(
            {
                "results": [
                    {
                        "id": row.pk,
                        "email": row.user.email,
                        "name": row.user.name,
                        "role": row.role,
                        "joined_at": row.joined_at,
                    }
                    for row in rows
                ]
            }
        )


class DraftSerializer(serializers.Serializer[trading_accounts.AccountDraft]):
    """The body of a new account."""

    name = serializers.CharField(max_length=80)
    venue = serializers.CharField(max_length=32)
    kind = serializers.CharField(max_length=8)
    currency = serializers.CharField(max_length=3)
    firm = serializers.CharField(max_length=60, required=False, default="")
    program = serializers.CharField(max_length=80, required=False, default="")
    phase = serializers.CharField(max_length=16, required=False, default="")
    size = serializers.DecimalField(max_digits=20, decimal_places=8, required=False, allow_null=True, default=None)
    credentials = serializers.DictField(
        child=serializers.CharField(max_length=trading_accounts.MAX_CREDENTIAL_LENGTH),
        required=False,
        write_only=True,
        default=dict,
    )


def account_json(row: TradingAccount) -> dict[str, Any]:
    """Show an account; of its credentials only since when there are any."""
    return {
        "id": row.pk,
        "name": row.name,
        "venue": row.venue,
        "kind": row.kind,
        "currency": row.currency,
        "firm": row.firm,
        "program": row.program,
        "phase": row.phase,
        "size": None if row.size is None else format(row.size.normalize(), "f"),
        "status": row.status,
        "status_reason": row.status_reason,
        "status_at": row.status_at,
        "is_auto_trading": row.is_auto_trading,
        "credentials_at": row.credentials_at,
        "created_at": row.created_at,
    }


class TradingAccountsView(APIView):
    """GET the trading accounts, POST a new one."""

    reads, changes = Permission.VIEW, Permission.MANAGE_ACCOUNTS

    def get(self, request: Request) -> Response:
        return Response({"results": [account_json(row) for row in TradingAccount.objects.order_by("created_at", "pk")]})

    def post(self, request: Request) -> Response:
        body = DraftSerializer(data=request.data)
        body.is_valid(raise_exception=True)
        account = trading_accounts.open_account(
            caller_of(request), trading_accounts.AccountDraft(**body.validated_data)
        )
        return Response(account_json(account), status=201)


class TradingAccountView(APIView):
    """GET one trading account, DELETE to close it."""

    reads, changes = Permission.VIEW, Permission.MANAGE_ACCOUNTS

    def get(self, request: Request, account_id: UUID) -> Response:
        row = TradingAccount.objects.filter(pk=account_id).first()
        if row is None:
            raise NotFound
        return Response(account_json(row))

    def delete(self, request: Request, account_id: UUID) -> Response:
        trading_accounts.close(caller_of(request), account_id)
        return Response(status=204)


class AuditView(APIView):
    """GET the trail, newest first; `before` continues where the last page ended."""

    reads = Permission.VIEW

    def get(self, request: Request) -> Response:
        rows = AuditEntry.objects.order_by("-sequence")
        before = request.query_params.get("before", "")
        if before.isascii() and before.isdigit() and len(before) < 18:
            rows = rows.filter(sequence__lt=int(before))
        page = list(rows[:PAGE])
        return Response(
            {
                "results": [
                    {
                        "sequence": row.sequence,
                        "at": row.at,
                        "actor_kind": row.actor_kind,
                        "actor_id": row.actor_id,
                        "action": row.action,
                        "subject": row.subject,
                        "data": row.data,
                        "address": row.address,
                        "hash": bytes(row.hash or b"").hex(),
                    }
                    for row in page
                ],
                "before": page[-1].sequence if len(page) == PAGE else None,
            }
        )

"""Hooks: addresses that an Expert Advisor or TradingView posts to. No session, no cookie, no API key.

They stand outside the tenant middleware: whose message it is, is found out here, and what is accepted commits in a
transaction of its own. An answer waits for PostgreSQL and for nothing else.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, JsonResponse
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from accounts.auth import address
from mikrobot_platform.kernel.decisions import Refusal, Unreadable
from mikrobot_platform.kernel.strict_json import LIMITS, Numeral, read_object
from trading.api.answers import headers_of, said, status_of
from trading.pipeline import Outcome
from trading.services import reception
from trading.services.reception import Knock
from trading.sources.ea_push import MAX_SEQUENCE

MAX_DIGITS = len(str(MAX_SEQUENCE))


@csrf_exempt
@require_POST
def expert_advisor(request: HttpRequest, source_id: UUID) -> JsonResponse:
    """Take a signed message (trading/clients/PROTOCOL.md)."""
    knock = knock_of(request)
    found = reception.signed(source_id, knock, now=timezone.now())
    acknowledged = {"ack": _sequence(knock.body)} if isinstance(found, Outcome) else {}
    return _answer(found, **acknowledged)


@csrf_exempt
@require_POST
def tradingview(request: HttpRequest, secret: str) -> JsonResponse:
    """Take an alert in any of the forms that trading/sources/tradingview reads."""
    return _answer(reception.addressed(secret, knock_of(request), now=timezone.now()))


def knock_of(request: HttpRequest) -> Knock:
    """Take a request apart; of a body that is too large only so much is read as shows that it is."""
    return Knock(
        body=request.read(LIMITS.max_bytes + 1),
        headers=dict(request.headers),
        declared_bytes=_number(request.META.get("CONTENT_LENGTH") or ""),
        address=address.of(request),
    )


def _answer(found: Outcome | Refusal, **more: Any) -> JsonResponse:
    return JsonResponse({**said(found), **more}, status=status_of(found), headers=headers_of(found))


def _sequence(body: bytes) -> int | None:
    """Read which number is acknowledged, of a message that was signed: also of one that is refused."""
    try:
        found = read_object(body.decode("utf-8-sig", "replace")).get("sequence")
    except Unreadable:
        return None
    return _number(found.text) if isinstance(found, Numeral) else None


def _number(text: str) -> int | None:
    """Read a whole number; one that is longer than any of ours is none (int() raises beyond 4,300 digits)."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS else None

"""Errors as problem+json (RFC 9457), with the same stable codes as everywhere else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework.response import Response
from rest_framework.views import exception_handler

from accounts.access import Refused

_STATUS = {"not_allowed": 403, "idempotency_key_missing": 400, "person_required": 403, "organization_suspended": 403}


def answer(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn refusals and framework errors into one shape; None lets a broken promise surface as a 500."""
    if isinstance(error, Refused):
        status = 404 if error.code.endswith("_unknown") else _STATUS.get(error.code, 422)
        return problem(status, error.code, error.sentence)
    response = exception_handler(error, context)
    if response is None:
        return None
    code = getattr(error, "default_code", "error")
    fields = response.data if response.status_code == 400 and isinstance(response.data, dict) else None
    sentence = response.data.get("detail", "") if isinstance(response.data, dict) else ""
    kept = {name: response[name] for name in ("WWW-Authenticate", "Retry-After") if response.has_header(name)}
    return problem(
        response.status_code, code, str(sentence) or "The request is not right.", fields=fields, headers=kept
    )


def problem(
    status: int, code: str, sentence: str, *, fields: Any = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Say what is wrong: a code for programs, a sentence for people."""
    body = {"type": f"urn:mikrobot:problem:{code}", "code": code, "detail": sentence, "status": status}
    if fields and "detail" not in fields:
        body["fields"] = fields
    return Response(body, status=status, content_type="application/problem+json", headers=dict(headers or {}))

"""The mailbox of a local installation: e-mails that were written to files instead of being sent."""

from __future__ import annotations

import email
import ipaddress
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from email.utils import parsedate_to_datetime
from pathlib import Path

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from accounts.auth import address

SHOWN = 50
PASSED_ON = ("X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Forwarded", "Via")
_BETWEEN = re.compile(rb"\n-{79}\n")  # what Django's file backend writes after each message


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One e-mail as it would have arrived."""

    key: str
    subject: str
    to: str
    at: datetime
    text: str


@never_cache
@require_safe
def mailbox(request: HttpRequest) -> HttpResponse:
    _only_at_home(request)
    context = {"letters": _letters()[:SHOWN], "directory": settings.EMAIL_FILE_PATH}
    return render(request, "pages/local_mail.html", context)


@never_cache
@require_safe
def letter(request: HttpRequest, key: str) -> HttpResponse:
    _only_at_home(request)
    found = next((one for one in _letters() if one.key == key), None)
    if found is None:
        raise Http404
    return render(request, "pages/local_letter.html", {"letter": found})


def _only_at_home(request: HttpRequest) -> None:
    """Exist only in a local installation and for a browser on the same machine: the links in here open accounts.

    Through a proxy that nobody told us about everybody seems to be near, so one that gives itself away is enough.
    """
    where = address.of(request)
    is_passed_on = not settings.TRUSTED_PROXY_COUNT and any(name in request.headers for name in PASSED_ON)
    is_near = where is not None and ipaddress.ip_address(where).is_loopback and not is_passed_on
    if not settings.IS_LOCAL or not settings.EMAIL_FILE_PATH or not is_near:
        raise Http404


def _letters() -> list[Letter]:
    """Read the newest files, newest letter first."""
    directory = Path(str(settings.EMAIL_FILE_PATH))
    files = sorted(directory.glob("*.log"), key=lambda file: file.stat().st_mtime, reverse=True)[: SHOWN * 2]
    found = [
        _read(f"{file.stem}-{number}", raw, file)
        for file in files
        for number, raw in enumerate(_BETWEEN.split(file.read_bytes()))
        if raw.strip()
    ]
    return sorted(found, key=lambda one: one.at, reverse=True)


def _read(key: str, raw: bytes, file: Path) -> Letter:
    message = email.message_from_bytes(raw.lstrip(b"\n"), policy=default)
    assert isinstance(message, EmailMessage)
    body = message.get_body(("plain",))
    try:
        at = parsedate_to_datetime(str(message["date"]))
    except (TypeError, ValueError):
        at = datetime.fromtimestamp(file.stat().st_mtime, UTC)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)  # "-0000": the time is UTC, the zone unknown (RFC 5322)
    return Letter(
        key=key,
        subject=str(message["subject"] or ""),
        to=str(message["to"] or ""),
        at=at,
        text=str(body.get_content()) if body is not None else "",
    )

"""What shows a source's secret, once: making a source, and exchanging its secret."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from uuid import UUID

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from accounts.access import Permission
from accounts.requests import HouseRequest
from dashboard.forms.sources import ExchangeForm, SourceForm
from dashboard.views.doors import SentBefore, allowed, attempt, caller, confirmed_lately, once, tell
from dashboard.views.sources import SETUP_FIELDS, address_of, own
from trading.models import Source
from trading.services import sources
from trading.services.sources import Setup

# What TradingView fills in; figures stand without quotes. A strategy's exit is a "buy" or "sell" like an entry, so its
# alert says where the strategy stands afterwards, in the form that has a word for it: TradersPost's.
STRATEGY_ALERT = """{
  "ticker": "{{ticker}}",
  "action": "{{strategy.order.action}}",
  "sentiment": "{{strategy.market_position}}",
  "price": {{close}},
  "interval": "{{interval}}",
  "time": "{{timenow}}"
}"""
INDICATOR_ALERT = """{
  "action": "buy",
  "symbol": "{{ticker}}",
  "price": {{close}},
  "stop_loss": {{plot("Stop")}},
  "take_profit": {{plot("Target")}},
  "interval": "{{interval}}",
  "time": "{{time}}",
  "timenow": "{{timenow}}"
}"""


def _token() -> dict[str, str]:
    return {"once": secrets.token_urlsafe(24)}


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_SOURCES)
@confirmed_lately
def new(request: HouseRequest) -> HttpResponse:
    """Make a source and show its secret, on this answer alone; sending the same form twice makes one source."""
    given = request.POST if request.method == "POST" else None
    form = SourceForm(given, base=Setup(name=""), initial=_token())
    if request.method == "POST" and form.is_valid():
        kind = form.cleaned_data["kind"]
        try:
            made = _once(request, form, lambda: sources.make(caller(request), kind, form.setup(kind)))
        except SentBefore:
            messages.warning(
                request, _("That source was made already. Its secret is not shown again; exchange it if you lost it.")
            )
            return redirect("sources")
        if made is not None:
            return _made(request, *made, is_new=True)
    return render(request, "pages/source_new.html", {"form": form}, status=422 if form.errors else 200)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_SOURCES)
@confirmed_lately
def exchange(request: HouseRequest, source_id: UUID) -> HttpResponse:
    """Make another secret and show it, on this answer alone; sending the same form twice exchanges once."""
    row = own(source_id)
    if row.kind not in sources.KINDS:
        raise Http404
    form = ExchangeForm(request.POST if request.method == "POST" else None, initial=_token())
    if request.method == "POST" and form.is_valid():
        overlap = form.cleaned_data["overlap"]
        try:
            made = _once(request, form, lambda: sources.exchange_secret(caller(request), source_id, overlap=overlap))
        except SentBefore:
            messages.warning(
                request, _("The secret was exchanged already. It is not shown again; exchange it anew if you lost it.")
            )
            return redirect("source", source_id)
        if made is not None:
            return _made(request, *made, is_new=False)
    now = timezone.now()
    return render(
        request,
        "pages/source_secret.html",
        {"form": form, "source": row, "secrets": sources.secrets_of(row, now=now)},
        status=422 if form.errors else 200,
    )


def _once(request: HouseRequest, form: forms.Form, deed: Callable[[], tuple[Source, str]]) -> tuple[Source, str] | None:
    return once(request, form, lambda: attempt(form, deed, SETUP_FIELDS | {"kind_invalid": "kind"}))


def _made(request: HouseRequest, row: Source, secret: str, *, is_new: bool) -> HttpResponse:
    """Show a secret for the first and last time, as its sender needs it."""
    ends = [one.ends_at for one in sources.secrets_of(row, now=timezone.now()) if one.ends_at]
    shown = {"source": row, "is_new": is_new, "old_ends_at": max(ends, default=None)}
    if row.kind == sources.SIGNED:
        shown |= {"secret": secret, "server": settings.SITE_URL}
    else:
        alerts = (
            (_("Alert of a strategy"), STRATEGY_ALERT),
            (_("Alert of an indicator"), INDICATOR_ALERT),
        )
        shown |= {"address": address_of(row, secret), "alerts": alerts, "is_reachable": not settings.IS_LOCAL}
    return render(request, "pages/source_made.html", shown)


@require_POST
@allowed(Permission.MANAGE_SOURCES)
def end_old(request: HouseRequest, source_id: UUID) -> HttpResponse:
    own(source_id)
    tell(
        request,
        lambda: sources.end_old_secrets(caller(request), source_id),
        _("The old secret counts no more. Only the newest one opens the door."),
    )
    return redirect("source", source_id)

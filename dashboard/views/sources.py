"""Sources: list, look at one and at what it sent, set it up anew, switch it off and on."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

import trading
from accounts.access import Permission
from accounts.requests import HouseRequest
from dashboard.forms.sources import MATTERS, SetupForm, setup_of
from dashboard.queries import clocks
from dashboard.queries import messages as told
from dashboard.queries import sources as queries
from dashboard.views.doors import allowed, attempt, caller, in_organization, tell
from trading import facts
from trading.models import Source
from trading.services import sources

SETUP_FIELDS = {
    "name_invalid": "name",
    "name_taken": "name",
    "rate_invalid": "per_minute",
    "network_invalid": "networks",
    "levels_invalid": "levels",
    "zone_invalid": "clock_zone",
    "shift_invalid": "clock_shift",
}
CLIENT = Path(trading.__file__).parent / "clients" / "metatrader" / "MikrobotPush.mq5"
HIDDEN = "…"


@require_safe
@in_organization
def listing(request: HouseRequest) -> HttpResponse:
    return render(request, "pages/sources.html", {"lines": queries.lines(now=timezone.now())})


def in_sight(source_id: UUID) -> Source:
    """Return a source of one's own or of the platform."""
    source: Source | None = Source.objects.filter(pk=source_id).first()
    if source is None:
        raise Http404
    return source


def own(source_id: UUID) -> Source:
    """Return a source of one's own; the platform's can be looked at only."""
    source = in_sight(source_id)
    if source.is_of_platform:
        raise Http404
    return source


@never_cache
@require_safe
@in_organization
def source(request: HouseRequest, source_id: UUID) -> HttpResponse:
    return _source_page(request, in_sight(source_id))


def _source_page(request: HouseRequest, row: Source, *, form: SetupForm | None = None) -> HttpResponse:
    now = timezone.now()
    shows_all = request.GET.get("all") == "1"
    seen = {"source": row, "shows_all": shows_all}
    seen["latest"] = queries.latest(row, now=now, with_signs_of_life=shows_all)
    if not row.is_of_platform:
        day = queries.day(row, now=now)
        streams = queries.streams(row)
        seen |= {
            "day": day,
            "knocks": queries.knocks(row) if day.turned_away else [],
            "streams": streams,
            "alive_at": streams[0].seen_at if streams else None,
            "secrets": sources.secrets_of(row, now=now) if row.kind in sources.KINDS else [],
            "has_secret": row.kind in sources.KINDS,
            "address": address_of(row),
            "clock": clocks.told(facts.clock(row)) if "clock_zone" in MATTERS.get(row.kind, ()) else None,
            "form": form or SetupForm(kind=row.kind, base=setup_of(row)),
        }
    return render(request, "pages/source.html", seen, status=422 if form is not None and form.errors else 200)


def address_of(row: Source, secret: str = HIDDEN) -> str:
    """Return where the source posts to; a secret that is part of it is not known any more once it was shown."""
    match row.kind:
        case sources.SIGNED:
            return settings.SITE_URL + reverse("hook-ea", args=[row.pk])
        case sources.ADDRESSED:
            return f"{settings.SITE_URL}{reverse('hook-tv', args=['x']).removesuffix('x/')}{secret}/"
        case "rest":
            return settings.SITE_URL + reverse("api-signals")
    return ""


@require_POST
@allowed(Permission.MANAGE_SOURCES)
def change(request: HouseRequest, source_id: UUID) -> HttpResponse:
    row = own(source_id)
    row = Source.objects.select_for_update().get(pk=row.pk)  # what the form is compared with stays until it is saved
    form = SetupForm(request.POST, kind=row.kind, base=setup_of(row))
    if form.is_valid():
        done = attempt(form, lambda: sources.change(caller(request), source_id, form.setup(row.kind)), SETUP_FIELDS)
        if done is not None:
            messages.success(request, _("“%(name)s” is set up so from now on.") % {"name": done.name})
            return redirect("source", source_id)
    return _source_page(request, own(source_id), form=form)


@require_POST
@allowed(Permission.MANAGE_SOURCES)
def switch(request: HouseRequest, source_id: UUID) -> HttpResponse:
    row, is_on = own(source_id), request.POST.get("on") == "1"
    done = (
        _("“%(name)s” is on. It may send again.") if is_on else _("“%(name)s” is off. What came before is still here.")
    )
    tell(request, lambda: sources.switch(caller(request), source_id, is_on=is_on), done % {"name": row.name})
    return redirect("source", source_id)


@never_cache
@require_safe
@in_organization
def message(request: HouseRequest, source_id: UUID, raw_id: UUID) -> HttpResponse:
    row = in_sight(source_id)
    story = told.story(row, raw_id)
    if story is None:
        raise Http404
    return render(request, "pages/source_message.html", {"source": row, "story": story, "message": story.message})


@require_safe
@in_organization
def client(request: HouseRequest) -> FileResponse:
    """Send the MQL5 program that speaks our protocol."""
    return FileResponse(CLIENT.open("rb"), as_attachment=True, filename=CLIENT.name, content_type="text/plain")

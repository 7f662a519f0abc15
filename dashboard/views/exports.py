"""Exports: ask for the organization's data, fetch it."""

from __future__ import annotations

from uuid import UUID

from django.contrib import messages
from django.http import FileResponse, Http404, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from accounts import export
from accounts.access import Permission, Refused
from accounts.models import DataExport
from accounts.requests import HouseRequest
from dashboard.views.doors import allowed, caller, confirmed_lately, tell


@require_POST
@allowed(Permission.MANAGE_ORGANIZATION)
def request_export(request: HouseRequest) -> HttpResponse:
    tell(
        request,
        lambda: export.request(caller(request)),
        _("Your data is being collected. You get an e-mail when it is ready; it also appears here."),
    )
    return redirect("organization")


@require_safe
@allowed(Permission.MANAGE_ORGANIZATION)
@confirmed_lately
def download(request: HouseRequest, export_id: UUID) -> HttpResponse | FileResponse:
    """Send the zip while it lasts; the fetch stands in the trail."""
    row: DataExport | None = DataExport.objects.filter(pk=export_id, state=DataExport.State.READY).first()
    if row is None:
        raise Http404
    try:
        file = export.open_file(row)
    except Refused as refusal:
        messages.error(request, refusal.sentence)
        return redirect("organization")
    name = f"mikrobot-{row.requested_at:%Y-%m-%d}.zip"
    response = FileResponse(file, as_attachment=True, filename=name)
    response["Cache-Control"] = "no-store"
    return response

"""The organization: found, choose, rename, move to another time zone, close, keep."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Permission, between, personal
from accounts.middleware import CHOSEN
from accounts.models import DataExport
from accounts.requests import HouseRequest
from accounts.services import organizations
from dashboard.forms.organizations import NameForm, TypedNameForm, ZoneForm
from dashboard.views.doors import allowed, attempt, caller, confirmed_lately, in_organization, person, signed_in, tell

NAME_FIELDS = {"name_invalid": "name", "name_differs": "typed_name"}


@require_safe
@in_organization
def organization(request: HouseRequest) -> HttpResponse:
    return _settings_page(request)


def _settings_page(
    request: HouseRequest, form: NameForm | None = None, *, zone_form: ZoneForm | None = None, status: int = 200
) -> HttpResponse:
    house, now = caller(request).organization, timezone.now()
    zone = house.zone_at(now)
    exports = list(DataExport.objects.select_related("requested_by__user").order_by("-requested_at")[:5])
    return render(
        request,
        "pages/organization.html",
        {
            "form": form or NameForm(initial={"name": house.name}),
            "zone": zone,
            "zone_changes": house if zone != (house.next_zone or zone) else None,
            "zone_form": zone_form or ZoneForm(initial={"time_zone": house.next_zone or zone}, current_zone=zone),
            "exports": exports,
            "grace": settings.CLOSING_GRACE,
            "export_age": settings.EXPORT_AGE,
        },
        status=status,
    )


@require_POST
@allowed(Permission.MANAGE_ORGANIZATION)
def rename(request: HouseRequest) -> HttpResponse:
    form = NameForm(request.POST)
    if form.is_valid():
        done = attempt(form, lambda: organizations.rename(caller(request), form.cleaned_data["name"]), NAME_FIELDS)
        if done is not None:
            messages.success(request, _("The organization is now called “%(name)s”.") % {"name": done.name})
            return redirect("organization")
    return _settings_page(request, form, status=422)


@require_POST
@allowed(Permission.MANAGE_ORGANIZATION)
def change_zone(request: HouseRequest) -> HttpResponse:
    now = timezone.now()
    form = ZoneForm(request.POST, current_zone=caller(request).organization.zone_at(now))
    if form.is_valid():
        zone = form.cleaned_data["time_zone"]
        fields = {"time_zone_unknown": "time_zone"}
        done = attempt(form, lambda: organizations.change_zone(caller(request), zone, now=now), fields)
        if done is not None:
            if done.next_zone_from and done.next_zone:
                at = timezone.localtime(done.next_zone_from).strftime("%Y-%m-%d %H:%M")
                messages.success(request, _("Days turn by %(zone)s from %(at)s on.") % {"zone": zone, "at": at})
            else:
                messages.success(request, _("Days turn by %(zone)s, as they do now.") % {"zone": zone})
            return redirect("organization")
    return _settings_page(request, zone_form=form, status=422)


@personal
@between
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def new(request: HouseRequest) -> HttpResponse:
    """Found one more organization and go there."""
    form = NameForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        founded = attempt(
            form, lambda: organizations.found_another(person(request), name, request.memberships), NAME_FIELDS
        )
        if founded is not None:
            request.session[CHOSEN] = str(founded.pk)
            messages.success(request, _("“%(name)s” is ready. You own it.") % {"name": founded.name})
            return redirect("home")
    return render(request, "pages/organization_new.html", {"form": form}, status=422 if form.errors else 200)


@personal
@require_POST
@signed_in
def switch(request: HouseRequest) -> HttpResponse:
    """Look at another of one's own organizations from now on."""
    try:
        wanted = UUID(request.POST.get("organization", ""))
    except ValueError:
        raise Http404 from None
    if all(one.organization_id != wanted for one in request.memberships):
        raise Http404
    request.session[CHOSEN] = str(wanted)
    return redirect("home")


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_ORGANIZATION)
@confirmed_lately
def close(request: HouseRequest) -> HttpResponse:
    """Start the grace period, once the name was typed."""
    label = _("Type “%(name)s” to close it") % {"name": caller(request).organization.name}
    form = TypedNameForm(request.POST if request.method == "POST" else None, label=label)
    if request.method == "POST" and form.is_valid():
        typed = form.cleaned_data["typed_name"]
        if attempt(form, lambda: organizations.close(caller(request), typed), NAME_FIELDS) is not None:
            messages.success(request, _("The organization will be erased. Until then you can keep it open."))
            return redirect("organization")
    return render(
        request,
        "pages/organization_close.html",
        {"form": form, "grace": settings.CLOSING_GRACE},
        status=422 if form.errors else 200,
    )


@require_POST
@allowed(Permission.MANAGE_ORGANIZATION)
def keep_open(request: HouseRequest) -> HttpResponse:
    tell(
        request,
        lambda: organizations.keep_open(caller(request)),
        _("The organization stays open. Auto-trading stays off until somebody switches it on."),
    )
    return redirect("organization")

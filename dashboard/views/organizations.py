"""The organization: found, choose, rename, close, keep."""

from __future__ import annotations

from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from accounts.access import Permission, between, personal
from accounts.middleware import CHOSEN
from accounts.models import DataExport
from accounts.requests import HouseRequest
from accounts.services import organizations
from dashboard.forms.organizations import NameForm, TypedNameForm
from dashboard.views.doors import allowed, attempt, caller, confirmed_lately, in_organization, person, signed_in, tell

NAME_FIELDS = {"name_invalid": "name", "name_differs": "typed_name"}


@require_safe
@in_organization
def organization(request: HouseRequest) -> HttpResponse:
    return _settings_page(request, NameForm(initial={"name": caller(request).organization.name}))


def _settings_page(request: HouseRequest, form: NameForm, status: int = 200) -> HttpResponse:
    exports = list(DataExport.objects.select_related("requested_by__user").order_by("-requested_at")[:5])
    return render(
        request,
        "pages/organization.html",
        {"form": form, "exports": exports, "grace": settings.CLOSING_GRACE, "export_age": settings.EXPORT_AGE},
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

"""API keys: list, make (the text is shown once), revoke."""

from __future__ import annotations

import secrets
from uuid import UUID

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_safe

from accounts.access import Permission
from accounts.models import ApiKey, KeyScope
from accounts.requests import HouseRequest
from accounts.services import keys
from dashboard.forms.keys import KeyForm
from dashboard.views.doors import (
    SentBefore,
    allowed,
    attempt,
    caller,
    confirmed_lately,
    in_organization,
    once,
    tell,
)

KEY_FIELDS = {"name_invalid": "name", "scopes_invalid": "scopes", "network_invalid": "networks", "expiry_past": "days"}


@require_safe
@in_organization
def listing(request: HouseRequest) -> HttpResponse:
    rows = list(ApiKey.objects.select_related("created_by__user").order_by("-created_at"))
    usable = [key for key in rows if key.is_usable]
    ended = [key for key in rows if not key.is_usable][:20]
    return render(request, "pages/keys.html", {"usable": usable, "ended": ended})


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_KEYS)
@confirmed_lately
def new(request: HouseRequest) -> HttpResponse:
    """Make a key and show its text, on this answer alone; sending the same form twice makes one key."""
    form = KeyForm(request.POST if request.method == "POST" else None, initial={"once": secrets.token_urlsafe(24)})
    if request.method == "POST" and form.is_valid():
        try:
            made = once(request, form, lambda: attempt(form, lambda: _make(request, form), KEY_FIELDS))
        except SentBefore:
            messages.warning(
                request, _("That key was made already. Its text is not shown again; revoke it if you lost it.")
            )
            return redirect("keys")
        if made is not None:
            key, text = made
            reads = set(key.scopes) != {KeyScope.SIGNALS}
            try_at = settings.SITE_URL + reverse("api-organization") if reads else ""
            return render(request, "pages/key_made.html", {"key": key, "text": text, "try_at": try_at})
    return render(request, "pages/key_new.html", {"form": form}, status=422 if form.errors else 200)


def _make(request: HouseRequest, form: KeyForm) -> tuple[ApiKey, str]:
    return keys.create(
        caller(request),
        name=form.cleaned_data["name"],
        scopes=form.cleaned_data["scopes"],
        networks=form.addresses(),
        expires_at=form.expires_at(),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Permission.MANAGE_KEYS)
def revoke(request: HouseRequest, key_id: UUID) -> HttpResponse:
    """End a key after a look at which one it is."""
    key: ApiKey | None = ApiKey.objects.filter(pk=key_id).first()
    if key is None:
        raise Http404
    if request.method == "POST":
        tell(
            request,
            lambda: keys.revoke(caller(request), key_id),
            _("“%(name)s” no longer opens anything.") % {"name": key.name},
        )
        return redirect("keys")
    return render(request, "pages/key_revoke.html", {"key": key})

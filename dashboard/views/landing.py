"""The first page a visitor sees, and the switch between light and dark."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from accounts.access import personal
from dashboard.views.doors import back

THEMES = {"light", "dark"}
YEAR_S = 365 * 24 * 3600


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """Say what there is; somebody who is signed in goes on to the overview."""
    if request.user.is_authenticated:
        return redirect("home")
    return render(request, "pages/landing.html")


@personal
@require_POST
def theme(request: HttpRequest) -> HttpResponse:
    """Keep the choice in a cookie, so that the page is right before any script runs; `system` forgets it."""
    response = redirect(back(request, "/"))
    chosen = request.POST.get("theme", "")
    if chosen in THEMES:
        response.set_cookie("theme", chosen, max_age=YEAR_S, samesite="Lax", secure=settings.IS_HTTPS, httponly=True)
    else:
        response.delete_cookie("theme", samesite="Lax")
    return response

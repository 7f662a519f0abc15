"""What a person says of themselves."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import personal
from accounts.requests import HouseRequest
from accounts.services import people
from dashboard.forms.people import ProfileForm
from dashboard.views.doors import attempt, person, signed_in


@personal
@require_http_methods(["GET", "HEAD", "POST"])
@signed_in
def profile(request: HouseRequest) -> HttpResponse:
    """Show and change name, zone, currency, experience and language."""
    user = person(request)
    initial = {name: getattr(user, name) for name in ("name", "time_zone", "currency", "experience", "language")}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=initial, current_zone=user.time_zone)
    if request.method == "POST" and form.is_valid():
        done = attempt(
            form,
            lambda: people.update_profile(user, **form.cleaned_data),
            {"time_zone_unknown": "time_zone", "name_invalid": "name"},
        )
        if done is not None:
            messages.success(request, _("Your profile is saved."))
            return redirect("profile")
    several = len(settings.LANGUAGES) > 1
    return render(
        request, "pages/profile.html", {"form": form, "several_languages": several}, status=422 if form.errors else 200
    )

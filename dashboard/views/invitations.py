"""The page behind the link in an invitation."""

from __future__ import annotations

from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from accounts.access import between, personal
from accounts.auth.forms import INVITATION
from accounts.middleware import CHOSEN
from accounts.models import User
from accounts.requests import HouseRequest
from accounts.services import members
from dashboard.views.doors import attempt, person


@never_cache
@personal
@between
@require_http_methods(["GET", "HEAD", "POST"])
def invitation(request: HouseRequest, token: str) -> HttpResponse:
    """Show who invites to what; accept for the invited address, say plainly when it is another.

    The link is kept in the session, so that a sign-up or sign-in in between comes back here.
    """
    found = members.look_up(token)
    if found is None:
        request.session.pop(INVITATION, None)
        return render(request, "pages/invitation_gone.html", status=410)
    form = forms.Form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and request.user.is_authenticated:
        form.is_valid()
        membership = attempt(form, lambda: members.accept(person(request), token))
        if membership is not None:
            request.session.pop(INVITATION, None)
            request.session[CHOSEN] = str(membership.organization_id)
            name = found.organization.name
            messages.success(request, _("Welcome. You are now a member of “%(name)s”.") % {"name": name})
            return redirect("home")
    here = reverse("invitation", args=[token])
    if request.user.is_authenticated:
        request.session.pop(INVITATION, None)  # they are here; the overview must not send them back for ever
    else:
        request.session[INVITATION] = token
    return render(
        request,
        "pages/invitation.html",
        {
            "invitation": found,
            "form": form,
            "has_account": not request.user.is_authenticated and User.objects.filter(email=found.email).exists(),
            "is_for_me": request.user.is_authenticated and person(request).email.lower() == found.email.lower(),
            "sign_in_url": f"{reverse('account_login')}?{urlencode({'next': here})}",
            "sign_up_url": f"{reverse('account_signup')}?{urlencode({'next': here, 'email': found.email})}",
            "here": here,
        },
        status=422 if form.errors else 200,
    )

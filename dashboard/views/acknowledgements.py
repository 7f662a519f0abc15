"""Who has accepted which document."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from accounts.access import personal
from accounts.auth import address
from accounts.models import Acknowledgement
from accounts.requests import HouseRequest
from accounts.services import people
from dashboard.views.doors import back, caller, in_organization, person, tell


@personal
@require_http_methods(["GET", "HEAD", "POST"])
@in_organization
def acknowledgements(request: HouseRequest) -> HttpResponse:
    """Show the documents with what was accepted when; take an acceptance."""
    if request.method == "POST":
        document = request.POST.get("document", "")
        if request.POST.get("accept") != "on":
            messages.error(request, _("Tick the box to accept. Nothing was recorded."))
        else:
            tell(
                request,
                lambda: people.acknowledge(caller(request), document, address.of(request)),
                _("Your acceptance was recorded."),
            )
        return redirect(back(request, "acknowledgements"))
    accepted: dict[tuple[str, str], Acknowledgement] = {
        (row.document, row.version): row for row in Acknowledgement.objects.filter(user=person(request))
    }
    documents = [
        {
            "code": one.value,
            "label": one.label,
            "version": people.VERSIONS[one.value],
            "accepted": accepted.get((one.value, people.VERSIONS[one.value])),
        }
        for one in (Acknowledgement.Document.RISK, Acknowledgement.Document.TERMS)
    ]
    return render(request, "pages/acknowledgements.html", {"documents": documents})

"""The terms and the risk warning, in the version that is in force."""

from __future__ import annotations

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from accounts.models import Acknowledgement
from accounts.services.people import VERSIONS


@require_safe
def document(request: HttpRequest, name: str) -> HttpResponse:
    """Show one document to anybody: it is read before an account is made."""
    if name not in Acknowledgement.Document.values:
        raise Http404
    title = Acknowledgement.Document(name).label
    return render(request, f"documents/{name}.html", {"title": title, "version": VERSIONS[name]})

"""Pages for what went wrong: what happened, what was not done, what to do."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.utils.translation import gettext as _

from mikrobot_platform.kernel.trace import trace_id


def _answer(request: HttpRequest, status: int, title: str, sentence: str) -> HttpResponse:
    if request.path.startswith("/api/"):
        code = f"http_{status}"
        body = {"type": f"urn:mikrobot:problem:{code}", "code": code, "detail": sentence, "status": status}
        return JsonResponse(body, status=status, content_type="application/problem+json")
    context = {"status": status, "title": title, "sentence": sentence, "trace": trace_id.get()}
    return render(request, "errors/error.html", context, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    sentence = _("Something in it was not as it should be. Nothing was changed.")
    return _answer(request, 400, _("That request made no sense"), sentence)


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Say why; a PermissionDenied carries the sentence."""
    sentence = str(exception) or _("You may not do this. Nothing was changed.")
    return _answer(request, 403, _("Not allowed"), sentence)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 404, _("Not here"), _("This page does not exist, or it is not yours to see."))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return _answer(
        request,
        403,
        _("Please send that again"),
        _(
            "The form was open too long, or cookies are off, so we could not tell that it came from you. "
            "Nothing was changed. Go back, reload the page and send it again."
        ),
    )


def too_many(request: HttpRequest) -> HttpResponse:
    """Answer when one of allauth's limits is reached; they count minutes."""
    response = render(request, "429.html", status=429)
    response["Retry-After"] = "60"
    return response


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer without database, session or context: they may be what failed."""
    if request.path.startswith("/api/"):
        return _answer(request, 500, "", "Something broke on our side. Nothing was changed.")
    page = loader.get_template("errors/broken.html").render({"trace": trace_id.get()})
    return HttpResponse(page, status=500)

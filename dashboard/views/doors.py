"""What every door shares: who may enter, how a refusal is told, how a deed becomes a redirect."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from allauth.account.internal.flows.reauthentication import is_reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _

from accounts.access import Caller, Permission, Refused
from accounts.models import User
from accounts.requests import HouseRequest
from accounts.tenancy import atomic
from mikrobot_platform.db import scope as scopes

P = ParamSpec("P")
T = TypeVar("T")
Door = Callable[Concatenate[HouseRequest, P], HttpResponseBase]

# Not a matter of what was typed: the page says no and shows no form.
FORBIDDEN = {"not_allowed", "organization_suspended", "person_required"}
ONCE_S = 24 * 3600


def signed_in(view: Door[P]) -> Door[P]:
    """Let people in who have signed in; others sign in first and come back."""
    return login_required(view)


def in_organization(view: Door[P]) -> Door[P]:
    """Let members in; somebody without an organization is shown how to get one."""

    @wraps(view)
    def enter(request: HouseRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.caller is None:
            return redirect("home")
        try:
            return view(request, *args, **kwargs)
        except (Http404, PermissionDenied):
            if request.method == "POST" and is_for_another(request.POST):
                raise PermissionDenied(_elsewhere()) from None  # the reason why it is not here
            raise

    return signed_in(enter)


def allowed(permission: Permission) -> Callable[[Door[P]], Door[P]]:
    """Let members in whose role includes `permission`; others get a 403 that says why."""

    def decorate(view: Door[P]) -> Door[P]:
        @wraps(view)
        def enter(request: HouseRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            try:
                caller(request).require(permission)
            except Refused as refusal:
                raise PermissionDenied(refusal.sentence) from None
            return view(request, *args, **kwargs)

        return in_organization(enter)

    return decorate


def is_confirmed(request: HttpRequest) -> bool:
    """Tell whether the person proved again, in the last minutes, who they are."""
    return not is_reauthentication_required(request, app="dashboard")


def confirmed_lately(view: Door[P]) -> Door[P]:
    """Ask for the password or passkey again before what cannot be taken back."""

    @wraps(view)
    def enter(request: HouseRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not is_confirmed(request):
            raise ReauthenticationRequired
        return view(request, *args, **kwargs)

    return enter


def caller(request: HouseRequest) -> Caller:
    """Return who acts; only behind `in_organization`."""
    if request.caller is None:
        raise PermissionDenied
    return request.caller


def person(request: HttpRequest) -> User:
    """Return the person who is signed in; only behind `signed_in`."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


FOR = "for_organization"  # house/mark.html: the organization in which a form was opened


def is_for_another(sent: Mapping[str, object]) -> bool:
    """Tell whether a form was opened in another organization than the one that this tab is in by now.

    Which organization somebody looks at belongs to the session, and so to every tab: one tab changes it for all.
    """
    here, meant = scopes.current().organization_id, sent.get(FOR)
    return bool(meant) and here is not None and meant != str(here)


def _elsewhere() -> str:
    return _(
        "This form was opened in another organization than the one you are in now; another tab has changed it. Nothing"
        " was done. Change the organization at the top, or go on in this one."
    )


def attempt(form: forms.Form, deed: Callable[[], T], fields: Mapping[str, str] | None = None) -> T | None:
    """Do a deed; a refusal becomes a sentence beside the field it is about, or above the form. None: refused."""
    if is_for_another(form.data):
        form.add_error(None, _elsewhere())
        return None
    try:
        with atomic():
            return deed()
    except Refused as refusal:
        if refusal.code in FORBIDDEN:
            raise PermissionDenied(refusal.sentence) from None
        form.add_error((fields or {}).get(refusal.code), refusal.sentence)
        return None


class SentBefore(Exception):
    """Raised when a form comes a second time whose deed is done, or being done."""


def once(request: HttpRequest, form: forms.Form, deed: Callable[[], T | None]) -> T | None:
    """Do a deed the first time its form comes, known by its field `once`; a second time raises SentBefore.

    What was refused (None) may be sent again, mended.
    """
    token = hashlib.sha256(form.cleaned_data["once"].encode()).hexdigest()  # whatever came: a key is plain letters
    mark = f"once:{type(form).__name__}:{person(request).pk}:{token}"
    if not cache.add(mark, 1, ONCE_S):  # one step, so that of two forms sent at once only one does the deed
        raise SentBefore
    done = None
    try:
        done = deed()
    finally:
        if done is None:
            cache.delete(mark)
    return done


def tell(request: HouseRequest, deed: Callable[[], object], done: str) -> bool:
    """Do a deed that a button asks for, and say what came of it on the next page."""
    if is_for_another(request.POST):
        messages.error(request, _elsewhere())
        return False
    try:
        with atomic():
            deed()
    except Refused as refusal:
        if refusal.code in FORBIDDEN:
            raise PermissionDenied(refusal.sentence) from None
        if refusal.code.endswith("_unknown"):
            raise Http404(refusal.sentence) from None
        messages.error(request, refusal.sentence)
        return False
    messages.success(request, done)
    return True


def back(request: HttpRequest, default: str) -> str:
    """Return the address of ours that the form names in `next`, or the default."""
    given = request.POST.get("next") or request.GET.get("next") or ""
    is_ours = url_has_allowed_host_and_scheme(given, {request.get_host()}, require_https=request.is_secure())
    return given if given.startswith("/") and is_ours else default

"""Every request finds out whose it is before any view runs, and keeps that for its whole transaction."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

from accounts import access, audit
from accounts.auth import address, history, keys
from accounts.models import ApiKey, Membership
from accounts.requests import HouseRequest
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.db.scope import Scope

SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
# No tenant, no transaction: they must answer when PostgreSQL does not, or find out by themselves whose a message is.
OUTSIDE = ("/health/", "/metrics", "/static/", "/hooks/")
FOR_KEYS = "/api/"
CHOSEN = "organization_id"  # session: which of several organizations is being looked at


class TenantMiddleware:
    """Enter the tenant, attribute the deed, hold the transaction.

    1. Under /api/ a key in the Authorization header decides alone; a session beside it is ignored. Pages take no
       keys, and the organization that a key names is entered only once the key has proved right.
    2. Otherwise a signed-in person's memberships do: the chosen organization while they belong to it, else the first
       joined.
    3. The view runs inside one transaction of that scope; an answer of 500 or worse rolls it back.
    4. A view that enters another organization itself (`@between`) starts from the person's scope.
    5. A viewer's unsafe request is refused here unless the view says that it concerns only the person (`@personal`).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        house = cast(HouseRequest, request)
        house.membership = house.organization = house.api_key = house.caller = None
        house.memberships = []
        if request.path.startswith(OUTSIDE):
            return self.get_response(request)
        with ExitStack() as stack:
            self._begin(stack, house)
            is_somebodys = _is_somebodys(house)
            response = self.get_response(request)
            if response.status_code >= 500:
                transaction.set_rollback(True)
        if is_somebodys:  # the way back, after signing out, must not show it
            response.setdefault("Cache-Control", "private, no-store")
        history.remember_device(request, response)
        return response

    def _begin(self, stack: ExitStack, request: HouseRequest) -> None:
        where = address.of(request)
        presented = keys.presented(request) if request.path_info.startswith(FOR_KEYS) else None
        if presented is not None:
            request.api_key = key = self._enter_as_key(stack, presented, where)
            request.caller = access.caller_for_key(key) if key else None
            who = audit.Actor(kind="key", id=key.prefix if key else "", address=where)
        elif request.user.is_authenticated:
            stack.enter_context(scopes.enter(Scope(user_id=request.user.pk)))
            stack.enter_context(transaction.atomic())
            membership = self._membership(request)
            if membership is not None:
                request.membership, request.organization = membership, membership.organization
            if membership is not None and not _is_between(request):
                request.caller = access.caller_for(membership)
                stack.enter_context(
                    scopes.enter(Scope(organization_id=membership.organization_id, user_id=request.user.pk))
                )
            who = audit.Actor(kind="user", id=str(request.user.pk), address=where)
        else:
            stack.enter_context(transaction.atomic())
            who = audit.Actor(kind="user", address=where)
        stack.enter_context(audit.acting_as(who))

    @staticmethod
    def _enter_as_key(stack: ExitStack, shown: keys.Presented, where: str | None) -> ApiKey | None:
        """Enter the key's organization for the request if the key is right; else the request has no scope at all.

        Anybody can write any organization's id into a key, so what a wrong one names must not outlast the look-up.
        """
        with ExitStack() as trial:
            trial.enter_context(scopes.enter(Scope(organization_id=shown.organization_id)))
            trial.enter_context(transaction.atomic())
            key = keys.find(shown, where)
            if key is not None:
                stack.enter_context(trial.pop_all())
        return key

    @staticmethod
    def _membership(request: HouseRequest) -> Membership | None:
        mine: list[Membership] = list(Membership.objects.select_related("organization").order_by("joined_at", "pk"))
        try:
            chosen = UUID(str(request.session.get(CHOSEN)))
        except ValueError:
            chosen = None
        request.memberships = mine
        return next((one for one in mine if one.organization_id == chosen), mine[0] if mine else None)

    def process_view(
        self, request: HttpRequest, view: Callable[..., HttpResponse], args: Any, kwargs: Any
    ) -> HttpResponse | None:
        caller = cast(HouseRequest, request).caller
        if request.method in SAFE_METHODS or caller is None or caller.can_change or access.is_personal(view):
            return None
        if caller.key is not None:
            return None  # the API answers keys by its own permission, view by view
        raise PermissionDenied(_("Your role only allows looking. Nothing was changed."))


def _is_somebodys(request: HouseRequest) -> bool:
    return request.caller is not None or request.user.is_authenticated


def _is_between(request: HttpRequest) -> bool:
    try:
        return access.is_between(resolve(request.path_info).func)
    except Resolver404:
        return False

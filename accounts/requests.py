"""The request as the middleware hands it on."""

from __future__ import annotations

from django.http import HttpRequest

from accounts.access import Caller
from accounts.models import ApiKey, Membership, Organization


class HouseRequest(HttpRequest):
    """A request that knows whose it is; all None for a visitor, and for staff pages."""

    caller: Caller | None
    membership: Membership | None
    organization: Organization | None
    memberships: list[Membership]
    api_key: ApiKey | None

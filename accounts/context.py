"""What every template may use."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest

from accounts.access import Permission


def house(request: HttpRequest) -> dict[str, Any]:
    """Give templates the caller, the organization and what may be done: `may.manage_members`."""
    caller = getattr(request, "caller", None)
    return {
        "caller": caller,
        "membership": getattr(request, "membership", None),
        "organization": getattr(request, "organization", None),
        "memberships": getattr(request, "memberships", []),
        "may": {permission.value: bool(caller and caller.may(permission)) for permission in Permission},
        "is_local": settings.IS_LOCAL,
        "terms_version": settings.TERMS_VERSION,
        "risk_version": settings.RISK_VERSION,
    }

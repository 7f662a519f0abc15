"""Who may call what: a view states what reading and changing need; without a statement nothing is allowed."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission

from accounts.access import Permission


class InOrganization(BasePermission):
    """Let a caller through who has the view's stated permission: `reads` for safe methods, `changes` for the others."""

    def has_permission(self, request: Any, view: Any) -> bool:
        caller = getattr(request._request, "caller", None)
        needed = getattr(view, "reads" if request.method in SAFE_METHODS else "changes", None)
        return caller is not None and isinstance(needed, Permission) and caller.may(needed)

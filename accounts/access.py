"""Who may do what: one matrix. Services ask `require`, pages ask `may`, the middleware stops viewers early."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from django.utils.translation import gettext as _

from accounts.models import ApiKey, KeyScope, Membership, Organization, Role


class Permission(StrEnum):
    """The things that can be allowed."""

    VIEW = "view"
    SIGNAL = "signal"
    TRADE = "trade"
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_SOURCES = "manage_sources"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_KEYS = "manage_keys"
    MANAGE_ORGANIZATION = "manage_organization"


P = Permission
MATRIX: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.TRADER: frozenset({P.VIEW, P.SIGNAL, P.TRADE, P.MANAGE_ACCOUNTS, P.MANAGE_SOURCES}),
    Role.VIEWER: frozenset({P.VIEW}),
}
# A key never invites people, makes keys or sources, or closes the organization: those are a person's deeds.
KEY_MATRIX: Mapping[KeyScope, frozenset[Permission]] = {
    KeyScope.READ: frozenset({P.VIEW}),
    KeyScope.SIGNALS: frozenset({P.SIGNAL}),
    KeyScope.TRADE: frozenset({P.VIEW, P.TRADE}),
    KeyScope.ADMIN: frozenset({P.VIEW, P.MANAGE_ACCOUNTS}),
}


class Refused(Exception):
    """Raised when somebody asks for what they may not have, or what cannot be: a stable code and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A member or a key, acting in one organization with what it may do there."""

    organization: Organization
    permissions: frozenset[Permission]
    membership: Membership | None = None
    key: ApiKey | None = None

    @property
    def organization_id(self) -> UUID:
        return self.organization.pk

    @property
    def can_change(self) -> bool:
        return bool(self.permissions - {P.VIEW})

    def may(self, permission: Permission) -> bool:
        return permission in self.permissions

    def require(self, permission: Permission) -> None:
        """Raise Refused, with the reason a person understands, unless the caller has the permission."""
        if permission in self.permissions:
            return
        if self.organization.is_suspended:
            raise Refused("organization_suspended", _("This organization is suspended; nothing can be changed."))
        raise Refused("not_allowed", _("Your role does not allow this. Ask the organization’s owner."))

    def member(self) -> Membership:
        """Return the person behind the call; keys have none."""
        if self.membership is None:
            raise Refused("person_required", _("Only a signed-in person can do this."))
        return self.membership


def caller_for(membership: Membership) -> Caller:
    """Work out what a member may do now; a suspended organization may only look."""
    organization = membership.organization
    granted = frozenset(permission for permission in P if may_role(membership.role, permission))
    return Caller(
        organization=organization,
        membership=membership,
        permissions=granted & {P.VIEW} if organization.is_suspended else granted,
    )


def caller_for_key(key: ApiKey) -> Caller:
    """Work out what a key may do: the union of its scopes, unknown ones granting nothing."""
    granted = frozenset[Permission]().union(
        *(KEY_MATRIX[KeyScope(scope)] for scope in key.scopes if scope in KeyScope.values)
    )
    return Caller(organization=key.organization, key=key, permissions=granted)


def may_role(role: str, permission: Permission) -> bool:
    """Tell whether a role includes a permission; an unknown role includes none."""
    return role in Role.values and permission in MATRIX[Role(role)]


_View = TypeVar("_View", bound=Callable[..., Any])


def personal(view: _View) -> _View:
    """Mark a view that changes only the person who asks, so that viewers may use it too."""
    view.is_personal = True  # type: ignore[attr-defined]
    return view


def is_personal(view: Callable[..., Any]) -> bool:
    """Tell whether a view concerns the person alone: marked so, or allauth's (sign-in, factors, addresses)."""
    inner = getattr(view, "view_class", view)
    return bool(getattr(view, "is_personal", False)) or inner.__module__.startswith("allauth.")


def between(view: _View) -> _View:
    """Mark a view that enters another organization than the chosen one: founding one, accepting an invitation.

    A transaction belongs to one organization, so such a view starts from the person's scope and has no caller.
    """
    view.is_between = True  # type: ignore[attr-defined]
    return view


def is_between(view: Callable[..., Any]) -> bool:
    return bool(getattr(view, "is_between", False))

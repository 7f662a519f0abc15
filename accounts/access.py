"""Who may do what. One matrix; views, services and API ask `require`, pages ask `may`."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from accounts.models.organizations import Role


class Permission(StrEnum):
    """The things that can be allowed."""

    VIEW = "view"
    TRADE = "trade"
    MANAGE_ACCOUNTS = "manage_accounts"
    MANAGE_MEMBERS = "manage_members"
    MANAGE_KEYS = "manage_keys"
    MANAGE_ORGANIZATION = "manage_organization"


MATRIX: Mapping[Role, frozenset[Permission]] = {
    Role.OWNER: frozenset(Permission),
    Role.TRADER: frozenset({Permission.VIEW, Permission.TRADE, Permission.MANAGE_ACCOUNTS}),
    Role.VIEWER: frozenset({Permission.VIEW}),
}


class Refused(Exception):
    """Raised when somebody asks for what they may not have, or what cannot be: a stable code and a sentence."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence


def may(role: str, permission: Permission) -> bool:
    """Tell whether the role includes the permission; an unknown role includes none."""
    return role in Role.values and permission in MATRIX[Role(role)]

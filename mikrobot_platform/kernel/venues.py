"""What a venue tells about itself before anybody connects to it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class AccountKind(StrEnum):
    """What is at stake in a trading account."""

    DEMO = "demo"
    LIVE = "live"
    PROP = "prop"


class LookUp(StrEnum):
    """What it means when an order is not found by its client id."""

    AUTHORITATIVE = "authoritative"  # it is not there and, after the settle window, never will be
    WORKING_ONLY = "working_only"  # only orders that wait are found; what was filled shows in fills
    NONE = "none"  # it cannot be asked for


class Positions(StrEnum):
    """How an account holds several trades of one symbol."""

    NETTED = "netted"
    HEDGED = "hedged"


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialField:
    """One thing a venue asks for to open a session; always stored sealed, never shown again."""

    name: str
    label: str
    help: str = ""
    is_required: bool = True
    is_made_when_empty: bool = False  # ours to choose: a random one is stored when the customer gives none


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueInfo:
    """The card of a venue: how it is called, which accounts it carries, what it asks for."""

    code: str
    title: str
    is_paper: bool
    kinds: tuple[AccountKind, ...]
    currencies: tuple[str, ...]
    credentials: tuple[CredentialField, ...] = ()


class AccountDeed(StrEnum):
    """What is done to an account itself, and may be held (registry.ACCOUNT_GUARDS)."""

    OPEN = "open"
    CLOSE = "close"
    CREDENTIALS = "credentials"

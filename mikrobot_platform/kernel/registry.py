"""Tables of names: what plugs in where. Adding a broker, a source, a subscriber is one line here and one file there.

Only strings stand here, so that the floor knows nothing of the rooms above it; `resolve` imports at the moment of use,
and test_architecture.py proves that every name leads somewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.venues import VenueInfo

# Venue code -> module with `VENUE: VenueInfo` (kernel/venues.py).
BROKERS: Mapping[str, str] = {
    "paper": "trading.brokers.paper:VENUE",
}

# Kind of source -> its dialect (trading/sources/__init__.py).
SOURCES: Mapping[str, str] = {
    "ea_file": "trading.sources.ea_file:DIALECT",
    "ea_push": "trading.sources.ea_push:DIALECT",
    "tradingview": "trading.sources.tradingview:DIALECT",
    "rest": "trading.sources.rest:DIALECT",
    "manual": "trading.sources.manual:DIALECT",
}

# Event -> functions `(event) -> None`, called by the outbox relay in the tenant's scope and in its own transaction:
# what they write in the database happens once; what they do outside it must bear a repetition.
SUBSCRIBERS: Mapping[EventName, tuple[str, ...]] = {
    EventName.MEMBER_INVITED: ("notifications.dispatch:invitation",),
    EventName.MEMBER_JOINED: (),
    EventName.MEMBER_ROLE_CHANGED: ("notifications.dispatch:role_changed",),
    EventName.MEMBER_REMOVED: ("notifications.dispatch:member_removed",),
    EventName.OWNERSHIP_TRANSFERRED: ("notifications.dispatch:ownership_transferred",),
    EventName.ORGANIZATION_CLOSING: ("notifications.dispatch:organization_closing",),
    EventName.ORGANIZATION_REOPENED: ("notifications.dispatch:organization_reopened",),
    EventName.EXPORT_REQUESTED: ("accounts.export:build",),
    EventName.EXPORT_READY: ("notifications.dispatch:export_ready",),
    EventName.API_KEY_CREATED: ("notifications.dispatch:api_key_created",),
    EventName.API_KEY_REVOKED: ("notifications.dispatch:api_key_revoked",),
    EventName.SWITCH_OFF: (),
    EventName.SWITCH_LIFTED: (),
    EventName.LIMITS_CHANGED: (),
    EventName.LIMIT_REACHED: ("notifications.dispatch:limit_reached",),
    EventName.PROGRAM_CHANGED: ("notifications.dispatch:program_changed",),
    EventName.PROGRAM_UNSURE: ("notifications.dispatch:program_unsure",),
    EventName.ORDER_FILLED: (),
    EventName.ORDER_REFUSED: (),
    EventName.POSITION_OPENED: (),
    EventName.POSITION_CLOSED: (),
    EventName.POSITION_UNPROTECTED: (),
    EventName.BOOKS_DIFFER: (),
    EventName.ENTRIES_BLOCKED: (),
    EventName.DRILL: ("accounts.outbox_drill:effect",),
}

# Functions `(deed, organization_id, venue, account_id, *, now) -> None` that raise what keeps an account from being
# opened, closed or given other credentials; asked by the room that keeps accounts, which does not know why.
ACCOUNT_GUARDS: tuple[str, ...] = ("risk_management.services.lockouts:guard",)


def resolve(name: str) -> object:
    """Import `package.module:attribute` and return the attribute."""
    module, _, attribute = name.partition(":")
    return getattr(import_module(module), attribute)


def venues() -> dict[str, VenueInfo]:
    """Read the card of every registered venue."""
    found = {}
    for code, name in BROKERS.items():
        card = resolve(name)
        if not isinstance(card, VenueInfo):
            raise TypeError(f"{name} is not a VenueInfo")
        found[code] = card
    return found

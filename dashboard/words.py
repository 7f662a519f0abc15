"""Words for codes: what the audit trail, keys and browsers say to a person."""

from __future__ import annotations

import re

from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from accounts.models import KeyScope
from mikrobot_platform.kernel.registry import venues

ACTIONS: dict[str, str | Promise] = {
    "organization.founded": lazy("Created the organization"),
    "organization.renamed": lazy("Renamed the organization"),
    "organization.zone_changed": lazy("Changed the zone by which days turn"),
    "organization.closing": lazy("Asked to close the organization"),
    "organization.kept": lazy("Kept the organization open"),
    "organization.erased": lazy("Erased the organization"),
    "organization.suspended": lazy("Suspended the organization"),
    "organization.suspension_lifted": lazy("Lifted the suspension"),
    "organization.ownership_transferred": lazy("Transferred ownership"),
    "member.invited": lazy("Invited a member"),
    "member.invited_again": lazy("Sent an invitation again"),
    "member.invitation_withdrawn": lazy("Withdrew an invitation"),
    "member.joined": lazy("Joined"),
    "member.role_changed": lazy("Changed a role"),
    "member.removed": lazy("Removed a member"),
    "member.left": lazy("Left"),
    "api_key.created": lazy("Made an API key"),
    "api_key.revoked": lazy("Revoked an API key"),
    "trading_account.opened": lazy("Connected a trading account"),
    "trading_account.renamed": lazy("Renamed a trading account"),
    "trading_account.credentials_replaced": lazy("Replaced credentials"),
    "trading_account.auto_trading_on": lazy("Switched auto-trading on"),
    "trading_account.auto_trading_off": lazy("Switched auto-trading off"),
    "trading_account.paused": lazy("Paused a trading account"),
    "trading_account.ready": lazy("Resumed a trading account"),
    "trading_account.closed": lazy("Closed a trading account"),
    "source.made": lazy("Made a source"),
    "source.changed": lazy("Changed a source’s setup"),
    "source.switched_on": lazy("Switched a source on"),
    "source.switched_off": lazy("Switched a source off"),
    "source.secret_exchanged": lazy("Exchanged a source’s secret"),
    "source.old_secret_ended": lazy("Ended a source’s old secret"),
    "signal.turned_away": lazy("Turned a message away"),
    "ticket.submitted": lazy("Submitted a ticket"),
    "terms.acknowledged": lazy("Accepted the terms"),
    "risk.acknowledged": lazy("Accepted the risk warning"),
    "person.signed_in": lazy("Signed in"),
    "person.password_set": lazy("Set a password"),
    "person.password_changed": lazy("Changed the password"),
    "person.password_reset": lazy("Reset the password"),
    "person.password_removed": lazy("Removed the password"),
    "person.email_confirmed": lazy("Confirmed an e-mail address"),
    "person.email_added": lazy("Added an e-mail address"),
    "person.email_removed": lazy("Removed an e-mail address"),
    "person.email_changed": lazy("Changed the e-mail address"),
    "person.factor_added": lazy("Added a second factor"),
    "person.factor_removed": lazy("Removed a second factor"),
    "person.factor_reset": lazy("Made new recovery codes"),
    "export.requested": lazy("Asked for the organization’s data"),
    "export.ready": lazy("Prepared an export"),
    "export.failed": lazy("Failed to prepare an export"),
    "export.downloaded": lazy("Downloaded an export"),
    "export.expired": lazy("Deleted an expired export"),
    "secret.revealed": lazy("Opened stored credentials"),
    "secret.unreadable": lazy("Tried to open stored credentials that do not open"),
    "vault.key_created": lazy("Made a new key for stored secrets"),
    "vault.key_deleted": lazy("Deleted an old key of stored secrets"),
    "outbox.retried": lazy("Staff sent stuck news again"),
    "vault.resealed": lazy("Sealed secrets again under a new key"),
    "vault.shredded": lazy("Destroyed the organization’s keys"),
    "staff.looked": lazy("MikroBot staff looked at a record"),
}

GROUPS: dict[str, str | Promise] = {
    "organization": lazy("Organization"),
    "member": lazy("Team"),
    "api_key": lazy("API keys"),
    "trading_account": lazy("Trading accounts"),
    "source": lazy("Sources"),
    "signal": lazy("Messages turned away"),
    "person": lazy("Sign-in and security"),
    "export": lazy("Exports"),
    "secret": lazy("Credentials opened"),
    "staff": lazy("MikroBot staff"),
}

SOURCE_KINDS: dict[str, str | Promise] = {
    "ea_push": lazy("Expert Advisor, signed push"),
    "tradingview": lazy("TradingView and its dialects"),
    "rest": lazy("REST API"),
    "manual": lazy("Tickets"),
    "ea_file": lazy("Signal file"),
}

# How sources count (kernel/signals.py SCALES).
SCALES: dict[str, str | Promise] = {
    "percent": lazy("0 to 100"),
    "fraction": lazy("0 to 1"),
    "panel_power": lazy("The power panel’s, tradeable from 15"),
    "L0-L4": lazy("L0 to L4"),
    "C1-C3": lazy("C1 to C3"),
}

# Why a message was turned away at the door, where nothing of it is kept (trading/services/reception.py).
TURNED_AWAY: dict[str, str | Promise] = {
    "sender.signature_missing": lazy("It was not signed."),
    "sender.signature_wrong": lazy("Its signature does not belong to it: the sender has another secret."),
    "sender.clock": lazy("The sender’s clock is more than five minutes away from ours."),
    "sender.source": lazy("It names another source than the one it was sent to."),
    "sender.off": lazy("The source is switched off."),
    "sender.network": lazy("The source may not send from this address."),
    "sender.nonce_used": lazy("It is a copy of a request that was here before."),
    "sender.too_many": lazy("The source had sent its share of that minute; the sender was told to wait."),
    "input.too_large": lazy("It was larger than a message may be."),
}

# What a bare stop or target of a source means.
LEVELS: dict[str, str | Promise] = {
    "unknown": lazy("Not said: then it is not traded"),
    "price": lazy("A price"),
    "distance": lazy("A distance from the entry, in price units"),
    "pips": lazy("Pips from the entry"),
    "percent": lazy("Percent of the entry price"),
}

# Behind a figure; a price needs none.
LEVEL_UNITS: dict[str, str | Promise] = {
    "distance": lazy("from the entry"),
    "pips": lazy("pips"),
    "percent": lazy("%"),
    "unknown": lazy("(unit not said)"),
}

ASKS_FOR: dict[str, str | Promise] = {
    "add": lazy("Add to the position"),
    "reduce": lazy("Close a part"),
    "close": lazy("Close"),
    "reverse": lazy("Reverse"),
    "cancel": lazy("Cancel orders"),
    "protect": lazy("Move stop and target"),
}


# allauth's labels in our words; one idea has one word everywhere.
LABELS: dict[str, str | Promise] = {
    "Email": lazy("E-mail address"),
    "E-mail": lazy("E-mail address"),
    "Password (again)": lazy("Password, once more"),
    "New Password": lazy("New password"),
    "New Password (again)": lazy("New password, once more"),
    "Current Password": lazy("Current password"),
    "Authenticator code": lazy("Six digits from the app"),
    "Remember Me": lazy("Stay signed in"),
}

FACTORS: dict[str, str | Promise] = {
    "totp": lazy("authenticator app"),
    "webauthn": lazy("passkey"),
    "recovery_codes": lazy("recovery codes"),
}


def label(text: str) -> str:
    return str(LABELS.get(text, text))


def factor(code: str) -> str:
    return str(FACTORS.get(code, code))


def action(code: str) -> str:
    """Say what an action of the trail was; one without a sentence yet is spelled out from its code."""
    known = ACTIONS.get(code)
    if known is not None:
        return str(known)
    return code.replace("_", " ").replace(".", ": ").capitalize()


def scope(code: str) -> str:
    return str(KeyScope(code).label) if code in KeyScope.values else code


def source_kind(code: str) -> str:
    return str(SOURCE_KINDS.get(code, code))


def level_meaning(unit: str) -> str:
    return str(LEVELS.get(unit, unit))


def turned_away(code: str) -> str:
    return str(TURNED_AWAY.get(code, code))


def venue(code: str) -> str:
    card = venues().get(code)
    return card.title if card else code


# First match wins: Edge and Opera call themselves Chrome, Chrome calls itself Safari.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox", "Firefox"),
    ("HeadlessChrome", "Chrome"),
    ("Chrome", "Chrome"),
    ("CriOS", "Chrome"),
    ("FxiOS", "Firefox"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


def client(user_agent: str) -> str:
    """Name the browser and system behind a User-Agent, or show its beginning."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS if mark in user_agent), "")
    if browser and system:
        return _("%(browser)s on %(system)s") % {"browser": browser, "system": system}
    return browser or system or re.sub(r"\s+", " ", user_agent)[:60] or _("Unknown")

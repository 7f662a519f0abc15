"""Trading accounts: connect, change, pause, close. Credentials go straight into the vault."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import cast
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from accounts import audit, vault
from accounts.access import Caller, Permission, Refused
from accounts.models import AccountStatus, Acknowledgement, TradingAccount
from accounts.models.trading_accounts import Phase
from accounts.services.organizations import clean_name, is_plain
from accounts.services.people import has_acknowledged
from mikrobot_platform.kernel.registry import ACCOUNT_GUARDS, resolve, venues
from mikrobot_platform.kernel.venues import AccountDeed, AccountKind, VenueInfo

MAX_CREDENTIAL_LENGTH = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDraft:
    """What somebody asks to connect."""

    name: str
    venue: str
    kind: str
    currency: str
    firm: str = ""
    program: str = ""
    phase: str = ""
    size: Decimal | None = None
    credentials: Mapping[str, str] = field(default_factory=dict, repr=False)


def open_account(caller: Caller, draft: AccountDraft) -> TradingAccount:
    """Connect an account: auto-trading off, credentials sealed."""
    caller.require(Permission.MANAGE_ACCOUNTS)
    venue = venues().get(draft.venue)
    if venue is None:
        raise Refused("venue_unknown", _("There is no venue “%(venue)s”.") % {"venue": draft.venue})
    _check_shape(draft, venue)
    _ask_guards(AccountDeed.OPEN, caller.organization_id, venue.code, None)
    _require_acknowledgements(caller, draft.kind)
    name = _free_name(draft.name)
    is_prop = draft.kind == AccountKind.PROP
    account = TradingAccount(
        organization_id=caller.organization_id,
        name=name,
        venue=venue.code,
        kind=draft.kind,
        currency=draft.currency,
        firm=draft.firm.strip() if is_prop else "",
        program=draft.program.strip() if is_prop else "",
        phase=draft.phase if is_prop else "",
        size=draft.size,
    )
    _seal(account, venue, draft.credentials)
    account.save(force_insert=True)
    audit.record("trading_account.opened", account, venue=venue.code, kind=draft.kind, currency=draft.currency)
    return account


def _ask_guards(deed: AccountDeed, organization_id: UUID, venue: str, account_id: UUID | None) -> None:
    for name in ACCOUNT_GUARDS:
        guard = cast(Callable[..., None], resolve(name))
        guard(deed, organization_id, venue, account_id, now=timezone.now())


def _check_shape(draft: AccountDraft, venue: VenueInfo) -> None:
    if draft.kind not in venue.kinds:
        raise Refused("kind_invalid", _("%(venue)s has no such accounts.") % {"venue": venue.title})
    if draft.currency not in venue.currencies:
        raise Refused("currency_invalid", _("%(venue)s keeps no accounts in this currency.") % {"venue": venue.title})
    if draft.size is not None and not (draft.size.is_finite() and 0 < draft.size < 10**12):
        raise Refused("size_invalid", _("The account size is a positive amount."))
    if draft.kind != AccountKind.PROP:
        return
    if not draft.firm.strip() or not draft.program.strip() or draft.phase not in Phase.values or draft.size is None:
        raise Refused("prop_incomplete", _("A prop account needs its firm, program, phase and size."))


def _require_acknowledgements(caller: Caller, kind: str) -> None:
    """Demand the risk warning and the terms from the person who connects anything but a demo."""
    if kind == AccountKind.DEMO:
        return
    person = caller.member().user_id
    for document in Acknowledgement.Document:
        if not has_acknowledged(person, document):
            raise Refused(
                f"{document.value}_not_acknowledged",
                _("Read and accept the current %(document)s first.") % {"document": document.label.lower()},
            )


def _free_name(text: str, *, but: UUID | None = None) -> str:
    name = clean_name(text)
    if len(name) > 80:
        raise Refused("name_invalid", _("A name has 1 to 80 characters."))
    if TradingAccount.objects.filter(name=name).exclude(status=AccountStatus.CLOSED).exclude(pk=but).exists():
        raise Refused("name_taken", _("You have an account called “%(name)s” already.") % {"name": name})
    return name


def _seal(account: TradingAccount, venue: VenueInfo, given: Mapping[str, str]) -> None:
    known = {one.name: one for one in venue.credentials}
    values = {name: value for name, value in given.items() if value}
    for one in venue.credentials:
        if one.is_made_when_empty:
            values.setdefault(one.name, secrets.token_urlsafe(32))
    if set(values) - set(known):
        raise Refused("credential_unknown", _("%(venue)s does not ask for that.") % {"venue": venue.title})
    missing = [one.label for one in venue.credentials if one.is_required and one.name not in values]
    if missing:
        raise Refused("credential_missing", _("Missing: %(fields)s.") % {"fields": ", ".join(missing)})
    if any(len(value) > MAX_CREDENTIAL_LENGTH for value in values.values()):
        raise Refused("credential_too_long", _("That is too long for a credential."))
    if values:
        account.credentials = vault.seal(account, "credentials", values)
        account.credentials_at = timezone.now()


def rename(caller: Caller, account_id: UUID, name: str) -> TradingAccount:
    account = _own(caller, account_id)
    fresh = _free_name(name, but=account.pk)
    if fresh != account.name:
        before, account.name = account.name, fresh
        account.save(update_fields=["name"])
        audit.record("trading_account.renamed", account, before=before, after=fresh)
    return account


def replace_credentials(caller: Caller, account_id: UUID, credentials: Mapping[str, str]) -> TradingAccount:
    """Seal new credentials over the old ones; what was there cannot be read back."""
    account = _own(caller, account_id)
    if not any(credentials.values()):
        raise Refused("credential_missing", _("Nothing was typed; the stored credentials stay."))
    _ask_guards(AccountDeed.CREDENTIALS, account.organization_id, account.venue, account.pk)
    _seal(account, venues()[account.venue], credentials)
    account.save(update_fields=["credentials", "credentials_at"])
    audit.record("trading_account.credentials_replaced", account, fields=sorted(credentials))
    return account


def set_auto_trading(caller: Caller, account_id: UUID, is_on: bool) -> TradingAccount:
    """Switch auto-trading; off always works, on needs a ready account of an organization that stays."""
    account = _own(caller, account_id)
    if is_on:
        _require_acknowledgements(caller, account.kind)
        if account.status != AccountStatus.READY:
            raise Refused("account_not_ready", _("The account is paused or closed; resume it first."))
        if caller.organization.is_closing:
            raise Refused("organization_closing", _("This organization is being closed; nothing new is traded."))
    if account.is_auto_trading != is_on:
        account.is_auto_trading = is_on
        account.save(update_fields=["is_auto_trading"])
        audit.record(f"trading_account.auto_trading_{'on' if is_on else 'off'}", account)
    return account


def pause(caller: Caller, account_id: UUID, reason: str) -> TradingAccount:
    """Take the account out of trading; auto-trading goes off with it."""
    account, words = _own(caller, account_id), " ".join(reason.split())[:300]
    if words and not is_plain(words):
        raise Refused("reason_invalid", _("A reason has no invisible characters and no web address in it."))
    if account.status == AccountStatus.READY:
        _set_status(account, AccountStatus.PAUSED, words)
    return account


def resume(caller: Caller, account_id: UUID) -> TradingAccount:
    account = _own(caller, account_id)
    if account.status == AccountStatus.PAUSED:
        _set_status(account, AccountStatus.READY, "")
    return account


def close(caller: Caller, account_id: UUID) -> TradingAccount:
    """End the account here: its credentials are destroyed, its history stays."""
    account = _own(caller, account_id)
    _ask_guards(AccountDeed.CLOSE, account.organization_id, account.venue, account.pk)
    account.credentials = account.credentials_at = None
    _set_status(account, AccountStatus.CLOSED, "")
    return account


def _set_status(account: TradingAccount, status: AccountStatus, reason: str) -> None:
    before, account.status = account.status, status
    account.status_reason, account.status_at = reason, timezone.now()
    account.is_auto_trading = False
    account.save()
    audit.record(f"trading_account.{status.value}", account, before=before, note=reason)


def _own(caller: Caller, account_id: UUID) -> TradingAccount:
    caller.require(Permission.MANAGE_ACCOUNTS)
    account: TradingAccount | None = TradingAccount.objects.select_for_update().filter(pk=account_id).first()
    if account is None:
        raise Refused("account_unknown", _("There is no such account."))
    if account.status == AccountStatus.CLOSED:
        raise Refused("account_closed", _("This account is closed."))
    return account

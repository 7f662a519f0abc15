"""By which clocks the positions of accounts must be closed: their firms' and their owners' own."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from accounts.models import TradingAccount
from risk_management.compliance.clock import FlatBy
from risk_management.compliance.program import Rest
from risk_management.models import AccountLimits
from risk_management.services import programs

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What an account is held to; None: to nothing of the kind."""

    firm: FlatBy | None = None
    rest: Rest | None = None  # the firm's word on weekends and long breaks
    own: FlatBy | None = None  # the customer's


NO_CLOCKS = Clocks()


def load(accounts: Collection[UUID], *, now: datetime) -> Mapping[UUID, Clocks]:
    """Return the clocks of accounts, with a query a table, in a system scope that may read them.

    Exits must not wait for somebody else's row: what cannot be read of one account is said in the log, and the account
    is held to what can be read.
    """
    rows = {row.account_id: row for row in AccountLimits.objects.filter(account_id__in=accounts)}
    return {
        account.pk: _clocks(account, rows.get(account.pk), now)
        for account in TradingAccount.objects.filter(pk__in=accounts)
    }


def _clocks(account: TradingAccount, limits: AccountLimits | None, now: datetime) -> Clocks:
    program = _read(account.pk, "program", lambda: programs.program_of(account, on=now.date()))
    own = _read(account.pk, "own limits", lambda: None if limits is None else limits.at(now).flat_by)
    if program is None:
        return Clocks(own=own)
    return Clocks(firm=program.flat_by, rest=program.rest, own=own)


def _read(account_id: UUID, what: str, read: Callable[[], T | None]) -> T | None:
    try:
        return read()
    except Exception:
        log.exception("what an account is held to cannot be read", extra={"account": str(account_id), "what": what})
        return None

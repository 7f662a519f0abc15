"""Which accounts are to be watched, and how it goes with each: whoever looks at them keeps it here for the next one."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from accounts.tenancy import system_scope
from mikrobot_platform.db.prepared import ask
from trading import book_statements as sql
from trading.desk import Door
from trading.engine.breaker import Breaker
from trading.sending import SCOPE


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One account that is to be watched."""

    door: Door
    look_at: datetime | None  # when it is to be compared next; None: at once
    breaker: Breaker
    has_open: bool


Change = tuple[Door, Breaker]


def call(among: Collection[UUID] | None = None, *, changed: Sequence[Change] = ()) -> list[Entry]:
    """Write down how it goes with accounts, and return whoever is to be watched."""
    with system_scope(SCOPE):
        _note(changed)
        rows = ask(sql.ROSTER, {"among": None if among is None else list(among)})
    return [
        Entry(
            door=Door(owner, account, venue), look_at=look_at, has_open=has_open,
            breaker=Breaker(failures=failures, successes=successes, open_until=open_until),
        )
        for owner, account, venue, look_at, failures, successes, open_until, has_open in rows
    ]  # fmt: skip


def note(changed: Sequence[Change]) -> None:
    """Write down how it goes with accounts."""
    if changed:
        with system_scope(SCOPE):
            _note(changed)


def _note(changed: Sequence[Change]) -> None:
    if not changed:
        return
    owners = {
        "organizations": [door.organization_id for door, _ in changed],
        "accounts": [door.account_id for door, _ in changed],
    }
    ask(sql.MAKE_LINKS, owners)
    ask(
        sql.BREAKERS,
        {
            **owners,
            "failures": [breaker.failures for _, breaker in changed],
            "successes": [breaker.successes for _, breaker in changed],
            "until": [breaker.open_until for _, breaker in changed],
        },
    )

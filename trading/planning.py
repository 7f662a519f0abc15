"""From one signal to a decision for each account that follows, and an order for each that takes it.

Accounts are decided in shards: all facts of a shard with a few queries, one pure decision an account, and receipts,
places in the quota and orders in the transaction that ends the shard. Whoever comes second finds it ended.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from accounts.models.audit import PLATFORM_ID
from accounts.tenancy import system_scope
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.db.prepared import array, ask
from mikrobot_platform.kernel.decisions import Code, refusal
from mikrobot_platform.kernel.orders import MAX_CLIENT_ID, OrderState, OrderType, Purpose
from risk_management.rules.facts import AccountFacts, Missing, known
from risk_management.rules.receipt import Clerk, Receipt
from risk_management.services import quota, receipts
from trading import shard_facts
from trading.ledger import ledger_of, note
from trading.models import EventKind, RawSignal, Shard, Signal, SignalEvent, SignalState
from trading.statements import FAN_OUT, PLAN_ORDERS

log = logging.getLogger(__name__)

SCOPE = "gate.decide"
MAX_ATTEMPTS = 5
SHARD = 500  # accounts; smaller ones lose to commits, larger ones keep a core waiting (facts/performance.md 2)
TAKEN_TYPES = {"market": OrderType.MARKET, "limit": OrderType.LIMIT, "stop": OrderType.STOP}


# --- fan out ----------------------------------------------------------------------------------------------------------
def fan_out(organization_id: UUID, signal_id: UUID, *, now: datetime) -> list[UUID]:
    """Put the accounts that follow who took a signal into shards; return those that wait, whoever has made them.

    A signal of the platform is for the followers in every organization, an organization's own for its own followers.
    """
    with ledger_of(organization_id):
        signal: Signal = Signal.objects.get(pk=signal_id)
        judged = SignalEvent.objects.filter(signal_id=signal_id, kind=EventKind.JUDGED, code="signal.valid")
        takers = [one for one in judged.values_list("strategy_id", flat=True) if one is not None]
    if signal.state != SignalState.VALID:
        return []
    with system_scope(SCOPE):
        values = {
            "owner": organization_id, "signal": signal_id, "takers": takers, "size": SHARD, "now": now,
            "whose": None if organization_id == PLATFORM_ID else organization_id,
        }  # fmt: skip
        ask(FAN_OUT, values)
        waiting = Shard.objects.filter(organization_id=organization_id, signal_id=signal_id, planned_at=None)
        found = list(waiting.order_by("strategy_id", "venue", "number").values_list("pk", flat=True))
    with ledger_of(organization_id):
        Signal.objects.filter(pk=signal_id, fanned_at=None).update(fanned_at=now)
    return found


# --- plan -------------------------------------------------------------------------------------------------------------
@dataclass(frozen=True, slots=True)
class Planned:
    """An order that waits to be sent."""

    organization_id: UUID
    account_id: UUID
    order_id: UUID


def plan(shard_id: UUID, *, now: datetime) -> list[Planned]:
    """Decide a shard that waits; return the orders to be sent. Of one that somebody else has, nothing."""
    with system_scope(SCOPE):
        waiting = Shard.objects.select_for_update(skip_locked=True).filter(pk=shard_id, planned_at=None)
        shard: Shard | None = waiting.first()
        if shard is None:
            return []
        found = _plan(shard, now)
        shard.planned_at = now
        shard.save(update_fields=["planned_at"])
    return found


def put_back(shard_id: UUID, problem: Exception, *, now: datetime) -> None:
    """Let a shard that failed wait for another try; after the last one it is put aside, and its signal says so.

    Nothing of it was written. What fails here is about the signal or the strategy: accounts fail each by itself.
    """
    with system_scope(SCOPE):
        shard: Shard = Shard.objects.select_for_update().get(pk=shard_id)
        if shard.planned_at is not None:
            return
        shard.attempts += 1
        is_over = shard.attempts >= MAX_ATTEMPTS
        shard.planned_at = now if is_over else None
        shard.save(update_fields=["attempts", "planned_at"])
    if is_over:
        with ledger_of(shard.organization_id):
            raw: RawSignal = RawSignal.objects.get(signal_id=shard.signal_id)
            reason = refusal(Code.QUARANTINED, problem=type(problem).__name__)
            note(raw, EventKind.QUARANTINED, at=now, signal_id=shard.signal_id, reason=reason)


def _plan(shard: Shard, now: datetime) -> list[Planned]:
    """Decide, and write what follows.

    1. The days of all owners are held, so that each account is decided on the places that are left, those that
       accounts of its owner have taken before it among them: a receipt that says taken has its order.
    2. A receipt for every account; one that has a receipt of this signal has been decided, and gets nothing more.
    3. A place in the day's quota, and an order, for those that take it.
    """
    loaded = shard_facts.load(shard, now=now)
    clerk = Clerk(loaded.shared, now=now, versions=loaded.versions)
    places = _Places(loaded.accounts)
    decided = [places.counted(_decided(clerk, places.seen_by(account))) for account in loaded.accounts]
    fresh = receipts.write(shard.signal_id, decided, owner=shard.organization_id)
    wanting = [(account, paper) for account, paper in decided if paper.ruled.sends_order and _id(account) in fresh]
    placed = quota.admit(shard.signal_id, [_wish(account) for account, _ in wanting], now=now)
    taking = [(account, paper) for account, paper in wanting if _id(account) in placed]
    return _write_orders(shard, loaded, taking, fresh, now)


class _Places:
    """The places of the days that are left while a shard is decided, nobody else taking any."""

    def __init__(self, accounts: Sequence[AccountFacts]) -> None:
        days = [_day(account) for account in accounts]
        self._used = dict(quota.hold([day for day in days if day is not None]))

    def seen_by(self, account: AccountFacts) -> AccountFacts:
        """Let an account see what is used by now."""
        day = _day(account)
        return account if day is None else replace(account, quota_used=self._used[day])

    def counted(self, decided: tuple[AccountFacts, Receipt]) -> tuple[AccountFacts, Receipt]:
        """Count the place of an account that takes its signal."""
        account, paper = decided
        day = _day(account)
        if day is not None and paper.ruled.sends_order:
            self._used[day] += 1
        return decided


def _day(account: AccountFacts) -> tuple[UUID, date] | None:
    """Say whose day an account takes a place of; None where that is unlimited, or not known and denied for it."""
    if isinstance(account.day, Missing) or isinstance(account.entitlement, Missing):
        return None
    return None if account.entitlement.daily_quota is None else (UUID(account.organization), account.day)


def _id(account: AccountFacts) -> UUID:
    return UUID(account.account)


def _decided(clerk: Clerk, account: AccountFacts) -> tuple[AccountFacts, Receipt]:
    """Decide for one account; what cannot be decided on is denied on facts that say so, and disturbs nobody else."""
    try:
        return account, clerk.receipts([account])[0]
    except Exception:
        log.exception("the facts of an account could not be decided on", extra={"account": account.account})
        bare = shard_facts.unreadable(account.account, account.organization, account.currency)
        return bare, clerk.receipts([bare])[0]


def _wish(account: AccountFacts) -> quota.Wish:
    return quota.Wish(
        organization_id=UUID(account.organization),
        account_id=_id(account),
        day=known(account.day),
        limit=known(account.entitlement).daily_quota,
    )


def client_id(signal_id: UUID, account_id: UUID, purpose: Purpose, step: str = "") -> str:
    """Name an order so that whoever plans it again names it the same; short enough for every venue."""
    text = f"{signal_id}:{account_id}:{purpose}:{step}"
    digest = hashlib.blake2b(text.encode(), digest_size=15).digest()
    return "mb" + base64.b32encode(digest).decode().lower()[: MAX_CLIENT_ID - 2]


def _write_orders(
    shard: Shard,
    loaded: shard_facts.LoadedShard,
    taking: Sequence[tuple[AccountFacts, Receipt]],
    fresh: Mapping[UUID, UUID],
    now: datetime,
) -> list[Planned]:
    if not taking:
        return []
    signal = loaded.shared.signal
    expires = now + timedelta(seconds=known(loaded.shared.strategy).max_signal_age_s)
    accounts = [_id(account) for account, _ in taking]
    values: dict[str, Any] = {
        "ids": array(new_id() for _ in taking),
        "organizations": array(account.organization for account, _ in taking),
        "accounts": array(accounts),
        "client_ids": array(client_id(shard.signal_id, account, Purpose.ENTRY) for account in accounts),
        "receipts": array(fresh[account] for account in accounts),
        "quantities": array(paper.ruled.quantity for _, paper in taking),
        "risks": array(paper.ruled.risk for _, paper in taking),
        "signal": shard.signal_id,
        "strategy": shard.strategy_id,
        "symbol": signal.symbol,
        "venue_symbol": loaded.venue_symbol,
        "side": known(signal.side).value,
        "type": TAKEN_TYPES[known(signal.kind).value].value,
        "limit": signal.entry if known(signal.kind).value == "limit" else None,
        "stop": signal.entry if known(signal.kind).value == "stop" else None,
        "stop_loss": known(signal.stop),
        "take_profit": next(iter(reversed(known(signal.targets))), None),
        "purpose": Purpose.ENTRY.value,
        "state": OrderState.PLANNED.value,
        "now": now,
        "expires": expires,
    }
    return [Planned(*row) for row in ask(PLAN_ORDERS, values)]

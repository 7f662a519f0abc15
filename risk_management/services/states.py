"""An account's state, moved by what is seen of it and by a clock; the warnings that come of it; the room that is left.

Snapshots, turned days and ledger entries are stored first, once each, and then folded in the order in which they were
stored (compliance/floors.py). A day that turned unseen stays open until two snapshots and the ledger between them agree
on the balance at the reset; `turn_days` looks for that, and until then the room is not known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol, cast
from uuid import UUID

from django.db import connections, transaction
from django.db.models import Sum

from accounts import outbox
from accounts.models import TradingAccount
from accounts.outbox import News
from accounts.tenancy import system_scope, tenant_scope
from mikrobot_platform.db import scope as scopes
from mikrobot_platform.kernel import plain
from risk_management import own_rooms as own
from risk_management.compliance import account as compliance
from risk_management.compliance.floors import advance, rebuild
from risk_management.compliance.program import Program
from risk_management.compliance.room import Room, crossings, headroom
from risk_management.kelly import TradeStats
from risk_management.models import AccountEvent, AccountState
from risk_management.services import limits, programs, stats, warnings
from risk_management.services.days import zone_of

SCOPE = "gate.days"
EVENT = plain.codec(compliance.Event)
_WARNED = plain.codec(tuple[own.Warned, ...])
_INSERT = """
    insert into risk_management_accountevent
        (organization_id, account_id, kind, number, at, profit, symbol, body)
    values (%s, %s, %s, %s, %s, %s, %s, %s) on conflict do nothing returning id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a snapshot says besides what limits are counted from."""

    floating: Decimal
    margin_used: Decimal


# --- Events in -------------------------------------------------------------------------------------------------------


def begin(account_id: UUID, *, at: datetime, is_new: bool) -> AccountState:
    """Begin an account's state: a new account at its program's initial balance, another with an unknown past."""
    account = TradingAccount.objects.get(pk=account_id)
    program = programs.program_of(account, on=at.date())
    row = AccountState(organization_id=account.organization_id, account=account)
    if program is not None:
        state = compliance.opened(program, at=at) if is_new else compliance.joined(program, at=at)
        row.program, row.start = programs.key_of(program), plain.text(state)
        row.state = row.start
    row.save(force_insert=True)
    return row


def observe(account_id: UUID, event: compliance.Event, *, seen: Seen | None = None, symbol: str = "") -> bool:
    """Take an event of an account, in its organization's scope on the engine's connection; False when it was known.

    1. The state's row is locked: events of an account are folded in the order of their ids.
    2. The event is stored. One that was stored before changes nothing.
    3. State, warnings and the news of them commit together.
    """
    row: AccountState | None = AccountState.objects.select_for_update().filter(account_id=account_id).first()
    if row is None:
        begin(account_id, at=event.at, is_new=False)
        row = AccountState.objects.select_for_update().get(account_id=account_id)
    if not _store(row, event, symbol):
        return False
    outbox.publish_all(take(row, event, seen, _ASKED))
    row.save()
    return True


class Surroundings(Protocol):
    """What has to be known beside an account's state: its own limits' rooms, and by which zone its days turn."""

    def rooms(self, row: AccountState, at: datetime) -> tuple[own.OwnRoom, ...]: ...

    def zone(self, row: AccountState, at: datetime) -> str: ...


class _Asked:
    """Ask for it when it is needed."""

    def rooms(self, row: AccountState, at: datetime) -> tuple[own.OwnRoom, ...]:
        return _own_rooms(row, at)

    def zone(self, row: AccountState, at: datetime) -> str:
        return zone_of(row.organization_id, at)


_ASKED = _Asked()


def take(row: AccountState, event: compliance.Event, seen: Seen | None, around: Surroundings) -> list[News]:
    """Move a locked row by an event that was stored just now; who calls saves it and publishes what is returned."""
    news: list[News] = []
    program = programs.by_key(row.program)
    before = state_of(row)
    after = before if before is None or program is None else advance(before, event, program)
    if after is not None:
        row.state, row.is_day_open = plain.text(after), _has_open_day(after)
    if isinstance(event, compliance.Snapshot):
        news += _look(row, event, seen, around)
    if before is not None and after is not None and program is not None and (found := crossings(before, after)):
        news += warnings.of_firm(row, found, after, program, at=event.at)
    return news


def move_on(account_id: UUID, program: Program, *, at: datetime) -> bool:
    """Let an account's state go on under the rules that hold from now on; False when it does already, or has none.

    It begins anew from where it stands: what came before stays stored, and is not folded by rules of a later day.
    """
    row: AccountState | None = AccountState.objects.select_for_update().filter(account_id=account_id).first()
    if row is None or row.program == programs.key_of(program):
        return False
    before, state = programs.by_key(row.program), state_of(row)
    if before is None or state is None:
        after = compliance.joined(program, at=at)
    else:
        after = compliance.carried(state, before, program, at=at)
    row.program, row.start = programs.key_of(program), plain.text(after)
    row.state, row.is_day_open = row.start, _has_open_day(after)
    last = AccountEvent.objects.filter(account_id=account_id).order_by("-pk").values_list("pk", flat=True).first()
    row.started_after = last or 0
    row.save()
    return True


def _has_open_day(state: compliance.AccountState) -> bool:
    return state.day_start is None or bool(state.unknown_closes)


def _store(row: AccountState, event: compliance.Event, symbol: str) -> bool:
    values: list[Any] = [
        row.organization_id,
        row.account_id,
        type(event).__name__,
        None if isinstance(event, compliance.Snapshot | compliance.DayTurned) else event.number,
        event.at,
        event.profit if isinstance(event, compliance.Settled) else None,
        symbol,
        EVENT.write(event),
    ]
    with connections[scopes.current().alias].cursor() as cursor:
        cursor.execute(_INSERT, values)
        return cursor.fetchone() is not None


def _look(row: AccountState, event: compliance.Snapshot, seen: Seen | None, around: Surroundings) -> list[News]:
    """Keep the latest figures, the highest equity, and what the customer's own limits were warned of."""
    highest = max(event.equity, event.peak_equity or event.equity)
    row.peak_equity = highest if row.peak_equity is None else max(row.peak_equity, highest)
    if row.seen_at is not None and event.at <= row.seen_at:
        return []
    _close_days(row, event, around)
    row.seen_at, row.balance, row.equity = event.at, event.balance, event.equity
    row.floating, row.margin_used = (None, None) if seen is None else (seen.floating, seen.margin_used)
    rooms = around.rooms(row, event.at)
    found, known = own.warnings(_WARNED.read(json.loads(row.warned)), rooms)
    row.warned = _WARNED.write(known)
    return warnings.of_own(row, found, rooms, at=event.at)


def _close_days(row: AccountState, event: compliance.Snapshot, around: Surroundings) -> None:
    """Raise the highest close when the organization's day has turned since the last snapshot.

    Of the balances before and after, the higher one: the customer's own floor then stands no lower than it should.
    """
    if row.seen_at is None or row.balance is None:
        row.peak_close = event.balance
        return
    zone = around.zone(row, event.at)
    if own.periods(zone, row.seen_at).day != own.periods(zone, event.at).day:
        row.peak_close = max(row.peak_close or row.balance, row.balance, event.balance)


def state_of(row: AccountState) -> compliance.AccountState | None:
    return plain.read(compliance.AccountState, row.state) if row.state else None


# --- Rebuilt ---------------------------------------------------------------------------------------------------------


def rebuilt(account_id: UUID) -> compliance.AccountState | None:
    """Fold an account's history under its present rules once more; the answer equals what is stored."""
    row = AccountState.objects.get(account_id=account_id)
    program = programs.by_key(row.program)
    if program is None or not row.start:
        return None
    return rebuild(plain.read(compliance.AccountState, row.start), _history(row), program)


def _history(row: AccountState) -> Iterator[compliance.Event]:
    events = AccountEvent.objects.filter(account_id=row.account_id, pk__gt=row.started_after)
    for body in events.order_by("pk").values_list("body", flat=True):
        yield cast("compliance.Event", EVENT.read(json.loads(body)))


# --- The clock -------------------------------------------------------------------------------------------------------


def turn_days(*, now: datetime) -> int:
    """Close the days that turned unseen, where snapshots and ledger agree on the balance; return how many were."""
    with system_scope(SCOPE):
        open_ones = list(
            AccountState.objects.filter(is_day_open=True)
            .order_by("organization_id", "account_id")
            .values_list("organization_id", "account_id")
        )
    closed = 0
    for organization_id, account_id in open_ones:
        scope = scopes.Scope(organization_id=organization_id, alias=scopes.ENGINE)
        with scopes.enter(scope), transaction.atomic(using=scopes.ENGINE):
            closed += _turn(account_id, now)
    return closed


def _turn(account_id: UUID, now: datetime) -> int:
    row: AccountState | None = AccountState.objects.select_for_update().filter(account_id=account_id).first()
    state, program = (None, None) if row is None else (state_of(row), programs.by_key(row.program))
    if state is None or program is None:
        return 0
    found = 0
    for moment in _open_moments(state, program):
        balance = _balance_at(account_id, moment) if moment <= now else None
        if balance is not None:
            found += observe(account_id, compliance.DayTurned(at=moment, balance=balance))
    return found


def _open_moments(state: compliance.AccountState, program: Program) -> list[datetime]:
    """List the resets and closes whose balance is not known, oldest first."""
    open_closes = [program.close.start(day + timedelta(days=1)) for day in state.unknown_closes]
    return sorted({*open_closes, *([program.day.start(state.day)] if state.day_start is None else [])})


def _balance_at(account_id: UUID, moment: datetime) -> Decimal | None:
    """Work out the balance at a moment from both sides; None unless both give the same.

    From the last snapshot before with what was settled since, and from the first one after without it. A trade that the
    ledger does not know makes the sides differ, and then nothing is known.
    """
    seen = AccountEvent.objects.filter(account_id=account_id, kind="Snapshot")
    before, after = (
        seen.filter(at__lte=moment).order_by("-at").first(),
        seen.filter(at__gt=moment).order_by("at").first(),
    )
    if before is None or after is None:
        return None
    moved = AccountEvent.objects.filter(account_id=account_id, kind__in=("Withdrawal", "Deposit"))
    if moved.filter(at__gt=before.at, at__lte=after.at).exists():
        return None  # its own entry tells the balance after it
    forward = _figures(before).balance + _settled(account_id, before.at, moment)
    backward = _figures(after).balance - _settled(account_id, moment, after.at)
    return forward if forward == backward else None


def _figures(row: AccountEvent) -> compliance.Snapshot:
    return cast("compliance.Snapshot", EVENT.read(json.loads(row.body)))


def _settled(account_id: UUID, after: datetime, until: datetime) -> Decimal:
    rows = AccountEvent.objects.filter(account_id=account_id, kind="Settled", at__gt=after, at__lte=until)
    return rows.aggregate(total=Sum("profit"))["total"] or Decimal(0)


# --- The room that is left -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Headroom:
    """What every limit of an account leaves at a moment: the firm's, and the customer's own."""

    account_id: UUID
    currency: str
    seen_at: datetime | None
    balance: Decimal | None
    equity: Decimal | None
    program: str
    firm: tuple[Room, ...]
    own: tuple[own.OwnRoom, ...]
    record: TradeStats  # of its last trades


def room_of(account_id: UUID, *, now: datetime) -> Headroom | None:
    """Say what is left under each limit; None when there is no such account. What was never seen tells no room."""
    account: TradingAccount | None = TradingAccount.objects.filter(pk=account_id).first()
    if account is None:
        return None
    row: AccountState | None = AccountState.objects.filter(account_id=account_id).first()
    state, program = (None, None) if row is None else (state_of(row), programs.by_key(row.program))
    rooms: tuple[Room, ...] = ()
    if row is not None and state is not None and program is not None and row.balance is not None:
        assert row.equity is not None
        snapshot = compliance.Snapshot(at=row.seen_at or now, balance=row.balance, equity=row.equity)
        rooms = headroom(state, snapshot, program, now)
    return Headroom(
        account_id=account_id,
        currency=account.currency,
        seen_at=None if row is None else row.seen_at,
        balance=None if row is None else row.balance,
        equity=None if row is None else row.equity,
        program="" if program is None else program.title,
        firm=rooms,
        own=() if row is None else _own_rooms(row, now),
        record=stats.load([account], now=now)[account_id],
    )


def find_room(account_id: UUID, *, now: datetime) -> Headroom | None:
    """Say it of any organization's account, for operators."""
    with system_scope("doctor"):
        organization_id = TradingAccount.objects.filter(pk=account_id).values_list("organization_id", flat=True).first()
        if organization_id is None:
            return None
        with tenant_scope(organization_id):
            return room_of(account_id, now=now)


def _own_rooms(row: AccountState, now: datetime) -> tuple[own.OwnRoom, ...]:
    standing = limits.standing(row.account_id, now=now)
    if standing is None or row.balance is None or row.equity is None:
        return ()
    found = own.periods(zone_of(row.organization_id, now), now)
    results = own.Results(
        day=_settled_since(row.account_id, found.day.starts, now),
        week=_settled_since(row.account_id, found.week.starts, now),
        month=_settled_since(row.account_id, found.month.starts, now),
    )
    return own.own_rooms(standing.now, results, balance=row.balance, equity=row.equity, periods=found)


def _settled_since(account_id: UUID, starts: datetime, now: datetime) -> Decimal:
    rows = AccountEvent.objects.filter(account_id=account_id, kind="Settled", at__gte=starts, at__lte=now)
    return rows.aggregate(total=Sum("profit"))["total"] or Decimal(0)

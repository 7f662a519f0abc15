"""Ours against theirs: venues are looked at, what they say is settled, and what still differs is repaired by policy.

Nobody waits for the slowest: looks are taken side by side, and each may be taken in alone or with others. An order
whose outcome nobody knows is asked about here, and never sent again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import InterfaceError, OperationalError
from django.utils import timezone
from psycopg.types.json import Jsonb

from accounts import outbox
from accounts.tenancy import system_scope, tenant_scope
from mikrobot_platform.db.prepared import ask
from mikrobot_platform.kernel.events import EventName
from mikrobot_platform.kernel.orders import (
    AccountReport,
    FillReport,
    OrderReport,
    OrderState,
    PositionReport,
    Purpose,
)
from risk_management.services import quota
from trading import adopting, doing, holding
from trading import book_statements as sql
from trading.brokers import Capabilities, SessionEnded
from trading.desk import Door, desk
from trading.doing import Subject
from trading.engine.deeds import Adopt, Alarm, Ask, BlockEntries, Deed, Resolve
from trading.engine.drift import Finding, Kind, Theirs
from trading.engine.reconcile import compare
from trading.engine.repair import Policy, repair
from trading.hearing import ALONG, Heard
from trading.holding import Books
from trading.models import Order, VenueLink
from trading.sending import SCOPE
from trading.settling import settle

log = logging.getLogger(__name__)

EVERY = timedelta(seconds=30)
SOON = timedelta(seconds=2)  # when something was found that a second look may explain
BALANCE_EVERY = timedelta(seconds=60)
OVERLAP = timedelta(minutes=5)  # fills are asked for from so long before the last look: clocks differ
FIRST_LOOK = timedelta(days=1)


_OURS = (Alarm, Ask, BlockEntries, Adopt, Resolve)  # what is done with our own books


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is to be found out about an account at its venue."""

    door: Door
    unsure: tuple[str, ...]  # client ids of orders of which nobody knows
    waiting: tuple[str, ...]  # those that should wait there
    fills_since: datetime
    wants_account: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What a venue has shown of an account."""

    door: Door
    at: datetime  # when it began
    capabilities: Capabilities
    asked: Mapping[str, OrderReport | None]
    working: tuple[OrderReport, ...]
    positions: tuple[PositionReport, ...]
    fills: tuple[FillReport, ...]
    fills_since: datetime
    account: AccountReport | None

    def heard(self) -> list[Heard]:
        """Say it as news."""
        reports = [report for report in self.asked.values() if report is not None]
        told = (*reports, *self.working, *self.fills, *self.positions, *([self.account] if self.account else ()))
        return [Heard(self.door, self.capabilities.positions, what) for what in told]

    def theirs(self) -> Theirs:
        return Theirs(
            at=self.at, positions_are=self.capabilities.positions, look_up=self.capabilities.look_up,
            asked=self.asked, working=self.working, positions=self.positions, fills=self.fills,
            fills_since=self.fills_since,
        )  # fmt: skip


_Repair = tuple[Look, Books, tuple[Finding, ...], list[tuple[Finding, Deed]]]


def reconcile(account: Door, *, now: datetime) -> tuple[Finding, ...]:
    """Compare one account with its venue now, and repair what differs; return what was found."""
    [question] = questions([account], now=now)
    found = desk.start(look(question)).result()
    differences = take([found], now=now)[account.account_id]
    doing.wait(doing.ANSWER_S)
    return differences


def questions(doors: Sequence[Door], *, now: datetime) -> list[Question]:
    """Find out what accounts are to be asked."""
    if not doors:
        return []
    owners, ids = {door.organization_id for door in doors}, [door.account_id for door in doors]
    at_venue = [state.value for state in OrderState if state.may_stand_at_the_venue]
    with system_scope(SCOPE):
        links = {
            link.account_id: link
            for link in VenueLink.objects.filter(organization_id__in=owners, account_id__in=ids)
        }  # fmt: skip
        rows = Order.objects.filter(organization_id__in=owners, account_id__in=ids, state__in=at_venue)
        orders = list(rows.values_list("account_id", "client_id", "state", "sent_at"))
    return [_question(door, links.get(door.account_id), [row[1:] for row in orders if row[0] == door.account_id], now)
            for door in doors]  # fmt: skip


def _question(door: Door, link: VenueLink | None, orders: Sequence[tuple[Any, ...]], now: datetime) -> Question:
    seen, compared = (link.seen_at, link.reconciled_at) if link else (None, None)
    since = now - FIRST_LOOK if compared is None else compared
    sent = [sent_at for _client_id, _state, sent_at in orders if sent_at is not None]
    in_flight = (OrderState.UNKNOWN.value, OrderState.SENDING.value)
    return Question(
        door=door,
        unsure=tuple(client_id for client_id, state, _ in orders if state in in_flight),
        waiting=tuple(client_id for client_id, state, _ in orders if state not in in_flight),
        fills_since=min([since, *sent]) - OVERLAP,
        wants_account=seen is None or now - seen >= BALANCE_EVERY - SOON,
    )


async def look(question: Question) -> Look:
    """Look at an account, after a new sign-in if its session has ended; whatever its venue raises is raised."""
    try:
        return await _look(question)
    except SessionEnded:
        desk.forget(question.door)
        return await _look(question)


async def _look(question: Question) -> Look:
    """Ask one by one for the orders that nobody knows of, and for those that should wait and are not shown.

    Positions are read last: what was filled meanwhile shows in them, and waits for its news.
    """
    session = await desk.session(question.door)
    began = timezone.now()
    working = tuple(await session.working())
    shown = {report.client_id for report in working}
    missing = [*question.unsure, *(client_id for client_id in question.waiting if client_id not in shown)]
    reports = await asyncio.gather(*(session.order(client_id) for client_id in missing))
    fills = tuple(await session.fills(question.fills_since))
    positions = tuple(await session.positions())
    return Look(
        door=question.door, at=began, capabilities=session.capabilities,
        asked=dict(zip(missing, reports, strict=True)), working=working, positions=positions, fills=fills,
        fills_since=question.fills_since, account=await session.account() if question.wants_account else None,
    )  # fmt: skip


def take(looks: Sequence[Look], *, now: datetime) -> dict[UUID, tuple[Finding, ...]]:
    """Take looks in: settle what venues say, find what still differs, and repair it as each customer has chosen.

    1. What was shown is settled as if it had been heard; most differences are news that was late.
    2. Our books as they are then are compared with the look.
    3. Orders of which nobody knew go on; differences are told once, and block entries where the policy says so.
    4. What is to be done at the venue is done as management does it.
    """
    settle([heard for one in looks for heard in one.heard()], now=now)
    found: dict[UUID, tuple[Finding, ...]] = {}
    wanted: list[doing.Wanted] = []
    repairs: list[_Repair] = []
    with system_scope(SCOPE):
        books = holding.load([one.door for one in looks], now=now)
        known = _known(looks)
        for one in looks:
            account = books[one.door.account_id]
            ours = account.ours(known.get(one.door.account_id, ()))
            differences = compare(ours, one.theirs(), now=now, settle=one.capabilities.settle)
            policy = Policy(account.link.policy) if account.link else Policy.ALARM
            deeds = [(finding, deed) for finding in differences for deed in repair(finding, policy)]
            found[one.door.account_id] = differences
            repairs.append((one, account, differences, deeds))
            wanted += [
                (_subject(account, one, finding), deed) for finding, deed in deeds if not isinstance(deed, _OURS)
            ]
        _resolve(repairs, now)
        _want_theirs(repairs)
        _note(repairs, now)
    settle(
        [
            heard
            for one, account, _, deeds in repairs
            for finding, deed in deeds
            if isinstance(deed, Adopt)
            for heard in adopting.adopted(account, finding, one.positions, one.capabilities.positions, now=now)
        ],
        now=now,
    )
    doing.carry_out(wanted, now=now)
    return found


def take_each(looks: Sequence[Look]) -> None:
    """Take looks in together, or, where one of them cannot be, each alone."""
    try:
        take(looks, now=timezone.now())
    except (OperationalError, InterfaceError):
        raise
    except Exception:
        if len(looks) == 1:
            log.exception("a look cannot be taken in", extra={"account": str(looks[0].door.account_id)})
            return
        for one in looks:
            take_each([one])


def _want_theirs(repairs: Sequence[_Repair]) -> None:
    """Take over stops that somebody has moved at the venue, where that is the policy."""
    for _, account, _, deeds in repairs:
        for finding, deed in deeds:
            ours = next((held for held in account.positions if str(held.pk) == finding.about), None)
            if isinstance(deed, Adopt) and finding.kind is Kind.STOP_MOVED and ours is not None:
                ask(sql.WANT_STOPS, {"positions": [ours.pk], "stops": [finding.venue_stop], "makes": [False]})


def _known(looks: Sequence[Look]) -> dict[UUID, set[str]]:
    """Find which of the orders that wait at venues were ever ours."""
    shown = {(one.door.organization_id, report.client_id) for one in looks for report in one.working}
    owners, names = {owner for owner, _ in shown}, {client_id for _, client_id in shown if client_id}
    known: dict[UUID, set[str]] = {}
    if names:
        rows = Order.objects.filter(organization_id__in=owners, client_id__in=names)
        for account, client_id in rows.values_list("account_id", "client_id"):
            known.setdefault(account, set()).add(client_id)
    return known


def _subject(account: Books, one: Look, finding: Finding) -> Subject:
    """Say what a finding is about: a position of ours, else what its venue has."""
    ours = next((held for held in account.positions if str(held.pk) == finding.about), None)
    if ours is not None:
        return Subject(
            door=one.door, position_id=ours.pk, venue_position_id=ours.venue_position_id, symbol=ours.symbol,
            venue_symbol=ours.venue_symbol, signal_id=ours.signal_id, receipt_id=ours.receipt_id,
            strategy_id=ours.strategy_id,
        )  # fmt: skip
    theirs = next((held for held in one.positions if finding.about in (held.id, held.symbol)), None)
    symbol = theirs.symbol if theirs else str(finding.evidence.get("symbol", ""))
    return Subject(
        door=one.door, position_id=None, venue_position_id=theirs.id if theirs else "", symbol=symbol,
        venue_symbol=symbol,
    )  # fmt: skip


def _resolve(repairs: Sequence[_Repair], now: datetime) -> None:
    """Let orders of which nobody knew go on; one that never arrived gives its place in the quota back."""
    told = [
        (one.door, deed) for one, _, _, deeds in repairs for _, deed in deeds if isinstance(deed, Resolve)
    ]  # fmt: skip
    if not told:
        return
    values = {
        "organizations": [door.organization_id for door, _ in told],
        "client_ids": [deed.order for _, deed in told],
        "states": [deed.state.value for _, deed in told],
        "codes": [deed.code.value for _, deed in told],
        "reasons": [deed.sentence[:300] for _, deed in told],
        "now": now,
        **ALONG,
    }
    for owner, account, order, state, purpose, signal in ask(sql.RESOLVE, values):
        if state != OrderState.ABSENT:
            continue
        if signal is not None and purpose == Purpose.ENTRY:
            quota.give_back(signal, [(owner, account)], now=now)
        with tenant_scope(owner):
            about = {"account": str(account), "order": str(order), "purpose": purpose}
            outbox.publish(EventName.ORDER_REFUSED, **about, code="absent")


def _note(repairs: Sequence[_Repair], now: datetime) -> None:
    """Write down that accounts were compared, what is to be told of it, and when to look again."""
    lines = []
    for one, account, _, deeds in repairs:
        link = account.link
        alarms = {deed.key: (finding, deed) for finding, deed in deeds if isinstance(deed, Alarm)}
        block = next((deed for _, deed in deeds if isinstance(deed, BlockEntries)), None)
        is_open = any(isinstance(deed, Ask | Resolve) for _, deed in deeds)
        with tenant_scope(one.door.organization_id):
            for key, (finding, deed) in alarms.items():
                if link is None or key not in link.alarms:
                    _say(one.door, finding, deed)
            if block is not None and (link is None or not link.blocked_reason):
                outbox.publish(EventName.ENTRIES_BLOCKED, account=str(one.door.account_id), reason=block.sentence)
        lines.append(
            {
                "organization_id": str(one.door.organization_id), "account_id": str(one.door.account_id),
                "at": one.at.isoformat(), "next": (now + (SOON if is_open else EVERY)).isoformat(),
                "alarms": sorted(alarms), "blocked": block.sentence[:300] if block else "",
            }
        )  # fmt: skip
    ask(sql.LOOKED, {"looks": Jsonb(lines), "now": now})


def _say(door: Door, finding: Finding, deed: Deed) -> None:
    name = EventName.POSITION_UNPROTECTED if finding.kind is Kind.POSITION_UNPROTECTED else EventName.BOOKS_DIFFER
    outbox.publish(
        name, account=str(door.account_id), about=finding.about, code=deed.code.value, sentence=deed.sentence
    )

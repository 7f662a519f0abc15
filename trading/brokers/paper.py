"""The paper venue: any kind of account rehearsed without money. Its protocol is told in trading/paper/server.py."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from weakref import WeakKeyDictionary

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.orders import (
    AccountReport,
    FillReport,
    OrderChange,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
    PositionReport,
)
from mikrobot_platform.kernel.venues import AccountKind, CredentialField, VenueInfo
from trading.brokers import (
    Capabilities,
    LookUp,
    News,
    Positions,
    Refused,
    Session,
    SessionEnded,
    Transient,
    Unknown,
    VenueQuote,
)

VENUE = VenueInfo(
    code="paper",
    title="Paper",
    is_paper=True,
    kinds=(AccountKind.DEMO, AccountKind.PROP, AccountKind.LIVE),
    currencies=("USD", "EUR", "GBP", "CHF", "JPY", "AUD", "CAD"),
    credentials=(
        CredentialField(
            name="access_token",
            label="Access token",
            help="Asked for when a session with the paper venue is opened. Leave empty to have one made.",
            is_required=False,
            is_made_when_empty=True,
        ),
    ),
)
CAPABILITIES = Capabilities(
    order_types=frozenset(OrderType),
    positions=Positions.NETTED,
    attached_stops=True,
    groups=True,
    partial_close=True,
    modify=True,
    look_up=LookUp.AUTHORITATIVE,
    # One ledger, read in the order in which it is written: what was on its way is there or lost with its connection.
    settle=timedelta(seconds=2),
    streaming=True,
    requests_per_s=10_000,
    unique_client_ids=False,
)
_HEDGED = replace(CAPABILITIES, positions=Positions.HEDGED)
ANSWER_S, CONNECT_S = 10, 3
# What a first sign-in may say about the account that it opens.
OPENING = ("balance", "currency", "positions")

_request, _change = plain.codec(OrderRequest), plain.codec(OrderChange)
_order, _fill = plain.codec(OrderReport), plain.codec(FillReport)
_position, _account = plain.codec(PositionReport), plain.codec(AccountReport)
_NEWS = {"order": _order, "fill": _fill, "position": _position, "account": _account}


class Wire(asyncio.Protocol):
    """One connection, shared by all sessions of this process and loop. Requests overlap; each has a number."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._out: list[tuple[int, str]] = []
        self._rest = b""
        self._transport: asyncio.Transport | None = None
        self.listeners: dict[str, asyncio.Queue[dict[str, Any] | None]] = {}
        self.sessions: set[str] = set()

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        """Tell everybody who waits: what was written may have arrived, what was not never left."""
        self._transport = None
        unsent = {number for number, _line in self._out}
        self._out.clear()
        for number, answer in self._waiting.items():
            if not answer.done():
                lost = Transient("the connection ended") if number in unsent else Unknown("the connection ended")
                answer.set_exception(lost)
        self._waiting.clear()
        for queue in self.listeners.values():
            queue.put_nowait(None)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            told = json.loads(line)
            if "news" in told:
                if (queue := self.listeners.get(told["news"])) is not None:
                    queue.put_nowait(told)
            elif (answer := self._waiting.pop(told["id"], None)) is not None and not answer.done():
                answer.set_result(told)

    async def ask(self, do: str, rest: str, answer_s: int) -> Any:
        """Send one request, once, and wait for its answer."""
        if not self.is_open:
            raise SessionEnded("there is no connection")
        loop = asyncio.get_running_loop()
        number = next(self._numbers)
        answer = self._waiting[number] = loop.create_future()
        if not self._out:
            loop.call_soon(self._send)
        self._out.append((number, f'{{"id":{number},"do":"{do}",{rest}}}\n'))
        patience = loop.call_later(answer_s, self._give_up, number)
        try:
            told = await answer
        finally:
            patience.cancel()
            self._waiting.pop(number, None)
        if "ok" in told:
            return told["ok"]
        raise _error(told)

    def leave(self, session: str) -> None:
        """Let a session go; with the last one the connection ends."""
        self.sessions.discard(session)
        if not self.sessions and not self._waiting and self._transport is not None:
            self._transport.close()

    def _send(self) -> None:
        if self._transport is not None:
            self._transport.write("".join(line for _number, line in self._out).encode())
            self._out.clear()

    def _give_up(self, number: int) -> None:
        answer = self._waiting.pop(number, None)
        if answer is not None and not answer.done():
            answer.set_exception(Unknown("no answer came in time"))


def _error(told: Mapping[str, Any]) -> Exception:
    code, reason = str(told.get("code", "")), str(told.get("reason", ""))
    match told.get("error"):
        case "refused":
            return Refused(code, reason)
        case "session_ended":
            return SessionEnded(reason)
        case "too_many":
            return Transient(reason, retry_after_s=int(told.get("retry_after_s", 0)))
        case _:
            return Unknown(f"{code} {reason}")  # a 5xx says nothing about what was done before it


class _Wires:
    """Hold one connection for each loop and address, made again when it has ended."""

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, tuple[asyncio.Lock, Wire | None]]]
        self._open = WeakKeyDictionary()

    async def to(self, base_url: str) -> Wire:
        here = self._open.setdefault(asyncio.get_running_loop(), {})
        lock, wire = here.setdefault(base_url, (asyncio.Lock(), None))
        if wire is not None and wire.is_open:
            return wire
        async with lock:
            wire = here[base_url][1]
            if wire is None or not wire.is_open:
                wire = await _connect(base_url)
                here[base_url] = (lock, wire)
            return wire


_wires = _Wires()


async def _connect(base_url: str) -> Wire:
    loop = asyncio.get_running_loop()
    scheme, _, place = base_url.partition("://")
    try:
        async with asyncio.timeout(CONNECT_S):
            if scheme == "unix":
                return (await loop.create_unix_connection(Wire, place))[1]
            host, _, port = place.rpartition(":")
            return (await loop.create_connection(Wire, host, int(port)))[1]
    except (OSError, TimeoutError) as error:
        raise Transient(f"the paper venue cannot be reached: {type(error).__name__}") from error


class PaperSession:
    """One account at the paper venue (brokers.Session)."""

    def __init__(self, wire: Wire, session: str, capabilities: Capabilities, answer_s: int) -> None:
        self.capabilities = capabilities
        self._wire, self._name, self._answer_s = wire, session, answer_s
        self._session = f'"session":"{session}"'
        wire.sessions.add(session)

    async def place(self, request: OrderRequest) -> OrderReport:
        report = await self._order("place", f'"request":{_request.write(request)}')
        if report.state is OrderState.REFUSED:
            code, _, reason = report.reason.partition(": ")
            raise Refused(code, reason)
        return report

    async def cancel(self, client_id: str) -> OrderReport:
        return await self._order("cancel", f'"order":{json.dumps(client_id)}')

    async def modify(self, client_id: str, change: OrderChange) -> OrderReport:
        return await self._order("modify", f'"order":{json.dumps(client_id)},"change":{_change.write(change)}')

    async def protect(self, position_id: str, change: OrderChange) -> PositionReport:
        told = await self._ask("protect", f'"position":{json.dumps(position_id)},"change":{_change.write(change)}')
        report: PositionReport = _position.read(told)
        return report

    async def order(self, client_id: str) -> OrderReport | None:
        told = await self._look("order", f'"order":{json.dumps(client_id)}')
        return None if told is None else _order.read(told)

    async def working(self) -> Sequence[OrderReport]:
        return [_order.read(told) for told in await self._look("working")]

    async def positions(self) -> Sequence[PositionReport]:
        return [_position.read(told) for told in await self._look("positions")]

    async def fills(self, since: datetime) -> Sequence[FillReport]:
        return [_fill.read(told) for told in await self._look("fills", f'"since":"{since.isoformat()}"')]

    async def account(self) -> AccountReport:
        report: AccountReport = _account.read(await self._look("account"))
        return report

    async def quote(self, symbol: str) -> VenueQuote | None:
        told = await self._look("quote", f'"symbol":{json.dumps(symbol)}')
        if told is None:
            return None
        return VenueQuote(
            symbol=told["symbol"], bid=Price(Decimal(told["bid"])), ask=Price(Decimal(told["ask"])),
            at=datetime.fromisoformat(told["at"]),
        )  # fmt: skip

    async def news(self) -> AsyncIterator[News]:
        """Hear what happens until the connection ends, or until something was missed."""
        queue: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self._wire.listeners[self._name] = queue
        try:
            await self._look("listen")
            heard = 0
            while (told := await queue.get()) is not None:
                if told["seq"] != heard + 1 and heard:
                    return
                heard = told["seq"]
                yield _NEWS[told["kind"]].read(told["what"])
        finally:
            self._wire.listeners.pop(self._name, None)

    async def close(self) -> None:
        with contextlib.suppress(Transient, Unknown, Refused):
            await self._ask("sign_out")
        self._wire.leave(self._name)

    async def _order(self, do: str, rest: str) -> OrderReport:
        report: OrderReport = _order.read(await self._ask(do, rest))
        return report

    async def _ask(self, do: str, rest: str = "") -> Any:
        return await self._wire.ask(do, f"{self._session},{rest}" if rest else self._session, self._answer_s)

    async def _look(self, do: str, rest: str = "") -> Any:
        """Ask what changes nothing: without an answer it can be asked again."""
        try:
            return await self._ask(do, rest)
        except Unknown as error:
            raise Transient(str(error)) from error


class PaperBroker:
    """The paper venue (brokers.Broker)."""

    card = VENUE
    capabilities = CAPABILITIES

    def __init__(self, *, answer_s: int = ANSWER_S) -> None:
        self._answer_s = answer_s

    async def connect(self, account: str, credentials: Mapping[str, str], *, base_url: str) -> Session:
        """Sign in; the first sign-in of a name opens the account, with what the credentials say of OPENING."""
        wire = await _wires.to(base_url)
        told = {
            "account": account,
            "token": credentials.get("access_token", ""),
            "told": {name: credentials[name] for name in OPENING if credentials.get(name)},
        }
        try:
            answer = await wire.ask("sign_in", plain.canonical(told)[1:-1], self._answer_s)
        except Unknown as error:
            raise Transient(str(error)) from error  # signing in twice harms nobody
        positions = Positions(answer["positions"])
        capabilities = CAPABILITIES if positions is Positions.NETTED else _HEDGED
        return PaperSession(wire, answer["session"], capabilities, self._answer_s)


BROKER = PaperBroker()

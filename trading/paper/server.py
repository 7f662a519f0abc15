"""The venue's door: a socket, one JSON object a line each way, many requests at once on one connection.

1. A line comes in and waits for as long as this venue's wire is slow (latency).
2. What arrives within a millisecond is carried out together, in the order in which it came.
3. One commit brings all of it to the disk; only then is anybody answered, and only then is news told.

    request  {"id": 7, "do": "place", "session": "...", "request": ...}
    answer   {"id": 7, "ok": ...}  or  {"id": 7, "error": "refused", "code": "no_money", "reason": "..."}
    news     {"news": "<session>", "seq": 3, "kind": "fill", "what": ...}
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import os
import secrets
import signal
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

from mikrobot_platform.kernel.plain import StoredWrong, canonical
from trading.paper.admin import Clock, Console, carry_out
from trading.paper.faults import BEFORE, Fault, Faults, Kind
from trading.paper.ledger import Ledger
from trading.paper.prices import Prices
from trading.paper.venue import Account, News, Refused, Venue

log = logging.getLogger(__name__)

GATHER_MS = 1
MOST_AT_ONCE = 500  # in one commit, so that the first of ten thousand is not answered last
LONGEST_LINE = 1 << 20


class Expired(Exception):
    """Raised for a session that is over or was never there."""


class Wire(asyncio.Protocol):
    """One connection: cuts the stream into lines."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._rest = b""
        self.transport: asyncio.Transport | None = None
        self.sessions: set[str] = set()
        self.out: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def connection_lost(self, error: Exception | None) -> None:
        self.transport = None
        self._server.lost(self)

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > LONGEST_LINE:
            self.cut()
            return
        self._server.received(self, lines)

    def send(self) -> None:
        """Send what has gathered."""
        if self.out and self.transport is not None:
            self.transport.write("".join(self.out).encode())
        self.out.clear()

    def cut(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class Server:
    """Answer requests."""

    def __init__(self, ledger: Ledger, prices: Prices, venue: Venue, clock: Clock, *, admin_token: str = "") -> None:
        self.ledger, self.prices, self.venue, self.clock = ledger, prices, venue, clock
        self.faults = Faults()
        self.latency_ms: dict[str, int] = {}  # by account; "" is everybody's
        self._sessions: dict[str, Account] = {}
        self._console = Console(
            ledger=ledger, prices=prices, venue=venue, clock=clock, faults=self.faults, latency_ms=self.latency_ms,
            sessions=self._sessions,
        )  # fmt: skip
        self._admin_token = admin_token
        self._inbox: deque[tuple[Wire, dict[str, Any]]] = deque()
        self._is_due = False
        self._listeners: dict[int, dict[str, Wire]] = {}
        self._told: dict[str, int] = {}  # session -> seq
        self._held_back: dict[int, News] = {}
        self._late: list[tuple[int, Wire, str]] = []
        venue.hears = lambda account: bool(self._listeners.get(account.number))

    # --- coming in ---
    def received(self, wire: Wire, lines: list[bytes]) -> None:
        """Take lines in, each after its latency."""
        loop = asyncio.get_running_loop()
        by_latency: dict[int, list[tuple[Wire, dict[str, Any]]]] = {}
        for line in lines:
            try:
                asked = json.loads(line)
                ms = self._latency_of(asked)
            except (ValueError, AttributeError, TypeError):
                log.warning("a line that is no request; the connection is closed")
                wire.cut()
                return
            by_latency.setdefault(ms, []).append((wire, asked))
        for ms, items in by_latency.items():
            if ms:
                loop.call_later(ms / 1000, self._arrive, items)
            else:
                self._arrive(items)

    def _latency_of(self, asked: dict[str, Any]) -> int:
        if asked["do"] == "admin":
            return 0
        account = self._sessions.get(asked.get("session", ""))
        general = self.latency_ms.get("", 0)
        return self.latency_ms.get(account.name, general) if account else general

    def _arrive(self, items: list[tuple[Wire, dict[str, Any]]]) -> None:
        self._inbox.extend(items)
        self._call_soon()

    def _call_soon(self) -> None:
        if not self._is_due:
            self._is_due = True
            asyncio.get_running_loop().call_later(GATHER_MS / 1000, self.work)

    # --- one commit's worth ---
    def work(self) -> None:
        """Carry out what has arrived, commit it, answer."""
        self._is_due = False
        now = self.clock.now()
        self.prices.advance(now)
        batch = [self._inbox.popleft() for _ in range(min(len(self._inbox), MOST_AT_ONCE))]
        wires = {wire for wire, _asked in batch}
        for wire, asked in batch:
            self._serve(wire, asked, now)
        self.ledger.commit()
        self._after_commit(wires)
        if self._inbox:
            self._call_soon()

    async def step(self) -> None:
        """Let prices move on; whoever asks something meanwhile does not wait for all of it."""
        self.prices.advance(self.clock.now())
        for _pause in self.venue.tick():
            self.ledger.commit()
            self._after_commit(set())
            await asyncio.sleep(0)
        self.ledger.commit()
        self._after_commit(set())

    def _after_commit(self, wires: set[Wire]) -> None:
        for wire in wires:
            wire.send()
        self._spread_news()
        loop = asyncio.get_running_loop()
        for ms, wire, line in self._late:
            loop.call_later(ms / 1000, _send_late, wire, line)
        self._late.clear()

    def _serve(self, wire: Wire, asked: dict[str, Any], now: datetime) -> None:
        account = self._sessions.get(asked.get("session", ""))
        fault = self.faults.strike(account.name, asked["do"]) if account and len(self.faults) else None
        if fault is not None and fault.kind in BEFORE and self._fails(wire, asked, fault):
            return
        line = self._answer(wire, asked, now, fault)
        match fault.kind if fault else None:
            case Kind.DROP_AFTER:
                pass
            case Kind.CUT_AFTER:
                self.ledger.commit()
                wire.cut()
            case Kind.DIE_AFTER:
                self.ledger.commit()
                os.kill(os.getpid(), signal.SIGKILL)
            case Kind.ERROR_AFTER:
                wire.out.append(_error(asked["id"], "server", "500", "as a drill asked for"))
            case Kind.SLOW_ACK:
                assert fault is not None
                self._late.append((fault.ms, wire, line))
            case _:
                wire.out.append(line)

    def _fails(self, wire: Wire, asked: dict[str, Any], fault: Fault) -> bool:
        """Let a request fail before anything was done; False when it is the venue's to refuse."""
        match fault.kind:
            case Kind.REJECT:
                return False
            case Kind.CUT_BEFORE:
                wire.cut()
            case Kind.DIE_BEFORE:
                os.kill(os.getpid(), signal.SIGKILL)
            case Kind.TOO_MANY:
                wire.out.append(_error(asked["id"], "too_many", "429", "as a drill asked for", fault.ms // 1000))
            case Kind.ERROR_BEFORE:
                wire.out.append(_error(asked["id"], "server", "503", "as a drill asked for"))
            case Kind.EXPIRE:
                self._end_session(asked["session"])
                wire.out.append(_error(asked["id"], "session_ended", "401", "the session is over"))
        return True

    def _answer(self, wire: Wire, asked: dict[str, Any], now: datetime, fault: Fault | None) -> str:
        number = asked["id"]
        try:
            return f'{{"id":{number:d},"ok":{self._do(wire, asked, now, fault)}}}\n'
        except Refused as no:
            return _error(number, "refused", no.code, no.reason)
        except Expired:
            return _error(number, "session_ended", "401", "sign in first")
        except (StoredWrong, KeyError, ValueError, TypeError, ArithmeticError) as error:
            log.warning("a request that cannot be read", extra={"do": asked.get("do"), "error": repr(error)})
            return _error(number, "refused", "unreadable", f"{type(error).__name__}: {error}")
        except Exception:
            # A fault of ours. What others asked in the same batch is done all the same.
            log.exception("a request that could not be carried out", extra={"do": asked.get("do")})
            return _error(number, "server", "500", "the venue has failed")

    def _do(self, wire: Wire, asked: dict[str, Any], now: datetime, fault: Fault | None) -> str:
        do = asked["do"]
        if do == "sign_in":
            return self._begin_session(
                wire, self.venue.sign_in(asked["account"], asked["token"], asked.get("told", {}))
            )
        if do == "admin":
            return self._administer(asked, now)
        session = asked["session"]
        account = self._sessions.get(session)
        if account is None:
            raise Expired
        if do == "listen":
            self._listeners.setdefault(account.number, {})[session] = wire
            return "true"
        if do == "sign_out":
            self._end_session(session)
            return "true"
        return self.venue.answer(account, asked, now=now, fault=fault)

    def _administer(self, asked: dict[str, Any], now: datetime) -> str:
        if not self._admin_token or not hmac.compare_digest(str(asked["token"]).encode(), self._admin_token.encode()):
            raise Refused("access_denied", "this is for drills, and they have a token")
        return canonical(carry_out(self._console, asked["command"], asked.get("told", {}), now))

    # --- sessions and news ---
    def _begin_session(self, wire: Wire, account: Account) -> str:
        session = secrets.token_urlsafe(12)
        self._sessions[session] = account
        wire.sessions.add(session)
        hedged = account.book.terms.is_hedged
        return canonical({"session": session, "positions": "hedged" if hedged else "netted"})

    def _end_session(self, session: str) -> None:
        account = self._sessions.pop(session, None)
        if account is not None:
            self._listeners.get(account.number, {}).pop(session, None)
        self._told.pop(session, None)

    def lost(self, wire: Wire) -> None:
        """Forget the sessions of a connection that has ended."""
        for session in wire.sessions:
            self._end_session(session)

    def _spread_news(self) -> None:
        news, self.venue.news = self.venue.news, []
        wires = set()
        for item in news:
            for told in self._as_it_goes_wrong(item):
                wires |= self._tell(told)
        for wire in wires:
            wire.send()

    def _as_it_goes_wrong(self, item: News) -> list[News]:
        fault = self.faults.strike_news(item.account.name) if len(self.faults) else None
        held_back = self._held_back.pop(item.account.number, None)
        before: list[News] = [item] if held_back is None else [item, held_back]
        match fault.kind if fault else None:
            case Kind.DUPLICATE_NEWS:
                return [item, *before]
            case Kind.REORDER_NEWS:
                self._held_back[item.account.number] = item
                return before[1:]
            case Kind.LOSE_NEWS:
                for session in self._listeners.get(item.account.number, {}):
                    self._told[session] = self._told.get(session, 0) + 1
                return before[1:]
            case _:
                return before

    def _tell(self, item: News) -> set[Wire]:
        wires = set()
        for session, wire in self._listeners.get(item.account.number, {}).items():
            seq = self._told[session] = self._told.get(session, 0) + 1
            wire.out.append(f'{{"news":"{session}","seq":{seq},"kind":"{item.kind}","what":{item.text}}}\n')
            wires.add(wire)
        return wires


def _error(number: int, error: str, code: str, reason: str, retry_after_s: int = 0) -> str:
    told = {"id": number, "error": error, "code": code, "reason": reason, "retry_after_s": retry_after_s}
    return canonical(told) + "\n"


def _send_late(wire: Wire, line: str) -> None:
    wire.out.append(line)
    wire.send()


async def serve(server: Server, address: str, *, tick_ms: int, ready: Callable[[], None], stop: asyncio.Event) -> None:
    """Serve on `unix:///path` or `tcp://host:port` until asked to stop."""
    loop = asyncio.get_running_loop()
    scheme, _, place = address.partition("://")
    if scheme == "unix":
        listening = await loop.create_unix_server(lambda: Wire(server), place, backlog=512)
        os.chmod(place, 0o600)  # noqa: PTH101
    else:
        host, _, port = place.rpartition(":")
        listening = await loop.create_server(lambda: Wire(server), host, int(port), backlog=512)
    async with listening:
        ready()
        while not stop.is_set():
            try:
                await asyncio.wait_for(stop.wait(), tick_ms / 1000)
            except TimeoutError:
                await server.step()

"""What every adapter promises (trading/brokers/__init__.py), one test a promise and one a fault.

An adapter's suite inherits `BrokerContract` and gives it a `VenueUnderTest`: the adapter, where its venue is, and a
hand on the venue that sets prices, lets things go wrong, and counts what has arrived. A promise that the capabilities
of a venue exclude is skipped by name.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

import pytest

from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import (
    FillReport,
    OrderChange,
    OrderReport,
    OrderRequest,
    OrderState,
    OrderType,
)
from trading.brokers import Broker, News, Positions, Refused, Session, SessionEnded, Transient, Unknown

T = TypeVar("T")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
PATIENCE_S = 10


class Script(StrEnum):
    """What a venue is told to do wrong with the next request, or with its news."""

    DROP_BEFORE = "drop_before"  # swallowed: it never arrives, and nobody says so
    DROP_AFTER = "drop_after"  # accepted; the answer is lost
    CUT_BEFORE = "cut_before"  # the connection ends before it is accepted
    CUT_AFTER = "cut_after"
    SLOW_ACK = "slow_ack"  # answered later than the adapter waits, though it was accepted
    ACK_AFTER_FILL = "ack_after_fill"  # the fill is told before the answer comes
    TOO_MANY = "too_many"
    ERROR_BEFORE = "error_before"  # 5xx, nothing was done
    ERROR_AFTER = "error_after"  # 5xx, it was done
    EXPIRE = "expire"
    REJECT = "reject"
    PARTIAL = "partial"
    DUPLICATE_NEWS = "duplicate_news"
    REORDER_NEWS = "reorder_news"
    LOSE_NEWS = "lose_news"


class VenueUnderTest(ABC):
    """One venue with one symbol at 100 or so, and a hand on it."""

    broker: Broker
    base_url: str
    symbol: str
    bid: Price  # with an ask of bid + tick, when a test begins
    tick: Decimal
    quantity: Quantity

    @abstractmethod
    def account(self, positions: Positions) -> tuple[str, Mapping[str, str]]:
        """Open a new account; return its name and credentials."""

    @abstractmethod
    def script(self, script: Script, account: str) -> None:
        """Let the next request to place an order (or the next news) go wrong."""

    @abstractmethod
    def price(self, bid: Decimal) -> None:
        """Move the market."""

    @abstractmethod
    def orders(self, account: str) -> Mapping[str, int]:
        """Count what has arrived, by client id, without the adapter's help."""

    @abstractmethod
    def restart(self) -> None:
        """Kill the venue and start it again."""


class BrokerContract:
    """Inherit it, and give the fixture `venue`."""

    @pytest.fixture
    def venue(self) -> VenueUnderTest:
        pytest.fail("whoever inherits the contract says which venue it is for")

    # --- helpers ---
    def play(self, venue: VenueUnderTest, act: Callable[[Session, str], Awaitable[T]], positions: str = "netted") -> T:
        """Sign a new account in and act; the session ends with it."""
        name, credentials = venue.account(Positions(positions))

        async def run() -> T:
            session = await venue.broker.connect(name, credentials, base_url=venue.base_url)
            try:
                return await asyncio.wait_for(act(session, name), PATIENCE_S * 3)
            finally:
                await session.close()

        return asyncio.run(run())

    @staticmethod
    def request(venue: VenueUnderTest, client_id: str = "c1", side: Side = Side.BUY, **more: object) -> OrderRequest:
        return OrderRequest(
            **{  # type: ignore[arg-type]
                "client_id": client_id, "symbol": venue.symbol, "side": side, "type": OrderType.MARKET,
                "quantity": venue.quantity, **more,
            }
        )  # fmt: skip

    @staticmethod
    def ticks(venue: VenueUnderTest, number: int) -> Price:
        return Price(venue.bid + venue.tick * number)

    # --- promises ---
    def test_an_order_is_filled_and_found_by_our_id(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            report = await session.place(self.request(venue))
            assert report.client_id == "c1"
            found = await until(session, "c1", OrderState.FILLED)
            assert (found.venue_order_id, found.filled) == (report.venue_order_id, venue.quantity)
            (fill,) = await session.fills(LONG_AGO)
            assert (fill.client_id, fill.quantity, fill.price) == ("c1", venue.quantity, self.ticks(venue, 1))
            (held,) = await session.positions()
            assert (held.symbol, held.side, held.quantity) == (venue.symbol, Side.BUY, venue.quantity)
            assert venue.orders(name) == {"c1": 1}

        self.play(venue, act)

    def test_what_was_never_sent_is_not_found(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            assert await session.order("never") is None

        self.play(venue, act)

    def test_an_attached_stop_closes_the_position(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            await session.place(self.request(venue, stop_loss=self.ticks(venue, -50)))
            (held,) = await session.positions()
            assert held.stop_loss == self.ticks(venue, -50)
            moved = await session.protect(held.id, OrderChange(stop_loss=self.ticks(venue, -20)))
            assert moved.stop_loss == self.ticks(venue, -20)
            venue.price(self.ticks(venue, -30))
            assert await session.positions() == []
            last = (await session.fills(LONG_AGO))[-1]
            assert (last.side, last.price, last.position_id) == (Side.SELL, self.ticks(venue, -30), held.id)

        if not venue.broker.capabilities.attached_stops:
            pytest.skip("this venue takes no stop along")
        self.play(venue, act)

    def test_a_part_is_closed_and_then_the_rest(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            await session.place(self.request(venue))
            for client_id in ("x1", "x2"):
                (held,) = await session.positions()
                half = Quantity(venue.quantity / 2)
                out = self.request(
                    venue, client_id, Side.SELL, quantity=half, position_id=held.id, reduces_only=True
                )  # fmt: skip
                await session.place(out)
            assert await session.positions() == []

        if not venue.broker.capabilities.partial_close:
            pytest.skip("this venue closes whole positions only")
        for positions in ("netted", "hedged"):
            self.play(venue, act, positions)

    def test_a_waiting_order_is_changed_and_cancelled_once(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            limit = self.request(venue, type=OrderType.LIMIT, limit=self.ticks(venue, -50))
            placed = await session.place(limit)
            assert placed.state is OrderState.WORKING
            changed = await session.modify("c1", OrderChange(limit=self.ticks(venue, -40)))
            assert changed.revision > placed.revision
            assert [order.client_id for order in await session.working()] == ["c1"]
            assert (await session.cancel("c1")).state is OrderState.CANCELLED
            assert (await session.cancel("c1")).state is OrderState.CANCELLED, "of one that is over, how it ended"
            assert await session.working() == []

        self.play(venue, act)

    def test_of_a_group_one_cancels_the_other(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            up = self.request(venue, "up", type=OrderType.STOP, stop=self.ticks(venue, 50), group="g")
            down = self.request(venue, "down", Side.SELL, type=OrderType.STOP, stop=self.ticks(venue, -50), group="g")
            await session.place(up)
            await session.place(down)
            venue.price(self.ticks(venue, 60))
            await until(session, "up", OrderState.FILLED)
            await until(session, "down", OrderState.CANCELLED)

        if not venue.broker.capabilities.groups:
            pytest.skip("this venue knows no groups")
        self.play(venue, act)

    def test_money_and_prices_are_told(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            before = await session.account()
            assert before.equity == before.balance > 0
            quote = await session.quote(venue.symbol)
            assert quote is not None
            assert (quote.bid, quote.ask) == (venue.bid, self.ticks(venue, 1))
            await session.place(self.request(venue))
            after = await session.account()
            assert after.margin_used > 0
            assert after.equity < before.equity, "the spread was paid"

        self.play(venue, act)

    def test_a_refusal_says_why_and_does_nothing(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            with pytest.raises(Refused) as refused:
                await session.place(self.request(venue, symbol="NO.SUCH"))
            assert refused.value.code
            assert await session.positions() == []
            found = await session.order("c1")
            assert found is None or found.state is OrderState.REFUSED

        self.play(venue, act)

    def test_with_a_wrong_secret_nobody_gets_in(self, venue: VenueUnderTest) -> None:
        name, credentials = venue.account(Positions.NETTED)
        wrong = dict.fromkeys(credentials, "wrong")
        with pytest.raises(Refused):
            asyncio.run(venue.broker.connect(name, wrong, base_url=venue.base_url))

    def test_where_nobody_listens_nothing_was_sent(self, venue: VenueUnderTest) -> None:
        name, credentials = venue.account(Positions.NETTED)
        scheme = venue.base_url.partition("://")[0]
        nowhere = "unix:///nowhere/venue.sock" if scheme == "unix" else f"{scheme}://127.0.0.1:1"
        with pytest.raises(Transient):
            asyncio.run(venue.broker.connect(name, credentials, base_url=nowhere))

    def test_many_accounts_at_once_each_get_their_own(self, venue: VenueUnderTest) -> None:
        opened = [venue.account(Positions.NETTED) for _ in range(20)]

        async def one(name: str, credentials: Mapping[str, str]) -> None:
            session = await venue.broker.connect(name, credentials, base_url=venue.base_url)
            await session.place(self.request(venue, f"of-{name}"))
            await until(session, f"of-{name}", OrderState.FILLED)

        async def run() -> None:
            await asyncio.gather(*(one(*each) for each in opened))

        asyncio.run(run())
        assert [venue.orders(name) for name, _ in opened] == [{f"of-{name}": 1} for name, _ in opened]

    # --- faults: what the caller may believe, and what has arrived ---
    @pytest.mark.parametrize(
        ("script", "raises", "arrived"),
        [
            (Script.DROP_BEFORE, Unknown, 0),
            (Script.DROP_AFTER, Unknown, 1),
            (Script.CUT_BEFORE, Unknown, 0),
            (Script.CUT_AFTER, Unknown, 1),
            (Script.SLOW_ACK, Unknown, 1),
            (Script.TOO_MANY, Transient, 0),
            (Script.ERROR_BEFORE, Unknown, 0),
            (Script.ERROR_AFTER, Unknown, 1),
            (Script.EXPIRE, SessionEnded, 0),
            (Script.REJECT, Refused, 1),
        ],
    )
    def test_a_fault_is_called_by_its_name_and_nothing_is_sent_twice(
        self, script: Script, raises: type[Exception], arrived: int, venue: VenueUnderTest
    ) -> None:
        name, credentials = venue.account(Positions.NETTED)

        async def run() -> OrderReport | None:
            session = await venue.broker.connect(name, credentials, base_url=venue.base_url)
            venue.script(script, name)
            with pytest.raises(raises) as raised:
                await session.place(self.request(venue))
            assert type(raised.value) is raises
            again = await venue.broker.connect(name, credentials, base_url=venue.base_url)
            return await again.order("c1")

        found = asyncio.run(run())
        assert sum(venue.orders(name).values()) == arrived
        if arrived:
            assert found is not None
            assert found.state is (OrderState.REFUSED if script is Script.REJECT else OrderState.FILLED)
        else:
            assert found is None

    def test_after_a_look_at_what_is_unknown_the_next_order_goes_through(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            venue.script(Script.DROP_BEFORE, name)
            with pytest.raises(Unknown):
                await session.place(self.request(venue))
            assert await session.order("c1") is None
            await session.place(self.request(venue, "c2"))
            assert venue.orders(name) == {"c2": 1}

        self.play(venue, act)

    def test_a_fill_may_be_heard_of_before_the_answer(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            heard = await listen(session)
            venue.script(Script.ACK_AFTER_FILL, name)
            placing = asyncio.create_task(session.place(self.request(venue)))
            fill = await heard.first(FillReport)
            assert not placing.done()
            assert (await placing).venue_order_id == fill.venue_order_id

        self.streaming(venue)
        self.play(venue, act)

    def test_a_part_is_filled_now_and_the_rest_later(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            venue.script(Script.PARTIAL, name)
            report = await session.place(self.request(venue))
            assert (report.state, report.filled) == (OrderState.PARTIAL, venue.quantity / 2)
            (held,) = await session.positions()
            assert held.quantity == venue.quantity / 2
            venue.price(self.ticks(venue, 5))
            await until(session, "c1", OrderState.FILLED)
            assert len(await session.fills(LONG_AGO)) == 2

        self.play(venue, act)

    def test_news_told_twice_is_the_same_news(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            heard = await listen(session)
            venue.script(Script.DUPLICATE_NEWS, name)
            await session.place(self.request(venue))
            first = await heard.first(OrderReport)
            assert await heard.first(OrderReport) == first
            assert len(await session.fills(LONG_AGO)) == 1

        self.streaming(venue)
        self.play(venue, act)

    def test_news_out_of_order_can_be_put_in_order(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            heard = await listen(session)
            await session.place(self.request(venue, type=OrderType.LIMIT, limit=self.ticks(venue, -50)))
            before = await heard.first(OrderReport)
            venue.script(Script.REORDER_NEWS, name)
            await session.modify("c1", OrderChange(limit=self.ticks(venue, -40)))
            await session.cancel("c1")
            later, sooner = await heard.first(OrderReport), await heard.first(OrderReport)
            assert later.revision > sooner.revision > before.revision
            assert (later.state, sooner.state) == (OrderState.CANCELLED, OrderState.WORKING)

        self.streaming(venue)
        self.play(venue, act)

    def test_a_gap_in_the_news_ends_them_and_looking_finds_what_was_missed(self, venue: VenueUnderTest) -> None:
        async def act(session: Session, name: str) -> None:
            heard = await listen(session)
            await session.place(self.request(venue, "c0"))
            await heard.first(OrderReport)
            venue.script(Script.LOSE_NEWS, name)
            await session.place(self.request(venue))
            await heard.ended()
            assert (await until(session, "c1", OrderState.FILLED)).filled == venue.quantity
            assert [fill.client_id for fill in await session.fills(LONG_AGO)] == ["c0", "c1"]

        self.streaming(venue)
        self.play(venue, act)

    def test_a_venue_that_comes_back_has_everything_and_wants_a_new_sign_in(self, venue: VenueUnderTest) -> None:
        name, credentials = venue.account(Positions.NETTED)

        async def run() -> None:
            session = await venue.broker.connect(name, credentials, base_url=venue.base_url)
            heard = await listen(session) if venue.broker.capabilities.streaming else None
            await session.place(self.request(venue, stop_loss=self.ticks(venue, -50)))
            waiting = self.request(venue, "c2", type=OrderType.LIMIT, limit=self.ticks(venue, -40))
            await session.place(waiting)
            before = (await session.fills(LONG_AGO), await session.working(), await session.order("c1"))
            await asyncio.to_thread(venue.restart)
            if heard is not None:
                await heard.ended()
            with pytest.raises(Transient):
                await session.place(self.request(venue, "c3"))
            again = await venue.broker.connect(name, credentials, base_url=venue.base_url)
            assert (await again.fills(LONG_AGO), await again.working(), await again.order("c1")) == before
            (held,) = await again.positions()
            assert (held.quantity, held.stop_loss) == (venue.quantity, self.ticks(venue, -50))
            await again.place(self.request(venue, "c4"))

        asyncio.run(run())
        assert venue.orders(name) == {"c1": 1, "c2": 1, "c4": 1}

    @staticmethod
    def streaming(venue: VenueUnderTest) -> None:
        if not venue.broker.capabilities.streaming:
            pytest.skip("this venue tells no news")


async def until(session: Session, client_id: str, state: OrderState) -> OrderReport:
    """Ask until an order stands like this; venues tell the end a moment after they took the order."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await session.order(client_id)
            if found is not None and found.state is state:
                return found
            await asyncio.sleep(1 / 100)


class Heard:
    """News as they come in."""

    def __init__(self, session: Session) -> None:
        self._queue: asyncio.Queue[News | None] = asyncio.Queue()
        self._task = asyncio.create_task(self._hear(session))

    async def _hear(self, session: Session) -> None:
        async for news in session.news():
            self._queue.put_nowait(news)
        self._queue.put_nowait(None)

    async def first(self, kind: type[T]) -> T:
        """Wait for the next news of a kind; others are passed over."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                news = await self._queue.get()
                assert news is not None, "the news have ended"
                if isinstance(news, kind):
                    return news

    async def ended(self) -> None:
        """Wait for the end."""
        async with asyncio.timeout(PATIENCE_S):
            while await self._queue.get() is not None:
                pass


async def listen(session: Session) -> Heard:
    """Begin to hear; whatever happens from now on is heard."""
    heard = Heard(session)
    await asyncio.sleep(0)
    await session.account()  # the subscription went out before this, on the same connection
    return heard

"""The paper venue as its own process: the contract, what survives kill -9, what it counts, how fast it accepts."""

from __future__ import annotations

import asyncio
import itertools
import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import FillReport, OrderRequest, OrderState, OrderType
from trading.brokers import Positions, Refused, SessionEnded, Transient, Unknown
from trading.brokers.paper import PaperBroker
from trading.engine.matching.bars import on_bar
from trading.engine.matching.book import Book
from trading.engine.matching.chance import draw
from trading.engine.matching.orders import place
from trading.engine.matching.terms import Terms
from trading.paper.control import PaperProcess, Trouble
from trading.tests.broker_contract import LONG_AGO, BrokerContract, Script, VenueUnderTest
from trading.tests.matching import NOW, USD, Stage, bar

TOKEN = "a token of the tests"
WEDNESDAY = "2026-11-04T12:00:00+00:00"
OPTIONS = ("--still", "--clock", WEDNESDAY)


class Paper(VenueUnderTest):
    """The real process (VenueUnderTest)."""

    symbol, bid, tick, quantity = "EURUSD", Price(Decimal("1.16000")), Decimal("0.00001"), Quantity(Decimal("0.2"))

    def __init__(self, process: PaperProcess) -> None:
        self.process, self.base_url = process, process.base_url
        self.broker = PaperBroker(answer_s=1)
        self._names = (f"account-{number}" for number in itertools.count(1))

    def account(self, positions: Positions) -> tuple[str, Mapping[str, str]]:
        name = next(self._names)
        self.process.open(name, token=TOKEN, positions=positions)
        return name, {"access_token": TOKEN}

    def script(self, script: Script, account: str) -> None:
        if script is Script.ACK_AFTER_FILL:
            self.process.fault("slow_ack", account=account, ms=200)
        else:
            self.process.fault(script, account=account, ms=2_000 if script is Script.SLOW_ACK else 0)

    def price(self, bid: Decimal) -> None:
        self.process.price(self.symbol, format(bid, "f"), format(bid + self.tick, "f"))

    def orders(self, account: str) -> Mapping[str, int]:
        counted: Mapping[str, int] = self.process.count()["orders"].get(account, {})
        return {client_id: number for client_id, number in counted.items() if client_id}

    def restart(self) -> None:
        self.process.restart()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paper]:
    with PaperProcess(tmp_path_factory.mktemp("paper"), *OPTIONS) as process:
        yield Paper(process)


@pytest.fixture
def paper(running: Paper) -> Paper:
    running.process.ask("clear_faults")
    running.price(running.bid)
    return running


class TestContract(BrokerContract):
    """The suite that every adapter passes."""

    @pytest.fixture
    def venue(self, paper: Paper) -> VenueUnderTest:
        return paper


def order(client_id: str, **more: object) -> OrderRequest:
    return OrderRequest(
        **{  # type: ignore[arg-type]
            "client_id": client_id, "symbol": "EURUSD", "side": Side.BUY, "type": OrderType.MARKET,
            "quantity": Quantity(Decimal("0.01")), **more,
        }
    )  # fmt: skip


def test_a_client_id_sent_twice_makes_two_orders_and_the_venue_can_count_them(paper: Paper) -> None:
    name, credentials = paper.account(Positions.NETTED)

    async def run() -> None:
        session = await paper.broker.connect(name, credentials, base_url=paper.base_url)
        first, second = await session.place(order("twice")), await session.place(order("twice"))
        assert first.venue_order_id != second.venue_order_id
        assert await session.order("twice") == first

    asyncio.run(run())
    counted = paper.process.count()
    assert counted["orders"][name] == counted["fills"][name] == {"twice": 2}
    assert counted["positions"][name] == {"EURUSD": "0.02"}


def test_the_first_sign_in_opens_an_account_and_its_token_is_kept(paper: Paper) -> None:
    async def run() -> None:
        opening = {"access_token": "mine", "currency": "EUR", "balance": "2500", "positions": "hedged"}
        session = await paper.broker.connect("newcomer", opening, base_url=paper.base_url)
        money = await session.account()
        assert (money.currency, money.balance) == ("EUR", Decimal(2500))
        assert session.capabilities.positions is Positions.HEDGED
        with pytest.raises(Refused, match="access_denied"):
            await paper.broker.connect("newcomer", {"access_token": "other"}, base_url=paper.base_url)

    asyncio.run(run())
    text = (paper.process.folder / "ledger.sqlite3").read_bytes()
    assert b"mine" not in text.replace(b"newcomer", b""), "a token is kept as its digest"


def test_drills_need_their_own_token(paper: Paper) -> None:
    stranger = PaperProcess(paper.process.folder, address=paper.base_url)
    with pytest.raises(Trouble, match="access_denied"):
        stranger.count()


def test_the_venue_tells_how_often_an_account_is_signed_in(paper: Paper) -> None:
    name, credentials = paper.account(Positions.NETTED)

    async def run() -> None:
        first, _second = [await paper.broker.connect(name, credentials, base_url=paper.base_url) for _ in range(2)]
        assert paper.process.ask("sessions")[name] == 2
        await first.close()
        assert paper.process.ask("sessions")[name] == 1

    asyncio.run(run())


def test_a_ledger_has_one_writer(paper: Paper) -> None:
    second = PaperProcess(paper.process.folder, *OPTIONS, address=paper.base_url + "2")
    with pytest.raises(Trouble, match="another process"):
        second.start()


@pytest.mark.parametrize("death", ["die_before", "die_after"])
def test_what_was_answered_is_there_after_kill_9(death: str, paper: Paper) -> None:
    """Kill the venue in the middle of 200 orders: each that was answered is there, and none is there twice."""
    name, credentials = paper.account(Positions.NETTED)
    paper.process.fault(death, account=name, after=120)

    async def run() -> tuple[set[str], set[str], set[str]]:
        session = await paper.broker.connect(name, credentials, base_url=paper.base_url)
        told: dict[str, set[str]] = {"answered": set(), "unknown": set(), "never": set()}

        async def one(number: int) -> None:
            await asyncio.sleep(number // 20 / 200)  # in waves, so that some were answered by then
            client_id = f"k{number}"
            try:
                await session.place(order(client_id))
            except Unknown:
                told["unknown"].add(client_id)
            except Transient:
                told["never"].add(client_id)
            else:
                told["answered"].add(client_id)

        await asyncio.gather(*(one(number) for number in range(200)))
        return told["answered"], told["unknown"], told["never"]

    answered, unknown, never = asyncio.run(run())
    paper.process.wait()
    paper.process.start()
    there = paper.orders(name)
    assert len(answered) + len(unknown) + len(never) == 200
    assert answered
    assert unknown
    assert answered <= there.keys() <= answered | unknown
    assert set(there.values()) == {1}
    assert not never & there.keys()
    assert Decimal(paper.process.count()["positions"][name]["EURUSD"]) == Decimal("0.01") * len(there)


def test_a_death_before_the_commit_leaves_nothing(paper: Paper) -> None:
    name, credentials = paper.account(Positions.NETTED)
    paper.process.fault("die_before", account=name)

    async def run() -> None:
        session = await paper.broker.connect(name, credentials, base_url=paper.base_url)
        with pytest.raises(Unknown):
            await session.place(order("gone"))

    asyncio.run(run())
    paper.process.wait()
    paper.process.start()
    assert paper.orders(name) == {}


def test_the_ledger_is_flushed_at_each_commit(paper: Paper) -> None:
    with sqlite3.connect(paper.process.folder / "ledger.sqlite3") as database:
        assert database.execute("pragma journal_mode").fetchone() == ("wal",)


def test_latency_is_per_account_and_overlaps(paper: Paper) -> None:
    slow, credentials = paper.account(Positions.NETTED)
    quick, _ = paper.account(Positions.NETTED)
    paper.process.ask("latency", account=slow, ms=200)

    async def run() -> tuple[list[int], int]:
        loop = asyncio.get_running_loop()
        slow_one = await paper.broker.connect(slow, credentials, base_url=paper.base_url)
        quick_one = await paper.broker.connect(quick, credentials, base_url=paper.base_url)
        began = loop.time()

        async def timed(session: object, client_id: str) -> int:
            await session.place(order(client_id))  # type: ignore[attr-defined]
            return int((loop.time() - began) * 1000)

        *slows, quickly = await asyncio.gather(
            *(timed(slow_one, f"s{number}") for number in range(20)), timed(quick_one, "q")
        )
        return slows, quickly

    slows, quickly = asyncio.run(run())
    assert min(slows) >= 200
    assert max(slows) < 200 * 5, "twenty that wait do not wait for each other"
    assert quickly < min(slows)


def test_a_thousand_orders_are_accepted_in_a_moment(paper: Paper) -> None:
    """A guard, not a bench: on two quiet cores it takes a fifth of a second."""
    names = [f"many-{number}" for number in range(1_000)]
    paper.process.open(*names, token=TOKEN)

    async def run() -> int:
        broker, loop = PaperBroker(answer_s=10), asyncio.get_running_loop()
        credentials = {"access_token": TOKEN}
        sessions = await asyncio.gather(*(broker.connect(name, credentials, base_url=paper.base_url) for name in names))
        began = loop.time()
        reports = await asyncio.gather(*(session.place(order("m")) for session in sessions))
        assert {report.state for report in reports} == {OrderState.FILLED}
        return int((loop.time() - began) * 1000)

    assert asyncio.run(run()) < 3_000
    counted = paper.process.count()["orders"]
    assert {name: counted[name] for name in names} == {name: {"m": 1} for name in names}


def test_prices_wander_with_the_clock_and_are_the_same_again(tmp_path: Path) -> None:
    async def seen(process: PaperProcess) -> list[Decimal]:
        session = await PaperBroker().connect("p", {"access_token": "p"}, base_url=process.base_url)
        found = []
        for second in range(5):
            process.ask("clock", at=f"2026-11-04T12:00:0{second}+00:00", is_stopped=True)
            quote = await session.quote("XAUUSD")
            assert quote is not None
            assert quote.ask - quote.bid == Decimal("0.20")
            found.append(Decimal(quote.bid))
        return found

    with PaperProcess(tmp_path / "a", "--seed", "7") as one, PaperProcess(tmp_path / "b", "--seed", "7") as other:
        first, second = asyncio.run(seen(one)), asyncio.run(seen(other))
    assert first == second
    assert len(set(first)) > 1


def test_the_same_bars_give_the_same_fills_here_and_in_the_engine(paper: Paper) -> None:
    """What a backtest would have done is what paper does."""
    name, credentials = paper.account(Positions.NETTED)
    asked = [
        order("c1", stop_loss=Price(Decimal("1.15700")), take_profit=Price(Decimal("1.16400"))),
        order("c2", type=OrderType.STOP, stop=Price(Decimal("1.16200")), stop_loss=Price(Decimal("1.16000"))),
        order("c3", type=OrderType.LIMIT, limit=Price(Decimal("1.15800")), side=Side.BUY),
        order("c4", type=OrderType.TRAILING, trail=Decimal("0.00150"), side=Side.SELL),
    ]
    bars = [bar("EURUSD", path(step), "0.00002", NOW + timedelta(minutes=step)) for step in range(40)]
    market, account = Stage(), Book(number=1, terms=Terms(currency=USD), balance=Decimal(100_000))
    market.set("EURUSD", "1.16000", "1.16001")
    expected: list[FillReport] = []
    for request in asked:
        outcome = place(account, request, market, now=NOW)
        account, expected = outcome.book, [*expected, *outcome.fills]
    for each in bars:
        outcome = on_bar(account, each, market)
        market.quotes["EURUSD"] = each.closing
        account, expected = outcome.book, [*expected, *outcome.fills]

    async def run() -> Sequence[FillReport]:
        session = await paper.broker.connect(name, credentials, base_url=paper.base_url)
        for request in asked:
            await session.place(request)
        for each in bars:
            paper.process.ask("bar", bar=json.loads(plain.text(each)))
        return await session.fills(LONG_AGO)

    def told(fills: Sequence[FillReport]) -> list[object]:
        return [(fill.client_id, fill.side, fill.quantity, fill.price, fill.profit) for fill in fills]

    assert told(asyncio.run(run())) == told(expected)
    assert len(expected) > len(asked), "some were closed again"


def path(step: int) -> str:
    """Give the prices of a bar on a path that follows from a seed, each bar where the one before has ended."""
    moves = [draw(5, str(quarter), below=401) - 200 for quarter in range(step * 4 + 4)]
    at = [116_000 + sum(moves[: step * 4 + more]) for more in range(5)]
    return " ".join(format(Decimal(ticks).scaleb(-5), "f") for ticks in (at[0], max(at), min(at), at[-1]))


def test_a_price_that_was_set_and_a_stop_below_it_survive_a_restart(paper: Paper) -> None:
    name, credentials = paper.account(Positions.NETTED)

    async def run() -> None:
        session = await paper.broker.connect(name, credentials, base_url=paper.base_url)
        await session.place(order("c1", stop_loss=Price(Decimal("1.15000"))))
        await asyncio.to_thread(paper.restart)
        paper.process.price("EURUSD", "1.14900", "1.14910")
        again = await paper.broker.connect(name, credentials, base_url=paper.base_url)
        assert [fill.price for fill in await again.fills(LONG_AGO)] == [Decimal("1.16001"), Decimal("1.14900")]
        with pytest.raises((SessionEnded, Transient)):
            await session.account()

    asyncio.run(run())

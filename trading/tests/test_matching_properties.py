"""What must always hold of matching, whatever is asked and whatever prices do."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel import plain
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.orders import OrderRequest
from trading.engine.matching.bars import on_bar
from trading.engine.matching.book import Book, Outcome
from trading.engine.matching.market import Bar, Quote
from trading.engine.matching.orders import place
from trading.engine.matching.quiet import bands
from trading.engine.matching.steps import on_quote
from trading.engine.matching.valuation import equity
from trading.tests.matching import NOW, Stage, book, order

TICK = Decimal("0.00001")
START = 116_000  # ticks


def price(ticks: int) -> str:
    return format(TICK * ticks, "f")


def market_at(ticks: int, second: int = 0, size: str = "") -> Stage:
    stage = Stage()
    stage.set("EURUSD", price(ticks), price(ticks + 10), NOW + timedelta(seconds=second), size)
    return stage


sides = st.sampled_from(["buy", "sell"])
lots = st.integers(1, 300).map(lambda hundredths: format(Decimal(hundredths) / 100, "f"))
moves = st.integers(START - 900, START + 900)
distances = st.integers(20, 800)


@st.composite
def requests(draw: st.DrawFn) -> OrderRequest:
    """Any order that the venue would take at START."""
    side, kind = draw(sides), draw(st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing"]))
    sign, away = Side(side).sign, draw(distances)
    levels: dict[str, Any] = {}
    base = START + 10 if side == "buy" else START
    if kind == "limit":
        base -= sign * away
        levels["limit"] = price(base)
    elif kind in ("stop", "stop_limit"):
        base += sign * away
        levels["stop"] = price(base)
        if kind == "stop_limit":
            base += sign * draw(st.integers(-30, 30))
            levels["limit"] = price(base)
    elif kind == "trailing":
        levels["trail"] = price(away)
    if kind != "trailing" and draw(st.booleans()):
        levels["stop_loss"] = price(base - sign * (20 + draw(distances)))
    if kind != "trailing" and draw(st.booleans()):
        levels["take_profit"] = price(base + sign * (20 + draw(distances)))
    return order(side, kind, draw(lots), **levels, group=draw(st.sampled_from(["", "", "g"])))


@st.composite
def bars(draw: st.DrawFn) -> Bar:
    first, second, third, last = (draw(moves) for _ in range(4))
    made = [Price(Decimal(price(ticks))) for ticks in (first, second, third, last)]
    return Bar(
        symbol="EURUSD", at=NOW, until=NOW + timedelta(minutes=1), open=made[0], high=max(made), low=min(made),
        close=made[3], spread=TICK * draw(st.integers(0, 20)), size=draw(st.sampled_from([None, Decimal("0.5")])),
    )  # fmt: skip


terms = st.fixed_dictionaries(
    {"is_hedged": st.booleans(), "most_slippage_ticks": st.sampled_from([0, 5]), "seed": st.integers(0, 9)}
)


def with_orders(asked: list[OrderRequest], told: dict[str, object]) -> Book:
    account = book("10000000", **told)
    for request in asked:
        account = place(account, request, market_at(START), now=NOW).book
    return account


@given(st.lists(st.tuples(sides, lots, moves), min_size=1, max_size=12), moves)
def test_netting_is_what_cash_and_a_sum_say(trades: list[tuple[str, str, int]], last: int) -> None:
    account, cash, net = book("10000000"), Decimal(10_000_000), Decimal(0)
    for side, quantity, at in trades:
        account = place(account, order(side, "market", quantity), market_at(at), now=NOW).book
        signed = Decimal(quantity) * Side(side).sign
        cash -= signed * 100_000 * Decimal(price(at + 10 if side == "buy" else at))
        net += signed
    end = market_at(last)
    worth = net * 100_000 * Decimal(price(last if net > 0 else last + 10))
    assert equity(account, end) == cash + worth
    assert sum((held.quantity * held.side.sign for held in account.positions), Decimal(0)) == net
    assert len(account.positions) == (net != 0)


@given(st.lists(requests(), max_size=5), terms, bars())
def test_no_fill_lies_outside_its_bar(asked: list[OrderRequest], told: dict[str, object], bar: Bar) -> None:
    for fill in on_bar(with_orders(asked, told), bar, market_at(START)).fills:
        assert bar.lowest(fill.side) <= fill.price <= bar.highest(fill.side)


@given(requests(), terms, moves)
def test_a_stop_is_never_filled_better_than_its_price_nor_a_limit_worse(
    request: OrderRequest, told: dict[str, object], to: int
) -> None:
    account = with_orders([request], told)
    stage = market_at(to)
    outcome = on_quote(account, stage.quotes["EURUSD"], stage)
    sign = request.side.sign
    for fill in outcome.fills:
        assert (fill.price - stage.quotes["EURUSD"].price(fill.side)) * fill.side.sign >= 0, "nor than the market"
        if fill.client_id and request.stop is not None:
            assert (fill.price - request.stop) * sign >= 0 or request.limit is not None
        if fill.client_id and request.limit is not None:
            assert (fill.price - request.limit) * sign <= 0
        if not fill.client_id and outcome.orders[-1].reason == "stop_loss" and request.stop_loss is not None:
            assert (fill.price - request.stop_loss) * sign <= 0


@given(st.lists(requests(), max_size=5), terms, st.lists(moves, min_size=1, max_size=6))
def test_a_price_told_twice_does_what_it_does_once(
    asked: list[OrderRequest], told: dict[str, object], path: list[int]
) -> None:
    account = with_orders(asked, told)
    for second, ticks in enumerate(path, 1):
        stage = market_at(ticks, second, size="2")
        once = on_quote(account, stage.quotes["EURUSD"], stage)
        twice = on_quote(once.book, stage.quotes["EURUSD"], stage)
        assert (twice.book, twice.fills) == (once.book, ())
        account = once.book


@given(st.lists(requests(), max_size=5), terms, st.lists(st.one_of(moves, bars()), min_size=1, max_size=6))
def test_what_was_stored_and_read_has_the_same_future(
    asked: list[OrderRequest], told: dict[str, object], path: list[int | Bar]
) -> None:
    account = with_orders(asked, told)
    restored = plain.read(Book, plain.text(account))
    for second, step in enumerate(path, 1):
        stage = market_at(step if isinstance(step, int) else START, second, size="1.5")
        outcomes: list[Outcome] = []
        for held in (account, restored):
            if isinstance(step, Bar):
                outcomes.append(on_bar(held, step, stage))
            else:
                outcomes.append(on_quote(held, stage.quotes["EURUSD"], stage))
        assert outcomes[0] == outcomes[1]
        account, restored = outcomes[0].book, plain.read(Book, plain.text(outcomes[1].book))
        assert account == restored


@given(st.lists(requests(), max_size=6), terms, st.lists(moves, min_size=1, max_size=8))
def test_the_balance_is_what_the_fills_say(asked: list[OrderRequest], told: dict[str, object], path: list[int]) -> None:
    account, booked = book("10000000", commission_per_lot=Decimal("3.333"), **told), Decimal(10_000_000)
    for request in asked:
        outcome = place(account, request, market_at(START), now=NOW)
        account = outcome.book
        booked += sum((fill.profit or Decimal(0)) - fill.fee for fill in outcome.fills)
    for second, ticks in enumerate(path, 1):
        stage = market_at(ticks, second)
        outcome = on_quote(account, stage.quotes["EURUSD"], stage)
        account = outcome.book
        booked += sum((fill.profit or Decimal(0)) - fill.fee for fill in outcome.fills)
    assert account.balance == booked


@given(st.lists(requests(), max_size=4), terms, st.sampled_from(["3000", "50000", "10000000"]), moves)
def test_inside_its_band_a_quote_changes_nothing(
    asked: list[OrderRequest], told: dict[str, Any], balance: str, to: int
) -> None:
    account, start = book(balance, **told), market_at(START)
    for request in asked:
        account = place(account, request, start, now=NOW).book
    account = on_quote(account, start.quotes["EURUSD"], start).book
    stage = market_at(to, 1)
    band = bands(account, start, until=NOW + timedelta(minutes=1)).get("EURUSD")
    if band is not None and band.holds(stage.quotes["EURUSD"]):
        assert on_quote(account, stage.quotes["EURUSD"], stage) == Outcome(book=account)


def test_a_quote_is_its_own_opening_and_closing() -> None:
    flat = Price(Decimal("1.1"))
    bar = Bar(symbol="EURUSD", at=NOW, until=NOW, open=flat, high=flat, low=flat, close=flat, spread=TICK)
    assert bar.opening == bar.closing == Quote(symbol="EURUSD", bid=flat, ask=Price(flat + TICK), at=NOW)

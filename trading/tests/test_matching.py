"""Matching by hand: what each order, price and bar makes of an account, to the cent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.orders import OrderChange, OrderState, TimeInForce
from mikrobot_platform.kernel.rates import Rate, rate_book
from trading.engine.matching.bars import on_bar
from trading.engine.matching.book import Book, Outcome
from trading.engine.matching.market import Quote
from trading.engine.matching.orders import NotAccepted, cancel, modify, place, protect
from trading.engine.matching.quiet import bands
from trading.engine.matching.steps import on_quote
from trading.engine.matching.terms import Swap
from trading.engine.matching.valuation import account_report, position_report
from trading.tests.matching import NOW, USD, Stage, bar, book, order, quote

D = Decimal


@pytest.fixture
def market() -> Stage:
    """EURUSD at 1.16000 to 1.16010."""
    stage = Stage()
    stage.set("EURUSD", "1.16000", "1.16010")
    return stage


def opened(market: Stage, *requests: object, start: Book | None = None) -> Book:
    """Place some orders after each other."""
    account = start or book()
    for request in requests:
        account = place(account, request, market, now=NOW).book  # type: ignore[arg-type]
    return account


def step(account: Book, market: Stage, bid: str, ask: str, at: datetime = NOW, size: str = "") -> Outcome:
    return on_quote(account, market.set("EURUSD", bid, ask, at, size), market)


def prices(outcome: Outcome) -> list[str]:
    return [format(fill.price, "f") for fill in outcome.fills]


# --- market orders ---
def test_a_market_order_pays_the_spread_and_comes_back_to_the_cent(market: Stage) -> None:
    bought = place(book(commission_per_lot=D("3.5")), order("buy", "market", "0.3"), market, now=NOW)
    (report,) = bought.orders
    assert (report.state, report.average_price, report.filled) == (OrderState.FILLED, D("1.16010"), D("0.3"))
    assert bought.fills[0].fee == D("1.05")
    # Now: 0.3 x 100,000 x 0.00010 = 3.00 of spread, and 1.05 of commission.
    assert account_report(bought.book, market, now=NOW).equity == D("99995.95")
    market.set("EURUSD", "1.16510", "1.16520")
    sold = place(bought.book, order("sell", "market", "0.3", client_id="c2"), market, now=NOW)
    # 0.3 x 100,000 x (1.16510 - 1.16010) = 150.00, less twice 1.05.
    assert (sold.fills[0].profit, sold.book.balance, sold.book.positions) == (D("150.00"), D("100147.90"), ())


def test_what_is_quoted_in_another_currency_comes_home_at_its_rate(market: Stage) -> None:
    market.rates = rate_book([Rate(base=USD, quote="JPY", value=D(150), at=NOW)])  # type: ignore[arg-type]
    market.set("USDJPY", "150.000", "150.010")
    held = opened(market, order("buy", "market", "1", "USDJPY"))
    market.set("USDJPY", "150.510", "150.520")
    sold = place(held, order("sell", "market", "1", "USDJPY"), market, now=NOW)
    assert sold.fills[0].profit == D("333.33")  # 100,000 x 0.5 = 50,000 JPY / 150


def test_without_a_rate_nothing_is_opened(market: Stage) -> None:
    market.set("USDJPY", "150.000", "150.010")
    refused = place(book(), order("buy", "market", "1", "USDJPY"), market, now=NOW)
    assert refused.orders[0].reason.startswith("rate_missing")
    assert (refused.fills, refused.book.positions) == ((), ())


def test_slippage_is_drawn_from_the_seed_and_never_helps(market: Stage) -> None:
    drawn = {
        prices(place(book(most_slippage_ticks=3, seed=seed), order("buy", "market", "1"), market, now=NOW))[0]
        for seed in range(40)
    }
    assert drawn == {"1.16010", "1.16011", "1.16012", "1.16013"}


def test_a_quote_with_little_to_trade_fills_in_part_and_the_rest_later(market: Stage) -> None:
    market.set("EURUSD", "1.16000", "1.16010", size="0.4")
    first = place(book(), order("buy", "market", "1"), market, now=NOW)
    assert (first.orders[0].state, first.orders[0].filled) == (OrderState.PARTIAL, D("0.4"))
    again = place(first.book, order("buy", "market", "1", client_id="c2"), market, now=NOW)
    assert again.fills == (), "the size of a quote is used up once"
    then = step(first.book, market, "1.16010", "1.16020", NOW + timedelta(seconds=1), size="0.6")
    assert (then.orders[0].state, then.orders[0].average_price) == (OrderState.FILLED, D("1.16016"))


def test_what_is_not_filled_at_once_ends_with_ioc(market: Stage) -> None:
    market.set("EURUSD", "1.16000", "1.16010", size="0.4")
    done = place(book(), order("buy", "market", "1", time_in_force=TimeInForce.IOC), market, now=NOW)
    assert (done.orders[0].state, done.orders[0].filled, done.book.orders) == (OrderState.CANCELLED, D("0.4"), ())


# --- orders that wait ---
@pytest.mark.parametrize(
    ("request_", "bid", "ask", "price"),
    [
        (order("buy", "limit", "1", limit="1.15900"), "1.15891", "1.15901", None),
        (order("buy", "limit", "1", limit="1.15900"), "1.15890", "1.15900", "1.15900"),
        (order("buy", "limit", "1", limit="1.15900"), "1.15850", "1.15860", "1.15860"),  # a limit or better
        (order("sell", "limit", "1", limit="1.16100"), "1.16100", "1.16110", "1.16100"),
        (order("buy", "stop", "1", stop="1.16100"), "1.16089", "1.16099", None),
        (order("buy", "stop", "1", stop="1.16100"), "1.16090", "1.16100", "1.16100"),
        (order("buy", "stop", "1", stop="1.16100"), "1.16190", "1.16200", "1.16200"),  # jumped over
        (order("sell", "stop", "1", stop="1.15900"), "1.15800", "1.15810", "1.15800"),
        (order("buy", "stop_limit", "1", stop="1.16100", limit="1.16120"), "1.16100", "1.16110", "1.16110"),
        (order("buy", "stop_limit", "1", stop="1.16100", limit="1.16120"), "1.16190", "1.16200", None),  # too far
    ],
)  # fmt: skip
def test_an_order_waits_for_its_price(request_: object, bid: str, ask: str, price: str | None, market: Stage) -> None:
    waiting = opened(market, request_)
    assert len(waiting.orders) == 1
    assert prices(step(waiting, market, bid, ask)) == ([] if price is None else [price])


def test_a_stop_limit_that_was_jumped_over_waits_for_its_limit(market: Stage) -> None:
    waiting = opened(market, order("buy", "stop_limit", "1", stop="1.16100", limit="1.16120"))
    jumped = step(waiting, market, "1.16190", "1.16200")
    assert prices(step(jumped.book, market, "1.16105", "1.16115")) == ["1.16115"]


def test_a_trailing_stop_follows_and_does_not_go_back(market: Stage) -> None:
    held = opened(
        market, order("buy", "market", "1"), order("sell", "trailing", "1", trail="0.00100", reduces_only=True)
    )
    assert held.orders[0].stop == D("1.15900")
    for bid, stop in (("1.16200", "1.16100"), ("1.16150", "1.16100"), ("1.16300", "1.16200")):
        held = step(held, market, bid, str(D(bid) + D("0.00010"))).book
        assert held.orders[0].stop == D(stop)
    out = step(held, market, "1.16190", "1.16200")
    assert (prices(out), out.fills[0].profit) == (["1.16190"], D("180.00"))


def test_a_day_order_is_over_with_its_day(market: Stage) -> None:
    waiting = opened(market, order("buy", "limit", "1", limit="1.15900", time_in_force=TimeInForce.DAY))
    evening = datetime(2026, 11, 4, 21, 59, tzinfo=UTC)  # the day of currencies ends at 17:00 in New York
    assert step(waiting, market, "1.15950", "1.15960", evening).orders == ()
    over = step(waiting, market, "1.15850", "1.15860", evening + timedelta(minutes=1))
    assert (over.orders[0].state, over.orders[0].reason, over.fills) == (OrderState.EXPIRED, "day_over", ())


def test_when_the_market_is_closed_market_orders_are_refused_and_limits_wait(market: Stage) -> None:
    sunday = datetime(2026, 11, 8, 12, tzinfo=UTC)
    refused = place(book(), order("buy", "market", "1"), market, now=sunday)
    assert refused.orders[0].reason.startswith("market_closed")
    waiting = place(book(), order("buy", "limit", "1", limit="1.17000"), market, now=sunday)
    assert waiting.orders[0].state is OrderState.WORKING
    monday = sunday + timedelta(days=1)
    assert step(waiting.book, market, "1.16000", "1.16010", sunday).fills == ()
    assert prices(step(waiting.book, market, "1.16000", "1.16010", monday)) == ["1.16010"]


# --- protection ---
def test_a_stop_that_is_jumped_over_gets_the_price_that_there_is(market: Stage) -> None:
    held = opened(market, order("buy", "market", "1", stop_loss="1.15500", take_profit="1.17000"))
    out = step(held, market, "1.15000", "1.15010")
    # 100,000 x (1.15000 - 1.16010)
    assert (prices(out), out.fills[0].profit, out.orders[0].reason) == (["1.15000"], D("-1010.00"), "stop_loss")
    assert (out.fills[0].client_id, out.fills[0].position_id) == ("", held.positions[0].id)


def test_a_target_is_filled_at_the_price_that_there_is_or_better(market: Stage) -> None:
    held = opened(market, order("sell", "market", "1", take_profit="1.15500", stop_loss="1.17000"))
    out = step(held, market, "1.15480", "1.15490")
    assert (prices(out), out.fills[0].profit, out.orders[0].reason) == (["1.15490"], D("510.00"), "take_profit")


def test_protection_can_be_moved_but_not_to_the_wrong_side(market: Stage) -> None:
    held = opened(market, order("buy", "market", "1", stop_loss="1.15500"))
    moved = protect(held, "1-1", OrderChange(stop_loss=Price(D("1.15990"))), market, now=NOW).book
    assert moved.positions[0].stop_loss == D("1.15990")
    for change, code in (
        (OrderChange(stop_loss=Price(D("1.16000"))), "stop_side"),
        (OrderChange(take_profit=Price(D("1.15000"))), "target_side"),
        (OrderChange(stop_loss=Price(D("1.159905"))), "off_tick"),
    ):
        with pytest.raises(NotAccepted) as refused:
            protect(moved, "1-1", change, market, now=NOW)
        assert refused.value.code == code


# --- netting and hedging ---
def test_netting_closes_the_oldest_first_and_turns_around(market: Stage) -> None:
    held = opened(market, order("buy", "market", "1"))
    market.set("EURUSD", "1.16100", "1.16110")
    held = opened(market, order("buy", "market", "1"), start=held)
    assert position_report(held.positions[0], held, market, now=NOW).price == D("1.16060")
    market.set("EURUSD", "1.16200", "1.16210")
    turned = place(held, order("sell", "market", "2.5", client_id="c9"), market, now=NOW)
    # 100,000 x ((1.16200 - 1.16010) + (1.16200 - 1.16110)) = 190 + 90; then half a lot short.
    assert [(fill.quantity, fill.profit) for fill in turned.fills] == [(D("2"), D("280.00")), (D("0.5"), None)]
    (short,) = turned.book.positions
    assert (short.side, short.quantity, short.opened_by) == ("sell", D("0.5"), "c9")


def test_hedging_holds_both_ways_and_closes_by_id(market: Stage) -> None:
    held = opened(market, order("buy", "market", "1"), order("sell", "market", "1"), start=book(is_hedged=True))
    assert [position.side for position in held.positions] == ["buy", "sell"]
    part = place(held, order("sell", "market", "0.4", position_id=held.positions[0].id), market, now=NOW)
    assert [position.quantity for position in part.book.positions] == [D("0.6"), D("1")]
    assert part.fills[0].profit == D("-4.00")


def test_what_reduces_only_never_opens(market: Stage) -> None:
    refused = place(book(), order("sell", "market", "1", reduces_only=True), market, now=NOW)
    assert refused.orders[0].reason.startswith("nothing_to_reduce")
    held = opened(market, order("buy", "market", "1"))
    out = place(held, order("sell", "market", "5", reduces_only=True), market, now=NOW)
    assert (out.book.positions, out.orders[0].filled, out.orders[0].state) == ((), D("1"), OrderState.CANCELLED)


def test_orders_that_reduce_end_with_what_they_reduce(market: Stage) -> None:
    held = opened(
        market,
        order("buy", "market", "1"),
        order("sell", "stop", "1", stop="1.15000", reduces_only=True, client_id="s"),
    )
    out = place(held, order("sell", "market", "1", client_id="x"), market, now=NOW)
    assert [(report.client_id, report.state) for report in out.orders] == [("x", "filled"), ("s", "cancelled")]


# --- groups ---
def test_one_cancels_the_other(market: Stage) -> None:
    waiting = opened(
        market,
        order("buy", "stop", "1", stop="1.16500", group="g", client_id="up"),
        order("sell", "stop", "1", stop="1.15500", group="g", client_id="down"),
    )
    out = step(waiting, market, "1.16500", "1.16510")
    assert {report.client_id: report.state for report in out.orders} == {"up": "filled", "down": "cancelled"}
    assert out.book.orders == ()


def test_a_target_filled_in_part_leaves_a_stop_for_the_rest(market: Stage) -> None:
    held = opened(
        market,
        order("buy", "market", "1"),
        order("sell", "limit", "1", limit="1.16500", group="g", client_id="target", reduces_only=True),
        order("sell", "stop", "1", stop="1.15500", group="g", client_id="stop", reduces_only=True),
    )
    part = step(held, market, "1.16500", "1.16510", size="0.3")
    assert {order.request.client_id: order.left for order in part.book.orders} == {"target": D("0.7"), "stop": D("0.7")}
    out = step(part.book, market, "1.15500", "1.15510", NOW + timedelta(seconds=1))
    assert (out.fills[0].quantity, out.book.positions, out.book.orders) == (D("0.7"), (), ())


# --- money ---
def test_margin_is_checked_before_anything_is_opened(market: Stage) -> None:
    # EURUSD: 0.0333 of 116,010 = 3,863.14 a lot (rounded up)
    (refused,) = place(book("3863.13"), order("buy", "market", "1"), market, now=NOW).orders
    assert (refused.state, refused.reason.partition(":")[0]) == (OrderState.REFUSED, "no_money")
    waiting = opened(market, order("buy", "limit", "1", limit="1.15900"), start=book("3800"))
    (late,) = step(waiting, market, "1.15890", "1.15900").orders
    assert (late.state, late.reason) == (OrderState.CANCELLED, "no_money")
    market.set("EURUSD", "1.16000", "1.16010")
    assert place(book("3863.14"), order("buy", "market", "1"), market, now=NOW).fills
    turn = opened(market, order("buy", "market", "1"), start=book("3880"))
    assert place(turn, order("sell", "market", "2"), market, now=NOW).fills, "what is closed frees its margin"


def test_an_account_that_cannot_carry_its_positions_is_stopped_out(market: Stage) -> None:
    held = opened(market, order("buy", "market", "1"), start=book("4000"))
    # Half of the margin is 1,931.57: at 1.13941 equity is 1,931.00, a tick above it 1,932.00.
    assert step(held, market, "1.13942", "1.13952").fills == ()
    out = step(held, market, "1.13941", "1.13951")
    assert (out.orders[0].reason, out.fills[0].profit, out.book.balance) == ("stop_out", D("-2069.00"), D("1931.00"))


def test_nights_cost_swap_and_wednesday_costs_three(market: Stage) -> None:
    swaps = {"EURUSD": Swap(long=D("-7.5"), short=D("2.1"))}
    held = opened(market, order("buy", "market", "0.5"), start=book(swaps=swaps))
    after = step(held, market, "1.16000", "1.16010", datetime(2026, 11, 4, 22, tzinfo=UTC)).book
    assert after.positions[0].swap == D("-11.25")  # Wednesday: 3 x 7.5 x 0.5
    after = step(after, market, "1.16000", "1.16010", datetime(2026, 11, 6, 23, tzinfo=UTC)).book
    assert after.positions[0].swap == D("-18.75")  # and Thursday and Friday
    out = place(after, order("sell", "market", "0.2"), market, now=datetime(2026, 11, 9, 12, tzinfo=UTC))
    # 0.2 x 100,000 x -0.00010 = -2.00, and two fifths of the swap
    assert (out.fills[0].profit, out.book.positions[0].swap) == (D("-9.50"), D("-11.25"))


# --- quiet ---
@pytest.mark.parametrize(
    ("requests", "low", "high"),
    [
        ([order("buy", "market", "1", stop_loss="1.15500", take_profit="1.17000")], "1.15500", "1.17000"),
        ([order("sell", "market", "1", stop_loss="1.17000", take_profit="1.15500")], "1.15500", "1.17000"),
        ([order("buy", "limit", "1", limit="1.15900"), order("sell", "stop", "1", stop="1.15800")], "1.15900", "inf"),
        ([order("sell", "limit", "1", limit="1.16100"), order("buy", "stop", "1", stop="1.16200")], "0", "1.16100"),
        # 10,000.00 less a spread of 1.00 and half a margin of 386.32: 9,805.84, half of it at 0.10 a tick
        ([order("buy", "market", "0.1")], "0.66971", "1.65039"),
    ],
)  # fmt: skip
def test_between_which_prices_nothing_happens(requests: list[object], low: str, high: str, market: Stage) -> None:
    held = opened(market, *requests, start=book("10000"))
    found = bands(held, market, until=NOW + timedelta(minutes=1))["EURUSD"]
    assert (found.low, found.high) == (D(low), D(high))
    assert found.until == NOW + timedelta(minutes=1)


def test_a_trailing_stop_is_quiet_only_where_it_need_not_follow(market: Stage) -> None:
    waiting = opened(market, order("sell", "trailing", "1", trail="0.00100"))
    until = NOW + timedelta(minutes=1)
    assert bands(waiting, market, until=until) == {}, "at its best price it may have to follow"
    market.set("EURUSD", "1.15950", "1.15960")
    found = bands(waiting, market, until=until)["EURUSD"]
    assert (found.low, found.high) == (D("1.15900"), D("1.16000"))


# --- refused ---
@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (order("buy", "market", "1", "NOSUCH"), "symbol_unknown"),
        (order("buy", "market", "1", "GBPUSD"), "no_price"),
        (order("buy", "market", "0.001"), "quantity"),
        (order("buy", "market", "0.015"), "quantity"),
        (order("buy", "market", "1000"), "quantity"),
        (order("buy", "limit", "1"), "levels"),
        (order("buy", "market", "1", limit="1.16"), "levels"),
        (order("buy", "stop", "1"), "levels"),
        (order("buy", "trailing", "1"), "levels"),
        (order("buy", "limit", "1", limit="1.160005"), "off_tick"),
        (order("buy", "stop", "1", stop="1.16010"), "stop_passed"),
        (order("sell", "stop", "1", stop="1.16000"), "stop_passed"),
        (order("buy", "market", "1", stop_loss="1.16000"), "stop_side"),
        (order("sell", "market", "1", take_profit="1.16010"), "target_side"),
        (order("buy", "market", "1", position_id="1-9"), "position_unknown"),
    ],
)  # fmt: skip
def test_what_cannot_be_carried_out_is_refused_with_a_code(request_: object, code: str, market: Stage) -> None:
    refused = place(book(), request_, market, now=NOW)  # type: ignore[arg-type]
    assert refused.orders[0].state is OrderState.REFUSED
    assert refused.orders[0].reason.partition(":")[0] == code
    assert refused.book == book().__class__(number=1, terms=book().terms, balance=D(100000), serial=1)


def test_a_client_id_sent_twice_makes_two_orders(market: Stage) -> None:
    assert opened(market, order("buy", "market", "1"), order("buy", "market", "1")).positions[0].quantity == D(2)


def test_orders_are_cancelled_and_changed_once(market: Stage) -> None:
    waiting = opened(market, order("buy", "limit", "1", limit="1.15000"))
    changed = modify(waiting, "1-1", OrderChange(limit=Price(D("1.15100"))), market, now=NOW)
    assert (changed.orders[0].revision, changed.book.orders[0].limit) == (2, D("1.15100"))
    at_once = modify(waiting, "1-1", OrderChange(limit=Price(D("1.17000"))), market, now=NOW)
    assert prices(at_once) == ["1.16010"]
    gone = cancel(changed.book, "1-1", market, now=NOW)
    assert (gone.orders[0].state, gone.book.orders) == (OrderState.CANCELLED, ())
    with pytest.raises(NotAccepted):
        cancel(gone.book, "1-1", market, now=NOW)


# --- bars ---
@pytest.mark.parametrize(
    ("prices_", "fill", "reason"),
    [
        ("1.16000 1.16100 1.15900 1.16050", None, None),
        ("1.16000 1.17100 1.15400 1.16900", "1.15500", "stop_loss"),  # both inside: the stop
        ("1.16000 1.17100 1.15600 1.16900", "1.17000", "take_profit"),
        ("1.15300 1.17100 1.15200 1.16900", "1.15300", "stop_loss"),  # jumped over at the opening
        ("1.17300 1.17400 1.15200 1.16900", "1.17300", "take_profit"),  # likewise
    ],
)
def test_a_position_meets_a_bar(prices_: str, fill: str | None, reason: str | None, market: Stage) -> None:
    held = opened(market, order("buy", "market", "1", stop_loss="1.15500", take_profit="1.17000"))
    out = on_bar(held, bar("EURUSD", prices_, "0.00010"), market)
    assert (prices(out), [report.reason for report in out.orders]) == (
        ([], []) if fill is None else ([fill], [reason])
    )  # fmt: skip


def test_a_short_position_pays_the_spread_of_the_bar(market: Stage) -> None:
    held = opened(market, order("sell", "market", "1", stop_loss="1.16500"))
    assert on_bar(held, bar("EURUSD", "1.16000 1.16489 1.15900 1.16050", "0.00010"), market).fills == ()
    assert prices(on_bar(held, bar("EURUSD", "1.16000 1.16490 1.15900 1.16050", "0.00010"), market)) == ["1.16500"]


@pytest.mark.parametrize(
    ("request_", "prices_", "fills"),
    [
        # Opened inside the bar: its stop counts wherever it lies in the bar, its target only if the bar closes there.
        (order("buy", "stop", "1", stop="1.16100", stop_loss="1.15950"), "1.16000 1.16200 1.15940 1.16150",
         ["1.16100", "1.15950"]),
        (order("buy", "stop", "1", stop="1.16100", take_profit="1.16150"), "1.16000 1.16200 1.15990 1.16120",
         ["1.16100"]),
        (order("buy", "stop", "1", stop="1.16100", take_profit="1.16150"), "1.16000 1.16200 1.15990 1.16160",
         ["1.16100", "1.16150"]),
        (order("buy", "limit", "1", limit="1.15900", take_profit="1.16150"), "1.16000 1.16200 1.15890 1.16000",
         ["1.15900"]),
        # Jumped over: the opening price.
        (order("buy", "stop", "1", stop="1.16100"), "1.16300 1.16400 1.16200 1.16350", ["1.16310"]),
        (order("buy", "limit", "1", limit="1.15900"), "1.15700 1.15800 1.15600 1.15750", ["1.15710"]),
        # Triggered, and the limit is short of the trigger: only where the close shows it.
        (order("buy", "stop_limit", "1", stop="1.16200", limit="1.16100"), "1.16000 1.16300 1.15990 1.16080",
         ["1.16100"]),
        (order("buy", "stop_limit", "1", stop="1.16200", limit="1.16100"), "1.16000 1.16300 1.15990 1.16250", []),
    ],
)  # fmt: skip
def test_an_order_meets_a_bar(request_: object, prices_: str, fills: list[str], market: Stage) -> None:
    out = on_bar(opened(market, request_), bar("EURUSD", prices_, "0.00010"), market)
    assert prices(out) == fills


def test_a_trailing_stop_is_held_against_the_whole_bar(market: Stage) -> None:
    held = opened(
        market, order("buy", "market", "1"), order("sell", "trailing", "1", trail="0.00300", reduces_only=True)
    )
    calm = on_bar(held, bar("EURUSD", "1.16200 1.16400 1.16150 1.16350", "0.00010"), market)
    assert (calm.fills, calm.book.orders[0].stop) == ((), D("1.16100"))
    assert prices(on_bar(held, bar("EURUSD", "1.16000 1.16600 1.16000 1.16500", "0.00010"), market)) == ["1.16300"]


def test_the_account_is_judged_at_the_worst_of_the_bar(market: Stage) -> None:
    held = opened(market, order("buy", "market", "1"), start=book("4000"))
    out = on_bar(held, bar("EURUSD", "1.16000 1.16100 1.13000 1.16000", "0.00010"), market)
    assert (prices(out), out.orders[0].reason) == (["1.13000"], "stop_out")


def test_no_price_is_nonsense() -> None:
    with pytest.raises(ValueError, match="cannot be quoted"):
        quote("EURUSD", "1.2", "1.1")
    with pytest.raises(ValueError, match="no such prices"):
        bar("EURUSD", "1.2 1.1 1.0 1.1")
    assert isinstance(quote("EURUSD", "1", "1"), Quote)

"""Trades from their first fill to their last, against results that were worked out by hand, to the cent.

The arithmetic stands in each docstring. Fees are per lot and way, in account money.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from mikrobot_platform.kernel.market import Quantity, Side
from mikrobot_platform.kernel.money import Ratio
from mikrobot_platform.kernel.orders import OrderState, Purpose
from risk_management.compliance.library import bundled, load
from trading.engine.deeds import Cancel, Close, MoveStop, PlaceStop
from trading.engine.management.deadlines import break_ahead, firm_cutoff, session_end
from trading.engine.management.plan import HALVES, Indivisible, Plan, TimeStop, Trail, plan_in
from trading.engine.management.position import OpenOrder
from trading.engine.management.weekly import Realised, week_until
from trading.tests.trade_world import World, moment, spec_of

BUY, SELL = Side.BUY, Side.SELL
MNQ_FEE = "0.37"


def yen(price: Decimal) -> Ratio:
    """One yen in dollars, when a dollar costs so many yen."""
    return Ratio(Decimal(1), price)


# Targets and breakeven


def test_half_at_one_r_and_half_at_two() -> None:
    """EURUSD, USD: buy 0.68 at 1.08500, stop 8 pips below. 1 R is 0.0008 x 68,000 = 54.40.

    At 1.08580: 0.34 lots x 8 pips = 27.20. The stop goes to 1.08500 + 7.00 a lot there and back (0.7 pips) + a spread
    of 1 pip = 1.08517. At 1.08660: 0.34 x 16 pips = 54.40. Fees 1.36 x 3.50 = 4.76. Net 81.60 - 4.76 = 76.84.
    """
    world = World(symbol="EURUSD", side=BUY, stop="1.08420")
    world.open("2026-03-10 09:00:00", "0.68", "1.08500")
    assert world.look("2026-03-10 09:05:00", "1.08579", "1.08589") == ()
    half, moved = world.look("2026-03-10 09:06:00", "1.08580", "1.08590")
    assert isinstance(half, Close)
    assert isinstance(moved, MoveStop)
    assert (half.quantity, half.is_all, moved.price) == (Decimal("0.34"), False, Decimal("1.08517"))
    assert half.sentence == "Close 0.34 lots: 1.08580 has reached 1 R at 1.0858; 0.34 stays open."
    assert world.look("2026-03-10 09:07:00", "1.08640", "1.08650") == ()
    (rest,) = world.look("2026-03-10 09:08:00", "1.08660", "1.08670")
    assert isinstance(rest, Close)
    assert (rest.quantity, rest.is_all) == (Decimal("0.34"), True)
    assert world.result == ("76.84", "1.4125")


def test_breakeven_pays_for_everything() -> None:
    """USDJPY, USD: sell 0.50 at 147.500, stop 147.700, fee 3.00, swap -1.20. 1 R is 10,000 JPY = 67.80.

    At 147.300: 0.25 lots x 0.200 = 5,000 JPY = 33.94. Costs of what is open: 0.50 x 6.00 + 1.20 = 4.20 USD, which is
    4.20 x 147.3 / 50,000 = 0.0123732; with the spread of 0.015 the stop belongs at 147.4726268, and on the tick below
    it: 147.472. Hit there: 0.028 x 25,000 = 700 JPY = 4.75. Net 33.94 + 4.75 - 3.00 - 1.20 = 34.49.
    The second half alone: 4.75 - 1.50 - 1.20 = 2.05, not a loss.
    """
    world = World(symbol="USDJPY", side=SELL, stop="147.700", fee="3.00", swap="-1.20", rate=yen)
    world.open("2026-03-10 09:00:00", "0.50", "147.500")
    half, moved = world.look("2026-03-10 10:00:00", "147.285", "147.300")
    assert isinstance(half, Close)
    assert isinstance(moved, MoveStop)
    assert (half.quantity, moved.price) == (Decimal("0.25"), Decimal("147.472"))
    assert (moved.evidence["costs"], moved.evidence["costs_in_price"]) == ("4.2", "0.0123732")
    assert world.look("2026-03-10 10:01:00", "147.250", "147.290") == (), "a wider spread is no reason to move it again"
    assert world.look("2026-03-10 11:00:00", "147.460", "147.472") == ()
    assert [part.ours for part in world.trade.parts] == [Decimal("33.94"), Decimal("4.75")]
    assert world.result == ("34.49", "0.5087")


@pytest.mark.parametrize(
    ("opened_at", "realised", "mode", "result"),
    [
        ("2026-03-15 21:59:59", "1000.00", "xpws", ("104.04", "1.9125")),
        ("2026-03-15 21:59:59", "999.99", "halves", ("76.84", "1.4125")),
        ("2026-03-15 22:00:00", "1000.00", "halves", ("76.84", "1.4125")),
    ],
)
def test_an_extra_week_ends_on_monday_where_the_account_is(
    opened_at: str, realised: str, mode: str, result: tuple[str, str]
) -> None:
    """EURUSD, USD, the account is kept in Helsinki: Monday 16 March 00:00 is Sunday 22:00 UTC.

    The week began with 10,000, so that 1,000.00 are its ten percent. In an extra week nothing is closed at 1 R, and the
    stop goes to 1.08517; at 2 R all 0.68 x 16 pips = 108.80, less 4.76 of fees: 104.04. Otherwise as above: 76.84.
    """
    results = [
        Realised(symbol="EURUSD", amount=Decimal(realised) - 250, at=moment("2026-03-09 08:00:00")),
        Realised(symbol="EURUSD", amount=Decimal(250), at=moment("2026-03-13 20:00:00")),
        Realised(symbol="EURUSD", amount=Decimal(5000), at=moment("2026-03-08 21:59:59")),  # the week before
        Realised(symbol="GBPUSD", amount=Decimal(5000), at=moment("2026-03-12 08:00:00")),  # another symbol
        Realised(symbol="EURUSD", amount=Decimal(5000), at=moment(opened_at)),  # not before the trade was opened
    ]
    week = week_until(
        moment(opened_at), results, symbol="EURUSD", zone="Europe/Helsinki", starting_balance=Decimal(10_000)
    )
    plan = plan_in(week, Plan())
    assert plan.mode == mode
    world = World(symbol="EURUSD", side=BUY, stop="1.08420", plan=plan)
    world.open(opened_at, "0.68", "1.08500")
    world.look("2026-03-16 09:06:00", "1.08580", "1.08590")
    assert world.stop_now == Decimal("1.08517")
    (last,) = world.look("2026-03-16 09:08:00", "1.08660", "1.08670")
    assert last.evidence["mode"] == mode
    assert last.evidence["week"] == str(week.monday)
    assert world.result == result


# The venue does what it wants


def test_a_gap_through_the_stop() -> None:
    """XAUUSD, USD: buy 0.20 at 2650.00, stop 2645.00: 1 R is 5.00 x 20 = 100.00.

    Sunday opens at 2638.50, and there the stop fills: -11.50 x 20 = -230.00, fees 1.40. Net -231.40.
    """
    world = World(symbol="XAUUSD", side=BUY, stop="2645.00")
    world.open("2026-03-13 19:00:00", "0.20", "2650.00")
    assert world.look("2026-03-15 22:00:05", "2638.50", "2639.10", jumps=True) == ()
    assert world.result == ("-231.40", "-2.3140")


def test_a_gap_while_no_stop_works() -> None:
    """The same gap; the stop was never accepted. It cannot be placed any more, so all is closed: the same money."""
    world = World(symbol="XAUUSD", side=BUY, stop="2645.00")
    world.open("2026-03-13 19:00:00", "0.20", "2650.00", is_protected=False)
    (closed,) = world.look("2026-03-15 22:00:05", "2638.50", "2639.10")
    assert closed.sentence == "Close all 0.20 lots: no stop works, and 2638.50 is at or past 2645.00."
    assert world.result == ("-231.40", "-2.3140")


def test_entry_and_exit_are_filled_in_parts() -> None:
    """MNQ, USD, 2.00 a point, fee 0.37: of 5 contracts 2 fill at 21000.00 and 1 at 21000.50, on average 21000.1666...

    Stop 20990.00: 1 R is 10.1666... points, 61.00 for three. 1 R is reached at 21010.3333...: half of 3 is 1 contract,
    at 21010.50 for 10.3333 x 2 = 20.67. 2 R is 21020.50: the rest of the entry is cancelled, then 2 are closed; one
    fills at 21020.50 for 40.67, the other one a look later at 21020.75 for 41.17.
    Net 20.67 + 40.67 + 41.17 - 6 x 0.37 = 100.29.
    """
    world = World(symbol="MNQ", side=BUY, stop="20990.00", fee=MNQ_FEE, fills_at_most="1", is_attached=False)
    world.open("2026-03-10 15:00:00", "2", "21000.00")
    world.open("2026-03-10 15:00:01", "1", "21000.50")
    world.waiting.append(
        OpenOrder(
            client_id="entry", purpose=Purpose.ENTRY, state=OrderState.PARTIAL, pending=Quantity(Decimal(2))
        )
    )  # fmt: skip
    assert world.look("2026-03-10 15:10:00", "21010.25", "21010.50") == ()
    one, moved = world.look("2026-03-10 15:11:00", "21010.50", "21010.75")
    assert isinstance(one, Close)
    assert isinstance(moved, MoveStop)
    # 21000.1667 + 0.74 / 2 + 0.25 = 21000.7867, on the tick above it
    assert (one.quantity, moved.price, moved.order) == (Decimal(1), Decimal("21001.00"), "stop")
    cancelled, two = world.look("2026-03-10 15:12:00", "21020.50", "21020.75")
    assert isinstance(cancelled, Cancel)
    assert isinstance(two, Close)
    assert (cancelled.order, two.quantity, world.trade.quantity) == ("entry", Decimal(2), Decimal(1))
    (last,) = world.look("2026-03-10 15:12:01", "21020.75", "21021.00")
    assert isinstance(last, Close)
    assert (last.quantity, last.step, two.step) == (Decimal(1), "exit/2", "exit/1")
    assert [part.ours for part in world.trade.parts] == [Decimal("20.67"), Decimal("40.67"), Decimal("41.17")]
    assert world.result == ("100.29", "1.6441")


def test_a_venue_that_refuses_the_stop_three_times() -> None:
    """EURUSD, USD: buy 0.10 at 1.08500, stop 1.08400: 1 R is 10.00. Tried at once, after 1 s and 2 s more; then closed.

    At 1.08480: -0.0002 x 10,000 = -2.00, fees 0.70. Net -2.70.
    """
    world = World(symbol="EURUSD", side=BUY, stop="1.08400", refuses_stops=9)
    world.open("2026-03-10 09:00:00", "0.10", "1.08500", is_protected=False)
    steps = []
    for second in range(5):
        steps.append([deed.step for deed in world.look(f"2026-03-10 09:00:0{second}", "1.08480", "1.08490")])
    assert steps == [["stop/0"], ["stop/1"], [], ["stop/2"], ["exit/0"]]
    assert world.codes()[-1] == "manage.stop_refused"
    assert world.result == ("-2.70", "-0.2700")


def test_a_stop_that_was_refused_once_is_there_a_second_later() -> None:
    """As before, but the second one is accepted, and is hit: -0.0010 x 10,000 - 0.70."""
    world = World(symbol="EURUSD", side=BUY, stop="1.08400", refuses_stops=1)
    world.open("2026-03-10 09:00:00", "0.10", "1.08500", is_protected=False)
    (first,) = world.look("2026-03-10 09:00:00", "1.08480", "1.08490")
    (second,) = world.look("2026-03-10 09:00:01", "1.08480", "1.08490")
    assert isinstance(second, PlaceStop)
    assert (first.step, second.step, second.price) == ("stop/0", "stop/1", Decimal("1.08400"))
    assert world.look("2026-03-10 09:30:00", "1.08390", "1.08400") == ()
    assert world.result == ("-10.70", "-1.0700")


# Time


def test_the_session_ends_early_on_a_half_day() -> None:
    """MNQ, USD, the Friday after Thanksgiving 2026: futures end at 12:15 in Chicago, 18:15 UTC; a minute before, out.

    Buy 2 at 21000.00, stop 20980.00: 1 R is 80.00. At 21004.25: 4.25 x 2 x 2 = 17.00, fees 1.48. Net 15.52.
    """
    opened_at = "2026-11-27 15:00:00"
    deadline = session_end(spec_of("MNQ").sessions, opened_at=moment(opened_at))
    assert deadline is not None
    assert deadline.at == moment("2026-11-27 18:15:00")
    world = World(symbol="MNQ", side=BUY, stop="20980.00", fee=MNQ_FEE, plan=Plan(deadlines=(deadline,)))
    world.open(opened_at, "2", "21000.00")
    assert world.look("2026-11-27 18:13:59", "21004.25", "21004.50") == ()
    (closed,) = world.look("2026-11-27 18:14:00", "21004.25", "21004.50")
    assert closed.sentence == "Close all 2 contracts: the session ends at 2026-11-27T18:15:00+00:00."
    assert world.result == ("15.52", "0.1940")


def test_the_stop_trails_by_the_average_range() -> None:
    """XAUUSD in an account in EUR at 1.0850 dollars: sell 0.10 at 2650.00, stop 2656.00: 1 R is 60 USD = 55.30 EUR.

    Two ranges of 2.50 behind the best price, from 1 R on: 2649.00, then 2645.00. A range of 4.00 would put it at
    2647.50, which is looser: it stays. Back at 2.50, behind 2639.50, it is 2644.50, and is hit there: 5.50 x 10 = 55
    USD = 50.69 EUR, fees 0.70. Net 49.99.
    """
    plan = Plan(targets=(), breakeven=None, trail=Trail(multiple=Decimal(2)))
    world = World(
        symbol="XAUUSD", side=SELL, stop="2656.00", plan=plan, currency="EUR",
        rate=lambda _price: Ratio(Decimal(1), Decimal("1.0850")),
    )  # fmt: skip
    world.open("2026-03-10 09:00:00", "0.10", "2650.00")
    path = [
        ("2644.01", "2.50", "2656.00"), ("2644.00", "2.50", "2649.00"), ("2640.00", "2.50", "2645.00"),
        ("2639.50", "4.00", "2645.00"), ("2641.00", "2.50", "2644.50"),
    ]  # fmt: skip
    for minute, (ask, atr, stop) in enumerate(path):
        world.look(f"2026-03-10 10:{minute:02}:00", f"{Decimal(ask) - Decimal('0.30')}", ask, atr=atr)
        assert world.stop_now == Decimal(stop), ask
    world.look("2026-03-10 10:30:00", "2644.20", "2644.50", atr="2.50")
    assert world.result == ("49.99", "0.9040")


def test_a_trade_that_goes_nowhere_is_closed_after_its_time() -> None:
    """EURUSD, USD: sell 0.30 at 1.08500, stop 1.08600: 1 R is 30.00. Four hours, unless it has come half an R.

    At 1.08460: 0.0004 x 30,000 = 12.00, fees 2.10. Net 9.90.
    """
    plan = Plan(time_stop=TimeStop(after=timedelta(hours=4), below_r=Decimal("0.5")))
    world = World(symbol="EURUSD", side=SELL, stop="1.08600", plan=plan)
    world.open("2026-03-10 09:00:00", "0.30", "1.08500")
    assert world.look("2026-03-10 12:59:59", "1.08450", "1.08460") == ()
    assert world.look("2026-03-10 13:00:00", "1.08440", "1.08450") == (), "half an R is far enough"
    (closed,) = world.look("2026-03-10 13:00:05", "1.08450", "1.08460")
    assert closed.sentence == "Close all 0.30 lots: held for 14405 seconds; 14400 are allowed."
    assert world.result == ("9.90", "0.3300")


@pytest.mark.parametrize(
    ("opened_at", "closes"),
    [
        ("2026-03-05 12:00:00", "2026-03-06 22:00:00"),  # winter in New York: 17:00 is 22:00 UTC
        ("2026-03-12 12:00:00", "2026-03-13 21:00:00"),  # summer there, and still winter in Europe
        ("2026-03-13 22:00:00", "2026-03-20 21:00:00"),  # opened where nothing was open: the next one
    ],
)
def test_nothing_is_held_over_the_weekend(opened_at: str, closes: str) -> None:
    """USDJPY, USD: buy 0.20 at 150.000, stop 149.500: 1 R is 10,000 JPY = 66.67. Closed a minute before.

    At 150.250: 0.25 x 20,000 = 5,000 JPY = 33.28, fees 3.00 x 0.40 = 1.20. Net 32.08.
    """
    deadline = break_ahead(spec_of("USDJPY").sessions, opened_at=moment(opened_at))
    assert deadline is not None
    assert deadline.at == moment(closes)
    world = World(symbol="USDJPY", side=BUY, stop="149.500", fee="3.00", rate=yen, plan=Plan(deadlines=(deadline,)))
    world.open(opened_at, "0.20", "150.000")
    day, hour = closes[:10], int(closes[11:13]) - 1
    assert world.look(f"{day} {hour}:58:59", "150.250", "150.260") == ()
    (closed,) = world.look(f"{day} {hour}:59:00", "150.250", "150.260")
    assert closed.code.value == "manage.break_ahead"
    assert world.result == ("32.08", "0.4812")


def test_a_firms_cutoff_over_the_weekend_on_which_the_clocks_change() -> None:
    """MNQ at Topstep: 15:10 in Chicago, which is 20:10 UTC on Friday 30 October 2026 and 21:10 UTC on Monday.

    Sell 4 at 21000.00, stop 21015.00: 1 R is 120.00. At 20988.75: 11.25 x 2 x 4 = 90.00, fees 2.96. Net 87.04.
    """
    clock = next(one.flat_by for one in load(bundled()).programs if one.edition.program == "Trading Combine")
    assert clock is not None
    friday = firm_cutoff(clock, opened_at=moment("2026-10-30 14:00:00"))
    monday = firm_cutoff(clock, opened_at=moment("2026-11-01 23:30:00"))
    assert (friday.at, monday.at) == (moment("2026-10-30 20:10:00"), moment("2026-11-02 21:10:00"))
    world = World(symbol="MNQ", side=SELL, stop="21015.00", fee=MNQ_FEE, plan=Plan(deadlines=(monday,)))
    world.open("2026-11-01 23:30:00", "4", "21000.00")
    assert world.look("2026-11-02 20:10:00", "20988.50", "20988.75") == (), "the hour of last week"
    (closed,) = world.look("2026-11-02 21:09:00", "20988.50", "20988.75")
    assert closed.code.value == "manage.firm_cutoff"
    assert world.result == ("87.04", "0.7253")


# What cannot be halved


@pytest.mark.parametrize(
    ("indivisible", "at_one", "result"),
    [(Indivisible.FIRST, ["manage.target_whole"], ("19.26", "0.9630")),
     (Indivisible.LAST, ["manage.breakeven"], ("39.26", "1.9630"))],
)  # fmt: skip
def test_one_contract_has_no_half(indivisible: Indivisible, at_one: list[str], result: tuple[str, str]) -> None:
    """MNQ, USD: buy 1 at 21000.00, stop 20990.00: 1 R is 20.00. All at 1 R: 20.00 - 0.74; all at 2 R: 40.00 - 0.74."""
    world = World(
        symbol="MNQ", side=BUY, stop="20990.00", fee=MNQ_FEE, plan=Plan(targets=HALVES, indivisible=indivisible)
    )
    world.open("2026-03-10 15:00:00", "1", "21000.00")
    deeds = world.look("2026-03-10 15:10:00", "21010.00", "21010.25")
    assert [deed.code.value for deed in deeds] == at_one
    if indivisible is Indivisible.FIRST:
        assert "a part of 1 contracts would be less than the smallest order of 1" in deeds[0].sentence
    if world.is_open:
        world.look("2026-03-10 15:20:00", "21020.00", "21020.25")
    assert world.result == result

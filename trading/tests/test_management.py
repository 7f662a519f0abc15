"""Trade management, rule by rule, and what must always hold: tighter, never looser; less, never more; once."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Ratio
from mikrobot_platform.kernel.orders import MAX_CLIENT_ID, OrderState, Purpose
from trading.engine.deeds import Cancel, Close, Deed, MoveStop, PlaceStop, client_id
from trading.engine.management import manage
from trading.engine.management.case import Case
from trading.engine.management.deadlines import Deadline
from trading.engine.management.exits import ladder
from trading.engine.management.plan import ALL_AT_TWO, Breakeven, Indivisible, Plan, Target, TimeStop, Trail
from trading.engine.management.position import Held, Market, OpenOrder, Tries
from trading.engine.management.stops import breakeven
from trading.engine.management.weekly import Week
from trading.engine.signal_facts import UNKNOWN, Quote
from trading.tests.trade_world import World, moment, spec_of

NOW = moment("2026-03-10 09:10:00")
ONE_TO_ONE = Ratio(Decimal(1))
OVER = Deadline(at=NOW, code=Code.MANAGE_DAY_END)


def price(text: str) -> Price:
    return Price(Decimal(text))


def lots(text: str) -> Quantity:
    return Quantity(Decimal(text))


def market(bid: str = "1.08520", ask: str = "1.08530", *, age_s: int = 0, atr: str = "") -> Market:
    quote = Quote(bid=price(bid), ask=price(ask), at=NOW - timedelta(seconds=age_s))
    return Market(quote=quote, rate=ONE_TO_ONE, atr=Decimal(atr) if atr else None)


HELD = Held(
    id="p1", spec=spec_of("EURUSD"), side=Side.BUY, currency=Currency("USD"), entry=Ratio(Decimal("1.08500")),
    opened=lots("0.68"), quantity=lots("0.68"), opened_at=NOW - timedelta(minutes=10), first_stop=price("1.08420"),
    stop=price("1.08420"), attached_stop=price("1.08420"), fees=Decimal("2.38"),
)  # fmt: skip


def order(
    purpose: Purpose, state: OrderState, pending: str = "0.68", at: str = "1.08420", name: str = "o1"
) -> OpenOrder:
    return OpenOrder(client_id=name, purpose=purpose, state=state, pending=lots(pending), price=price(at))


def steps(deeds: tuple[Deed, ...]) -> list[str]:
    return [deed.step for deed in deeds]


AT_ONE_R = market("1.08580", "1.08590")
AT_TWO_R = market("1.08660", "1.08670")
BARE: dict[str, Any] = {"attached_stop": None}
S = OrderState

# name -> changes of the position, the market, changes of the plan, and the steps that come of it
CASES: dict[str, tuple[dict[str, Any], Market, dict[str, Any], list[str]]] = {
    "nothing to do": ({}, market(), {}, []),
    "at 1 R": ({}, AT_ONE_R, {}, ["exit/0", "move/attached/1.08517/0.68"]),
    "at 1 R, half is closed": ({"quantity": lots("0.34")}, AT_ONE_R, {"breakeven": None}, []),
    "at 1 R, more than half is closed": ({"quantity": lots("0.20")}, AT_ONE_R, {"breakeven": None}, []),
    "at 1 R, a part of the half is closed": (
        {"quantity": lots("0.50"), "exits": Tries(made=1)}, AT_ONE_R, {"breakeven": None}, ["exit/1"],
    ),
    "at 1 R, half is leaving": (
        {"orders": (order(Purpose.EXIT, S.SENDING, "0.34"),)}, AT_ONE_R, {"breakeven": None}, [],
    ),
    "at 1 R, half is leaving and nobody knows": (
        {"orders": (order(Purpose.EXIT, S.UNKNOWN, "0.34"),)}, AT_ONE_R, {"breakeven": None}, [],
    ),
    "at 1 R, half was filled and is not settled": (
        {"orders": (order(Purpose.EXIT, S.FILLED, "0.34"),)}, AT_ONE_R, {"breakeven": None}, [],
    ),
    "at 1 R, a target waits there": (
        {"orders": (order(Purpose.TARGET, S.WORKING, "0.34", "1.08580"),)}, AT_ONE_R, {"breakeven": None}, [],
    ),
    "at 1 R, a target waits at 2 R": (
        {"orders": (order(Purpose.TARGET, S.WORKING, "0.68", "1.08660"),)}, AT_ONE_R, {"breakeven": None}, ["exit/0"],
    ),
    "over 2 R at once": ({}, AT_TWO_R, {}, ["exit/0"]),
    "over 2 R, an entry and a target wait": (
        {"orders": (order(Purpose.ENTRY, S.PARTIAL, name="e"), order(Purpose.TARGET, S.WORKING, "0.1", "1.09", "t"))},
        AT_TWO_R, {}, ["cancel/e", "cancel/t", "exit/0"],
    ),
    "all is leaving, and its entry still waits": (
        {"orders": (order(Purpose.EXIT, S.SENDING), order(Purpose.ENTRY, S.WORKING, name="e"))},
        AT_TWO_R, {}, ["cancel/e"],
    ),
    "an old quote": ({}, market("1.08580", "1.08590", age_s=31), {}, []),
    "a quote from the future": ({}, market("1.08580", "1.08590", age_s=-31), {}, []),
    "a crossed quote": ({}, market("1.08590", "1.08580"), {}, []),
    "no quote, and its time is over": ({}, Market(quote=None), {"deadlines": (OVER,)}, ["exit/0"]),
    "its time is over, and half has left": (
        {"orders": (order(Purpose.EXIT, S.WORKING, "0.34"),), "exits": Tries(made=1)},
        market(), {"deadlines": (OVER,)}, ["exit/1"],
    ),
    "its time will be over in more than the lead": (
        {}, market(), {"deadlines": (replace(OVER, at=NOW + timedelta(seconds=61)),)}, [],
    ),
    "held too long": ({}, market(), {"time_stop": TimeStop(after=timedelta(minutes=10))}, ["exit/0"]),
    "held too long, how far is not known": (
        {"first_stop": None}, market(), {"time_stop": TimeStop(after=timedelta(minutes=10), below_r=Decimal(1))}, [],
    ),
    "nobody knows the first stop": ({"first_stop": None}, AT_TWO_R, {}, []),
    "a first stop that does not protect": ({"first_stop": price("1.08500")}, AT_TWO_R, {}, []),
    # Stops that are not there
    "no stop": (BARE, market(), {}, ["stop/0"]),
    "no stop, and its time is over": (BARE, market(), {"deadlines": (OVER,)}, ["stop/0", "exit/0"]),
    "no stop, at 1 R": (BARE, AT_ONE_R, {}, ["stop/0", "exit/0"]),
    "no stop, no quote": (BARE, Market(quote=None), {}, ["stop/0"]),
    "nobody knows whether there is a stop": ({"attached_stop": UNKNOWN}, AT_ONE_R, {}, ["exit/0"]),
    "no stop, and the price is past it": (BARE, market("1.08420", "1.08430"), {}, ["exit/0"]),
    "a stop on its way": (BARE | {"orders": (order(Purpose.STOP, S.SENDING),)}, AT_ONE_R, {}, ["exit/0"]),
    "a stop of which nobody knows": (BARE | {"orders": (order(Purpose.STOP, S.UNKNOWN),)}, market(), {}, []),
    "a stop that was refused just now": (
        BARE | {"stops": Tries(made=1, refused=1, last_refused_at=NOW)}, market(), {}, [],
    ),
    "a stop that was refused a second ago": (
        BARE | {"stops": Tries(made=1, refused=1, last_refused_at=NOW - timedelta(seconds=1))}, market(), {},
        ["stop/1"],
    ),
    "a stop that is always refused": (
        BARE | {"stops": Tries(made=3, refused=3, last_refused_at=NOW)}, market(), {}, ["exit/0"],
    ),
    "no stop, and nobody knows where": (BARE | {"stop": None, "first_stop": None}, market(), {}, ["bare"]),
    "no stop, and only the range is known": (
        BARE | {"stop": None, "first_stop": None}, market(atr="0.0010"), {}, ["stop/0"],
    ),
    # Stops that are orders of their own
    "a stop that covers half": (
        BARE | {"orders": (order(Purpose.STOP, S.WORKING, "0.34"),)}, market(), {}, ["move/o1/1.08420/0.68"],
    ),
    "a stop that covers too much": (
        BARE | {"quantity": lots("0.34"), "orders": (order(Purpose.STOP, S.WORKING),)}, market(), {},
        ["move/o1/1.08420/0.34"],
    ),
    "two stops that cover it together": (
        BARE | {"orders": (order(Purpose.STOP, S.WORKING, "0.34"), order(Purpose.STOP, S.WORKING, "0.34", name="o2"))},
        market(), {}, [],
    ),
    "two stops that each cover all": (
        BARE | {"orders": (order(Purpose.STOP, S.WORKING, at="1.08400"), order(Purpose.STOP, S.WORKING, name="o2"))},
        market(), {}, ["cancel/o1"],
    ),
    "two stops that leave a part bare": (
        BARE | {"orders": (order(Purpose.STOP, S.WORKING, "0.30"), order(Purpose.STOP, S.WORKING, "0.30", name="o2"))},
        market(), {}, ["move/o1/1.08420/0.38"],
    ),
    "one stop attached, one as an order": (
        {"orders": (order(Purpose.STOP, S.WORKING),)}, market(), {}, ["cancel/o1"],
    ),
    # Stops that follow
    "breakeven, and the stop is there already": ({"attached_stop": price("1.08517")}, AT_ONE_R, {"targets": ()}, []),
    "breakeven, and a tighter stop is there": ({"attached_stop": price("1.08550")}, AT_ONE_R, {"targets": ()}, []),
    "breakeven, the stop covers all but a spread": (
        {"attached_stop": price("1.08507")}, AT_ONE_R, {"targets": ()}, [],
    ),
    "breakeven, the stop is a tick short of the costs": (
        {"attached_stop": price("1.08506")}, AT_ONE_R, {"targets": ()}, ["move/attached/1.08517/0.68"],
    ),
    "breakeven was reached before": ({"best": price("1.08580")}, market("1.08540", "1.08550"), {}, [
        "move/attached/1.08517/0.68",
    ]),
    "breakeven was reached, and the price is back": ({"best": price("1.08580")}, market("1.08517", "1.08527"), {}, []),
    "breakeven without a rate": ({}, replace(AT_ONE_R, rate=None), {"targets": ()}, []),
    "breakeven without costs or a rate": (
        {"fees": Decimal(0)}, replace(AT_ONE_R, rate=None), {"targets": ()}, ["move/attached/1.08510/0.68"],
    ),
    "breakeven with another fee to close": (
        {}, replace(AT_ONE_R, fee_per_lot=Decimal(10)), {"targets": ()}, ["move/attached/1.08524/0.68"],
    ),
    "breakeven at a distance": (
        {"first_stop": None}, market("1.08515", "1.08516"),
        {"breakeven": Breakeven(at_distance=Decimal("0.00015"), spreads=Decimal(0))}, ["move/attached/1.08507/0.68"],
    ),
    "a trail that is tighter than breakeven": (
        {}, market("1.08590", "1.08600", atr="0.00010"), {"targets": (), "trail": Trail(multiple=Decimal(2))},
        ["move/attached/1.08570/0.68"],
    ),
    "a trail that is looser than breakeven": (
        {}, market("1.08590", "1.08600", atr="0.00100"), {"targets": (), "trail": Trail(multiple=Decimal(2))},
        ["move/attached/1.08517/0.68"],
    ),
    "a trail by less than its step": (
        {"attached_stop": price("1.08565")}, market("1.08590", "1.08600", atr="0.00010"),
        {"targets": (), "trail": Trail(multiple=Decimal(2), step=Decimal("0.00006"))}, [],
    ),
    "a trail without a range": (
        {}, AT_ONE_R, {"targets": (), "breakeven": None, "trail": Trail(multiple=Decimal(2))}, [],
    ),
    # What is over
    "closed, and its stop still works": (
        BARE | {
            "quantity": lots("0"),
            "orders": (order(Purpose.STOP, S.WORKING), order(Purpose.ENTRY, S.PARTIAL, name="e")),
        },
        market(), {}, ["cancel/o1", "cancel/e"],
    ),
    "closed, and nobody knows of its stop": (
        BARE | {"quantity": lots("0"), "orders": (order(Purpose.STOP, S.UNKNOWN),)}, market(), {}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_is_done(name: str) -> None:
    position, seen, plan, wanted = CASES[name]
    held = replace(HELD, **position)
    deeds = manage(held, seen, replace(Plan(), **plan), now=NOW)
    assert steps(deeds) == wanted
    assert sum(deed.quantity for deed in deeds if isinstance(deed, Close)) <= held.quantity - held.leaving
    for deed in deeds:
        assert deed.sentence.isascii()
        assert len(deed.client_id) == MAX_CLIENT_ID


def test_a_sale_is_the_mirror_of_a_buy() -> None:
    sold = replace(
        HELD, side=Side.SELL, first_stop=price("1.08580"), stop=price("1.08580"), attached_stop=price("1.08580")
    )
    half, moved = manage(sold, market("1.08410", "1.08420"), Plan(), now=NOW)
    assert isinstance(half, Close)
    assert isinstance(moved, MoveStop)
    assert (half.side, half.quantity, moved.price) == (Side.BUY, Decimal("0.34"), Decimal("1.08483"))


# One order, whoever decides


def test_two_workers_with_different_reasons_make_one_order() -> None:
    """One sees the deadline and the other one the target, a blink earlier: the second order is the first one."""
    (target, _) = manage(HELD, AT_ONE_R, Plan(), now=NOW)
    (deadline,) = manage(HELD, AT_ONE_R, Plan(deadlines=(OVER,)), now=NOW)
    assert target.code is not deadline.code
    assert target.client_id == deadline.client_id == client_id("p1/exit/0")
    assert client_id("p1/exit/1") != target.client_id != client_id("p2/exit/0")


def test_an_exit_that_is_refused_is_tried_again_later_and_later() -> None:
    plan = Plan(deadlines=(OVER,))
    for refused, wait_s in ((1, 5), (2, 10), (3, 20), (4, 40), (5, 60), (40, 60)):
        for since, wanted in ((wait_s - 1, []), (wait_s, [f"exit/{refused}"])):
            tries = Tries(made=refused, refused=refused, last_refused_at=NOW - timedelta(seconds=since))
            assert steps(manage(replace(HELD, exits=tries), market(), plan, now=NOW)) == wanted, (refused, since)


def test_a_calendar_that_says_closed_forbids_nothing() -> None:
    """It may be wrong. What is refused is tried again after a quarter of an hour at the latest."""
    saturday = moment("2026-03-14 12:00:00")
    plan = Plan(deadlines=(OVER,))
    assert steps(manage(HELD, Market(quote=None), plan, now=saturday)) == ["exit/0"]
    for since, wanted in ((899, []), (900, ["exit/20"])):
        tries = Tries(made=20, refused=20, last_refused_at=saturday - timedelta(seconds=since))
        assert steps(manage(replace(HELD, exits=tries), Market(quote=None), plan, now=saturday)) == wanted


# Levels that a venue keeps its distance from


@pytest.mark.parametrize(
    ("bid", "ask", "placed"),
    [("1.08520", "1.08530", "1.08420"), ("1.08450", "1.08460", "1.08400"), ("1.08421", "1.08431", "1.08371")],
)
def test_a_stop_that_is_too_near_goes_where_the_venue_allows(bid: str, ask: str, placed: str) -> None:
    spec = replace(spec_of("EURUSD"), stops_level=Decimal("0.00050"))
    (stop,) = manage(replace(HELD, spec=spec, attached_stop=None), market(bid, ask), Plan(), now=NOW)
    assert isinstance(stop, PlaceStop)
    assert (stop.price, stop.side, stop.quantity) == (price(placed), Side.SELL, lots("0.68"))


def test_a_trail_keeps_the_venues_distance_and_a_breakeven_waits_for_it() -> None:
    spec = replace(spec_of("EURUSD"), stops_level=Decimal("0.00070"))
    held = replace(HELD, spec=spec)
    assert breakeven(_case(held, AT_ONE_R, Plan())) is None, "1.08517 is nearer than 7 pips"
    assert breakeven(_case(held, market("1.08587", "1.08597"), Plan())) is not None
    plan = Plan(targets=(), breakeven=None, trail=Trail(multiple=Decimal(1)))
    (moved,) = manage(held, market("1.08600", "1.08610", atr="0.00020"), plan, now=NOW)
    assert isinstance(moved, MoveStop)
    assert moved.price == Decimal("1.08530")


def _case(held: Held, seen: Market, plan: Plan) -> Case:
    return Case(position=held, market=seen, plan=plan, now=NOW, price=seen.exit_price(held.side, NOW))


# The lot grid

THIRDS = tuple(
    Target(at_r=Decimal(r), share=share) for r, share in ((1, Decimal("0.3")), (2, Decimal("0.3")), (3, Decimal("0.4")))
)
F, L = Indivisible.FIRST, Indivisible.LAST


@pytest.mark.parametrize(
    ("symbol", "opened", "plan", "rungs"),
    [
        ("EURUSD", "0.68", {}, [("1", "0.34"), ("2", "0.68")]),
        ("EURUSD", "0.03", {}, [("1", "0.01"), ("2", "0.03")]),
        ("EURUSD", "0.02", {}, [("1", "0.01"), ("2", "0.02")]),
        ("EURUSD", "0.01", {}, [("1", "0.01")]),
        ("EURUSD", "0.01", {"indivisible": L}, [("2", "0.01")]),
        ("EURUSD", "0.68", {"can_split": False}, [("1", "0.68")]),
        ("EURUSD", "0.68", {"can_split": False, "indivisible": L}, [("2", "0.68")]),
        ("EURUSD", "0.68", {"targets": ALL_AT_TWO, "can_split": False}, [("2", "0.68")]),
        ("MNQ", "1", {}, [("1", "1")]),
        ("MNQ", "3", {}, [("1", "1"), ("2", "3")]),
        ("MNQ", "10", {"targets": THIRDS}, [("1", "3"), ("2", "6"), ("3", "10")]),
        ("MNQ", "5", {"targets": THIRDS}, [("1", "1"), ("2", "3"), ("3", "5")]),
        ("MNQ", "2", {"targets": THIRDS}, [("1", "2")]),
        ("MNQ", "2", {"targets": THIRDS, "indivisible": L}, [("2", "1"), ("3", "2")]),
        ("MNQ", "3", {"targets": THIRDS, "indivisible": L}, [("2", "1"), ("3", "3")]),
    ],
)  # fmt: skip
def test_shares_on_the_lot_grid(symbol: str, opened: str, plan: dict[str, Any], rungs: list[tuple[str, str]]) -> None:
    held = replace(HELD, spec=spec_of(symbol), opened=lots(opened), quantity=lots(opened))
    found = ladder(_case(held, market(), replace(Plan(), **plan)))
    assert [(str(rung.at_r), f"{rung.closes:f}") for rung in found] == rungs


@pytest.mark.parametrize(
    "targets",
    [
        (Target(at_r=Decimal(1), share=Decimal("0.5")),), (Target(at_r=Decimal(0), share=Decimal(1)),),
        tuple(reversed(Plan().targets)), (*ALL_AT_TWO, *ALL_AT_TWO),
    ],
)  # fmt: skip
def test_targets_share_out_the_whole_trade_in_order(targets: tuple[Target, ...]) -> None:
    with pytest.raises(ValueError, match="target"):
        Plan(targets=targets)


def test_breakeven_is_at_so_many_r_or_at_a_distance() -> None:
    for wrong in ({}, {"at_r": Decimal(1), "at_distance": Decimal(15)}):
        with pytest.raises(ValueError, match="breakeven"):
            Breakeven(**wrong)


def test_a_week_that_began_with_nothing_is_never_extra() -> None:
    week = Week(monday=NOW.date(), realised=Decimal(5), starting_balance=Decimal(0))
    assert not week.is_extra


# What must always hold


@settings(max_examples=60, deadline=None)
@given(
    side=st.sampled_from(Side), quantity=st.integers(1, 12), attached=st.booleans(), refuses=st.integers(0, 4),
    path=st.lists(st.tuples(st.integers(-12, 30), st.integers(1, 3), st.integers(1, 20)), max_size=14),
    at_most=st.integers(1, 12), trail=st.booleans(), indivisible=st.sampled_from(Indivisible),
)  # fmt: skip
def test_whatever_the_market_does(
    side: Side, quantity: int, attached: bool, refuses: int, at_most: int, path: list[tuple[int, int, int]],
    trail: bool, indivisible: Indivisible,
) -> None:  # fmt: skip
    """Hold the promises that the world checks at each look: no looser stop, no larger exit, nothing asked for twice.

    At the deadline everything is closed, whatever was refused or filled in part before; and what is open has a stop.
    """
    last = Deadline(at=moment("2026-03-10 12:00:00"), code=Code.MANAGE_DAY_END)
    plan = Plan(
        deadlines=(last,), indivisible=indivisible,
        trail=Trail(multiple=Decimal(1), from_r=Decimal("0.5")) if trail else None,
    )  # fmt: skip
    entry = Decimal("1.08500")
    world = World(
        symbol="EURUSD", side=side, stop=f"{entry - side.sign * Decimal('0.00080')}", plan=plan, is_attached=attached,
        refuses_stops=refuses, fills_at_most=f"{Decimal(at_most).scaleb(-2)}",
    )  # fmt: skip
    world.open("2026-03-10 09:00:00", f"{Decimal(quantity).scaleb(-2)}", "1.08500", is_protected=refuses == 0)
    for second, (tenths, spread, atr) in enumerate(path):
        bid = entry + side.sign * Decimal(tenths).scaleb(-4)
        ask = bid + Decimal(spread).scaleb(-5)
        done = world.look(f"2026-03-10 09:00:{second * 4:02}", f"{bid}", f"{ask}", atr=f"{Decimal(atr).scaleb(-5)}")
        if not world.is_open:
            return
        is_leaving = any(isinstance(deed, Close) and deed.is_all for deed in done)
        assert world.stop_now is not None or world.stops.refused or is_leaving
    for second in range(13):
        world.look(f"2026-03-10 12:00:{second:02}", "1.08500", "1.08510")
        if not world.is_open:
            break
    assert not world.is_open
    assert sum(part.quantity for part in world.trade.parts) == world.trade.opened


@settings(max_examples=200, deadline=None)
@given(
    symbol=st.sampled_from(["EURUSD", "USDJPY", "XAUUSD", "MNQ"]), side=st.sampled_from(Side),
    parts=st.lists(st.tuples(st.integers(0, 9), st.integers(1, 50)), min_size=1, max_size=3), left=st.integers(1, 50),
    fee=st.decimals(0, 20, places=2), close_fee=st.none() | st.decimals(0, 20, places=2),
    swap=st.decimals(-30, 30, places=2), spread=st.integers(0, 9), rate=st.decimals("0.006", "1.3", places=5),
)  # fmt: skip
def test_breakeven_never_loses(
    symbol: str, side: Side, parts: list[tuple[int, int]], left: int, fee: Decimal, close_fee: Decimal | None,
    swap: Decimal, spread: int, rate: Decimal,
) -> None:  # fmt: skip
    """Hold the result of what is open, filled at the breakeven, to not being below zero: exactly, in fractions."""
    spec = spec_of(symbol)
    base = {"EURUSD": "1.08500", "USDJPY": "147.500", "XAUUSD": "2650.00", "MNQ": "21000.00"}[symbol]
    prices = [Decimal(base) + ticks * spec.tick_size for ticks, _ in parts]
    opened = sum((steps_ * spec.lot_step for _, steps_ in parts), Decimal(0))
    paid = sum((at * steps_ * spec.lot_step for at, (_, steps_) in zip(prices, parts, strict=True)), Decimal(0))
    quantity = min(left * spec.lot_step, opened)
    far = Price(Decimal(base) * (1 + side.sign * Decimal("0.5")))
    far = spec.round_price(far, Side.BUY, "nearest")  # type: ignore[arg-type]
    held = replace(
        HELD, spec=spec, side=side, entry=Ratio(paid, opened), opened=Quantity(opened), quantity=Quantity(quantity),
        fees=fee, swap=swap, first_stop=Price(Decimal(base) - side.sign * 100 * spec.tick_size),
    )  # fmt: skip
    gap = spread * spec.tick_size
    seen = Market(quote=Quote(bid=far, ask=Price(far + gap), at=NOW), rate=Ratio(rate), fee_per_lot=close_fee)
    wish = breakeven(_case(held, seen, Plan()))
    if wish is None:  # with costs this large there is no such price between entry and market
        return
    assert spec.is_on_tick(wish.price)
    gain = (Fraction(wish.price) - Fraction(paid) / Fraction(opened)) * side.sign
    gain *= Fraction(quantity) * Fraction(spec.contract_size) * Fraction(rate)
    per_lot = Fraction(fee) / Fraction(opened)
    closing = per_lot if close_fee is None else Fraction(close_fee)
    assert gain - (per_lot + closing) * Fraction(quantity) + min(Fraction(swap), Fraction(0)) >= 0


@pytest.mark.parametrize(("side", "placed"), [(Side.BUY, "1.08501"), (Side.SELL, "1.08499")])
def test_a_hair_past_the_tick_is_the_next_tick(side: Side, placed: str) -> None:
    """An average that has no end lies a hair on the losing side of the tick, and nearest would lose it."""
    hair = Ratio(Decimal(1), Decimal(3).scaleb(14)).times(Decimal(side.sign))
    stop = Price(Decimal("1.08500") - side.sign * Decimal("0.00080"))
    held = replace(
        HELD,
        side=side,
        entry=Ratio(Decimal("1.08500")).plus(hair),
        fees=Decimal(0),
        first_stop=stop,
        attached_stop=stop,
    )
    plan = Plan(targets=(), breakeven=Breakeven(at_r=Decimal("0.5"), spreads=Decimal(0)))
    seen = market("1.08580", "1.08590") if side is Side.BUY else market("1.08410", "1.08420")
    (moved,) = manage(held, seen, plan, now=NOW)
    assert isinstance(moved, MoveStop)
    assert moved.price == Decimal(placed)


@given(
    opened=st.integers(1, 5000), shares=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    min_steps=st.integers(1, 20), indivisible=st.sampled_from(Indivisible), can_split=st.booleans(),
)  # fmt: skip
def test_a_ladder_closes_everything_on_the_grid(
    opened: int, shares: list[int], min_steps: int, indivisible: Indivisible, can_split: bool
) -> None:
    """Hold every rung to the grid, to a size that can be ordered, and the last one to all that is open."""
    first = [Decimal(share) / 40 for share in shares[:-1]]
    targets = [*first, 1 - sum(first, Decimal(0))]
    spec = replace(spec_of("EURUSD"), lot_min=min_steps * Decimal("0.01"))
    amount = max(opened, min_steps) * Decimal("0.01")
    plan = Plan(
        targets=tuple(Target(at_r=Decimal(r), share=share) for r, share in enumerate(targets, 1)),
        indivisible=indivisible, can_split=can_split,
    )  # fmt: skip
    held = replace(HELD, spec=spec, opened=Quantity(amount), quantity=Quantity(amount))
    rungs = ladder(_case(held, market(), plan))
    assert rungs[-1].closes == amount
    before = Decimal(0)
    for rung in rungs:
        assert rung.closes - before >= spec.lot_min
        assert rung.closes % spec.lot_step == 0
        before = rung.closes
    assert all(amount - rung.closes >= spec.lot_min for rung in rungs[:-1])


def test_a_cancel_names_its_order() -> None:
    held = replace(HELD, quantity=lots("0"), orders=(order(Purpose.TARGET, S.WORKING),))
    (deed,) = manage(held, market(), Plan(), now=NOW)
    assert isinstance(deed, Cancel)
    assert (deed.order, deed.key) == ("o1", "p1/cancel/o1")

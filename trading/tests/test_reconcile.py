"""Ours against theirs: every difference has its finding, every finding its repair, and no word comes too early."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.orders import FillReport, OrderReport, OrderState, PositionReport, Purpose
from mikrobot_platform.kernel.venues import LookUp, Positions
from trading.engine.deeds import Alarm, BlockEntries, Close, Deed, MoveStop, PlaceStop, Resolve, client_id
from trading.engine.drift import Finding, Kind, OurOrder, OurPosition, Ours, Theirs
from trading.engine.reconcile import compare
from trading.engine.repair import Policy, repair
from trading.tests.trade_world import moment

NOW = moment("2026-03-10 09:10:00")
SETTLE = timedelta(seconds=10)
LONG_AGO = NOW - timedelta(minutes=5)
S = OrderState


def lots(text: str) -> Quantity:
    return Quantity(Decimal(text))


def price(text: str) -> Price:
    return Price(Decimal(text))


ORDER = OurOrder(
    client_id="c1", symbol="EURUSD", side=Side.BUY, purpose=Purpose.ENTRY, state=S.UNKNOWN, quantity=lots("0.68"),
    filled=Decimal(0), sent_at=LONG_AGO, changed_at=LONG_AGO,
)  # fmt: skip
STOP = replace(
    ORDER, client_id="s1", side=Side.SELL, purpose=Purpose.STOP, state=S.WORKING, stop=price("1.08420"), position="p1"
)
POSITION = OurPosition(
    id="p1", venue_id="v1", symbol="EURUSD", side=Side.BUY, quantity=lots("0.68"), stop=price("1.08420"),
    opened_by="c0", changed_at=LONG_AGO,
)  # fmt: skip
HELD = PositionReport(
    id="v1", symbol="EURUSD", side=Side.BUY, quantity=lots("0.68"), price=price("1.08500"), stop_loss=price("1.08420"),
    take_profit=None, floating=Decimal(0), opened_by="c0", at=NOW,
)  # fmt: skip
REPORT = OrderReport(
    client_id="c1", venue_order_id="o1", state=S.WORKING, filled=Decimal(0), average_price=None, reason="", revision=1,
    at=NOW,
)  # fmt: skip
FILL = FillReport(
    id="f1", client_id="c1", venue_order_id="o1", symbol="EURUSD", side=Side.BUY, quantity=lots("0.30"),
    price=price("1.08500"), fee=Decimal(0), profit=None, position_id="v9", at=NOW,
)  # fmt: skip
LOOK = Theirs(
    at=NOW, positions_are=Positions.HEDGED, look_up=LookUp.AUTHORITATIVE, working=(), positions=(), fills=(),
    fills_since=LONG_AGO,
)  # fmt: skip


def found(ours: Ours, **theirs: Any) -> tuple[Finding, ...]:
    return compare(ours, replace(LOOK, **theirs), now=NOW, settle=SETTLE)


# Orders of which nobody knew

STOOD = {"c1": REPORT}
GONE: dict[str, OrderReport | None] = {"c1": None}
# name -> changes of our order, what was seen, and the finding with the state that it brings
FATES: dict[str, tuple[dict[str, Any], dict[str, Any], tuple[Kind, OrderState | None]]] = {
    "it works": ({}, {"asked": STOOD}, (Kind.ORDER_FOUND, S.WORKING)),
    "it was refused": ({}, {"asked": {"c1": replace(REPORT, state=S.REFUSED)}}, (Kind.ORDER_FOUND, S.REFUSED)),
    "it is among those that work": ({}, {"working": (REPORT,)}, (Kind.ORDER_FOUND, S.WORKING)),
    "a part of it was filled": ({}, {"fills": (FILL,)}, (Kind.ORDER_FOUND, S.PARTIAL)),
    "it was filled": (
        {}, {"fills": (FILL, replace(FILL, id="f2", quantity=lots("0.38")))}, (Kind.ORDER_FOUND, S.FILLED),
    ),
    "it opened a position": (
        {}, {"positions": (replace(HELD, opened_by="c1"),)}, (Kind.ORDER_FOUND, S.FILLED),
    ),
    "it is not there": ({}, {"asked": GONE}, (Kind.ORDER_ABSENT, S.ABSENT)),
    "it is not there, and was being sent": ({"state": S.SENDING}, {"asked": GONE}, (Kind.ORDER_ABSENT, S.ABSENT)),
    "it is not there yet": ({"sent_at": NOW - timedelta(seconds=9)}, {"asked": GONE}, (Kind.ORDER_UNKNOWN, None)),
    "it is not there, and the window is just over": (
        {"sent_at": NOW - timedelta(seconds=10)}, {"asked": GONE}, (Kind.ORDER_ABSENT, S.ABSENT),
    ),
    "the look began too early, however late it is now": (
        {"sent_at": NOW - timedelta(seconds=20)}, {"asked": GONE, "at": NOW - timedelta(seconds=15)},
        (Kind.ORDER_UNKNOWN, None),
    ),
    "it was not asked for": ({}, {}, (Kind.ORDER_UNKNOWN, None)),
    "only what works is found, and it is nowhere": (
        {}, {"asked": GONE, "look_up": LookUp.WORKING_ONLY}, (Kind.ORDER_ABSENT, S.ABSENT),
    ),
    "only what works is found, without fills": (
        {}, {"asked": GONE, "look_up": LookUp.WORKING_ONLY, "fills": None}, (Kind.ORDER_UNKNOWN, None),
    ),
    "only what works is found, with fills from later on": (
        {}, {"look_up": LookUp.WORKING_ONLY, "fills_since": LONG_AGO + timedelta(seconds=1)},
        (Kind.ORDER_UNKNOWN, None),
    ),
    "only what works is found, without what works": (
        {}, {"look_up": LookUp.WORKING_ONLY, "working": None}, (Kind.ORDER_UNKNOWN, None),
    ),
    "it cannot be asked for": ({}, {"asked": GONE, "look_up": LookUp.NONE}, (Kind.ORDER_UNKNOWN, None)),
    "it cannot be asked for, and was filled": (
        {}, {"look_up": LookUp.NONE, "fills": (FILL,)}, (Kind.ORDER_FOUND, S.PARTIAL),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FATES)
@pytest.mark.parametrize("policy", Policy)
def test_what_became_of_an_order(name: str, policy: Policy) -> None:
    order, seen, wanted = FATES[name]
    finding = found(Ours(orders=(replace(ORDER, **order),)), **seen)[0]
    assert (finding.kind, finding.state) == wanted
    assert finding.order == "c1"
    deeds = repair(finding, policy)
    assert not any(isinstance(deed, Close | PlaceStop | BlockEntries) for deed in deeds), "an answer changes no trade"
    if finding.kind is not Kind.ORDER_UNKNOWN:
        (deed,) = deeds
        assert isinstance(deed, Resolve)
        assert deed.state is finding.state


def test_an_order_that_nobody_can_ask_for_is_somebodys_business() -> None:
    (early,) = found(Ours(orders=(replace(ORDER, sent_at=NOW),)), look_up=LookUp.NONE)
    (late,) = found(Ours(orders=(ORDER,)), look_up=LookUp.NONE)
    assert [type(deed).__name__ for deed in repair(early, Policy.ALARM)] == ["Ask"]
    assert [type(deed).__name__ for deed in repair(late, Policy.ALARM)] == ["Ask", "Alarm"]
    assert late.sentence == "Nobody knows yet what became of the order: the venue cannot be asked for it."


# What works and what is open

OURS = Ours(positions=(POSITION,))
WITH_STOP = Ours(positions=(POSITION,), orders=(STOP,))
STOP_REPORT = replace(REPORT, client_id="s1")
BARE = replace(HELD, stop_loss=None)
# name -> our books, what was seen, and what is found
DRIFT: dict[str, tuple[Ours, dict[str, Any], list[Kind]]] = {
    "all as it should be": (OURS, {"positions": (HELD,)}, []),
    "all as it should be, the stop as an order": (WITH_STOP, {"positions": (BARE,), "working": (STOP_REPORT,)}, []),
    "nothing anywhere": (Ours(), {}, []),
    "positions could not be had": (OURS, {"positions": None}, []),
    "an order of ours is gone": (Ours(orders=(replace(ORDER, state=S.WORKING),)), {}, [Kind.ORDER_ENDED]),
    "an order of ours has just begun to work": (
        Ours(orders=(replace(ORDER, state=S.WORKING, changed_at=NOW),)), {}, [],
    ),
    "an order of ours is gone, and it is told how": (
        Ours(orders=(replace(ORDER, state=S.WORKING),)), {"asked": {"c1": replace(REPORT, state=S.CANCELLED)}},
        [Kind.ORDER_FOUND],
    ),
    "what works could not be had": (Ours(orders=(replace(ORDER, state=S.WORKING),)), {"working": None}, []),
    "an order that nobody made": (Ours(), {"working": (replace(REPORT, client_id=""),)}, [Kind.ORDER_FOREIGN]),
    "an order of ours that was over": (
        Ours(known=frozenset({"c1"})), {"working": (REPORT,)}, [Kind.ORDER_FOREIGN],
    ),
    "an order of ours that was over a moment ago": (
        Ours(orders=(replace(ORDER, state=S.CANCELLED, changed_at=NOW),)), {"working": (REPORT,)}, [],
    ),
    "an order of ours that is planned": (Ours(orders=(replace(ORDER, state=S.PLANNED),)), {}, []),
    "a position that nobody made": (Ours(), {"positions": (HELD,)}, [Kind.POSITION_FOREIGN]),
    "a position that nobody made, and bare": (
        Ours(), {"positions": (BARE,)}, [Kind.POSITION_FOREIGN, Kind.POSITION_UNPROTECTED],
    ),
    "a position whose entry is on its way": (
        Ours(orders=(replace(ORDER, client_id="c0", state=S.SENDING),)), {"positions": (HELD,)}, [Kind.ORDER_FOUND],
    ),
    "a position that is gone": (OURS, {}, [Kind.POSITION_MISSING]),
    "a position that is gone, and has just changed": (Ours(positions=(replace(POSITION, changed_at=NOW),)), {}, []),
    "a position that is gone, and an exit is on its way": (
        Ours(
            positions=(POSITION,),
            orders=(replace(STOP, client_id="x1", purpose=Purpose.EXIT, state=S.UNKNOWN),),
        ),
        {}, [Kind.ORDER_UNKNOWN],
    ),
    "a position that is smaller": (
        OURS, {"positions": (replace(HELD, quantity=lots("0.34")),)}, [Kind.POSITION_RESIZED],
    ),
    "a position that has turned": (OURS, {"positions": (replace(HELD, side=Side.SELL),)}, [Kind.POSITION_RESIZED]),
    "a position of another id": (
        OURS, {"positions": (replace(HELD, id="v2", opened_by=""),)}, [Kind.POSITION_MISSING, Kind.POSITION_FOREIGN],
    ),
    "a position that was not linked yet": (
        Ours(positions=(replace(POSITION, venue_id=""),)), {"positions": (HELD,)}, [],
    ),
    "netted, ids do not matter": (
        OURS, {"positions": (replace(HELD, id="EURUSD"),), "positions_are": Positions.NETTED}, [],
    ),
    "netted, two of ours are one of theirs": (
        Ours(positions=(replace(POSITION, quantity=lots("0.30")), replace(POSITION, id="p2", quantity=lots("0.38")))),
        {"positions": (HELD,), "positions_are": Positions.NETTED}, [],
    ),
    "netted, two of ours against each other": (
        Ours(positions=(POSITION, replace(POSITION, id="p2", side=Side.SELL))),
        {"positions": (), "positions_are": Positions.NETTED}, [],
    ),
    "netted, two of ours with two stops": (
        Ours(positions=(replace(POSITION, quantity=lots("0.30"), stop=price("1.08400")),
                        replace(POSITION, id="p2", quantity=lots("0.38")))),
        {"positions": (replace(HELD, stop_loss=price("1.08390")),), "positions_are": Positions.NETTED}, [],
    ),
    "netted, two of ours and no stop": (
        Ours(positions=(replace(POSITION, quantity=lots("0.30"), stop=price("1.08400")),
                        replace(POSITION, id="p2", quantity=lots("0.38")))),
        {"positions": (BARE,), "positions_are": Positions.NETTED}, [Kind.POSITION_UNPROTECTED],
    ),
    "no stop": (OURS, {"positions": (BARE,)}, [Kind.POSITION_UNPROTECTED]),
    "its stop covers half": (
        Ours(positions=(POSITION,), orders=(replace(STOP, quantity=lots("0.34")),)),
        {"positions": (BARE,), "working": (STOP_REPORT,)}, [Kind.POSITION_UNPROTECTED],
    ),
    "its stop is gone": (
        WITH_STOP, {"positions": (BARE,)}, [Kind.ORDER_ENDED, Kind.POSITION_UNPROTECTED],
    ),
    "its stop is on its way": (
        Ours(positions=(POSITION,), orders=(replace(STOP, state=S.SENDING, sent_at=NOW),)),
        {"positions": (BARE,)}, [Kind.ORDER_UNKNOWN],
    ),
    "its stop was on its way long ago": (
        Ours(positions=(POSITION,), orders=(replace(STOP, state=S.UNKNOWN),)),
        {"positions": (BARE,)}, [Kind.ORDER_UNKNOWN, Kind.POSITION_UNPROTECTED],
    ),
    "its stop was moved": (
        OURS, {"positions": (replace(HELD, stop_loss=price("1.08400")),)}, [Kind.STOP_MOVED],
    ),
    "its stop was moved just now": (
        Ours(positions=(replace(POSITION, changed_at=NOW),)),
        {"positions": (replace(HELD, stop_loss=price("1.08400")),)}, [],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DRIFT)
def test_what_is_found(name: str) -> None:
    ours, seen, wanted = DRIFT[name]
    findings = found(ours, **seen)
    assert [finding.kind for finding in findings] == wanted
    for finding in findings:
        assert finding.sentence.isascii()
        for policy in Policy:
            deeds = repair(finding, policy)
            assert deeds == repair(finding, policy)
            assert len({deed.key for deed in deeds}) == len(deeds)
            assert all(deed.sentence == finding.sentence for deed in deeds)


# name of the drift, which of its findings, policy -> what is done
REPAIRS: list[tuple[str, int, Policy, list[str]]] = [
    ("an order of ours is gone", 0, Policy.FLATTEN, ["ask"]),
    ("an order that nobody made", 0, Policy.ALARM, ["block/order_foreign", "alarm/order_foreign"]),
    ("an order that nobody made", 0, Policy.ADOPT, ["adopt/order_foreign", "alarm/order_foreign"]),
    ("an order that nobody made", 0, Policy.FLATTEN, ["cancel/o1", "alarm/order_foreign"]),
    ("a position that nobody made", 0, Policy.ALARM, ["block/position_foreign", "alarm/position_foreign"]),
    ("a position that nobody made", 0, Policy.ADOPT, ["adopt/position_foreign", "alarm/position_foreign"]),
    ("a position that nobody made", 0, Policy.FLATTEN, ["exit/0", "alarm/position_foreign"]),
    ("a position that nobody made, and bare", 1, Policy.ALARM,
     ["block/position_unprotected", "alarm/position_unprotected"]),
    ("a position that nobody made, and bare", 1, Policy.FLATTEN,
     ["exit/0", "block/position_unprotected", "alarm/position_unprotected"]),
    ("a position that is gone", 0, Policy.ALARM, ["ask", "block/position_missing", "alarm/position_missing"]),
    ("a position that is gone", 0, Policy.ADOPT, ["ask", "adopt/position_missing", "alarm/position_missing"]),
    ("a position that is gone", 0, Policy.FLATTEN, ["ask", "adopt/position_missing", "alarm/position_missing"]),
    ("a position that is smaller", 0, Policy.ALARM, ["block/position_resized", "alarm/position_resized"]),
    ("a position that is smaller", 0, Policy.FLATTEN, ["exit/0", "alarm/position_resized"]),
    ("no stop", 0, Policy.ALARM, ["stop/0", "alarm/position_unprotected"]),
    ("no stop", 0, Policy.ADOPT, ["stop/0", "alarm/position_unprotected"]),
    ("no stop", 0, Policy.FLATTEN, ["stop/0", "alarm/position_unprotected"]),
    ("its stop was on its way long ago", 1, Policy.FLATTEN,
     ["block/position_unprotected", "alarm/position_unprotected"]),
    ("its stop was moved", 0, Policy.ALARM, ["block/stop_moved", "alarm/stop_moved"]),
    ("its stop was moved", 0, Policy.ADOPT, ["adopt/stop_moved", "alarm/stop_moved"]),
    ("its stop was moved", 0, Policy.FLATTEN, ["move/attached/1.08420/0.68", "alarm/stop_moved"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "which", "policy", "steps"), REPAIRS)
def test_what_is_done_about_it(name: str, which: int, policy: Policy, steps: list[str]) -> None:
    ours, seen, _ = DRIFT[name]
    assert [deed.step for deed in repair(found(ours, **seen)[which], policy)] == steps


def closing(deeds: tuple[Deed, ...]) -> Close:
    (deed,) = (deed for deed in deeds if isinstance(deed, Close))
    return deed


def test_what_is_flattened_is_what_the_venue_holds_less_what_is_leaving() -> None:
    """A position that has turned is closed as it is; an exit that waits is not made a second time."""
    (turned,) = found(OURS, positions=(replace(HELD, side=Side.SELL, quantity=lots("0.10")),))
    deed = closing(repair(turned, Policy.FLATTEN))
    assert (deed.side, deed.quantity, deed.about) == (Side.BUY, lots("0.10"), "p1")
    exits = replace(STOP, client_id="x1", purpose=Purpose.EXIT, quantity=lots("0.30"))
    seen = {"positions": (replace(HELD, quantity=lots("0.50")),), "working": (replace(REPORT, client_id="x1"),)}
    (smaller,) = found(Ours(positions=(POSITION,), orders=(exits,), exits_made={"p1": 1}), **seen)
    deed = closing(repair(smaller, Policy.FLATTEN))
    assert (deed.quantity, deed.step) == (lots("0.20"), "exit/1")
    (gone,) = found(
        Ours(positions=(POSITION,), orders=(replace(exits, quantity=lots("0.50")),), exits_made={"p1": 1}), **seen
    )
    assert [type(deed) for deed in repair(gone, Policy.FLATTEN)] == [Alarm]


def test_a_repair_and_management_make_one_order() -> None:
    """Both number the exits and stops of a position in the same way, so that the second one finds it made."""
    ours = Ours(positions=(POSITION,), exits_made={"p1": 2}, stops_made={"p1": 1})
    (bare,) = found(ours, positions=(BARE,))
    stop = repair(bare, Policy.ALARM)[0]
    assert isinstance(stop, PlaceStop)
    assert stop.client_id == client_id("p1/stop/1")
    assert (stop.price, stop.quantity, stop.side) == (price("1.08420"), lots("0.68"), Side.SELL)
    (smaller,) = found(ours, positions=(replace(HELD, quantity=lots("0.34")),))
    assert closing(repair(smaller, Policy.FLATTEN)).client_id == client_id("p1/exit/2")


def test_of_two_stops_the_tighter_one_protects_what_is_netted() -> None:
    ours, seen, _ = DRIFT["netted, two of ours and no stop"]
    stop = repair(found(ours, **seen)[0], Policy.ALARM)[0]
    assert isinstance(stop, PlaceStop)
    assert (stop.price, stop.quantity) == (price("1.08420"), lots("0.68"))


def test_a_stop_goes_back_to_where_we_want_it() -> None:
    (moved,) = found(OURS, positions=(replace(HELD, stop_loss=price("1.08400")),))
    deed = repair(moved, Policy.FLATTEN)[0]
    assert isinstance(deed, MoveStop)
    assert (deed.price, deed.order, moved.venue_stop) == (price("1.08420"), "", price("1.08400"))


# What must always hold

QUANTITIES = st.integers(1, 4).map(lambda steps: Quantity(Decimal(steps).scaleb(-2)))
BOOKS = st.dictionaries(st.sampled_from("abcde"), st.tuples(st.sampled_from(Side), QUANTITIES), max_size=5)


def books_of(held: dict[str, tuple[Side, Quantity]]) -> tuple[OurPosition, ...]:
    return tuple(
        replace(POSITION, id=f"p{name}", venue_id=name, symbol=name.upper(), side=side, quantity=quantity, opened_by="")
        for name, (side, quantity) in held.items()
    )


def looks_of(held: dict[str, tuple[Side, Quantity]]) -> tuple[PositionReport, ...]:
    return tuple(
        replace(HELD, id=name, symbol=name.upper(), side=side, quantity=quantity, opened_by="")
        for name, (side, quantity) in held.items()
    )


@settings(max_examples=150, deadline=None)
@given(BOOKS, BOOKS, st.sampled_from(Positions), st.randoms(use_true_random=False))
def test_every_difference_is_found_and_nothing_else(
    ours: dict[str, tuple[Side, Quantity]], theirs: dict[str, tuple[Side, Quantity]], positions: Positions, chance: Any
) -> None:
    """Hold findings to the books, in whatever order they come; taking over what was found leaves nothing to find."""
    books, looks = list(books_of(ours)), list(looks_of(theirs))
    findings = found(Ours(positions=tuple(books)), positions=tuple(looks), positions_are=positions)
    differing = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    assert {str(finding.evidence["symbol"]).lower() for finding in findings} == differing
    assert len(findings) == len(differing)
    chance.shuffle(books)
    chance.shuffle(looks)
    assert found(Ours(positions=tuple(books)), positions=tuple(looks), positions_are=positions) == findings
    assert found(Ours(positions=books_of(theirs)), positions=tuple(looks), positions_are=positions) == ()


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from(LookUp), st.booleans(), st.booleans(), st.booleans())
def test_absent_is_never_said_too_early(
    sent_ago: int, looked_ago: int, look_up: LookUp, is_asked: bool, has_fills: bool, has_working: bool
) -> None:
    """Hold ABSENT to a look that began a settle window after the sending, and that would have shown the order."""
    order = replace(ORDER, sent_at=NOW - timedelta(seconds=sent_ago))
    findings = found(
        Ours(orders=(order,)), at=NOW - timedelta(seconds=looked_ago), look_up=look_up, asked=GONE if is_asked else {},
        fills=() if has_fills else None, working=() if has_working else None,
    )  # fmt: skip
    if findings[0].kind is Kind.ORDER_ABSENT:
        assert sent_ago - looked_ago >= SETTLE.total_seconds()
        assert look_up is not LookUp.NONE
        assert is_asked if look_up is LookUp.AUTHORITATIVE else has_fills and has_working
    else:
        assert findings[0].kind is Kind.ORDER_UNKNOWN

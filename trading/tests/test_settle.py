"""Fills become results: worked examples, and that neither order nor repetition of what was told matters."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.money import Currency, Ratio
from mikrobot_platform.kernel.orders import FillReport, Purpose
from mikrobot_platform.kernel.venues import Positions
from trading.engine.settle import Booked, Charge, Settled, settle
from trading.tests.trade_world import moment, spec_of

START = moment("2026-03-10 09:00:00")
USD = Currency("USD")
ONE = Ratio(Decimal(1))
SPECS = {symbol: spec_of(symbol) for symbol in ("EURUSD", "USDJPY", "XAUUSD", "MNQ")}
NETTED, HEDGED = Positions.NETTED, Positions.HEDGED


def fill(
    number: int, text: str, *, symbol: str = "MNQ", fee: str = "0", profit: str | None = None, position: str = "",
    rate: Ratio | None = ONE, purpose: Purpose | None = None, minute: int | None = None,
) -> Booked:  # fmt: skip
    """Write down a fill: "buy 2 21000.00"."""
    side, quantity, price = text.split()
    report = FillReport(
        id=f"f{number:02}", client_id=f"c{number}", venue_order_id=f"v{number}", symbol=symbol, side=Side(side),
        quantity=Quantity(Decimal(quantity)), price=Price(Decimal(price)), fee=Decimal(fee),
        profit=None if profit is None else Decimal(profit), position_id=position,
        at=START + timedelta(minutes=number if minute is None else minute),
    )  # fmt: skip
    return Booked(fill=report, rate=rate, purpose=purpose)


def settled(*fills: Booked, positions: Positions = NETTED, **changes: object) -> Settled:
    return settle(fills, specs=SPECS, currency=USD, positions=positions, **changes)  # type: ignore[arg-type]


def money(*amounts: str) -> list[Decimal]:
    return [Decimal(amount) for amount in amounts]


# Worked examples


def test_a_netted_symbol_goes_through_zero() -> None:
    """MNQ, 2 a point: buy 2 at 21000, sell 5 at 21010 for 1.85: two close 40.00, three open; its fee is shared 0.74
    to 1.11. Buy 3 at 21000 closes 60.00."""
    found = settled(
        fill(1, "buy 2 21000", fee="0.74"), fill(2, "sell 5 21010", fee="1.85"), fill(3, "buy 3 21000", fee="1.11")
    )
    first, second = found.trades
    assert (first.id, first.side, first.opened, first.quantity) == ("MNQ:f01", Side.BUY, Decimal(2), Decimal(0))
    assert (second.id, second.side, second.opened, second.quantity) == ("MNQ:f02", Side.SELL, Decimal(3), Decimal(0))
    assert [first.gross, first.fees, first.net] == money("40.00", "1.48", "38.52")
    assert [second.gross, second.fees, second.net] == money("60.00", "2.22", "57.78")
    assert (first.opened_by, second.opened_by) == ("c1", "c2")


def test_what_is_added_moves_the_average_of_what_is_open() -> None:
    """Buy 2 at 100, sell 1 at 110, buy 1 at 120: what is open stands at 110, what opened it at 106.66...

    Closing it at 110 is nothing; the whole brought the 20 of the first part.
    """
    found = settled(
        fill(1, "buy 2 100"), fill(2, "sell 1 110"), fill(3, "buy 1 120"), first_stops={"c1": Price(Decimal(90))}
    ).trades[0]
    assert (found.average, found.entry) == (Ratio(Decimal(110)), Ratio(Decimal(320), Decimal(3)))
    assert (found.opened, found.quantity, found.net) == (Decimal(3), Decimal(2), Decimal("20.00"))
    assert found.risk == Ratio(Decimal(100))
    assert found.r == Decimal("0.2000")
    done = settled(fill(1, "buy 2 100"), fill(2, "sell 1 110"), fill(3, "buy 1 120"), fill(4, "sell 2 110")).trades[0]
    assert [part.ours for part in done.parts] == money("20.00", "0.00")
    assert not done.is_open


def test_hedged_positions_are_kept_apart() -> None:
    found = settled(
        fill(1, "buy 0.10 1.08500", symbol="EURUSD", position="p1"),
        fill(2, "sell 0.20 1.08600", symbol="EURUSD", position="p2"),
        fill(3, "sell 0.10 1.08550", symbol="EURUSD", position="p1"),
        positions=HEDGED,
    )
    one, two = found.trades
    assert (one.id, one.net, one.is_open) == ("p1", Decimal("5.00"), False)
    assert (two.id, two.net, two.is_open, two.side) == ("p2", Decimal("0"), True, Side.SELL)


def test_yen_become_dollars_at_the_rate_of_the_fill() -> None:
    """Sell 0.25 at 147.500, buy at 147.300: 5,000 JPY at 147.3 are 33.9443... dollars."""
    found = settled(
        fill(1, "sell 0.25 147.500", symbol="USDJPY", rate=Ratio(Decimal(1), Decimal("147.5"))),
        fill(2, "buy 0.25 147.300", symbol="USDJPY", rate=Ratio(Decimal(1), Decimal("147.3"))),
        first_stops={"c1": Price(Decimal("147.700"))},
    ).trades[0]  # fmt: skip
    assert found.net == Decimal("33.94")
    assert found.r == Decimal("1.0012")  # 33.94 / (5,000 / 147.5)


def test_the_venues_word_is_taken_and_the_difference_said() -> None:
    told = fill(2, "sell 1 21010.25", profit="20.48")
    found = settled(fill(1, "buy 1 21000"), told)
    (part,) = found.differences
    assert (part.ours, part.theirs, part.difference, part.profit) == tuple(money("20.50", "20.48", "-0.02", "20.48"))
    assert found.trades[0].net == Decimal("20.48")
    assert settled(fill(1, "buy 1 21000"), fill(2, "sell 1 21010.25", profit="20.50")).differences == ()


@pytest.mark.parametrize(
    ("profit", "net", "unpriced"), [(None, None, ("f02",)), ("12.34", Decimal("12.34"), ())]
)  # fmt: skip
def test_without_a_rate_only_the_venue_knows(
    profit: str | None, net: Decimal | None, unpriced: tuple[str, ...]
) -> None:
    found = settled(fill(1, "buy 1 21000"), fill(2, "sell 1 21010", rate=None, profit=profit))
    assert (found.trades[0].net, found.unpriced) == (net, unpriced)
    assert found.trades[0].r is None


def test_a_fill_that_is_told_in_two_ways_is_named_and_counts_once() -> None:
    one, other = fill(2, "sell 1 21010"), fill(2, "sell 1 21011")
    found = settled(fill(1, "buy 1 21000"), one, other)
    assert found.contradictions == ("f02",)
    assert found == settled(other, one, fill(1, "buy 1 21000"))
    assert settled(fill(1, "buy 1 21000"), one, one).contradictions == ()
    same = replace(one, fill=replace(one.fill, price=Price(Decimal("21010.00"))))
    assert settled(fill(1, "buy 1 21000"), one, same).contradictions == ()


def test_swap_belongs_to_what_was_open() -> None:
    charges = [
        Charge(id="s2", symbol="MNQ", position_id="", amount=Decimal("-1.10"), at=START + timedelta(minutes=4)),
        Charge(id="s1", symbol="MNQ", position_id="", amount=Decimal("-0.40"), at=START + timedelta(minutes=2)),
        Charge(id="s1", symbol="MNQ", position_id="", amount=Decimal("-0.40"), at=START + timedelta(minutes=2)),
        Charge(id="s0", symbol="MNQ", position_id="", amount=Decimal("-9.00"), at=START),
        Charge(id="sx", symbol="EURUSD", position_id="", amount=Decimal("-9.00"), at=START + timedelta(hours=1)),
    ]
    found = settled(fill(1, "buy 1 21000"), fill(3, "sell 2 21010"), charges=charges)
    assert [trade.swap for trade in found.trades] == money("-0.40", "-1.10")
    assert found.trades[0].net == Decimal("19.60")
    assert found.loose_charges == ("s0", "sx")
    hedged = settled(
        fill(1, "buy 1 21000", position="p1"), fill(2, "buy 1 21000", position="p2"), positions=HEDGED,
        charges=[Charge(id="s1", symbol="MNQ", position_id="p1", amount=Decimal(-2), at=START + timedelta(hours=9))],
    )  # fmt: skip
    assert [trade.swap for trade in hedged.trades] == money("-2", "0")


def test_at_one_moment_the_entry_comes_first() -> None:
    """A venue may stamp entry and exit with one second, and number them as it likes."""
    entry = fill(9, "buy 1 21000", minute=1, purpose=Purpose.ENTRY, position="p1")
    leaving = fill(2, "sell 1 21010", minute=1, purpose=Purpose.STOP, position="p1")
    (trade,) = settled(leaving, entry, positions=HEDGED).trades
    assert (trade.side, trade.net) == (Side.BUY, Decimal("20.00"))


def test_a_symbol_that_nobody_specified_has_no_profit_of_ours() -> None:
    found = settled(fill(1, "buy 1 10", symbol="XYZ"), fill(2, "sell 1 11", symbol="XYZ"))
    assert found.unpriced == ("f02",)
    assert found.trades[0].net is None


# What must always hold

FILLS = st.lists(
    st.tuples(
        st.sampled_from(["EURUSD", "MNQ"]), st.sampled_from(Side), st.integers(1, 9), st.integers(1, 200),
        st.integers(0, 300), st.sampled_from(["", "p1", "p2"]),
    ),
    min_size=1, max_size=14,
)  # fmt: skip


def written(lines: list[tuple[str, Side, int, int, int, str]]) -> list[Booked]:
    return [
        fill(
            number, f"{side} {quantity} {price}", symbol=symbol, fee=f"{Decimal(fee).scaleb(-2)}",
            position=position and f"{symbol} {position}",
            minute=number // 2,
        )
        for number, (symbol, side, quantity, price, fee, position) in enumerate(lines)
    ]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.data(), FILLS, st.sampled_from(Positions))
def test_neither_order_nor_repetition_matters(
    data: st.DataObject, lines: list[tuple[str, Side, int, int, int, str]], positions: Positions
) -> None:
    fills = written(lines)
    told = data.draw(st.permutations(fills + data.draw(st.lists(st.sampled_from(fills), max_size=5))))
    assert settled(*told, positions=positions) == settled(*fills, positions=positions)


@settings(max_examples=150, deadline=None)
@given(FILLS, st.sampled_from(Positions))
def test_no_lot_and_no_cent_goes_missing(
    lines: list[tuple[str, Side, int, int, int, str]], positions: Positions
) -> None:
    """Hold the books to the cash that moved: what was realised is what was paid and got, less what is still open.

    Each part is rounded once, so that they may be half a cent apart for each.
    """
    fills = written(lines)
    found = settled(*fills, positions=positions)
    assert sum(trade.fees for trade in found.trades) == sum(one.fill.fee for one in fills)
    for symbol in ("EURUSD", "MNQ"):
        size = Fraction(SPECS[symbol].contract_size)
        signed = [
            (one.fill.side.sign * one.fill.quantity, one.fill.price) for one in fills if one.fill.symbol == symbol
        ]
        trades = [trade for trade in found.trades if trade.symbol == symbol]
        held = sum(trade.side.sign * trade.quantity for trade in trades)
        assert held == sum(quantity for quantity, _ in signed)
        cash = -sum((Fraction(quantity) * Fraction(price) * size for quantity, price in signed), Fraction(0))
        for trade in trades:
            worth = Fraction(trade.average.top) / Fraction(trade.average.bottom) * size
            cash += trade.side.sign * Fraction(trade.quantity) * worth
        gross = sum((Fraction(trade.gross or 0) for trade in trades), Fraction(0))
        parts = sum(len(trade.parts) for trade in trades)
        assert abs(gross - cash) <= Fraction(1, 200) * parts


@settings(max_examples=60, deadline=None)
@given(FILLS, st.integers(1, 13), st.sampled_from(Positions))
def test_what_comes_later_never_changes_what_was(
    lines: list[tuple[str, Side, int, int, int, str]], cut: int, positions: Positions
) -> None:
    """Hold the parts of a prefix to staying what they were: append-only fills make append-only results."""
    fills = [
        replace(one, fill=replace(one.fill, at=START + timedelta(minutes=n))) for n, one in enumerate(written(lines))
    ]
    before, after = settled(*fills[:cut], positions=positions), settled(*fills, positions=positions)
    known = {trade.id: trade for trade in after.trades}
    for trade in before.trades:
        assert known[trade.id].parts[: len(trade.parts)] == trade.parts

"""Grids, hours, contract months and names: what an instrument is, before anybody sizes a trade in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel.futures import Anchor, ContractMonth, RollRule, contract_month
from mikrobot_platform.kernel.instruments import CFD_CLASSES, AssetClass, InstrumentSpec, Towards
from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.money import Ratio, currency, money
from mikrobot_platform.kernel.sessions import ALWAYS_OPEN, Sessions, windows
from mikrobot_platform.kernel.symbols import FutureListing, Resolved, SymbolMap

CHICAGO = ZoneInfo("America/Chicago")
D = Decimal


def spec(**changes: Any) -> InstrumentSpec:
    """Make an instrument; what is not named is a EURUSD in lots of 0.01."""
    figures: dict[str, Any] = {
        "symbol": "EURUSD", "asset_class": AssetClass.FOREX, "base": currency("EUR"), "quote": currency("USD"),
        "tick_size": D("0.00001"), "contract_size": D(100000), "pip_size": D("0.0001"), "digits": 5,
        "lot_min": D("0.01"), "lot_step": D("0.01"), "lot_max": D(100), "margin_rate": D("0.0333"),
        "sessions": ALWAYS_OPEN,
    }  # fmt: skip
    return InstrumentSpec(**figures | changes)


# --- The specification -----------------------------------------------------------------------------------------------
def test_there_are_nine_classes_of_contracts_for_difference() -> None:
    assert len(CFD_CLASSES) == 9
    assert set(AssetClass) - CFD_CLASSES == {
        AssetClass.FUTURE, AssetClass.CRYPTO_SPOT, AssetClass.CRYPTO_PERPETUAL,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tick", "value", "size"),
    [
        ("0.25", "12.5", "50"),
        ("0.03125", "31.25", "1000"),
        ("0.0000005", "6.25", "12500000"),
        ("0.01", "1000", "100000"),
    ],
)
def test_tick_value_and_contract_size_follow_from_each_other(tick: str, value: str, size: str) -> None:
    by_tick = spec(tick_size=D(tick), tick_value=D(value), contract_size=D(0), digits=7)
    by_size = spec(tick_size=D(tick), contract_size=D(size), digits=7)
    assert (by_tick.contract_size, by_size.tick_value) == (D(size), D(value))
    assert by_tick == by_size


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"symbol": "EUR USD X"}, "no symbol"),
        ({"tick_size": D(0)}, "tick_size is not above zero"),
        ({"lot_step": D("-0.01")}, "lot_step is not above zero"),
        ({"lot_max": D("0.001")}, "lot_max is below lot_min"),
        ({"digits": 4}, "more than 4 decimals"),
        ({"stops_level": D(-1)}, "below zero"),
        ({"margin_rate": D(-1)}, "below zero"),
        ({"margin_per_lot": money("100", "USD")}, "either a rate or an amount"),
        ({"tick_value": D(2)}, "do not fit"),
        ({"contract_size": D(0)}, "do not fit"),
        ({"contract_size": D(-5)}, "do not fit"),
        ({"contract_size": D(0), "tick_size": D("0.00003"), "tick_value": D(1)}, "no end"),
    ],
)
def test_what_no_venue_could_mean_is_refused(changes: Mapping[str, object], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        spec(**changes)


def test_equal_instruments_are_one_key() -> None:
    assert len({spec(sessions=GLOBEX), spec(sessions=replace(GLOBEX)), spec(digits=6, sessions=GLOBEX)}) == 2


def test_units() -> None:
    assert spec().unit == "lots"
    assert spec(asset_class=AssetClass.FUTURE).unit == "contracts"
    assert spec(asset_class=AssetClass.CRYPTO_SPOT, base=currency("BTC")).unit == "BTC"


def test_pips_and_money() -> None:
    yen = spec(symbol="EURJPY", quote=currency("JPY"), tick_size=D("0.001"), pip_size=D("0.01"), digits=3)
    assert yen.distance(D(8)) == D("0.08")
    assert yen.pips(D("0.08")) == Ratio(D("0.08"), D("0.01"))
    assert yen.value(D("0.01")) == 1000  # one pip of one lot is 1,000 JPY, and never 100 USD (mikrobot.md 3)


# --- Rounding --------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("step", "amount", "per_lot", "lots"),
    [
        ("0.01", "0.6875", "1", "0.68"),
        ("0.01", "543.9995", "54.2", "10.03"),
        ("0.01", "10", "1", "10.00"),
        ("0.01", "9.9999999999999999999999999999999999", "1", "9.99"),
        ("0.1", "0.05", "1", "0"),
        ("1", "-3", "1", "0"),
        ("0.25", "3.9", "1", "3.75"),
        ("0.00000001", "0.123456789", "1", "0.12345678"),
        ("1", "10000000.9", "1", "10000000"),
    ],
)
def test_quantities_go_down_to_the_step(step: str, amount: str, per_lot: str, lots: str) -> None:
    grid = spec(lot_step=D(step), lot_min=D(step), lot_max=D("1e8"))
    assert grid.floor_quantity(Ratio(D(amount)), Ratio(D(per_lot))) == D(lots)


steps = st.sampled_from([D(text) for text in ("0.00000001", "0.001", "0.01", "0.03", "0.1", "0.25", "1", "100")])
amounts = st.decimals(min_value=D("0.00000001"), max_value=D(10**9), places=8)


@given(steps, amounts, amounts, amounts, amounts)
def test_no_larger_multiple_of_the_step_would_fit(
    step: Decimal, a: Decimal, b: Decimal, c: Decimal, d: Decimal
) -> None:
    grid = spec(lot_step=step, lot_min=step, lot_max=D("1e30"))
    found = Fraction(grid.floor_quantity(Ratio(a, b), Ratio(c, d)))
    limit = Fraction(a) / Fraction(b) / (Fraction(c) / Fraction(d))
    assert found <= limit < found + Fraction(step)
    assert found % Fraction(step) == 0


@pytest.mark.parametrize(
    ("tick", "price", "side", "towards", "rounded"),
    [
        # A stop goes to the side of profit: nearer to the entry, never farther.
        ("0.25", "5990.10", "buy", "profit", "5990.25"),
        ("0.25", "6010.10", "sell", "profit", "6010.00"),
        ("0.25", "5990.10", "buy", "loss", "5990.00"),
        ("0.25", "6010.10", "sell", "loss", "6010.25"),
        ("0.25", "5990.25", "buy", "profit", "5990.25"),
        ("0.25", "5990.25", "sell", "loss", "5990.25"),
        ("0.25", "5990.125", "buy", "nearest", "5990.25"),
        ("0.25", "5990.12", "sell", "nearest", "5990.00"),
        ("0.00000001", "0.000025004", "buy", "profit", "0.00002501"),
        ("0.015625", "110.26", "sell", "profit", "110.25"),
        ("5", "113733.49", "buy", "nearest", "113735"),
    ],
)
def test_prices_go_to_the_tick(tick: str, price: str, side: str, towards: str, rounded: str) -> None:
    grid = spec(tick_size=D(tick), digits=8)
    found = grid.round_price(D(price), Side(side), Towards(towards))
    assert found == D(rounded)
    assert grid.is_on_tick(found)


@pytest.mark.parametrize("price", ["0", "-1"])
def test_no_price_is_rounded_that_is_none(price: str) -> None:
    with pytest.raises(ValueError, match="is no price"):
        spec().round_price(D(price), Side.BUY, Towards.NEAREST)


@given(steps, amounts, st.sampled_from(Side), st.sampled_from(Towards))
def test_a_rounded_price_is_within_a_tick_on_its_side(
    tick: Decimal, price: Decimal, side: Side, towards: Towards
) -> None:
    found = spec(tick_size=tick, digits=8).round_price(price, side, towards)
    moved = (Fraction(found) - Fraction(price)) * side.sign
    assert Fraction(found) % Fraction(tick) == 0
    match towards:
        case Towards.PROFIT:
            assert 0 <= moved < Fraction(tick)
        case Towards.LOSS:
            assert -Fraction(tick) < moved <= 0
        case Towards.NEAREST:
            assert abs(moved) <= Fraction(tick) / 2


# --- Hours -----------------------------------------------------------------------------------------------------------
THANKSGIVING, THE_DAY_AFTER = date(2026, 11, 26), date(2026, 11, 27)
GLOBEX = Sessions(
    zone="America/Chicago",
    windows=windows("Mon-Fri 17:00-16:00"),
    holidays=frozenset({date(2026, 12, 25)}),
    early_closes={THANKSGIVING: 12 * 60, THE_DAY_AFTER: 12 * 60 + 15},
    known_until=date(2026, 12, 31),
)


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-22 16:59", None),  # Sunday
        ("2026-11-22 17:00", date(2026, 11, 23)),
        ("2026-11-23 15:59", date(2026, 11, 23)),
        ("2026-11-23 16:00", None),  # the daily break
        ("2026-11-23 17:00", date(2026, 11, 24)),
        ("2026-11-25 18:00", THANKSGIVING),
        ("2026-11-26 11:59", THANKSGIVING),
        ("2026-11-26 12:00", None),  # early close
        ("2026-11-26 17:00", THE_DAY_AFTER),
        ("2026-11-27 12:15", None),
        ("2026-11-27 17:00", None),  # Friday evening
        ("2026-12-24 15:59", date(2026, 12, 24)),
        ("2026-12-24 17:00", None),  # the evening before Christmas belongs to Christmas
        ("2026-12-25 10:00", None),
        ("2026-12-31 17:30", None),  # the first day that the calendar does not know
    ],
)
def test_a_moment_belongs_to_a_trading_day_or_to_none(at: str, day: date | None) -> None:
    moment = datetime.strptime(at, "%Y-%m-%d %H:%M").replace(tzinfo=CHICAGO)
    assert GLOBEX.trading_day(moment) == day
    assert GLOBEX.trading_day(moment.astimezone(UTC)) == day
    assert GLOBEX.is_open(moment) is (day is not None)


@pytest.mark.parametrize(
    ("utc", "is_open"),
    [
        ("2026-03-06 14:29", False), ("2026-03-06 14:30", True),  # Friday, New York still on winter time
        ("2026-03-09 13:29", False), ("2026-03-09 13:30", True),  # Monday, an hour earlier
        ("2026-10-30 19:59", True), ("2026-10-30 20:00", False),
        ("2026-11-02 20:59", True), ("2026-11-02 21:00", False),
    ],
)  # fmt: skip
def test_hours_follow_the_clock_of_the_exchange(utc: str, is_open: bool) -> None:
    shares = Sessions(zone="America/New_York", windows=windows("Mon-Fri 09:30-16:00"))
    assert shares.is_open(datetime.strptime(utc, "%Y-%m-%d %H:%M").replace(tzinfo=UTC)) is is_open


def test_a_session_tells_when_it_closes() -> None:
    at = datetime(2026, 11, 25, 20, 0, tzinfo=CHICAGO)
    assert GLOBEX.closes_at(at) == datetime(2026, 11, 26, 12, 0, tzinfo=CHICAGO)
    assert GLOBEX.closes_at(datetime(2026, 11, 28, 12, 0, tzinfo=CHICAGO)) is None


def test_coins_never_sleep() -> None:
    assert all(ALWAYS_OPEN.is_open(datetime(2026, 11, day, hour, tzinfo=UTC)) for day in (1, 7, 26) for hour in (0, 23))


@pytest.mark.parametrize("text", ["", "Mon 9:30-16:00", "Mon-Fri", "Mon-Fri 09:30-24:01", "mon 09:30-16:00"])
def test_windows_are_written_in_one_way(text: str) -> None:
    with pytest.raises(ValueError, match=r"window|24:00"):
        windows(text)


def test_an_instrument_ends_with_its_last_trading_day() -> None:
    future = spec(expires=date(2026, 11, 24), sessions=GLOBEX)
    assert future.is_open(datetime(2026, 11, 24, 15, 59, tzinfo=CHICAGO))
    assert not future.is_open(datetime(2026, 11, 24, 17, 0, tzinfo=CHICAGO))  # that evening is the next trading day


# --- Contract months -------------------------------------------------------------------------------------------------
def test_years_come_before_letters() -> None:
    months = [ContractMonth(2026, 3), ContractMonth(2025, 12), ContractMonth(2026, 1)]
    assert [month.code for month in sorted(months)] == ["Z25", "F26", "H26"]


@pytest.mark.parametrize(
    ("text", "month"),
    [
        ("Z25", (2025, 12)), ("Z2025", (2025, 12)), ("12-25", (2025, 12)), ("F26", (2026, 1)), ("H7", (2027, 3)),
        ("Z5", (2025, 12)), ("Z4", (2034, 12)), ("13-25", None), ("A25", None), ("Z", None), ("Z123", None), ("", None),
    ],
)  # fmt: skip
def test_months_are_read_in_the_ways_they_are_written(text: str, month: tuple[int, int] | None) -> None:
    assert contract_month(text, near=date(2026, 6, 1)) == (None if month is None else ContractMonth(*month))


CHRISTMAS = frozenset({date(2025, 12, 25), date(2025, 11, 27), date(2026, 6, 19)})


@pytest.mark.parametrize(
    ("anchor", "month", "last_day"),
    [
        # As CME Group's calendars have them.
        (Anchor.THIRD_FRIDAY, (2025, 12), date(2025, 12, 19)),
        (Anchor.THIRD_FRIDAY, (2026, 3), date(2026, 3, 20)),
        (Anchor.THIRD_FRIDAY, (2026, 6), date(2026, 6, 18)),  # the third Friday is Juneteenth
        (Anchor.BEFORE_THIRD_WEDNESDAY, (2025, 12), date(2025, 12, 15)),
        (Anchor.BEFORE_25TH, (2026, 1), date(2025, 12, 19)),  # the 25th is Christmas
        (Anchor.BEFORE_25TH, (2025, 12), date(2025, 11, 20)),
        (Anchor.THIRD_LAST_DAY, (2025, 12), date(2025, 12, 29)),
        (Anchor.THIRD_LAST_DAY_BEFORE, (2026, 1), date(2025, 12, 29)),
        (Anchor.SEVENTH_BEFORE_LAST_DAY, (2025, 12), date(2025, 12, 19)),
        (Anchor.FIRST_NOTICE, (2025, 12), date(2025, 11, 28)),
        (Anchor.LAST_FRIDAY, (2025, 11), date(2025, 11, 28)),
        (Anchor.BEFORE_15TH, (2025, 12), date(2025, 12, 12)),
    ],
)
def test_last_trading_days(anchor: Anchor, month: tuple[int, int], last_day: date) -> None:
    rule = RollRule(months="FGHJKMNQUVXZ", last_trade=anchor, roll=anchor, days_before=0)
    assert rule.last_trading_day(ContractMonth(*month), CHRISTMAS) == last_day


def test_every_anchor_is_in_the_table_above() -> None:
    mark = next(mark for mark in test_last_trading_days.pytestmark if mark.name == "parametrize")  # type: ignore[attr-defined]
    assert {row[0] for row in mark.args[1]} == set(Anchor)


INDEX = RollRule(months="HMUZ", last_trade=Anchor.THIRD_FRIDAY, roll=Anchor.THIRD_FRIDAY, days_before=4)


@pytest.mark.parametrize(
    ("on", "front"),
    [
        (date(2025, 12, 14), "Z25"), (date(2025, 12, 15), "H26"), (date(2025, 12, 31), "H26"),
        (date(2026, 3, 15), "H26"), (date(2026, 3, 16), "M26"), (date(2031, 1, 1), "H31"),
    ],
)  # fmt: skip
def test_the_front_month_rolls_by_rule(on: date, front: str) -> None:
    assert INDEX.front_month(on).code == front


@given(st.dates(min_value=date(2020, 1, 1), max_value=date(2099, 1, 1)), st.sampled_from(Anchor))
def test_the_front_month_never_goes_back_and_can_be_traded(on: date, anchor: Anchor) -> None:
    rule = RollRule(months="GJMQVZ", last_trade=anchor, roll=anchor, days_before=3)
    front = rule.front_month(on)
    assert front <= rule.front_month(date.fromordinal(on.toordinal() + 1))
    assert rule.last_trading_day(front) >= on
    assert rule.is_listed(front)


@pytest.mark.parametrize("months", ["", "HMUA", "hmuz"])
def test_a_roll_rule_names_months(months: str) -> None:
    with pytest.raises(ValueError, match="no contract months"):
        replace(INDEX, months=months)


# --- Names -----------------------------------------------------------------------------------------------------------
NQ = FutureListing(rule=INDEX, micro="MNQ", micro_ratio=D(10))
BEFORE_ROLL, AFTER_ROLL = datetime(2025, 12, 15, 5, 59, tzinfo=UTC), datetime(2025, 12, 15, 6, 0, tzinfo=UTC)
FX = SymbolMap(
    codes={"EURUSD", "GER40", "BTCUSD", "XAUUSD"},
    aliases={"DAX": "GER40", "GOLD": "XAUUSD"},
    names={"GER40": "DE40.cash"},
    suffix=".m",
    source_suffixes=(".pro", "+"),
)
FUTURES = SymbolMap(
    codes={"NQ", "MNQ", "ES"}, futures={"NQ": NQ, "ES": FutureListing(rule=INDEX)}, aliases={"ENQ": "NQ"}
)
MICROS = replace(FUTURES, trades_micros=True)


@pytest.mark.parametrize(
    ("table", "symbol", "expected"),
    [
        (FX, "EURUSD", Resolved(code="EURUSD", name="EURUSD.m")),
        (FX, "EURUSD.pro", Resolved(code="EURUSD", name="EURUSD.m")),
        (FX, "EURUSD+", Resolved(code="EURUSD", name="EURUSD.m")),
        (FX, "DAX", Resolved(code="GER40", name="DE40.cash")),
        (FX, "GOLD.pro", Resolved(code="XAUUSD", name="XAUUSD.m")),
        # Nothing is read out of a part of a name.
        (FX, "EURUSD.x", None), (FX, "EURUSDT", None), (FX, "XEURUSD", None), (FX, "eurusd", None), (FX, "USD", None),
        (FX, "ETHUSD", None), (FX, "", None), (FX, ".pro", None), (FX, "NQ1!", None), (FX, "NQZ25", None),
        (FUTURES, "NQ", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "NQ1!", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "ENQ", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "ENQZ25", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "NQH26", Resolved(code="NQ", name="NQH26", month=ContractMonth(2026, 3))),
        (FUTURES, "NQZ2025", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "NQZ5", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "NQ 12-25", Resolved(code="NQ", name="NQZ25", month=ContractMonth(2025, 12))),
        (FUTURES, "NQU25", None),  # expired
        (FUTURES, "NQF26", None),  # no such month
        (FUTURES, "NQ2!", None), (FUTURES, "CLZ25", None), (FUTURES, "NQ 13-25", None), (FUTURES, "QZ25", None),
        (MICROS, "NQ1!", Resolved(code="MNQ", name="MNQZ25", ratio=D(10), month=ContractMonth(2025, 12))),
        (MICROS, "ES", Resolved(code="ES", name="ESZ25", month=ContractMonth(2025, 12))),
    ],
)  # fmt: skip
def test_symbols_are_looked_up(table: SymbolMap, symbol: str, expected: Resolved | None) -> None:
    assert table.resolve(symbol, BEFORE_ROLL) == expected


def test_names_roll_at_midnight_in_chicago_and_the_old_month_is_refused() -> None:
    before, after = FUTURES.resolve("NQ1!", BEFORE_ROLL), FUTURES.resolve("NQ1!", AFTER_ROLL)
    assert before is not None
    assert after is not None
    assert (before.name, after.name) == ("NQZ25", "NQH26")
    assert FUTURES.resolve("NQZ25", BEFORE_ROLL) is not None
    assert FUTURES.resolve("NQZ25", AFTER_ROLL) is None


def test_a_micro_that_the_account_does_not_trade_is_not_taken() -> None:
    assert replace(MICROS, codes={"NQ"}).resolve("NQ1!", BEFORE_ROLL) is None


@given(st.text(alphabet="EURUSDTNQZ125.!+ -", max_size=10))
def test_only_what_is_in_the_tables_comes_out(text: str) -> None:
    for table in (FX, FUTURES, MICROS):
        found = table.resolve(text, BEFORE_ROLL)
        assert found is None or found.code in table.codes

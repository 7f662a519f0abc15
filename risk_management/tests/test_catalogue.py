"""The catalogue says what its sources say, for every class, and answers only to exact symbols."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from mikrobot_platform.kernel.instruments import AssetClass
from risk_management.catalogue import CATALOGUE, exchange, find, hours

D = Decimal
NEW_YORK, CHICAGO = ZoneInfo("America/New_York"), ZoneInfo("America/Chicago")


def test_every_class_is_there_and_every_line_names_its_source() -> None:
    assert {entry.spec.asset_class for entry in CATALOGUE.values()} == set(AssetClass)
    assert all(entry.source for entry in CATALOGUE.values())


# symbol, tick size, money per tick
TICKS = """
ES .25 12.5, MES .25 1.25, NQ .25 5, MNQ .25 .5, YM 1 5, MYM 1 .5, RTY .1 5, M2K .1 .5, CL .01 10, MCL .01 1,
NG .001 10, GC .1 10, MGC .1 1, SI .005 25, SIL .005 5, HG .0005 12.5, ZB .03125 31.25, ZN .015625 15.625,
ZF .0078125 7.8125, 6E .00005 6.25, M6E .0001 1.25, 6B .0001 6.25, 6J .0000005 6.25, 6A .00005 5, 6C .00005 5,
6S .00005 6.25, ZC .25 12.5, ZW .25 12.5, ZS .25 12.5, MBT 5 .5, MET .5 .05
"""


@pytest.mark.parametrize("line", [line.split() for line in TICKS.replace("\n", " ").split(",")])
def test_futures_have_the_tick_values_of_the_exchange(line: list[str]) -> None:
    symbol, size, value = line
    spec = find(symbol)
    assert spec is not None
    assert (spec.tick_size, spec.tick_value) == (D(size), D(value))


def test_no_future_is_missing_from_that_table_and_none_brings_a_margin() -> None:
    futures = [entry.spec for entry in CATALOGUE.values() if entry.spec.asset_class is AssetClass.FUTURE]
    assert {spec.symbol for spec in futures} == {line.split()[0] for line in TICKS.replace("\n", " ").split(",")}
    assert all(spec.margin_rate is None and spec.margin_per_lot is None and spec.roll for spec in futures)


def test_a_micro_is_its_product_divided_by_the_ratio() -> None:
    for product, listing in exchange.listings().items():
        if listing.micro is None:
            continue
        whole, part = find(product), find(listing.micro)
        assert whole is not None
        assert part is not None
        assert whole.contract_size == part.contract_size * listing.micro_ratio, product


@pytest.mark.parametrize(
    ("symbol", "pip_money", "quote"),
    [
        # One pip of one lot, in the quote currency: mikrobot.md 3.
        ("EURUSD", "10", "USD"), ("EURJPY", "1000", "JPY"), ("USDCAD", "10", "CAD"), ("US30", "1", "USD"),
        ("BTCUSD", "1", "USD"), ("ETHUSD", "0.1", "USD"), ("BCHUSD", "0.01", "USD"), ("XAUUSD", "10", "USD"),
        ("XAGUSD", "50", "USD"), ("USOIL", "10", "USD"), ("NATGAS", "10", "USD"), ("CORN", "0.5", "USD"),
        ("BUND10Y", "10", "EUR"), ("_FERRARI.IT", "0.01", "EUR"), ("VOD.UK", "0.01", "GBX"), ("SPY", "0.01", "USD"),
    ],
)  # fmt: skip
def test_what_a_pip_is_worth(symbol: str, pip_money: str, quote: str) -> None:
    spec = find(symbol)
    assert spec is not None
    assert (spec.value(spec.pip_size), spec.quote) == (D(pip_money), quote)


@pytest.mark.parametrize(
    ("symbol", "asset_class"),
    [("BTCUSD", "crypto"), ("XAUUSD", "metal"), ("EURUSD", "forex"), ("BTCUSDT", "crypto_spot"), ("US30", "index")],
)
def test_a_class_comes_from_the_table_and_not_from_letters(symbol: str, asset_class: str) -> None:
    spec = find(symbol)
    assert spec is not None
    assert spec.asset_class == asset_class


@pytest.mark.parametrize("symbol", ["", "eurusd", "EURUSD.m", "EURUS", "USD", "XAUUSDX", "NQ1!"])
def test_nearly_a_symbol_is_no_symbol(symbol: str) -> None:
    assert find(symbol) is None


@pytest.mark.parametrize(
    ("year", "day"),
    [(2024, date(2024, 3, 31)), (2025, date(2025, 4, 20)), (2026, date(2026, 4, 5)), (2030, date(2030, 4, 21))],
)
def test_easter(year: int, day: date) -> None:
    assert hours.easter(year) == day


@pytest.mark.parametrize(
    ("symbol", "zone", "at", "is_open"),
    [
        ("AAPL", NEW_YORK, (2026, 11, 25, 15, 59), True),
        ("AAPL", NEW_YORK, (2026, 11, 26, 11, 0), False),  # Thanksgiving
        ("AAPL", NEW_YORK, (2026, 11, 27, 12, 59), True),
        ("AAPL", NEW_YORK, (2026, 11, 27, 13, 0), False),
        ("AAPL", NEW_YORK, (2026, 7, 3, 11, 0), False),  # the 4th is a Saturday
        ("AAPL", NEW_YORK, (2026, 4, 3, 11, 0), False),  # Good Friday
        ("AAPL", NEW_YORK, (2026, 6, 19, 11, 0), False),
        ("AAPL", NEW_YORK, (2027, 12, 31, 11, 0), True),  # New Year's Day is a Saturday and not brought forward
        ("ES", CHICAGO, (2026, 11, 26, 11, 59), True),
        ("ES", CHICAGO, (2026, 11, 26, 12, 0), False),
        ("ES", CHICAGO, (2026, 11, 25, 16, 30), False),
        ("ES", CHICAGO, (2026, 12, 24, 17, 30), False),
        ("ES", CHICAGO, (2031, 1, 2, 10, 0), False),  # past the calendar
        ("ZC", CHICAGO, (2026, 11, 24, 8, 0), False),  # the pause between night and day
        ("ZC", CHICAGO, (2026, 11, 24, 20, 0), True),
        ("EURUSD", NEW_YORK, (2026, 11, 22, 17, 0), True),
        ("EURUSD", NEW_YORK, (2026, 11, 27, 16, 59), True),
        ("EURUSD", NEW_YORK, (2026, 11, 27, 17, 0), False),
        ("VOD.UK", ZoneInfo("Europe/London"), (2026, 12, 28, 10, 0), False),  # Boxing Day is a Saturday
        ("VOD.UK", ZoneInfo("Europe/London"), (2026, 12, 24, 12, 30), False),
        ("_FERRARI.IT", ZoneInfo("Europe/Rome"), (2026, 5, 1, 10, 0), False),
        ("_FERRARI.IT", ZoneInfo("Europe/Rome"), (2026, 12, 28, 10, 0), True),
        ("BTCUSD", UTC, (2026, 12, 25, 3, 0), True),
    ],
)  # fmt: skip
def test_hours_and_holidays(symbol: str, zone: ZoneInfo, at: tuple[int, ...], is_open: bool) -> None:
    spec = find(symbol)
    assert spec is not None
    year, month, day, hour, minute = at
    assert spec.is_open(datetime(year, month, day, hour, minute, tzinfo=zone)) is is_open


@pytest.mark.parametrize(
    ("product", "on", "front"),
    [
        ("ES", date(2026, 11, 20), "Z26"), ("CL", date(2026, 11, 20), "F27"), ("CL", date(2026, 11, 10), "Z26"),
        ("GC", date(2026, 11, 20), "Z26"), ("GC", date(2026, 11, 28), "G27"), ("ZN", date(2026, 11, 27), "Z26"),
        ("ZN", date(2026, 11, 28), "H27"), ("6E", date(2026, 12, 10), "H27"), ("SI", date(2026, 11, 28), "H27"),
    ],
)  # fmt: skip
def test_front_months(product: str, on: date, front: str) -> None:
    spec = find(product)
    assert spec is not None
    assert spec.roll is not None
    assert spec.roll.front_month(on, hours.FUTURES_HOLIDAYS).code == front

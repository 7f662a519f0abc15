"""What the paper venue lists, and about where prices begin: the catalogue's instruments, futures by contract month."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from functools import cache

from mikrobot_platform.kernel.futures import contract_month
from mikrobot_platform.kernel.instruments import AssetClass, InstrumentSpec, Towards
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.money import EXACT, Ratio, Rounding
from risk_management.catalogue import CATALOGUE

# About what one unit was worth in USD when this was written. Nobody trades on it: it only puts paper prices into the
# range that a person expects.
_IN_USD: Mapping[str, str] = {
    "USD": "1", "EUR": "1.16", "GBP": "1.32", "CHF": "1.24", "AUD": "0.65", "NZD": "0.57", "CAD": "0.71",
    "JPY": "0.0065", "SEK": "0.105", "NOK": "0.099", "DKK": "0.155", "PLN": "0.272", "HUF": "0.003", "CZK": "0.0478",
    "TRY": "0.0237", "ZAR": "0.0578", "MXN": "0.0545", "SGD": "0.77", "HKD": "0.1285", "CNH": "0.1405", "USDT": "1",
    "BTC": "90000", "ETH": "3000", "SOL": "135", "XRP": "2.1", "BCH": "520", "LTC": "85", "SHIB": "0.0000085",
}  # fmt: skip
_STARTS: Mapping[str, str] = {
    "US30": "47000", "US500": "6750", "US100": "24800", "US2000": "2450", "GER40": "23900", "UK100": "9700",
    "FRA40": "8100", "EU50": "5650", "JP225": "49500", "AUS200": "8600", "XAUUSD": "4100", "XAGUSD": "51",
    "XPTUSD": "1550", "XPDUSD": "1400", "USOIL": "59", "UKOIL": "63", "NATGAS": "4.4", "CORN": "430", "WHEAT": "530",
    "SOYBEAN": "1120", "COFFEE": "400", "SUGAR": "14.8", "COTTON": "62", "COCOA": "5200", "BUND10Y": "129",
    "GILT10Y": "92", "USTNOTE10Y": "113", "_FERRARI.IT": "350", "_STELLANTIS.IT": "8.8", "AAPL": "272", "MSFT": "480",
    "NVDA": "180", "TSLA": "400", "VOD.UK": "92", "BP.UK": "455", "SPY": "670", "QQQ": "600", "IWM": "240",
    "GLD": "378", "TLT": "90", "ES": "6750", "MES": "6750", "NQ": "24800", "MNQ": "24800", "RTY": "2450", "M2K": "2450",
    "YM": "47000", "MYM": "47000", "GC": "4100", "MGC": "4100", "SI": "51", "SIL": "51", "HG": "5.1", "CL": "59",
    "MCL": "59", "NG": "4.4", "ZB": "117", "ZN": "113", "ZF": "109", "6E": "1.16", "M6E": "1.16", "6B": "1.32",
    "6J": "0.0065", "6A": "0.65", "6C": "0.71", "6S": "1.24", "ZC": "430", "ZW": "530", "ZS": "1120", "MBT": "90000",
    "MET": "3000",
}  # fmt: skip
# Ticks between bid and ask.
_SPREADS: Mapping[AssetClass, int] = {
    AssetClass.FOREX: 10, AssetClass.INDEX: 10, AssetClass.METAL: 20, AssetClass.ENERGY: 3, AssetClass.CRYPTO: 1000,
    AssetClass.BOND: 2, AssetClass.SHARE: 2, AssetClass.AGRICULTURAL: 10,
}  # fmt: skip
_NEAR = date(2026, 1, 1)  # a contract month of one digit is not listed, so nothing depends on it


@cache
def spec(symbol: str) -> InstrumentSpec | None:
    """Find how a symbol is traded: a name of the catalogue, or a future's product with its month (MNQZ26)."""
    if (entry := CATALOGUE.get(symbol)) is not None:
        return entry.spec
    product, code = symbol[:-3], symbol[-3:]
    entry, month = CATALOGUE.get(product), contract_month(code, near=_NEAR)
    if entry is None or month is None or entry.spec.roll is None or not entry.spec.roll.is_listed(month):
        return None
    return replace(
        entry.spec, symbol=symbol, expires=entry.spec.roll.last_trading_day(month), roll=None,
        tick_value=entry.spec.tick_value,
    )  # fmt: skip


@cache
def start(symbol: str) -> Price:
    """Return about where a listed symbol begins, on its grid."""
    found = spec(symbol)
    assert found is not None
    written = _STARTS.get(symbol) or _STARTS.get(symbol[:-3])
    if written is not None:
        price = Decimal(written)
    else:
        base, quote = Decimal(_IN_USD[found.base or "USD"]), Decimal(_IN_USD[found.quote])
        grid = found.tick_size.scaleb(-2)
        price = Ratio(base, quote).rounded(grid, Rounding.NEAREST)
    return found.round_price(max(price, EXACT.multiply(found.tick_size, Decimal(1000))), Side.BUY, Towards.NEAREST)


def spread_ticks(symbol: str) -> int:
    """Return how many ticks lie between bid and ask."""
    found = spec(symbol)
    return _SPREADS.get(found.asset_class, 1) if found else 1

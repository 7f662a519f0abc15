"""Futures of CME Group, and coins on exchanges.

A future has no margin here: it changes by the day and by the broker, so the venue must tell it, and until then nothing
is sized. The venue's own tick size and tick value come first as well; these are for tests, backtests and comparison.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from mikrobot_platform.kernel.futures import Anchor, RollRule
from mikrobot_platform.kernel.instruments import AssetClass, InstrumentSpec
from mikrobot_platform.kernel.market import decimals
from mikrobot_platform.kernel.money import currency
from mikrobot_platform.kernel.sessions import Sessions
from mikrobot_platform.kernel.symbols import FutureListing
from risk_management.catalogue import hours
from risk_management.catalogue.entry import ESMA_CRYPTO, Entry

_FACTS = "futures-and-venues.md A1"
_CME = "CME Group contract specifications"

# Since June 2022 the lead month of index futures changes on the Monday before the third Friday (CME roll procedure).
INDEX_ROLL = RollRule(months="HMUZ", last_trade=Anchor.THIRD_FRIDAY, roll=Anchor.THIRD_FRIDAY, days_before=4)
# The other rolls are ours: some days before last trade, or, where goods are delivered, before first notice.
FX_ROLL = RollRule(
    months="HMUZ", last_trade=Anchor.BEFORE_THIRD_WEDNESDAY, roll=Anchor.BEFORE_THIRD_WEDNESDAY, days_before=4
)
OIL_ROLL = RollRule(
    months="FGHJKMNQUVXZ", last_trade=Anchor.BEFORE_25TH, roll=Anchor.BEFORE_25TH, days_before=3
)  # fmt: skip
GAS_ROLL = RollRule(
    months="FGHJKMNQUVXZ", last_trade=Anchor.THIRD_LAST_DAY_BEFORE, roll=Anchor.THIRD_LAST_DAY_BEFORE, days_before=3
)
GOLD_ROLL = RollRule(months="GJMQVZ", last_trade=Anchor.THIRD_LAST_DAY, roll=Anchor.FIRST_NOTICE, days_before=2)
SILVER_ROLL = RollRule(months="HKNUZ", last_trade=Anchor.THIRD_LAST_DAY, roll=Anchor.FIRST_NOTICE, days_before=2)
BOND_ROLL = RollRule(
    months="HMUZ", last_trade=Anchor.SEVENTH_BEFORE_LAST_DAY, roll=Anchor.FIRST_NOTICE, days_before=2
)  # fmt: skip
GRAIN_ROLL = RollRule(months="HKNUZ", last_trade=Anchor.BEFORE_15TH, roll=Anchor.FIRST_NOTICE, days_before=2)
SOY_ROLL = RollRule(months="FHKNQUX", last_trade=Anchor.BEFORE_15TH, roll=Anchor.FIRST_NOTICE, days_before=2)
COIN_ROLL = RollRule(
    months="FGHJKMNQUVXZ", last_trade=Anchor.LAST_FRIDAY, roll=Anchor.LAST_FRIDAY, days_before=2
)  # fmt: skip

# product, tick size, money per point, roll, hours, source
_FUTURES: tuple[tuple[str, str, str, RollRule, Sessions, str], ...] = (
    ("ES", "0.25", "50", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("MES", "0.25", "5", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("NQ", "0.25", "20", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("MNQ", "0.25", "2", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("RTY", "0.10", "50", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("M2K", "0.10", "5", INDEX_ROLL, hours.GLOBEX, _FACTS + "; money per point: " + _CME),
    ("YM", "1", "5", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("MYM", "1", "0.5", INDEX_ROLL, hours.GLOBEX, _FACTS),
    ("GC", "0.10", "100", GOLD_ROLL, hours.GLOBEX, _FACTS),
    ("MGC", "0.10", "10", GOLD_ROLL, hours.GLOBEX, _FACTS),
    ("SI", "0.005", "5000", SILVER_ROLL, hours.GLOBEX, _FACTS),
    ("SIL", "0.005", "1000", SILVER_ROLL, hours.GLOBEX, _CME),
    ("HG", "0.0005", "25000", SILVER_ROLL, hours.GLOBEX, _CME),
    ("CL", "0.01", "1000", OIL_ROLL, hours.GLOBEX, _FACTS),
    ("MCL", "0.01", "100", OIL_ROLL, hours.GLOBEX, _FACTS),
    ("NG", "0.001", "10000", GAS_ROLL, hours.GLOBEX, _FACTS + "; money per point: " + _CME),
    ("ZB", "0.03125", "1000", BOND_ROLL, hours.GLOBEX, _CME),
    ("ZN", "0.015625", "1000", BOND_ROLL, hours.GLOBEX, _CME),
    ("ZF", "0.0078125", "1000", BOND_ROLL, hours.GLOBEX, _CME),
    ("6E", "0.00005", "125000", FX_ROLL, hours.GLOBEX, _FACTS + "; tick size: " + _CME),
    ("M6E", "0.0001", "12500", FX_ROLL, hours.GLOBEX, _CME),
    ("6B", "0.0001", "62500", FX_ROLL, hours.GLOBEX, _CME),
    ("6J", "0.0000005", "12500000", FX_ROLL, hours.GLOBEX, _CME),
    ("6A", "0.00005", "100000", FX_ROLL, hours.GLOBEX, _CME),
    ("6C", "0.00005", "100000", FX_ROLL, hours.GLOBEX, _CME),
    ("6S", "0.00005", "125000", FX_ROLL, hours.GLOBEX, _CME),
    ("ZC", "0.25", "50", GRAIN_ROLL, hours.GRAINS, _CME),
    ("ZW", "0.25", "50", GRAIN_ROLL, hours.GRAINS, _CME),
    ("ZS", "0.25", "50", SOY_ROLL, hours.GRAINS, _CME),
    ("MBT", "5", "0.1", COIN_ROLL, hours.GLOBEX, _CME),
    ("MET", "0.5", "0.1", COIN_ROLL, hours.GLOBEX, _CME),
)

# Product -> the micro that may take its place, and how many of them make one: money per point of one over the other's.
MICROS: Mapping[str, tuple[str, str]] = {
    "ES": ("MES", "10"), "NQ": ("MNQ", "10"), "RTY": ("M2K", "10"), "YM": ("MYM", "10"), "GC": ("MGC", "10"),
    "SI": ("SIL", "5"), "CL": ("MCL", "10"), "6E": ("M6E", "10"),
}  # fmt: skip

# base, quote, tick, step and smallest quantity, largest. The venue's filters replace them (they change without notice).
_COINS = (
    ("BTC", "USDT", "0.01", "0.00001", "9000"),
    ("ETH", "USDT", "0.01", "0.0001", "9000"),
    ("SOL", "USDT", "0.01", "0.001", "90000"),
    ("XRP", "USDT", "0.0001", "0.1", "9000000"),
    ("SHIB", "USDT", "0.00000001", "1", "10000000"),
    ("ETH", "BTC", "0.00001", "0.0001", "9000"),
)


def entries() -> Iterator[Entry]:
    """Give every future, coin and perpetual."""
    for product, tick, point, roll, opening, source in _FUTURES:
        size = Decimal(tick)
        yield Entry(
            source=source,
            spec=InstrumentSpec(
                symbol=product,
                asset_class=AssetClass.FUTURE,
                quote=currency("USD"),
                tick_size=size,
                contract_size=Decimal(point),
                pip_size=size,  # a distance on futures is counted in ticks
                digits=decimals(size),
                lot_min=Decimal(1),
                lot_step=Decimal(1),
                lot_max=Decimal(500),
                roll=roll,
                sessions=opening,
            ),
        )
    for base, quote, tick, step, largest in _COINS:
        for suffix, asset_class in (("", AssetClass.CRYPTO_SPOT), (".P", AssetClass.CRYPTO_PERPETUAL)):
            if suffix and quote != "USDT":  # perpetuals against a coin are not linear
                continue
            yield Entry(
                source="usual filters of coin exchanges; perpetual: margin as for contracts for difference (ESMA)",
                spec=InstrumentSpec(
                    symbol=base + quote + suffix,
                    asset_class=asset_class,
                    base=currency(base),
                    quote=currency(quote),
                    tick_size=Decimal(tick),
                    contract_size=Decimal(1),
                    pip_size=Decimal(tick),
                    digits=decimals(Decimal(tick)),
                    lot_min=Decimal(step),
                    lot_step=Decimal(step),
                    lot_max=Decimal(largest),
                    margin_rate=Decimal(ESMA_CRYPTO) if suffix else Decimal(1),  # a coin is paid in full
                    sessions=hours.ROUND_THE_CLOCK,
                ),
            )


def listings() -> Mapping[str, FutureListing]:
    """Give the table that a symbol map needs to find front months and micros."""
    found: dict[str, FutureListing] = {}
    for product, _tick, _point, roll, _hours, _source in _FUTURES:
        micro, ratio = MICROS.get(product, (None, "1"))
        found[product] = FutureListing(rule=roll, micro=micro, micro_ratio=Decimal(ratio))
    return found

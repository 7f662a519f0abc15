"""The nine classes of contracts for difference, as retail brokers write them.

Pip sizes are those of mikrobot.md 3; margins those of ESMA. Contract and lot sizes differ from broker to broker: where
no figure of a real account is known they are the usual ones, the source says so, and the account's own replace them.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from mikrobot_platform.kernel.instruments import AssetClass, InstrumentSpec
from mikrobot_platform.kernel.money import currency
from mikrobot_platform.kernel.sessions import Sessions
from risk_management.catalogue import hours
from risk_management.catalogue.entry import (
    ESMA_COMMODITY,
    ESMA_CRYPTO,
    ESMA_MAJOR_FOREX,
    ESMA_OTHER_FOREX,
    ESMA_SHARE,
    Entry,
)

_USUAL = "usual figures of retail brokers; margin: ESMA Decision (EU) 2018/796"
_SEEN = "seen on a live account (mikrobot.md 3); margin: ESMA Decision (EU) 2018/796"
_LOT_MAX = "100"  # where no broker's figure is known

# Pairs whose two currencies are both among these have the lowest margin (ESMA, Annex I).
_MAJORS = frozenset(("USD", "EUR", "JPY", "GBP", "CAD", "CHF"))
_PAIRS = (
    "EURUSD GBPUSD AUDUSD NZDUSD USDJPY USDCHF USDCAD EURGBP EURJPY EURCHF EURCAD EURAUD EURNZD GBPJPY GBPCHF GBPCAD"
    " GBPAUD GBPNZD AUDJPY AUDCHF AUDCAD AUDNZD NZDJPY NZDCHF NZDCAD CADJPY CADCHF CHFJPY"
    " USDSEK USDNOK USDDKK USDPLN USDHUF USDCZK USDTRY USDZAR USDMXN USDSGD USDHKD USDCNH EURSEK EURNOK EURPLN EURHUF"
)
_LARGEST = {"EURUSD": "201", "USDCAD": "150"}  # mikrobot.md 3
_COARSE = frozenset(("JPY", "HUF"))  # quoted to three decimals, with a pip of 0.01


def _spec(
    symbol: str, asset_class: AssetClass, quote: str, *, digits: int, pip: str, contract: str, margin: str,
    sessions: Sessions, base: str = "", lot_min: str = "0.01", lot_max: str = _LOT_MAX,
) -> InstrumentSpec:  # fmt: skip
    return InstrumentSpec(
        symbol=symbol,
        asset_class=asset_class,
        base=currency(base) if base else None,
        quote=currency(quote),
        tick_size=Decimal(1).scaleb(-digits),
        contract_size=Decimal(contract),
        pip_size=Decimal(pip),
        digits=digits,
        lot_min=Decimal(lot_min),
        lot_step=Decimal(lot_min),
        lot_max=Decimal(lot_max),
        margin_rate=Decimal(margin),
        sessions=sessions,
    )


def _forex() -> Iterator[Entry]:
    for pair in _PAIRS.split():
        base, quote = pair[:3], pair[3:]  # how this table writes a pair; nothing is read from a symbol elsewhere
        is_coarse = quote in _COARSE
        yield Entry(
            source=_SEEN if pair in _LARGEST else _USUAL,
            spec=_spec(
                pair, AssetClass.FOREX, quote, base=base,
                digits=3 if is_coarse else 5, pip="0.01" if is_coarse else "0.0001", contract="100000",
                margin=ESMA_MAJOR_FOREX if {base, quote} <= _MAJORS else ESMA_OTHER_FOREX,
                sessions=hours.CURRENCIES, lot_max=_LARGEST.get(pair, _LOT_MAX),
            ),
        )  # fmt: skip


# symbol, quote currency, digits, margin
_INDICES = (
    ("US30", "USD", 0, ESMA_OTHER_FOREX),  # digits: mikrobot.md 3
    ("US500", "USD", 1, ESMA_OTHER_FOREX),
    ("US100", "USD", 1, ESMA_OTHER_FOREX),
    ("US2000", "USD", 1, ESMA_COMMODITY),
    ("GER40", "EUR", 1, ESMA_OTHER_FOREX),
    ("UK100", "GBP", 1, ESMA_OTHER_FOREX),
    ("FRA40", "EUR", 1, ESMA_OTHER_FOREX),
    ("EU50", "EUR", 1, ESMA_OTHER_FOREX),
    ("JP225", "JPY", 0, ESMA_OTHER_FOREX),
    ("AUS200", "AUD", 1, ESMA_OTHER_FOREX),
)
# symbol, base, digits, pip, smallest lot
_CRYPTO = (
    ("BTCUSD", "BTC", 2, "1", "0.0001"),  # smallest lot: mikrobot.md 3
    ("ETHUSD", "ETH", 2, "0.1", "0.01"),
    ("BCHUSD", "BCH", 2, "0.01", "0.01"),
    ("LTCUSD", "LTC", 2, "0.01", "0.01"),
    ("SOLUSD", "SOL", 2, "0.01", "0.01"),
    ("XRPUSD", "XRP", 5, "0.01", "1"),
)
# symbol, digits, pip, contract (troy ounces), margin
_METALS = (
    ("XAUUSD", 2, "0.1", "100", ESMA_OTHER_FOREX),
    ("XAGUSD", 3, "0.01", "5000", ESMA_COMMODITY),
    ("XPTUSD", 2, "0.1", "100", ESMA_COMMODITY),
    ("XPDUSD", 2, "0.1", "100", ESMA_COMMODITY),
)
# symbol, digits, pip, contract (barrels, MMBtu)
_ENERGIES = (("USOIL", 2, "0.01", "1000"), ("UKOIL", 2, "0.01", "1000"), ("NATGAS", 3, "0.001", "10000"))
# symbol, contract: money per point. All but cocoa are priced in cents: 5,000 bushels make 50 USD a point.
_AGRICULTURALS = (
    ("CORN", "50"), ("WHEAT", "50"), ("SOYBEAN", "50"), ("COFFEE", "375"), ("SUGAR", "1120"), ("COTTON", "500"),
    ("COCOA", "10"),
)  # fmt: skip
_BONDS = (("BUND10Y", "EUR"), ("GILT10Y", "GBP"), ("USTNOTE10Y", "USD"))
# symbol, quote, hours, largest lot
_SHARES = (
    ("_FERRARI.IT", "EUR", hours.MILAN, "30"),  # digits and largest lot: mikrobot.md 2
    ("_STELLANTIS.IT", "EUR", hours.MILAN, "30"),
    ("AAPL", "USD", hours.NEW_YORK, "10000"),
    ("MSFT", "USD", hours.NEW_YORK, "10000"),
    ("NVDA", "USD", hours.NEW_YORK, "10000"),
    ("TSLA", "USD", hours.NEW_YORK, "10000"),
    ("VOD.UK", "GBX", hours.LONDON, "10000"),  # priced in pence: a rate of 1 would be wrong a hundred times
    ("BP.UK", "GBX", hours.LONDON, "10000"),
)
_ETFS = ("SPY", "QQQ", "IWM", "GLD", "TLT")


def entries() -> Iterator[Entry]:
    """Give every contract for difference."""
    yield from _forex()
    for symbol, quote, digits, margin in _INDICES:
        yield Entry(
            source=_USUAL,
            spec=_spec(
                symbol, AssetClass.INDEX, quote, digits=digits, pip="1", contract="1", margin=margin,
                sessions=hours.CFD_DAY,
            ),
        )  # fmt: skip
    for symbol, base, digits, pip, smallest in _CRYPTO:
        yield Entry(
            source=_SEEN if symbol in ("BTCUSD", "BCHUSD") else _USUAL,
            spec=_spec(
                symbol, AssetClass.CRYPTO, "USD", base=base, digits=digits, pip=pip, contract="1", margin=ESMA_CRYPTO,
                sessions=hours.ROUND_THE_CLOCK, lot_min=smallest, lot_max="100000" if symbol == "XRPUSD" else _LOT_MAX,
            ),
        )  # fmt: skip
    for symbol, digits, pip, ounces, margin in _METALS:
        yield Entry(
            source=_USUAL,
            spec=_spec(
                symbol, AssetClass.METAL, "USD", digits=digits, pip=pip, contract=ounces, margin=margin,
                sessions=hours.CFD_DAY,
            ),
        )  # fmt: skip
    for symbol, digits, pip, contract in _ENERGIES:
        yield Entry(
            source=_USUAL,
            spec=_spec(
                symbol, AssetClass.ENERGY, "USD", digits=digits, pip=pip, contract=contract, margin=ESMA_COMMODITY,
                sessions=hours.CFD_DAY,
            ),
        )  # fmt: skip
    for symbol, contract in _AGRICULTURALS:
        yield Entry(
            source=_USUAL,
            spec=_spec(
                symbol, AssetClass.AGRICULTURAL, "USD", digits=2, pip="0.01", contract=contract,
                margin=ESMA_COMMODITY, sessions=hours.GRAINS,
            ),
        )  # fmt: skip
    for symbol, quote in _BONDS:
        yield Entry(
            source=_USUAL,
            spec=_spec(
                symbol, AssetClass.BOND, quote, digits=2, pip="0.01", contract="1000", margin=ESMA_SHARE,
                sessions=hours.CFD_DAY,
            ),
        )  # fmt: skip
    for symbol, quote, opening, largest in _SHARES:
        yield Entry(
            source=_USUAL if opening is not hours.MILAN else _SEEN + "; one share a lot is assumed",
            spec=_spec(
                symbol, AssetClass.SHARE, quote, digits=2, pip="0.01", contract="1", margin=ESMA_SHARE,
                sessions=opening, lot_max=largest,
            ),
        )  # fmt: skip
    for symbol in _ETFS:
        yield Entry(
            source=_USUAL,
            spec=_spec(
                symbol, AssetClass.ETF, "USD", digits=2, pip="0.01", contract="1", margin=ESMA_SHARE,
                sessions=hours.NEW_YORK, lot_max="10000",
            ),
        )  # fmt: skip

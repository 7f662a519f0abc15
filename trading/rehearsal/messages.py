"""Real messages as their senders write them, and how the doors read them. Nothing here is random."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import LevelUnit
from trading.sources import Dialect, Parsed, SourceContext, Torn
from trading.sources.ea_file import EaFile

CLIENTS = Path(__file__).parents[1] / "clients"
SOURCE = "0197a1f0-0000-7000-8000-000000000001"


def v8(
    symbol: str = "EURJPY",
    direction: str = "BULL",
    stamps: tuple[str, str, str, str] = ("08:28", "08:25", "08:26", "08:27"),
    prices: tuple[str, str, str, str, str] = ("171.12900", "171.13300", "171.13200", "171.13900", "171.14200"),
    day: str = "2025.08.04",
) -> str:
    """Print a signal as the v8 EA does: one line, thirteen fields, five decimals."""
    said, bos_at, break_at, retest_at = (f"{day} {stamp}" for stamp in stamps)
    bos, broken, retest, target, current = prices
    return (
        f'{{"timestamp":"{said}","symbol":"{symbol}","strategy":"MIKROBOT_FASTVERSION_4PHASE",'
        f'"phase_1_m5_bos":{{"time":"{bos_at}","price":{bos},"direction":"{direction}"}},'
        f'"phase_2_m1_break":{{"time":"{break_at}","price":{broken}}},'
        f'"phase_3_m1_retest":{{"time":"{retest_at}","price":{retest}}},'
        f'"phase_4_ylipip":{{"target":{target},"current":{current},"triggered":true}},'
        f'"trade_direction":"{direction}","current_price":{current},"ylipip_trigger":0.60,'
        '"source":"MIKROBOT_FASTVERSION_COMPLIANT_v8","intelligence_needed":"PYTHON_MCP_ML_ATR_RISK",'
        '"build_version":"20250103-008F"}'
    )


SIGNALS: Mapping[str, str] = {
    "eurjpy_bull": v8(),
    "eurjpy_bear": v8(
        direction="BEAR", stamps=("08:35", "08:30", "08:31", "08:33"),
        prices=("171.06100", "171.05400", "171.05300", "171.04800", "171.04800"),
    ),
    "ferrari_bear": v8(
        symbol="_FERRARI.IT", direction="BEAR", stamps=("08:10", "07:15", "07:18", "08:08"),
        prices=("376.28000", "376.28000", "376.28000", "376.22000", "376.18000"),
    ),
    "eurusd_bull": v8(
        symbol="EURUSD", stamps=("10:03", "09:55", "09:58", "10:01"),
        prices=("1.08450", "1.08520", "1.08519", "1.08526", "1.08531"),
    ),
    "xauusd_bear": v8(
        symbol="XAUUSD.r", direction="BEAR", stamps=("14:44", "14:40", "14:41", "14:43"),
        prices=("2412.50000", "2411.80000", "2411.82000", "2411.79994", "2411.60000"),
    ),
    "us30_bull": v8(
        symbol="US_30", stamps=("15:31", "15:25", "15:27", "15:30"),
        prices=("44120.00000", "44131.00000", "44131.00000", "44131.06000", "44131.50000"),
    ),
}  # fmt: skip

ENCODINGS: Mapping[str, Callable[[str], bytes]] = {
    "utf16": lambda text: text.encode("utf-16-le"),
    "utf16_marked": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "ascii": lambda text: text.encode("ascii"),
    "utf8_marked": lambda text: b"\xef\xbb\xbf" + text.encode(),
}

OWN = (
    '{"action":"buy","symbol":"MNQ1!","price":21500.25,"stop_loss":21480,"take_profit":21540,'
    '"timenow":"2025-08-04T13:30:05Z"}'
)
TRADERS_POST = (
    '{"ticker":"NQ1!","action":"buy","sentiment":"bullish","quantity":2,"signalPrice":21500.25,'
    '"stopLoss":{"type":"stop","stopPrice":21480},"takeProfit":{"limitPrice":21540},"time":"2025-08-04T13:30:00Z"}'
)
PINE = "60123456789,buy,EURUSD,risk=1,sl=1.0830,tp=1.0890,comment=london"
EMBED = (
    '{"embeds":[{"title":"Open Long [MNQ1!]","description":"x","fields":[{"name":"Entry","value":"21500.25"},'
    '{"name":"Stop","value":"21480"},{"name":"Target 1","value":"21520"},{"name":"Target 2","value":"21540"}]}]}'
)
REST = (
    '{"id":"r-1","symbol":"EURUSD","side":"buy","entry":1.085,"stop":1.083,"targets":[1.087,1.089],'
    '"time":"2025-08-04T08:28:10Z"}'
)
MANUAL = (
    '{"symbol":"EURUSD","side":"sell","entry":"1.0850","stop":"1.0870","targets":["1.0800"],"power":"82",'
    '"confidence":"C2"}'
)
BODIES: Mapping[str, tuple[str, str]] = {
    "own": ("tradingview", OWN),
    "traders_post": ("tradingview", TRADERS_POST),
    "pine": ("tradingview", PINE),
    "embed": ("tradingview", EMBED),
    "rest": ("rest", REST),
    "manual": ("manual", MANUAL),
}


def text_of(raw: bytes) -> str:
    is_wide = raw.startswith(b"\xff\xfe") or raw[1:2] == b"\0"
    text = raw.decode("utf-16-le" if is_wide else "utf-8", "replace")
    return text.lstrip("\ufeff").rstrip("\0")


def like(raw: bytes, text: str) -> bytes:
    if raw.startswith(b"\xff\xfe"):
        return b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass")
    if raw[1:2] == b"\0":
        return text.encode("utf-16-le", "surrogatepass")
    mark = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
    return mark + text.encode("utf-8", "surrogatepass")


def context(kind: str = "ea_file", **changes: Any) -> SourceContext:
    """Make the context in which a sample is read; PineConnector's samples give prices."""
    return SourceContext(
        **{"source": SOURCE, "levels": LevelUnit.PIPS if kind == "pips" else LevelUnit.PRICE, **changes}
    )


def dialect(kind: str) -> Dialect:
    return cast(Dialect, registry.resolve(registry.SOURCES[kind]))


def read(kind: str, raw: bytes, **changes: Any) -> Parsed | Torn:
    """Read as the door of that source does: a file may be torn, anything else arrived whole."""
    reader = dialect(kind)
    if isinstance(reader, EaFile):
        return reader.read(raw, context=context(**changes))
    return reader.parse(raw, context=context(**changes))


def code_of(found: Parsed | Torn) -> Code | None:
    """Return the code of a refusal or of what a torn file becomes; None for a draft."""
    if isinstance(found, Torn):
        return found.becomes.code
    return found.code if isinstance(found, Refusal) else None

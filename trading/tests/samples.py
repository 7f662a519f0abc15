"""Messages for the tests: real ones as their senders write them, and every way of spoiling one that we could think of.

`golden()` are the stored samples of trading/tests/corpus/, `spoilt()` the cases that are made from them, `torn()` the
cuts at every byte. Nothing here is random; the fuzzer is next door.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from mikrobot_platform.kernel import registry
from mikrobot_platform.kernel.decisions import Code, Refusal
from mikrobot_platform.kernel.signals import LevelUnit
from trading.sources import Dialect, Parsed, SourceContext, Torn
from trading.sources.ea_file import EaFile

CORPUS = Path(__file__).parent / "corpus"
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


# Stored samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One stored message and what it must be read as."""

    name: str
    kind: str
    raw: bytes
    expected: Mapping[str, Any]


def golden() -> list[Golden]:
    """Load the stored samples."""
    index = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
    return [
        Golden(name=name, kind=name.partition("/")[0], raw=(CORPUS / name).read_bytes(), expected=expected)
        for name, expected in index.items()
    ]


# Made cases


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """A message that must not become a signal, and the codes by which that may be said."""

    name: str
    kind: str
    raw: bytes
    codes: frozenset[Code]


NUMBERS: Mapping[str, tuple[str, frozenset[Code]]] = {
    "nan": ("NaN", frozenset({Code.NOT_JSON, Code.FIELD_MISSING})),
    "infinity": ("Infinity", frozenset({Code.NOT_JSON, Code.NOT_A_NUMBER})),
    "minus_infinity": ("-Infinity", frozenset({Code.NOT_JSON, Code.NOT_A_NUMBER})),
    "zero": ("0", frozenset({Code.NOT_A_NUMBER})),
    "negative": ("-171.1", frozenset({Code.NOT_A_NUMBER})),
    "huge": ("1e400", frozenset({Code.NOT_A_NUMBER})),
    "tiny": ("1e-400", frozenset({Code.NOT_A_NUMBER})),
    "long": ("1" * 60, frozenset({Code.NOT_A_NUMBER})),
    "very_long": ("9" * 5_000, frozenset({Code.NOT_A_NUMBER})),
    "fine": ("1." + "1" * 20, frozenset({Code.NOT_A_NUMBER})),
    "hexadecimal": ("0x10", frozenset({Code.NOT_JSON})),
    "underscored": ("1_000", frozenset({Code.NOT_JSON})),
    "comma": ("171,129", frozenset({Code.NOT_JSON})),
    "leading_zero": ("0171.1", frozenset({Code.NOT_JSON})),
    "true": ("true", frozenset({Code.FIELD_TYPE})),
    "null": ("null", frozenset({Code.FIELD_MISSING})),
    "list": ("[171.129]", frozenset({Code.FIELD_TYPE})),
    "object": ('{"value":171.129}', frozenset({Code.FIELD_TYPE})),
    "words": ('"one hundred"', frozenset({Code.FIELD_TYPE, Code.NOT_A_NUMBER})),
    "arabic_digits": ('"\u0661\u0667\u0661"', frozenset({Code.FIELD_TYPE, Code.NOT_A_NUMBER})),
}
TEXTS: Mapping[str, tuple[str, frozenset[Code]]] = {
    "number": ("17", frozenset({Code.FIELD_TYPE})),
    "null": ("null", frozenset({Code.FIELD_MISSING})),
    "empty": ('""', frozenset({Code.SYMBOL_MALFORMED, Code.FIELD_MISSING})),
    "list": ('["EURJPY"]', frozenset({Code.FIELD_TYPE})),
    "nul": ('"EUR\\u0000JPY"', frozenset({Code.CONTROL_CHARACTER})),
    "newline": ('"EUR\\nJPY"', frozenset({Code.CONTROL_CHARACTER})),
    "raw_newline": ('"EUR\nJPY"', frozenset({Code.NOT_JSON})),
    "half_character": ('"EUR\\ud83dJPY"', frozenset({Code.LONE_SURROGATE})),
    "emoji": ('"EUR\U0001f680JPY"', frozenset({Code.SYMBOL_MALFORMED})),
    "homoglyph": ('"\u0415URJPY"', frozenset({Code.SYMBOL_MALFORMED})),
    "sql": ('"EURJPY\'; DROP TABLE"', frozenset({Code.SYMBOL_MALFORMED})),
    "long": ('"' + "E" * 41 + '"', frozenset({Code.SYMBOL_MALFORMED})),
    "very_long": ('"' + "E" * 5_000 + '"', frozenset({Code.FIELD_TYPE})),
    "path": ('"../../etc"', frozenset({Code.SYMBOL_MALFORMED})),
}
STAMPS: Mapping[str, tuple[str, frozenset[Code]]] = {
    "unset": ('"1970.01.01 00:00"', frozenset({Code.STAMP_UNSET})),
    "month_13": ('"2025.13.04 08:28"', frozenset({Code.STAMP_MALFORMED})),
    "hour_24": ('"2025.08.04 24:00"', frozenset({Code.STAMP_MALFORMED})),
    "american": ('"08/04/2025 08:28"', frozenset({Code.STAMP_MALFORMED})),
    "epoch": ("1754296080", frozenset({Code.FIELD_TYPE})),
    "year_9999": ('"9999.12.31 23:59"', frozenset({Code.STAMP_MALFORMED})),
    "words": ('"now"', frozenset({Code.STAMP_MALFORMED})),
}


def _replaced(text: str, old: str, new: str) -> str:
    assert old in text, (old, text)
    return text.replace(old, new, 1)


def spoilt() -> Iterator[Spoilt]:
    """Give every made case that must be refused or torn, by name."""
    yield from _spoilt_values()
    yield from _spoilt_shapes()
    yield from _spoilt_bytes()
    yield from _spoilt_alerts()


def _case(name: str, kind: str, text: str | bytes, *codes: Code) -> Spoilt:
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Spoilt(name=f"{kind}:{name}", kind=kind, raw=raw, codes=frozenset(codes))


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


def _spoilt_values() -> Iterator[Spoilt]:
    places = {
        "ea_file": (SIGNALS["eurjpy_bull"], '"price":171.12900', '"price":'),
        "tradingview": (OWN, '"stop_loss":21480', '"stop_loss":'),
        "rest": (REST, '"entry":1.085', '"entry":'),
    }
    optional = {"null", "nan"}  # where the field may be left out, these say exactly that
    for kind, (text, old, start) in places.items():
        for name, (value, codes) in NUMBERS.items():
            if kind == "ea_file" or name not in optional:
                yield _case(f"price_{name}", kind, _replaced(text, old, start + value), *codes)
    symbols = {"ea_file": (SIGNALS["eurjpy_bull"], "EURJPY"), "tradingview": (OWN, "MNQ1!"), "rest": (REST, "EURUSD")}
    for kind, (text, symbol) in symbols.items():
        for name, (value, codes) in TEXTS.items():
            yield _case(f"symbol_{name}", kind, _replaced(text, f'"{symbol}"', value), *codes, Code.NOT_JSON)
    for name, (value, codes) in STAMPS.items():
        yield _case(f"stamp_{name}", "ea_file", _replaced(SIGNALS["eurjpy_bull"], '"2025.08.04 08:28"', value), *codes)
        yield _case(
            f"phase_stamp_{name}", "ea_file", _replaced(SIGNALS["eurjpy_bull"], '"2025.08.04 08:26"', value), *codes
        )


def _spoilt_shapes() -> Iterator[Spoilt]:
    text = SIGNALS["eurjpy_bull"]
    whole: dict[str, Any] = json.loads(text)
    for field in whole:
        if field in ("source", "intelligence_needed", "build_version"):
            continue  # hand-written files lack them
        rest = {name: value for name, value in whole.items() if name != field}
        yield _case(f"without_{field}", "ea_file", json.dumps(rest), Code.FIELD_MISSING)
        yield _case(f"null_{field}", "ea_file", json.dumps({**whole, field: None}), Code.FIELD_MISSING)
        doubled = text[:-1] + f",{json.dumps(field)}:1}}"
        yield _case(f"twice_{field}", "ea_file", doubled, Code.DUPLICATE_KEY)
    for phase in ("phase_1_m5_bos", "phase_2_m1_break", "phase_3_m1_retest", "phase_4_ylipip"):
        for field in whole[phase]:
            part = {name: value for name, value in whole[phase].items() if name != field}
            yield _case(f"without_{phase}_{field}", "ea_file", json.dumps({**whole, phase: part}), Code.FIELD_MISSING)
        yield _case(f"{phase}_a_list", "ea_file", json.dumps({**whole, phase: [1]}), Code.FIELD_TYPE)
    yield _case("unknown_field", "ea_file", text[:-1] + ',"stop":1}', Code.FIELD_UNKNOWN)
    yield _case("other_strategy", "ea_file", _replaced(text, "FASTVERSION_4PHASE", "SLOWVERSION"), Code.FIELD_VALUE)
    yield _case("directions_differ", "ea_file", _replaced(text, '"trade_direction":"BULL"', '"trade_direction":"BEAR"'),
                Code.FIELD_CONTRADICTION)  # fmt: skip
    yield _case("prices_differ", "ea_file", _replaced(text, '"current_price":171.14200', '"current_price":171.14100'),
                Code.FIELD_CONTRADICTION)  # fmt: skip
    yield _case("digit_lost", "ea_file", text.replace("171.129", "17.129", 1), Code.FIELD_CONTRADICTION)
    yield _case("direction_up", "ea_file", text.replace("BULL", "UP"), Code.SIDE_UNKNOWN)
    yield _case("triggered_text", "ea_file", _replaced(text, ":true", ':"true"'), Code.FIELD_TYPE)
    yield _case(
        "four_decimals", "ea_file", ENCODINGS["utf16"](_replaced(text, "171.12900", "171.1290")), Code.FIELD_VALUE
    )
    yield _case("reordered", "ea_file", ENCODINGS["utf16"](json.dumps(dict(reversed(whole.items())))), Code.FIELD_VALUE)
    yield _case("list", "ea_file", f"[{text}]", Code.NOT_JSON)
    for name, value in {"text": '"BUY"', "number": "17", "null": "null", "true": "true"}.items():
        yield _case(f"just_{name}", "ea_file", value, Code.NOT_JSON)
    yield _case("empty_object", "ea_file", "{}", Code.DIALECT_UNKNOWN)
    yield _case("deep", "ea_file", '{"a":' * 400 + "1" + "}" * 400, Code.TOO_DEEP)
    yield _case("deep_lists", "ea_file", '{"a":' + "[" * 30_000, Code.TOO_DEEP)
    yield _case("wide", "ea_file", "{" + ",".join(f'"k{n}":1' for n in range(5_000)) + "}", Code.TOO_MANY_VALUES)


def _spoilt_bytes() -> Iterator[Spoilt]:
    text = SIGNALS["eurjpy_bull"]
    raw16, raw8 = ENCODINGS["utf16"](text), ENCODINGS["ascii"](text)
    for name, raw in {"nothing": b"", "nuls": b"\0" * 4096, "blank": b" \r\n\t", "mark16": b"\xff\xfe"}.items():
        yield _case(name, "ea_file", raw, Code.EMPTY, Code.UNFINISHED)
    yield _case("mark8", "ea_file", b"\xef\xbb\xbf", Code.UNFINISHED, Code.EMPTY)
    yield _case("big_endian", "ea_file", b"\xfe\xff" + text.encode("utf-16-be"), Code.NOT_TEXT)
    yield _case("big_endian_unmarked", "ea_file", text.encode("utf-16-be"), Code.NUL_INSIDE)
    yield _case("latin1", "ea_file", text.replace("EURJPY", "EUR\xa3").encode("latin-1"), Code.NOT_TEXT)
    yield _case("utf32", "ea_file", text.encode("utf-32-le"), Code.NUL_INSIDE)
    yield _case("oversized", "ea_file", raw8 + b" " * 70_000, Code.TOO_LARGE)
    yield _case("oversized_nuls", "ea_file", raw16 + b"\0" * 70_000, Code.TOO_LARGE)
    yield _case("random", "ea_file", bytes(range(256)), Code.NUL_INSIDE, Code.NOT_TEXT)
    yield _case("gzip", "ea_file", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", Code.NOT_TEXT, Code.NUL_INSIDE)
    for name, raw in {"16": raw16, "8": raw8}.items():
        yield _case(f"twice_in_file_{name}", "ea_file", raw + raw, Code.NOT_JSON)
        yield _case(f"over_a_longer_one_{name}", "ea_file", raw + raw[-60:], Code.NOT_JSON, Code.UNFINISHED)
        yield _case(f"page_of_nuls_{name}", "ea_file", raw[:200] + b"\0" * 200 + raw[400:], Code.NUL_INSIDE)
        yield _case(f"head_of_nuls_{name}", "ea_file", b"\0" * 100 + raw[100:], Code.NUL_INSIDE)
        yield _case(f"tail_of_nuls_{name}", "ea_file", raw[:300] + b"\0" * 300, Code.UNFINISHED)
        yield _case(f"start_lost_{name}", "ea_file", raw[40:], Code.NOT_JSON, Code.UNFINISHED)


def _spoilt_alerts() -> Iterator[Spoilt]:
    tv = "tradingview"
    for name in ("ticker", "close", "strategy.order.action", "time", "strategy.order.contracts", "plot_0"):
        placeholder = "{{" + name + "}}"
        yield _case(f"left_{name}", tv, _replaced(OWN, '"MNQ1!"', f'"{placeholder}"'), Code.PLACEHOLDER)
        yield _case(f"left_bare_{name}", tv, _replaced(OWN, "21500.25", placeholder), Code.PLACEHOLDER)
    yield _case("left_pine", tv, PINE.replace("EURUSD", "{{ticker}}"), Code.PLACEHOLDER)
    yield _case("misspelt_stop", tv, OWN.replace("stop_loss", "stoploss"), Code.FIELD_UNKNOWN)
    yield _case("both_names", tv, OWN.replace('"action"', '"ticker":"MNQ1!","action"'), Code.FIELD_CONTRADICTION)
    yield _case("hold", tv, OWN.replace('"buy"', '"hold"'), Code.FIELD_VALUE)
    yield _case("naive_time", tv, OWN.replace("05Z", "05"), Code.STAMP_MALFORMED)
    yield _case("limit_without_price", tv, '{"action":"buy","symbol":"ES1!","type":"limit"}', Code.FIELD_MISSING)
    yield _case("no_form", tv, '{"hello":"world"}', Code.DIALECT_UNKNOWN)
    yield _case("prose", tv, "Buy EURUSD now!", Code.DIALECT_UNKNOWN)
    yield _case("cut", tv, OWN[:60], Code.UNFINISHED)
    for old, new, code in (
        ('"bullish"', '"bearish"', Code.FIELD_CONTRADICTION),
        ('"bullish"', '"sideways"', Code.FIELD_VALUE),
        ('"action":"buy"', '"action":"breakeven"', Code.COMMAND_UNSUPPORTED),
        ('"stopLoss"', '"stoploss"', Code.FIELD_UNKNOWN),
        ('"stopLoss"', '"stop_loss"', Code.FIELD_UNKNOWN),
        ('"type":"stop"', '"type":"trailing_stop"', Code.COMMAND_UNSUPPORTED),
        ('"stopPrice":21480', '"stopPrice":21480,"percent":1', Code.FIELD_CONTRADICTION),
        ('"stopPrice":21480', '"trailPercent":1', Code.COMMAND_UNSUPPORTED),
        ('"type":"stop","stopPrice":21480', '"type":"stop"', Code.FIELD_MISSING),
        ('"quantity":2', '"quantity":2,"orderType":"trailing_stop"', Code.COMMAND_UNSUPPORTED),
        ('"quantity":2', '"quantity":2,"orderType":"limit"', Code.FIELD_MISSING),
        ('"quantity":2', '"quantity":0', Code.NOT_A_NUMBER),
    ):
        yield _case(f"post_{new}", tv, _replaced(TRADERS_POST, old, new), code)
    for name, line, code in (
        ("closeall", "60123456789,closeall,EURUSD", Code.COMMAND_UNSUPPORTED),
        ("eaoff", "60123456789,eaoff,EURUSD", Code.COMMAND_UNSUPPORTED),
        ("no_symbol", "60123456789,buy", Code.DIALECT_UNKNOWN),
        ("order", "buy,60123456789,EURUSD,risk=1", Code.DIALECT_UNKNOWN),
        ("unknown_command", "60123456789,hodl,EURUSD,risk=1", Code.FIELD_VALUE),
        ("unknown_param", "60123456789,buy,EURUSD,rsik=1", Code.FIELD_UNKNOWN),
        ("bare_param", "60123456789,buy,EURUSD,1", Code.FIELD_UNKNOWN),
        ("twice", "60123456789,buy,EURUSD,sl=1,sl=2", Code.DUPLICATE_KEY),
        ("two_stops", "60123456789,buy,EURUSD,sl=1,sl_pips=2", Code.FIELD_CONTRADICTION),
        ("two_volumes", "60123456789,buy,EURUSD,risk=1,vol_lots=2", Code.FIELD_CONTRADICTION),
        ("two_lines", "60123456789,buy,EURUSD,risk=1\r\n60123456789,sell,GBPUSD,risk=1", Code.COMMAND_UNSUPPORTED),
        ("stop_words", "60123456789,buy,EURUSD,sl=far", Code.NOT_A_NUMBER),
        ("limit_without_price", "60123456789,buylimit,EURUSD,risk=1", Code.FIELD_MISSING),
        ("market_with_price", "60123456789,buy,EURUSD,price=1.08", Code.FIELD_CONTRADICTION),
        ("two_symbols", "60123456789,buy,EURUSD,GBPUSD,risk=1", Code.FIELD_UNKNOWN),
        ("symbol_empty", "60123456789,buy,,risk=1", Code.SYMBOL_MALFORMED),
    ):
        yield _case(f"pine_{name}", tv, line, code)
    for name, old, new, code in (
        ("no_symbol", " [MNQ1!]", "", Code.SYMBOL_MALFORMED),
        ("two_symbols", "[MNQ1!]", "[MNQ1!] [ES1!]", Code.SYMBOL_MALFORMED),
        ("no_side", "Open Long", "Open", Code.SIDE_UNKNOWN),
        ("two_sides", "Open Long", "Open Long Short", Code.SIDE_UNKNOWN),
        ("no_event", "Open Long", "Thinking about Long", Code.COMMAND_UNSUPPORTED),
        ("two_events", "Open Long", "Open Long, close short", Code.COMMAND_UNSUPPORTED),
        ("stop_label", '"Stop"', '"Stop (points)"', Code.FIELD_UNKNOWN),
        ("stop_figure", '"21480"', '"21 480 (-20)"', Code.NOT_A_NUMBER),
        ("twice", '"Target 2"', '"Target 1"', Code.DUPLICATE_KEY),
        ("none", EMBED, '{"embeds":[]}', Code.FIELD_VALUE),
        ("text", EMBED, '{"embeds":"Open Long [MNQ1!]"}', Code.FIELD_TYPE),
        ("two", EMBED, '{"embeds":[{"title":"a"},{"title":"b"}]}', Code.FIELD_VALUE),
    ):
        yield _case(f"embed_{name}", tv, _replaced(EMBED, old, new), code)
    for name, old, new, code in (
        ("misspelt", '"stop"', '"stopp"', Code.FIELD_UNKNOWN),
        ("no_side", '"side":"buy",', "", Code.FIELD_MISSING),
        ("side", '"buy"', '"up"', Code.SIDE_UNKNOWN),
        ("id", '"r-1"', '"r 1"', Code.ID_MALFORMED),
        ("id_long", '"r-1"', '"' + "r" * 65 + '"', Code.ID_MALFORMED),
        ("naive_time", "10Z", "10", Code.STAMP_MALFORMED),
        ("target_text", "1.087,", '"far",', Code.NOT_A_NUMBER),
        ("many_targets", "1.087,", "1.087," * 11, Code.FIELD_TYPE),
        ("unit", '"stop"', '"level_unit":"furlongs","stop"', Code.FIELD_VALUE),
        ("type", '"entry"', '"type":"iceberg","entry"', Code.FIELD_VALUE),
    ):
        yield _case(f"rest_{name}", "rest", _replaced(REST, old, new), code)
    for name, old, new, code in (
        ("stop_side", '"1.0870"', '"1.0820"', Code.STOP_SIDE),
        ("stop_at_entry", '"1.0870"', '"1.0850"', Code.STOP_SIDE),
        ("target_side", '"1.0800"', '"1.0900"', Code.TARGET_SIDE),
        ("target_behind_stop", '"entry":"1.0850",', "", Code.TARGET_SIDE),
        ("power", '"82"', '"101"', Code.FIELD_VALUE),
        ("confidence", '"C2"', '"C4"', Code.FIELD_VALUE),
        ("confidence_words", '"C2"', '"certain"', Code.NOT_A_NUMBER),
        ("timeframe", '"power"', '"timeframe":"M7","power"', Code.FIELD_VALUE),
        ("limit", '"entry":"1.0850"', '"type":"limit"', Code.FIELD_MISSING),
    ):
        if name == "target_behind_stop":
            text = _replaced(_replaced(MANUAL, old, new), '"1.0800"', '"1.0880"')
            yield _case(f"ticket_{name}", "manual", text, Code.TARGET_SIDE)
        else:
            yield _case(f"ticket_{name}", "manual", _replaced(MANUAL, old, new), code)


def torn() -> Iterator[tuple[str, str, bytes, int | None]]:
    """Cut every sample at every byte: name, kind of source, what is left, and the length that was announced."""
    for name, text in SIGNALS.items():
        for encoding, encode in ENCODINGS.items():
            raw = encode(text)
            for end in range(len(raw)):
                yield f"{name}/{encoding}[:{end}]", "ea_file", raw[:end], None
    for name, (kind, text) in BODIES.items():
        raw = text.encode()
        for end in range(len(raw)):
            yield f"{name}[:{end}]", kind, raw[:end], len(raw)

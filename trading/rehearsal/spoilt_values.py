"""Values that are none: hostile numbers, texts and stamps, each put in the place of a good one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from mikrobot_platform.kernel.decisions import Code
from trading.rehearsal.cases import Spoilt, case, replaced
from trading.rehearsal.messages import OWN, REST, SIGNALS

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


def spoilt_values() -> Iterator[Spoilt]:
    """Give every bad value in every kind of message that has a place for it."""
    places = {
        "ea_file": (SIGNALS["eurjpy_bull"], '"price":171.12900', '"price":'),
        "tradingview": (OWN, '"stop_loss":21480', '"stop_loss":'),
        "rest": (REST, '"entry":1.085', '"entry":'),
    }
    optional = {"null", "nan"}  # where the field may be left out, these say exactly that
    for kind, (text, old, start) in places.items():
        for name, (value, codes) in NUMBERS.items():
            if kind == "ea_file" or name not in optional:
                yield case(f"price_{name}", kind, replaced(text, old, start + value), *codes)
    symbols = {"ea_file": (SIGNALS["eurjpy_bull"], "EURJPY"), "tradingview": (OWN, "MNQ1!"), "rest": (REST, "EURUSD")}
    for kind, (text, symbol) in symbols.items():
        for name, (value, codes) in TEXTS.items():
            yield case(f"symbol_{name}", kind, replaced(text, f'"{symbol}"', value), *codes, Code.NOT_JSON)
    for name, (value, codes) in STAMPS.items():
        yield case(f"stamp_{name}", "ea_file", replaced(SIGNALS["eurjpy_bull"], '"2025.08.04 08:28"', value), *codes)
        yield case(
            f"phase_stamp_{name}", "ea_file", replaced(SIGNALS["eurjpy_bull"], '"2025.08.04 08:26"', value), *codes
        )

"""Files of the EA that are none: fields lost, doubled or in conflict, other shapes, other bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from mikrobot_platform.kernel.decisions import Code
from trading.rehearsal.cases import Spoilt, case, replaced
from trading.rehearsal.messages import ENCODINGS, SIGNALS


def spoilt_shapes() -> Iterator[Spoilt]:
    """Give files that can be read and say the wrong thing."""
    text = SIGNALS["eurjpy_bull"]
    whole: dict[str, Any] = json.loads(text)
    for field in whole:
        if field in ("source", "intelligence_needed", "build_version"):
            continue  # hand-written files lack them
        rest = {name: value for name, value in whole.items() if name != field}
        yield case(f"without_{field}", "ea_file", json.dumps(rest), Code.FIELD_MISSING)
        yield case(f"null_{field}", "ea_file", json.dumps({**whole, field: None}), Code.FIELD_MISSING)
        doubled = text[:-1] + f",{json.dumps(field)}:1}}"
        yield case(f"twice_{field}", "ea_file", doubled, Code.DUPLICATE_KEY)
    for phase in ("phase_1_m5_bos", "phase_2_m1_break", "phase_3_m1_retest", "phase_4_ylipip"):
        for field in whole[phase]:
            part = {name: value for name, value in whole[phase].items() if name != field}
            yield case(f"without_{phase}_{field}", "ea_file", json.dumps({**whole, phase: part}), Code.FIELD_MISSING)
        yield case(f"{phase}_a_list", "ea_file", json.dumps({**whole, phase: [1]}), Code.FIELD_TYPE)
    yield case("unknown_field", "ea_file", text[:-1] + ',"stop":1}', Code.FIELD_UNKNOWN)
    yield case("other_strategy", "ea_file", replaced(text, "FASTVERSION_4PHASE", "SLOWVERSION"), Code.FIELD_VALUE)
    yield case("directions_differ", "ea_file", replaced(text, '"trade_direction":"BULL"', '"trade_direction":"BEAR"'),
                Code.FIELD_CONTRADICTION)  # fmt: skip
    yield case("prices_differ", "ea_file", replaced(text, '"current_price":171.14200', '"current_price":171.14100'),
                Code.FIELD_CONTRADICTION)  # fmt: skip
    yield case("digit_lost", "ea_file", text.replace("171.129", "17.129", 1), Code.FIELD_CONTRADICTION)
    yield case("direction_up", "ea_file", text.replace("BULL", "UP"), Code.SIDE_UNKNOWN)
    yield case("triggered_text", "ea_file", replaced(text, ":true", ':"true"'), Code.FIELD_TYPE)
    yield case(
        "four_decimals", "ea_file", ENCODINGS["utf16"](replaced(text, "171.12900", "171.1290")), Code.FIELD_VALUE
    )
    yield case("reordered", "ea_file", ENCODINGS["utf16"](json.dumps(dict(reversed(whole.items())))), Code.FIELD_VALUE)
    yield case("list", "ea_file", f"[{text}]", Code.NOT_JSON)
    for name, value in {"text": '"BUY"', "number": "17", "null": "null", "true": "true"}.items():
        yield case(f"just_{name}", "ea_file", value, Code.NOT_JSON)
    yield case("empty_object", "ea_file", "{}", Code.DIALECT_UNKNOWN)
    yield case("deep", "ea_file", '{"a":' * 400 + "1" + "}" * 400, Code.TOO_DEEP)
    yield case("deep_lists", "ea_file", '{"a":' + "[" * 30_000, Code.TOO_DEEP)
    yield case("wide", "ea_file", "{" + ",".join(f'"k{n}":1' for n in range(5_000)) + "}", Code.TOO_MANY_VALUES)


def spoilt_bytes() -> Iterator[Spoilt]:
    """Give files that cannot be read, or not to their end."""
    text = SIGNALS["eurjpy_bull"]
    raw16, raw8 = ENCODINGS["utf16"](text), ENCODINGS["ascii"](text)
    for name, raw in {"nothing": b"", "nuls": b"\0" * 4096, "blank": b" \r\n\t", "mark16": b"\xff\xfe"}.items():
        yield case(name, "ea_file", raw, Code.EMPTY, Code.UNFINISHED)
    yield case("mark8", "ea_file", b"\xef\xbb\xbf", Code.UNFINISHED, Code.EMPTY)
    yield case("big_endian", "ea_file", b"\xfe\xff" + text.encode("utf-16-be"), Code.NOT_TEXT)
    yield case("big_endian_unmarked", "ea_file", text.encode("utf-16-be"), Code.NUL_INSIDE)
    yield case("latin1", "ea_file", text.replace("EURJPY", "EUR\xa3").encode("latin-1"), Code.NOT_TEXT)
    yield case("utf32", "ea_file", text.encode("utf-32-le"), Code.NUL_INSIDE)
    yield case("oversized", "ea_file", raw8 + b" " * 70_000, Code.TOO_LARGE)
    yield case("oversized_nuls", "ea_file", raw16 + b"\0" * 70_000, Code.TOO_LARGE)
    yield case("random", "ea_file", bytes(range(256)), Code.NUL_INSIDE, Code.NOT_TEXT)
    yield case("gzip", "ea_file", b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", Code.NOT_TEXT, Code.NUL_INSIDE)
    for name, raw in {"16": raw16, "8": raw8}.items():
        yield case(f"twice_in_file_{name}", "ea_file", raw + raw, Code.NOT_JSON)
        yield case(f"over_a_longer_one_{name}", "ea_file", raw + raw[-60:], Code.NOT_JSON, Code.UNFINISHED)
        yield case(f"page_of_nuls_{name}", "ea_file", raw[:200] + b"\0" * 200 + raw[400:], Code.NUL_INSIDE)
        yield case(f"head_of_nuls_{name}", "ea_file", b"\0" * 100 + raw[100:], Code.NUL_INSIDE)
        yield case(f"tail_of_nuls_{name}", "ea_file", raw[:300] + b"\0" * 300, Code.UNFINISHED)
        yield case(f"start_lost_{name}", "ea_file", raw[40:], Code.NOT_JSON, Code.UNFINISHED)

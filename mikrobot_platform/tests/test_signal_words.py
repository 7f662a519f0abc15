"""The words that every source and strategy shares: numbers, sides, times, reasons, strict JSON."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel import market, signals, strict_json
from mikrobot_platform.kernel.decisions import (
    NOTICES,
    SENTENCES,
    Code,
    Decision,
    Unreadable,
    Verdict,
    evidence,
    placeholders,
    refusal,
)
from mikrobot_platform.kernel.market import NumberRefused, Side
from mikrobot_platform.kernel.strict_json import Limits, Numeral


@pytest.mark.parametrize("word", ["BUY", "buy", " Long ", "BULL", "bullish"])
def test_words_for_a_buy(word: str) -> None:
    assert market.side_of(word) is Side.BUY


@pytest.mark.parametrize("word", ["SELL", "short", "BEAR", "Bearish"])
def test_words_for_a_sell(word: str) -> None:
    assert market.side_of(word) is Side.SELL


@pytest.mark.parametrize("word", ["", "up", "buyy", "b", "exit", "b\u0443y"])
def test_words_that_nobody_uses(word: str) -> None:
    assert market.side_of(word) is None


def test_sides_face_each_other() -> None:
    assert [side.opposite.opposite for side in Side] == list(Side)
    assert [side.sign for side in Side] == [1, -1]


@pytest.mark.parametrize(
    ("text", "value"),
    [("171.12900", "171.12900"), ("1e2", "100"), ("+5", "5"), (".5", "0.5"), ("-0.0", "-0.0"), ("1.20E-3", "0.00120")],
)
def test_numbers(text: str, value: str) -> None:
    assert format(market.number(text), "f") == value


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 000", "1,000", "1_0", "0x1", "NaN", "inf", "1e", "1.", "--1", "\u0661", "1e999", "1e-999", "9" * 49,
     "1" * 25, "0." + "0" * 30 + "1", "1\n", "\uff11"],
)  # fmt: skip
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(NumberRefused):
        market.number(text)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**9), max_value=10**9, places=8))
def test_a_number_is_read_exactly(value: Decimal) -> None:
    assert market.number(format(value, "f")) == value


@given(st.text(max_size=60))
def test_any_text_is_a_number_or_refused(text: str) -> None:
    try:
        found = market.number(text)
    except NumberRefused:
        return
    else:
        assert found.is_finite()
        assert found == Decimal(text)


@pytest.mark.parametrize("text", ["0", "-1", "0.0000000000001", "1000000001"])
def test_prices_and_quantities_are_bounded(text: str) -> None:
    for reader in (market.price, market.quantity):
        with pytest.raises(NumberRefused):
            reader(text)


@pytest.mark.parametrize(
    "text",
    [
        "EURJPY",
        "_FERRARI.IT",
        "US_30",
        "MNQ1!",
        "BINANCE:BTCUSDT.P",
        "NQ 12-25",
        "GER40#",
        "EURUSD+",
        "BTC/USDT",
        "#AAPL",
    ],
)
def test_symbols(text: str) -> None:
    assert market.symbol(text) == text


@pytest.mark.parametrize("text", ["", " ", "E" * 41, "../x", "EUR\nUSD", "EUR'USD", "{{ticker}}", "\u20acUSD", "A B C"])
def test_what_is_no_symbol(text: str) -> None:
    assert market.symbol(text) is None


# Times


def test_a_minute_stamp_has_no_order_and_is_no_time() -> None:
    stamp = signals.clock_stamp("2025.08.04 08:28")
    assert stamp is not None
    assert (stamp.text, stamp.resolution_s) == ("2025.08.04 08:28", 60)
    with pytest.raises(TypeError):
        assert stamp < stamp  # type: ignore[operator]
    as_time: object = datetime(2025, 8, 4, 8, 28, tzinfo=UTC)
    assert stamp != as_time


def test_iso_is_a_stamp_or_a_time_and_never_guessed() -> None:
    stamp = signals.iso_as_clock_stamp("2025-01-22T17:15:00Z")
    assert stamp is not None
    assert (stamp.text, stamp.resolution_s) == ("2025.01.22 17:15:00", 1)
    assert signals.aware_utc("2025-01-22T17:15:00") is None
    assert signals.aware_utc("2025-01-22T17:15:00+02:00") == datetime(2025, 1, 22, 15, 15, tzinfo=UTC)
    assert signals.aware_utc("2025-01-22 17:15:00.123456Z") == datetime(2025, 1, 22, 17, 15, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2025.02.30 08:28", "2025-8-4 8:28", "2025.08.04", "0000.00.00 00:00", "", "9" * 40])
def test_what_is_no_stamp(text: str) -> None:
    assert signals.clock_stamp(text) is None


@given(st.text(max_size=40) | st.from_regex(r"\d{4}[-.]\d\d[-.]\d\d[T ]\d\d:\d\d(:\d\d([.,]\d+)?)?(Z|[+-]\d\d:?\d\d)?"))
def test_any_text_is_a_time_or_none(text: str) -> None:
    for reader in (signals.clock_stamp, signals.iso_as_clock_stamp, signals.aware_utc):
        reader(text)


# Scores


@pytest.mark.parametrize(
    ("scale", "raw", "value"),
    [
        ("percent", "82", "82.00"), ("fraction", "0.95", "95.00"), ("panel_power", "15", "60.00"),
        ("panel_power", "20", "70.00"), ("panel_power", "100", "100.00"), ("L0-L4", "3", "75.00"),
        ("C1-C3", "2", "67.00"),
    ],
)  # fmt: skip
def test_scores_are_laid_on_one_scale(scale: str, raw: str, value: str) -> None:
    found = signals.SCALES[scale].score(raw, Decimal(raw))
    assert found is not None
    assert (format(found.value, "f"), found.raw, found.scale) == (value, raw, scale)


@pytest.mark.parametrize(
    ("scale", "raw"), [("percent", "101"), ("percent", "-1"), ("panel_power", "9"), ("C1-C3", "0")]
)
def test_a_score_off_its_scale_is_not_clipped(scale: str, raw: str) -> None:
    assert signals.SCALES[scale].score(raw, Decimal(raw)) is None


# Reasons


def test_every_code_has_a_sentence_and_a_stable_shape() -> None:
    assert SENTENCES.keys() == set(Code)
    assert set(Code) >= NOTICES
    for code in Code:
        group, _, name = code.value.partition(".")
        assert group in {
            "input", "dialect", "field", "sender", "signal", "file", "program", "sizing", "money", "gate", "manage",
            "drift",
        }  # fmt: skip
        assert name.replace("_", "").isalpha()
        assert SENTENCES[code][0].isupper() or SENTENCES[code].startswith("{")  # a figure may come first


@pytest.mark.parametrize("code", Code)
def test_a_sentence_is_said_with_its_figures_or_not_at_all(code: Code) -> None:
    figures = dict.fromkeys(placeholders(code), "x")
    assert "{" not in refusal(code, **figures).sentence
    for name in figures:
        with pytest.raises(KeyError):
            refusal(code, **{key: value for key, value in figures.items() if key != name})


def test_evidence_is_plain_and_safe_to_show() -> None:
    found = evidence(
        price=Decimal("171.1290"), at=datetime(2025, 8, 4, 10, tzinfo=timezone(timedelta(hours=2))), word="a\x00\ud800",
        long="x" * 999, many=("a", "b"), nothing=None, side=Side.BUY,
    )  # fmt: skip
    assert found["price"] == "171.1290"
    assert found["at"] == "2025-08-04T08:00:00+00:00"
    assert found["word"] == "a\\u0000\\ud800"
    assert len(str(found["long"])) == 200
    assert json.loads(json.dumps(dict(found)))["side"] == "buy"
    with pytest.raises(TypeError):
        evidence(bad=object())


def test_a_decision_cannot_be_changed() -> None:
    decision = Decision(verdict=Verdict.TAKEN, code=Code.VALID, evidence=evidence(a=1))
    with pytest.raises(AttributeError):
        decision.code = Code.TOO_OLD  # type: ignore[misc]
    with pytest.raises(TypeError):
        decision.evidence["a"] = 2  # type: ignore[index]


# Strict JSON

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


def as_python(value: strict_json.Json) -> object:
    match value:
        case Numeral(text=text):
            return int(text)
        case list():
            return [as_python(item) for item in value]
        case dict():
            return {key: as_python(item) for key, item in value.items()}
        case _:
            return value


@given(st.dictionaries(names, json_values, max_size=5))
def test_honest_json_is_read_as_it_is(value: dict[str, object]) -> None:
    assert as_python(strict_json.read_object(json.dumps(value))) == value


@given(
    st.dictionaries(names, json_values, min_size=1, max_size=4),
    st.data(),
)
def test_every_beginning_of_honest_json_is_unfinished(value: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps(value)
    end = data.draw(st.integers(0, len(text) - 1))
    with pytest.raises(Unreadable) as caught:
        strict_json.read_object(text[:end])
    assert caught.value.reason.code in (Code.UNFINISHED, Code.EMPTY)


@given(st.text(max_size=200) | st.text('{}[]":,\\u0019dtrue', max_size=60))
def test_any_text_is_an_object_or_refused(text: str) -> None:
    try:
        found = strict_json.read_object(text, limits=Limits(max_bytes=1_000, max_depth=5, max_values=50))
    except Unreadable:
        return
    else:
        assert isinstance(found, dict)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('{"a":1,"a":1}', Code.DUPLICATE_KEY), ('{"a":{"b":1,"b":2}}', Code.DUPLICATE_KEY),
        ('{"a":NaN}', Code.NOT_JSON),
        ('{"a":-Infinity}', Code.NOT_JSON), ('{"a":1}x', Code.NOT_JSON), ('{"a":1}}', Code.NOT_JSON),
        ("[1]", Code.NOT_JSON),
        ('{"a":"\\ud800"}', Code.LONE_SURROGATE), ('{"\\udfff":1}', Code.LONE_SURROGATE),
        ("{'a':1}", Code.NOT_JSON),
        ('{"a":[1}', Code.NOT_JSON), ('{"a"', Code.UNFINISHED), ('{"a\\', Code.UNFINISHED), ("", Code.EMPTY),
        ('{"a":' + "[" * 13 + "]" * 13 + "}", Code.TOO_DEEP), ("\ufeff{}", Code.NOT_JSON),
        ('{"a":"\t"}', Code.NOT_JSON),
        ('{"a":[' + "1," * 2_000 + "1]}", Code.TOO_MANY_VALUES),
    ],
)  # fmt: skip
def test_what_is_refused(text: str, code: Code) -> None:
    with pytest.raises(Unreadable) as caught:
        strict_json.read_object(text)
    assert caught.value.reason.code is code


def test_brackets_in_texts_are_text() -> None:
    assert strict_json.read_object('{"a":"[{\\"[{"}') == {"a": '[{"[{'}


def test_nan_only_where_it_is_allowed() -> None:
    assert strict_json.read_object('{"a":NaN}', allow_nan=True) == {"a": Numeral("NaN")}
    assert strict_json.texts(strict_json.read_object('{"a":["b",{"c":"d"},1]}')) == ["a", "b", "c", "d"]

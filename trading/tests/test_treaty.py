"""What all sources share: by what a repetition is known, how a draft is written down, what is never kept."""

from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mikrobot_platform.kernel.decisions import Code
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.signals import PANEL_POWER, Action, LevelUnit, SignalDraft
from trading.rehearsal.messages import BODIES, ENCODINGS, OWN, PINE, SIGNALS, TRADERS_POST, code_of, context, read, v8
from trading.sources import DUPLICATE_WINDOW_S, DedupeKey, dedupe_key, plain


def draft(kind: str, text: str | bytes, **changes: object) -> SignalDraft:
    found = read(kind, text if isinstance(text, bytes) else text.encode(), **changes)
    assert isinstance(found, SignalDraft), found
    return found


def key(found: SignalDraft, **changes: str) -> DedupeKey:
    return dedupe_key(found, context=context(**changes))


def test_the_senders_own_id_is_for_ever() -> None:
    found = draft("rest", BODIES["rest"][1])
    assert key(found, idempotency_key="other") == DedupeKey(text="id:r-1", window_s=None)


def test_an_idempotency_key_stands_in_for_an_id() -> None:
    found = draft("rest", BODIES["rest"][1].replace('"id":"r-1",', ""))
    first, second = (key(found, idempotency_key=name) for name in ("one", "two"))
    assert first.window_s is None
    assert first.text.startswith("key:")
    assert first != second


def test_two_setups_in_one_minute_are_two_signals() -> None:
    """The stamp is the same, the symbol may be the same, and yet they are not one."""
    names = [
        v8(),
        v8(symbol="GBPJPY", prices=("195.50000", "195.50400", "195.50400", "195.51000", "195.51200")),
        v8(prices=("171.12900", "171.13400", "171.13300", "171.14000", "171.14200")),
        v8(stamps=("08:29", "08:25", "08:26", "08:27")),
    ]
    keys = {key(draft("ea_file", text)) for text in names}
    assert len(keys) == len(names)
    assert {found.window_s for found in keys} == {None}


def test_the_same_file_seen_again_is_the_same_signal() -> None:
    texts = [encode(SIGNALS["eurjpy_bull"]) for encode in ENCODINGS.values()]
    texts += [texts[0] + b"\0" * 40, json.dumps(json.loads(SIGNALS["eurjpy_bull"]), indent=1).encode()]
    assert len({key(draft("ea_file", raw)) for raw in texts}) == 1


def test_an_alert_is_known_by_its_bar_and_order() -> None:
    text = OWN[:-1] + ',"time":"2025-08-04T13:30:00Z","order_id":"L1","position_size":2}'
    found = key(draft("tradingview", text))
    assert found.window_s == DUPLICATE_WINDOW_S
    assert key(draft("tradingview", text.replace("05Z", "06Z"))) == found, "a second delivery has another timenow"
    assert key(draft("tradingview", text.replace("21480", "21481"))) == found
    for old, new in (
        ('"buy"', '"sell"'), ("MNQ1!", "NQ1!"), ("13:30:00Z", "13:35:00Z"), ("L1", "L2"), ('_size":2', '_size":3')
    ):  # fmt: skip
        assert key(draft("tradingview", text.replace(old, new))) != found, new
    assert key(draft("tradingview", text), source="another") != found


def test_an_alert_without_a_time_is_known_by_all_that_it_says() -> None:
    first = key(draft("tradingview", PINE))
    assert first.window_s == DUPLICATE_WINDOW_S
    assert key(draft("tradingview", PINE.replace(",", ", "))) == first
    assert key(draft("tradingview", PINE.replace("1.0830", "1.08300"))) == first
    assert key(draft("tradingview", PINE.replace("1.0830", "1.0831"))) != first


@given(st.sampled_from(Action), st.sampled_from(Side), st.decimals("0.001", "9999", places=3))
def test_keys_differ_when_what_is_asked_differs(action: Action, side: Side, price: Decimal) -> None:
    base = SignalDraft(dialect="x", action=Action.OPEN, symbol="S", side=Side.BUY, entry=Price(Decimal("0.0005")))
    other = replace(base, action=action, side=side, entry=Price(price))
    assert key(base) != key(other)


@pytest.mark.parametrize("kind", ["own", "traders_post", "pine", "embed", "rest", "manual"])
def test_a_draft_can_be_written_down(kind: str) -> None:
    door, text = BODIES[kind]
    found = draft(door, text)
    assert json.loads(json.dumps(plain(found))) == plain(found)


def test_a_bar_that_opened_an_hour_ago_is_no_age() -> None:
    """TradingView's {{time}} is the bar's opening; only {{timenow}} says when the alert was made."""
    found = draft("tradingview", TRADERS_POST)
    assert found.said_at is None
    assert dict(found.extras)["bar_time"] == "2025-08-04T13:30:00+00:00"


# Secrets and licenses


@pytest.mark.parametrize("text", [OWN[:-1] + ',"secret":"hush-hush"}', PINE + ', secret="hush-hush"'])
def test_a_secret_in_the_body_is_not_in_what_was_read(text: str) -> None:
    answer = read("tradingview", text.encode())
    assert "hush" not in repr(answer)
    assert "60123456789" not in repr(answer)


# Settings of a source


def test_what_a_bare_figure_means_is_a_setting_of_the_source() -> None:
    for unit in LevelUnit:
        found = draft("tradingview", PINE, levels=unit)
        assert found.stop is not None
        assert found.stop.unit is unit
    waiting = "60123456789,buylimit,EURUSD,price=1.08,risk=1"
    assert code_of(read("tradingview", waiting.encode(), levels=LevelUnit.PIPS)) is Code.COMMAND_UNSUPPORTED
    assert draft("tradingview", waiting).entry == Decimal("1.08")


def test_a_source_brings_its_own_scale() -> None:
    text = OWN[:-1] + ',"power":20}'
    for scale, value in ((PANEL_POWER, "70.00"), (context().power, "20.00")):
        found = draft("tradingview", text, power=scale).power
        assert found is not None
        assert (found.raw, format(found.value, "f")) == ("20", value)


@pytest.mark.parametrize(
    ("action", "sentiment", "meant"),
    [
        ("buy", "flat", (Action.REDUCE, Side.SELL)), ("sell", "flat", (Action.REDUCE, Side.BUY)),
        ("sell", "bearish", (Action.OPEN, Side.SELL)), ("exit", "", (Action.REDUCE, None)),
        ("cancel", "", (Action.CANCEL, None)), ("add", "bullish", (Action.ADD, Side.BUY)),
        ("reverse", "short", (Action.REVERSE, Side.SELL)), ("buy", "bearish", None), ("exit", "bullish", None),
    ],
)  # fmt: skip
def test_a_sentiment_of_flat_never_opens(action: str, sentiment: str, meant: tuple[Action, Side | None] | None) -> None:
    text = TRADERS_POST.replace('"buy"', f'"{action}"').replace('"sentiment":"bullish",', "")
    if sentiment:
        text = text.replace('{"ticker"', f'{{"sentiment":"{sentiment}","ticker"')
    found = read("tradingview", text.encode())
    if meant is None:
        assert code_of(found) is Code.FIELD_CONTRADICTION
    else:
        assert isinstance(found, SignalDraft)
        assert (found.action, found.side) == meant

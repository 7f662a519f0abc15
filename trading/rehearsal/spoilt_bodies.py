"""Bodies that are none: alerts, lines, embeds, REST requests and tickets that must not be taken for a signal."""

from __future__ import annotations

from collections.abc import Iterator

from mikrobot_platform.kernel.decisions import Code
from trading.rehearsal.cases import Spoilt, case, replaced
from trading.rehearsal.messages import EMBED, MANUAL, OWN, PINE, REST, TRADERS_POST

TV = "tradingview"


def spoilt_bodies() -> Iterator[Spoilt]:
    """Give every spoilt alert, request and ticket."""
    yield from _alerts()
    yield from _traders_post()
    yield from _pine()
    yield from _embeds()
    yield from _requests()
    yield from _tickets()


def _alerts() -> Iterator[Spoilt]:
    for name in ("ticker", "close", "strategy.order.action", "time", "strategy.order.contracts", "plot_0"):
        placeholder = "{{" + name + "}}"
        yield case(f"left_{name}", TV, replaced(OWN, '"MNQ1!"', f'"{placeholder}"'), Code.PLACEHOLDER)
        yield case(f"left_bare_{name}", TV, replaced(OWN, "21500.25", placeholder), Code.PLACEHOLDER)
    yield case("left_pine", TV, PINE.replace("EURUSD", "{{ticker}}"), Code.PLACEHOLDER)
    yield case("misspelt_stop", TV, OWN.replace("stop_loss", "stoploss"), Code.FIELD_UNKNOWN)
    yield case("both_names", TV, OWN.replace('"action"', '"ticker":"MNQ1!","action"'), Code.FIELD_CONTRADICTION)
    yield case("hold", TV, OWN.replace('"buy"', '"hold"'), Code.FIELD_VALUE)
    yield case("naive_time", TV, OWN.replace("05Z", "05"), Code.STAMP_MALFORMED)
    yield case("limit_without_price", TV, '{"action":"buy","symbol":"ES1!","type":"limit"}', Code.FIELD_MISSING)
    yield case("no_form", TV, '{"hello":"world"}', Code.DIALECT_UNKNOWN)
    yield case("prose", TV, "Buy EURUSD now!", Code.DIALECT_UNKNOWN)
    yield case("cut", TV, OWN[:60], Code.UNFINISHED)


def _traders_post() -> Iterator[Spoilt]:
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
        yield case(f"post_{new}", TV, replaced(TRADERS_POST, old, new), code)


def _pine() -> Iterator[Spoilt]:
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
        yield case(f"pine_{name}", TV, line, code)


def _embeds() -> Iterator[Spoilt]:
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
        yield case(f"embed_{name}", TV, replaced(EMBED, old, new), code)


def _requests() -> Iterator[Spoilt]:
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
        yield case(f"rest_{name}", "rest", replaced(REST, old, new), code)


def _tickets() -> Iterator[Spoilt]:
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
            text = replaced(replaced(MANUAL, old, new), '"1.0800"', '"1.0880"')
            yield case(f"ticket_{name}", "manual", text, Code.TARGET_SIDE)
        else:
            yield case(f"ticket_{name}", "manual", replaced(MANUAL, old, new), code)

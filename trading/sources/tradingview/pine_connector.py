"""PineConnector's line: `LicenseID,command,symbol,params`.

What sl=, tp= and price= mean there is a setting in the customer's EA (pips, price or percent). Here it is a setting of
the source; while it is not set, such a level keeps the unit "unknown" and validation lets no entry with it pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.market import Price, Quantity, Side
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, OrderKind, SignalDraft
from mikrobot_platform.kernel.strict_json import Json
from trading.sources import SourceContext

_LICENSE = re.compile(r"[A-Za-z0-9]{4,40}")

M, L, S = OrderKind.MARKET, OrderKind.LIMIT, OrderKind.STOP
COMMANDS: Mapping[str, tuple[Action, Side | None, OrderKind]] = {
    **dict.fromkeys(("buy", "long", "bull", "bullish"), (Action.OPEN, Side.BUY, M)),
    **dict.fromkeys(("sell", "short", "bear", "bearish"), (Action.OPEN, Side.SELL, M)),
    "buystop": (Action.OPEN, Side.BUY, S),
    "buylimit": (Action.OPEN, Side.BUY, L),
    "sellstop": (Action.OPEN, Side.SELL, S),
    "selllimit": (Action.OPEN, Side.SELL, L),
    "closelong": (Action.CLOSE, Side.BUY, M),
    "closeshort": (Action.CLOSE, Side.SELL, M),
    "cancellong": (Action.CANCEL, Side.BUY, M),
    "cancelshort": (Action.CANCEL, Side.SELL, M),
    "newsltplong": (Action.PROTECT, Side.BUY, M),
    "newsltpshort": (Action.PROTECT, Side.SELL, M),
}
NOT_HERE: Mapping[str, str] = {
    "closeall": "it does not say which symbols it means; use closelong or closeshort, or the emergency stop",
    "eaon": "it switches another product's EA; here a source is paused on its page",
    "eaoff": "it switches another product's EA; here a source is paused on its page",
}
_UNITS = {"pips": LevelUnit.PIPS, "pct": LevelUnit.PERCENT, "price": LevelUnit.PRICE}
_LEVELS = ("sl", "tp", *(f"{name}_{unit}" for name in ("sl", "tp") for unit in _UNITS))
_VOLUMES = {"risk": "risk", "vol_lots": "lots", "vol_dollar": "dollar"}
# Kept as they were said: management of an open trade is the strategy's business here, not the alert's.
_KEPT = (
    "betrigger", "beoffset", "trailtrig", "traildist", "trailstep", "atrtimeframe", "atrperiod", "atrmultiplier",
    "atrshift", "atrtrigger", "spread", "accfilter",
)  # fmt: skip
PARAMS = (*_VOLUMES, *_LEVELS, "price", "comment", "secret", *_KEPT)


def read(text: str, context: SourceContext) -> SignalDraft:
    """Read one line. The license and the secret open doors elsewhere and are not kept."""
    if "\n" in text or "\r" in text:
        raise unreadable(Code.COMMAND_UNSUPPORTED, command="several lines", reason="one alert carries one command")
    parts = [part.strip(" \t") for part in text.split(",")]
    if len(parts) < 3 or not _LICENSE.fullmatch(parts[0]) or not parts[1].isalpha():
        raise unreadable(Code.DIALECT_UNKNOWN, dialect="tradingview")
    command = parts[1].lower()
    if command in NOT_HERE:
        raise unreadable(Code.COMMAND_UNSUPPORTED, command=command, reason=NOT_HERE[command])
    if command not in COMMANDS:
        expected = "one of " + ", ".join(COMMANDS)
        raise unreadable(Code.FIELD_VALUE, field="command", expected=expected, value=parts[1])
    action, side, kind = COMMANDS[command]
    fields = Fields({"symbol": parts[2], **_params(parts[3:])}, numbers_may_be_text=True)
    quantity, quantity_kind = _volume(fields)
    target = _level(fields, "tp", context)
    return SignalDraft(
        dialect="tradingview/pine_connector",
        action=action,
        symbol=fields.symbol("symbol"),
        side=side,
        kind=kind,
        entry=_entry(fields, kind, command, context),
        stop=_level(fields, "sl", context),
        targets=(target,) if target else (),
        quantity=quantity,
        quantity_kind=quantity_kind,
        notes=fields.optional_text("comment", limit=200),
        extras=tuple((name, fields.optional_text(name, limit=40)) for name in _KEPT if fields.has(name)),
    )


def _params(parts: list[str]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for part in parts:
        name, equals, value = (piece.strip(" \t") for piece in part.partition("="))
        name = name.lower()
        if not equals or name not in PARAMS:
            raise unreadable(Code.FIELD_UNKNOWN, field=name if equals else part)  # its value may be a password
        if name in found:
            raise unreadable(Code.DUPLICATE_KEY, field=name)
        quoted = len(value) >= 2 and value[0] == value[-1] == '"'
        found[name] = value[1:-1] if quoted else value
    return found


def _volume(fields: Fields) -> tuple[Quantity | None, str]:
    given = [name for name in _VOLUMES if fields.has(name)]
    if len(given) > 1:
        raise unreadable(Code.FIELD_CONTRADICTION, field=given[0], other=given[1])
    return (fields.optional_quantity(given[0]), _VOLUMES[given[0]]) if given else (None, "")


def _level(fields: Fields, name: str, context: SourceContext) -> Level | None:
    units = {name: context.levels, **{f"{name}_{suffix}": unit for suffix, unit in _UNITS.items()}}
    given = [field for field in units if fields.has(field)]
    if len(given) > 1:
        raise unreadable(Code.FIELD_CONTRADICTION, field=given[0], other=given[1])
    return Level(value=fields.price(given[0]), unit=units[given[0]]) if given else None


def _entry(fields: Fields, kind: OrderKind, command: str, context: SourceContext) -> Price | None:
    if kind is OrderKind.MARKET:
        if fields.has("price"):
            raise unreadable(Code.FIELD_CONTRADICTION, field="command", other="price")
        return None
    entry = fields.price("price")
    if context.levels is not LevelUnit.PRICE:
        reason = "price= may be pips, percent or a price, and this source is not set to prices"
        raise unreadable(Code.COMMAND_UNSUPPORTED, command=command, reason=reason)
    return entry

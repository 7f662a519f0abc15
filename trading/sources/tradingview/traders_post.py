"""TradersPost's JSON, as their documentation gives it: ticker, action, sentiment, orders and levels.

"buy" with the sentiment "flat" buys back a short position and opens nothing; read as an entry it would double the risk.
"""

from __future__ import annotations

from collections.abc import Mapping

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, OrderKind, SignalDraft
from trading.sources.tradingview.own import kept, moment

KNOWN = (
    "ticker", "action", "sentiment", "signalPrice", "price", "quantity", "quantityType", "orderType", "limitPrice",
    "stopPrice", "marketPriceType", "takeProfit", "stopLoss", "time", "interval", "extras", "id", "secret",
)  # fmt: skip
# (action, sentiment) -> what is meant. What is not here contradicts itself.
MEANT: Mapping[tuple[str, str], tuple[Action, Side | None]] = {
    ("buy", ""): (Action.OPEN, Side.BUY),
    ("buy", "long"): (Action.OPEN, Side.BUY),
    ("buy", "flat"): (Action.CLOSE, Side.SELL),
    ("sell", ""): (Action.OPEN, Side.SELL),
    ("sell", "short"): (Action.OPEN, Side.SELL),
    ("sell", "flat"): (Action.CLOSE, Side.BUY),
    ("exit", ""): (Action.CLOSE, None),
    ("exit", "flat"): (Action.CLOSE, None),
    ("cancel", ""): (Action.CANCEL, None),
    ("add", ""): (Action.ADD, None),
    ("add", "long"): (Action.ADD, Side.BUY),
    ("add", "short"): (Action.ADD, Side.SELL),
    ("reverse", ""): (Action.REVERSE, None),
    ("reverse", "long"): (Action.REVERSE, Side.BUY),
    ("reverse", "short"): (Action.REVERSE, Side.SELL),
}
_ACTIONS = {action: action for action, _ in MEANT} | {"breakeven": "breakeven"}
_SENTIMENTS = {"bullish": "long", "long": "long", "bearish": "short", "short": "short", "flat": "flat"}
_TRAILING = "trailing_stop"
_KINDS: Mapping[str, OrderKind | str] = {**{kind.value: kind for kind in OrderKind}, _TRAILING: _TRAILING}
_QUANTITIES = {
    name: name
    for name in ("fixed_quantity", "dollar_amount", "risk_dollar_amount", "risk_percent", "percent_of_equity",
                 "percent_of_position")
}  # fmt: skip
_STOPS = {"stop": "stop", "stop_limit": "stop_limit", "trailing_stop": "trailing_stop"}


def read(fields: Fields) -> SignalDraft:
    """Read the alert as documented; unknown fields are ignored, but not a known one in another spelling."""
    _refuse_misspelt(fields)
    action_word = fields.choice("action", _ACTIONS)
    if action_word == "breakeven":
        raise unreadable(Code.COMMAND_UNSUPPORTED, command="breakeven", reason="stops are moved by trade management")
    sentiment = fields.choice("sentiment", _SENTIMENTS) if fields.has("sentiment") else ""
    meant = MEANT.get((action_word, sentiment))
    if meant is None:
        raise unreadable(Code.FIELD_CONTRADICTION, field="action", other="sentiment")
    action, side = meant
    quantity = fields.optional_quantity("quantity")
    quantity_kind = fields.choice("quantityType", _QUANTITIES) if fields.has("quantityType") else "fixed_quantity"
    if quantity is not None and action is Action.CLOSE and (quantity_kind != "percent_of_position" or quantity < 100):
        action = Action.REDUCE
    kind, entry = _order(fields)
    bar_time = moment(fields, "time")
    return SignalDraft(
        dialect="tradingview/traders_post",
        action=action,
        symbol=fields.symbol("ticker"),
        side=side,
        id=fields.identifier("id"),
        kind=kind,
        entry=entry,
        reference=fields.optional_price("signalPrice") or fields.optional_price("price"),
        stop=_stop(fields),
        targets=_targets(fields),
        quantity=quantity,
        quantity_kind=quantity_kind if quantity is not None else "",
        timeframe=fields.loose_text("interval", limit=20),
        extras=kept(bar_time=bar_time.isoformat() if bar_time else "", sentiment=sentiment),
    )


def _refuse_misspelt(fields: Fields) -> None:
    known = {name.lower(): name for name in KNOWN}
    for name in fields.names():
        plain = name.lower().replace("_", "").replace("-", "")
        if name not in KNOWN and plain in known:
            raise unreadable(Code.FIELD_UNKNOWN, field=fields.path(name))


def _order(fields: Fields) -> tuple[OrderKind, Price | None]:
    """Read the order type and the price that it needs."""
    kind = fields.choice("orderType", _KINDS) if fields.has("orderType") else OrderKind.MARKET
    if not isinstance(kind, OrderKind):
        raise unreadable(Code.COMMAND_UNSUPPORTED, command=kind, reason="an entry cannot trail here")
    if kind is OrderKind.MARKET:
        return kind, None
    return kind, fields.price("stopPrice" if kind is OrderKind.STOP else "limitPrice")


def _stop(fields: Fields) -> Level | None:
    if not fields.has("stopLoss"):
        return None
    stop = fields.within("stopLoss")
    stop.only("type", "percent", "amount", "stopPrice", "limitPrice", "trailPrice", "trailPercent")
    kind = stop.choice("type", _STOPS) if stop.has("type") else "stop"
    if kind == "trailing_stop" or stop.has("trailPrice") or stop.has("trailPercent"):
        raise unreadable(Code.COMMAND_UNSUPPORTED, command="stopLoss.trailing_stop", reason="no fixed stop is named")
    return _level(stop, "stopPrice")


def _targets(fields: Fields) -> tuple[Level, ...]:
    if not fields.has("takeProfit"):
        return ()
    target = fields.within("takeProfit")
    target.only("limitPrice", "percent", "amount")
    return (_level(target, "limitPrice"),)


def _level(fields: Fields, price: str) -> Level:
    """Read the one measure that a level is given in."""
    units = {price: LevelUnit.PRICE, "percent": LevelUnit.PERCENT, "amount": LevelUnit.DISTANCE}
    given = [name for name in units if fields.has(name)]
    if not given:
        raise unreadable(Code.FIELD_MISSING, field=fields.path(price))
    if len(given) > 1:
        raise unreadable(Code.FIELD_CONTRADICTION, field=fields.path(given[0]), other=fields.path(given[1]))
    return Level(value=fields.price(given[0]), unit=units[given[0]])

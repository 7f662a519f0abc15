"""Our own alert: {"action": "buy", "symbol": "MNQ1!", "price": {{close}}, "stop_loss": ..., "take_profit": ...}."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, OrderKind, SignalDraft, aware_utc
from trading.sources import SourceContext, with_scores

FIELDS = (
    "action", "symbol", "quantity", "price", "stop_loss", "take_profit", "targets", "type", "id", "time", "timenow",
    "order_id", "position_size", "exchange", "interval", "strategy", "comment", "power", "confluence", "confidence",
    "secret",
)  # fmt: skip
ACTIONS: Mapping[str, tuple[Action, Side | None]] = {
    "buy": (Action.OPEN, Side.BUY),
    "long": (Action.OPEN, Side.BUY),
    "sell": (Action.OPEN, Side.SELL),
    "short": (Action.OPEN, Side.SELL),
    "close": (Action.CLOSE, None),
    "flatten": (Action.CLOSE, None),
    "close_long": (Action.CLOSE, Side.BUY),
    "close_short": (Action.CLOSE, Side.SELL),
    "cancel": (Action.CANCEL, None),
}
_KINDS = {kind.value: kind for kind in OrderKind if kind is not OrderKind.STOP_LIMIT}


def read(fields: Fields, context: SourceContext) -> SignalDraft:
    """Read the alert; a field that is not ours is refused, so that a misspelt stop is not a trade without one."""
    fields.only(*FIELDS)
    action, side = fields.choice("action", ACTIONS)
    kind = fields.choice("type", _KINDS) if fields.has("type") else OrderKind.MARKET
    price = fields.optional_price("price")
    if kind is not OrderKind.MARKET and price is None:
        raise unreadable(Code.FIELD_MISSING, field="price")
    if fields.has("take_profit") and fields.has("targets"):
        raise unreadable(Code.FIELD_CONTRADICTION, field="take_profit", other="targets")
    targets = (fields.price("take_profit"),) if fields.has("take_profit") else fields.prices("targets")
    stop = fields.optional_price("stop_loss")
    bar_time = moment(fields, "time")
    draft = SignalDraft(
        dialect="tradingview/own",
        action=action,
        symbol=fields.symbol("symbol"),
        side=side,
        said_at=moment(fields, "timenow"),  # {{time}} is when the bar opened, which may be an hour ago
        id=fields.identifier("id"),
        strategy=fields.optional_text("strategy", limit=80),
        kind=kind,
        entry=price if kind is not OrderKind.MARKET else None,
        reference=price,
        stop=Level(value=stop, unit=LevelUnit.PRICE) if stop is not None else None,
        targets=tuple(Level(value=target, unit=LevelUnit.PRICE) for target in targets),
        quantity=fields.optional_quantity("quantity"),
        quantity_kind="contracts" if fields.has("quantity") else "",
        timeframe=fields.loose_text("interval", limit=20),
        exchange=fields.optional_text("exchange", limit=40),
        notes=fields.optional_text("comment", limit=500, lines=True),
        extras=kept(
            bar_time=bar_time.isoformat() if bar_time else "",
            order_id=fields.loose_text("order_id"),
            position_size=fields.loose_text("position_size", limit=40),
        ),
    )
    return with_scores(draft, fields, context)


def moment(fields: Fields, name: str) -> datetime | None:
    """Read {{time}} or {{timenow}}, which TradingView writes in ISO with a Z."""
    if not fields.has(name):
        return None
    text = fields.text(name, limit=40)
    found = aware_utc(text)
    if found is None:
        raise unreadable(Code.STAMP_MALFORMED, field=fields.path(name), value=text)
    return found


def kept(**values: str) -> tuple[tuple[str, str], ...]:
    """Keep what was said."""
    return tuple((name, value) for name, value in values.items() if value)

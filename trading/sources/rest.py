"""The body of POST /api/v1/signals/: our own words, strict, with an API key in front of it."""

from __future__ import annotations

from datetime import datetime

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.reading import Fields, answered
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, OrderKind, SignalDraft, aware_utc
from mikrobot_platform.kernel.strict_json import read_object
from trading.sources import Dialect, SourceContext, text_of, with_scores

NAME = "rest"

FIELDS = (
    "id", "symbol", "action", "side", "type", "entry", "stop", "targets", "level_unit", "quantity", "strategy", "time",
    "power", "confluence", "confidence", "timeframe", "notes", "price",
)  # fmt: skip
_ACTIONS = {action.value: action for action in Action}
_KINDS = {kind.value: kind for kind in OrderKind}
_UNITS = {unit.value: unit for unit in LevelUnit if unit is not LevelUnit.UNKNOWN}


class Rest:
    """Reads what a program sends with a key."""

    name = NAME

    @answered
    def parse(self, raw: bytes, *, context: SourceContext) -> SignalDraft:
        """Read one body."""
        message = read_object(text_of(raw, context=context, dialect=NAME), limits=context.limits)
        fields = Fields(message, numbers_may_be_text=True)
        fields.only(*FIELDS)
        action = fields.choice("action", _ACTIONS) if fields.has("action") else Action.OPEN
        if action is Action.OPEN and not fields.has("side"):
            raise unreadable(Code.FIELD_MISSING, field="side")
        kind = fields.choice("type", _KINDS) if fields.has("type") else OrderKind.MARKET
        entry = fields.optional_price("entry")
        if kind is not OrderKind.MARKET and entry is None:
            raise unreadable(Code.FIELD_MISSING, field="entry")
        unit = fields.choice("level_unit", _UNITS) if fields.has("level_unit") else LevelUnit.PRICE
        stop = fields.optional_price("stop")
        draft = SignalDraft(
            dialect=f"{NAME}/1",
            action=action,
            symbol=fields.symbol("symbol"),
            side=fields.side("side") if fields.has("side") else None,
            said_at=_time(fields),
            id=fields.identifier("id"),
            strategy=fields.optional_text("strategy", limit=80),
            kind=kind,
            entry=entry,
            reference=fields.optional_price("price"),
            stop=Level(value=stop, unit=unit) if stop is not None else None,
            targets=tuple(Level(value=value, unit=unit) for value in fields.prices("targets")),
            quantity=fields.optional_quantity("quantity"),
            quantity_kind="units" if fields.has("quantity") else "",
            timeframe=fields.optional_text("timeframe", limit=20),
            notes=fields.optional_text("notes", limit=2_000, lines=True),
        )
        return with_scores(draft, fields, context)


DIALECT: Dialect = Rest()


def _time(fields: Fields) -> datetime | None:
    if not fields.has("time"):
        return None
    text = fields.text("time", limit=40)
    found = aware_utc(text)
    if found is None:
        raise unreadable(Code.STAMP_MALFORMED, field="time", value=text)
    return found

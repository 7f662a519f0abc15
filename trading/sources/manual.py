"""A ticket filled in by a person: symbol, side, levels, notes. A stop on the wrong side is refused at once.

The page or service sends the form as JSON, so that a ticket is archived and read like every other message.
"""

from __future__ import annotations

from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.market import Side
from mikrobot_platform.kernel.reading import Fields, answered
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, OrderKind, SignalDraft
from mikrobot_platform.kernel.strict_json import read_object
from trading.sources import Dialect, SourceContext, text_of, with_scores

NAME = "manual"

FIELDS = (
    "id", "symbol", "side", "type", "entry", "stop", "targets", "power", "confluence", "confidence", "timeframe",
    "notes", "strategy",
)  # fmt: skip
TIMEFRAMES = ("M1", "M5", "M15", "M30", "H1", "H4", "D1")
_TIMEFRAMES = {name.lower(): name for name in TIMEFRAMES}
_KINDS = {kind.value: kind for kind in OrderKind if kind is not OrderKind.STOP_LIMIT}


class Manual:
    """Reads a ticket and checks its sides. A field left empty says nothing."""

    name = NAME

    @answered
    def parse(self, raw: bytes, *, context: SourceContext) -> SignalDraft:
        """Read one ticket."""
        message = read_object(text_of(raw, context=context, dialect=NAME), limits=context.limits)
        fields = Fields(message, numbers_may_be_text=True, blank=frozenset({""}))
        fields.only(*FIELDS)
        symbol, side = fields.symbol("symbol"), fields.side("side")
        kind = fields.choice("type", _KINDS) if fields.has("type") else OrderKind.MARKET
        entry, stop, targets = fields.optional_price("entry"), fields.optional_price("stop"), fields.prices("targets")
        if kind is not OrderKind.MARKET and entry is None:
            raise unreadable(Code.FIELD_MISSING, field="entry")
        _check_sides(side, entry, stop, targets)
        draft = SignalDraft(
            dialect=f"{NAME}/1",
            action=Action.OPEN,
            symbol=symbol,
            side=side,
            id=fields.identifier("id"),
            strategy=fields.optional_text("strategy", limit=80),
            kind=kind,
            entry=entry,
            stop=Level(value=stop, unit=LevelUnit.PRICE) if stop is not None else None,
            targets=tuple(Level(value=target, unit=LevelUnit.PRICE) for target in targets),
            timeframe=fields.choice("timeframe", _TIMEFRAMES) if fields.has("timeframe") else "",
            notes=fields.optional_text("notes", limit=2_000, lines=True),
        )
        return with_scores(draft, fields, context)


DIALECT: Dialect = Manual()


def _check_sides(side: Side, entry: Decimal | None, stop: Decimal | None, targets: tuple[Decimal, ...]) -> None:
    """Hold stop, entry and targets in their order; without an entry the stop and the targets still face each other."""
    if entry is not None and stop is not None and (entry - stop) * side.sign <= 0:
        raise unreadable(Code.STOP_SIDE, stop=stop, reference=entry, side=side)
    start = entry if entry is not None else stop
    for target in targets:
        if start is not None and (target - start) * side.sign <= 0:
            raise unreadable(Code.TARGET_SIDE, target=target, reference=start, side=side)

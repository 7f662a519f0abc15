"""Alerts written for a Discord channel: what is meant stands in an embed's title, "Open Long [MNQ1!]".

Titles are read by whole words, and one title must say one thing. Prices are read as written; stripping everything that
is no digit, as it was done with these before, turns "25 000 (+20)" into 2500020.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.market import Price, Side
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, SignalDraft
from trading.sources.tradingview.own import kept

_SYMBOL = re.compile(r"\[([^\[\]]+)\]")
_WORD = re.compile(r"[a-z0-9]+")
_SIDES = {"long": Side.BUY, "buy": Side.BUY, "short": Side.SELL, "sell": Side.SELL}

# The words of a title -> what it asks for, and whether it must say which side. First match wins.
EVENTS: tuple[tuple[tuple[str, ...], Action, bool], ...] = (
    (("session", "close"), Action.CLOSE, False),
    (("stop", "out"), Action.CLOSE, True),
    (("tp1", "hit"), Action.REDUCE, True),
    (("tp2", "hit"), Action.CLOSE, True),  # the bot that these alerts were made for holds two parts
    (("tp3", "hit"), Action.CLOSE, True),
    (("trim",), Action.REDUCE, True),
    (("open",), Action.OPEN, True),
    (("close",), Action.CLOSE, True),
    (("exit",), Action.CLOSE, True),
)
_EVENT_WORDS = {"open", "close", "exit", "trim", "tp1", "tp2", "tp3", "out"}

# Field names, in lower case and without spaces -> what they hold.
LEVELS: Mapping[str, str] = {
    "entry": "entry", "entryprice": "entry", "stop": "stop", "stoploss": "stop", "target": "target1",
    "target1": "target1", "takeprofit1": "target1", "target2": "target2", "takeprofit2": "target2",
    "target3": "target3", "takeprofit3": "target3",
}  # fmt: skip
# A label that speaks of a level in words we do not know is refused: a stop must not be lost over a label.
_LEVEL_WORDS = ("entry", "stop", "target", "profit")
_THOUSANDS = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")


def read(fields: Fields) -> SignalDraft:
    """Read the one embed of an alert."""
    embeds = fields.each("embeds", limit=10)
    if len(embeds) != 1:
        raise unreadable(Code.FIELD_VALUE, field="embeds", expected="a list of one", value=str(len(embeds)))
    embed = embeds[0]
    title = embed.text("title", limit=256)
    symbol = _symbol(title)
    words = tuple(_WORD.findall(_SYMBOL.sub(" ", title.lower()).replace("trim/close", "trim").replace("_", " ")))
    event, action, needs_side = _event(words, title)
    sides = {_SIDES[word] for word in words if word in _SIDES}
    if len(sides) != 1 and (needs_side or sides):
        raise unreadable(Code.SIDE_UNKNOWN, field="embeds[0].title", value=title)
    levels = _levels(embed)
    stop = levels.get("stop")
    return SignalDraft(
        dialect="tradingview/embed",
        action=action,
        symbol=symbol,
        side=sides.pop() if sides else None,
        entry=levels.get("entry") if action is Action.OPEN else None,
        reference=levels.get("entry"),
        stop=Level(value=stop, unit=LevelUnit.PRICE) if stop is not None else None,
        targets=tuple(
            Level(value=levels[name], unit=LevelUnit.PRICE)
            for name in ("target1", "target2", "target3")
            if name in levels
        ),
        notes=embed.optional_text("description", limit=2_000, lines=True),
        extras=kept(event=" ".join(event)),
    )


def _symbol(title: str) -> str:
    found = _SYMBOL.findall(title)
    if len(found) != 1:
        raise unreadable(Code.SYMBOL_MALFORMED, field="embeds[0].title", value=title)
    return Fields({"title": found[0]}, path="embeds[0]").symbol("title")


def _event(words: tuple[str, ...], title: str) -> tuple[tuple[str, ...], Action, bool]:
    found = [event for event in EVENTS if set(event[0]) <= set(words)]
    said = _EVENT_WORDS & set(words)
    if not found or len(said) > 1:
        raise unreadable(Code.COMMAND_UNSUPPORTED, command=title, reason="the title names no event, or more than one")
    return found[0]


def _levels(embed: Fields) -> dict[str, Price]:
    found: dict[str, Price] = {}
    for field in embed.each("fields", limit=25):
        label = field.text("name", limit=256).lower().replace(" ", "").replace("_", "").rstrip(":")
        name = LEVELS.get(label)
        if name is None and any(word in label for word in _LEVEL_WORDS):
            raise unreadable(Code.FIELD_UNKNOWN, field=field.text("name", limit=256))
        if name is None or not field.has("value"):
            continue
        if name in found:
            raise unreadable(Code.DUPLICATE_KEY, field=field.path("name"))
        written = field.written("value").strip(" `*").removeprefix("$").strip(" ")
        figure = written.replace(",", "") if _THOUSANDS.fullmatch(written) else written
        found[name] = Fields({name: figure}, path="embeds[0]", numbers_may_be_text=True).price(name)
    return found

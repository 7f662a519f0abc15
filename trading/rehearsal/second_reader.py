"""The second reader: what a message says, read another way than the sources do, to compare a draft with."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from mikrobot_platform.kernel.signals import SignalDraft
from trading.rehearsal.messages import text_of


def _side(word: object) -> str | None:
    return {"bu": "buy", "lo": "buy", "se": "sell", "sh": "sell", "be": "sell"}.get(str(word).strip().lower()[:2])


def _stamp(text: object) -> str:
    return re.sub(r"\D", "", str(text))[:12]


def _figures(found: Any) -> list[Decimal]:  # noqa: PLR0911 - one line a kind of value
    """List every number in a value, also those written as text."""
    match found:
        case bool() | None:
            return []
        case Decimal():
            return [found]
        case str():
            try:
                figure = Decimal(found.strip().strip("$").replace(",", ""))
            except InvalidOperation:
                return []
            return [figure] if figure.is_finite() else []
        case dict():
            return [figure for item in found.values() for figure in _figures(item)]
        case list():
            return [figure for item in found for figure in _figures(item)]
        case _:
            return []


def stands_there(draft: SignalDraft, raw: bytes) -> bool:
    """Tell whether a draft says what the message says, by another way of reading it."""
    text = text_of(raw).strip()
    if not text.startswith("{"):
        return _line_says(draft, text)
    said: dict[str, Any] = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    said = said.get("signal", said)
    if draft.phases is not None:
        return _phases_say(draft, said)
    symbol = said.get("symbol", said.get("ticker")) or ""
    title = said["embeds"][0]["title"] if "embeds" in said else ""
    words = (
        [said.get(name) for name in ("side", "action", "direction", "signal_type")]
        if not title
        else re.findall(r"[a-z]+", title.lower())
    )
    sides = {_side(word) for word in words} - {None}
    if str(said.get("sentiment", "")).lower() == "flat":
        sides = {"sell" if side == "buy" else "buy" for side in sides if side}
    levels = [level.value for level in (draft.stop, *draft.targets) if level] + [
        figure for figure in (draft.entry, draft.reference, draft.quantity) if figure is not None
    ]
    return (
        (draft.symbol == symbol.strip(" ") or f"[{draft.symbol}]" in title)
        and (draft.side is None or draft.side in sides)
        and set(levels) <= set(_figures(said))
        and _keeps_places(draft, said)
    )


def _keeps_places(draft: SignalDraft, said: Mapping[str, Any]) -> bool:
    """Tell whether a stop in the message is the stop of the draft, and none was made up or lost."""
    if "embeds" in said:
        fields = said["embeds"][0].get("fields") or []
        stops = _figures([item.get("value") for item in fields if str(item.get("name", "")).lower().startswith("stop")])
    else:
        stops = _figures([said.get("stop"), said.get("stop_loss"), said.get("stopLoss")])
    return stops == ([draft.stop.value] if draft.stop else [])


def _phases_say(draft: SignalDraft, said: Mapping[str, Any]) -> bool:
    phases = draft.phases
    assert phases is not None
    parts = [said[name] for name in ("phase_1_m5_bos", "phase_2_m1_break", "phase_3_m1_retest")]
    read_as = [(phase.price, _stamp(phase.at.text)) for phase in (phases.bos, phases.break_, phases.retest)]
    last = said["phase_4_ylipip"]
    stamp = dict(draft.extras).get("stamp") or getattr(draft.said_at, "text", "")
    return (
        draft.symbol == said["symbol"].strip(" ")
        and draft.side == _side(said["trade_direction"]) == _side(parts[0]["direction"])
        and read_as == [(Decimal(part["price"]), _stamp(part["time"])) for part in parts]
        and (phases.target, phases.current, phases.is_triggered) == (last["target"], last["current"], last["triggered"])
        and (draft.reference, phases.trigger_pips) == (said["current_price"], said["ylipip_trigger"])
        and _stamp(stamp) == _stamp(said["timestamp"])
    )


def _line_says(draft: SignalDraft, text: str) -> bool:
    parts = [part.strip() for part in text.split(",")]
    params = dict(part.split("=", 1) for part in parts[3:])
    params = {name.strip().lower(): value.strip().strip('"') for name, value in params.items()}
    stop = [Decimal(value) for name, value in params.items() if name.startswith("sl")]
    target = [Decimal(value) for name, value in params.items() if name.startswith("tp")]
    return (
        draft.symbol == parts[2]
        and draft.side in (_side(parts[1]), _side(parts[1].lower().removeprefix("close").removeprefix("cancel")))
        and stop == ([draft.stop.value] if draft.stop else [])
        and target == [level.value for level in draft.targets]
    )

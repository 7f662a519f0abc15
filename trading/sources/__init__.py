"""The treaty of the sources: bytes of a stranger go in, a draft or a named refusal comes out, and nothing else ever.

A source is one file here with a DIALECT and one line in the registry. It knows no rows and no other source. What it
returns has not been compared with the market; that is trading/engine/validate.py.

How a repeated delivery is known (`dedupe_key`):
1. The sender's own identifier, or the Idempotency-Key of the request: for ever, within its source. A key is remembered
   beside an identifier too (trading/ledger.py twin): a program may make a new identifier for each try.
2. A message that names its bar or moment: source, symbol, that time, order id, action, side, quantity and position
   size, for ten minutes, as alerts are known to arrive twice.
3. A message stamped by its own clock only, as an EA's file is, which stays where it is until the next signal: all that
   it says, for ever. Its minute stamp alone is never a key: two setups may share a minute.
4. Anything else: everything it says, for ten minutes.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, fields, is_dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Protocol

from mikrobot_platform.kernel.decisions import Code, Refusal, unreadable
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import (
    LEVELS_0_TO_4,
    LEVELS_1_TO_3,
    PERCENT,
    ClockStamp,
    LevelUnit,
    Scale,
    Score,
    SignalDraft,
)
from mikrobot_platform.kernel.strict_json import LIMITS, Limits

DUPLICATE_WINDOW_S = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceContext:
    """What is known about a message besides its bytes: where it came in, and how this source is set up."""

    source: str  # our id of the source
    content_type: str = ""
    declared_bytes: int | None = None  # Content-Length: a line that lost its end may still be a line
    idempotency_key: str = ""
    levels: LevelUnit = LevelUnit.UNKNOWN  # what a bare sl= or price= means where the source's product leaves it open
    power: Scale = PERCENT
    confluence: Scale = LEVELS_0_TO_4
    confidence: Scale = LEVELS_1_TO_3
    limits: Limits = LIMITS


Parsed = SignalDraft | Refusal


@dataclass(frozen=True, slots=True, kw_only=True)
class Torn:
    """The bytes look like a file that is being written: read again. After the last try it is what it `becomes`."""

    becomes: Refusal


class Dialect(Protocol):
    """Understands one kind of message. Same bytes, same answer; no exception leaves it."""

    @property
    def name(self) -> str:
        """Name the file that understands."""

    def parse(self, raw: bytes, *, context: SourceContext) -> Parsed:
        """Read one message that arrived whole."""


class FileDialect(Dialect, Protocol):
    """Understands a file that somebody else overwrites while we look."""

    def read(self, raw: bytes, *, context: SourceContext) -> Parsed | Torn:
        """Read what a file holds at this instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DedupeKey:
    """By what a repetition is known, within one source; `window_s` None means for ever."""

    text: str
    window_s: int | None


def dedupe_key(draft: SignalDraft, *, context: SourceContext) -> DedupeKey:
    """Say by what a repetition of this signal would be known."""
    if draft.id:
        return DedupeKey(text=f"id:{draft.id}", window_s=None)
    if context.idempotency_key:
        return DedupeKey(text=f"key:{_digest(context.idempotency_key)}", window_s=None)
    extras = dict(draft.extras)
    moment = extras.get("bar_time") or (draft.said_at.isoformat() if isinstance(draft.said_at, datetime) else "")
    if moment:
        told = (
            context.source, draft.exchange, draft.symbol, moment, extras.get("order_id", ""), draft.action,
            draft.side or "", format(draft.quantity.normalize(), "f") if draft.quantity is not None else "",
            extras.get("position_size", ""),
        )  # fmt: skip
        return DedupeKey(text=f"bar:{_digest(*told)}", window_s=DUPLICATE_WINDOW_S)
    window_s = None if isinstance(draft.said_at, ClockStamp) else DUPLICATE_WINDOW_S
    return DedupeKey(
        text=f"all:{_digest(context.source, json.dumps(plain(draft, as_written=False), sort_keys=True))}",
        window_s=window_s,
    )


def _digest(*parts: str) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def plain(value: object, *, as_written: bool = True) -> object:  # noqa: PLR0911 - one line a kind of value
    """Turn a draft, rules or facts into JSON values: figures as exact text, times as ISO, stamps as they were written.

    Not `as_written`, 171.10 and 171.1 are the same.
    """
    if is_dataclass(value) and not isinstance(value, type):
        if isinstance(value, ClockStamp):
            return {"clock": value.text, "resolution_s": value.resolution_s}
        return {field.name: plain(getattr(value, field.name), as_written=as_written) for field in fields(value)}
    match value:
        case Decimal():
            return format(value if as_written else value.normalize(), "f")
        case datetime():
            return value.isoformat()
        case Enum():
            return value.value
        case frozenset():
            return sorted(str(item) for item in value)
        case tuple():
            return [plain(item, as_written=as_written) for item in value]
        case _:
            return value


# What several dialects say in the same words


def text_of(raw: bytes, *, context: SourceContext, dialect: str) -> str:
    """Decode a message that arrived over HTTP: UTF-8 with or without a mark, bounded."""
    if len(raw) > context.limits.max_bytes:
        raise unreadable(Code.TOO_LARGE, limit=context.limits.max_bytes)
    if context.declared_bytes is not None and context.declared_bytes != len(raw):
        raise unreadable(Code.UNFINISHED)
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise unreadable(Code.NOT_TEXT, dialect=dialect) from None
    if not text.strip(" \t\r\n"):
        raise unreadable(Code.EMPTY)
    return text


def score(message: Fields, name: str, scale: Scale) -> Score | None:
    """Read a score on its source's scale; letters as in L3 or C2 are part of how people write it."""
    written = message.loose_text(name, limit=20).strip()
    if not written:
        return None
    figures = written[1:] if written[0] in "LlCc" else written
    value = Fields({name: figures}, numbers_may_be_text=True).number(name)
    found = scale.score(written, value)
    if found is None:
        expected = f"from {scale.points[0][0]} to {scale.points[-1][0]}"
        raise unreadable(Code.FIELD_VALUE, field=message.path(name), expected=expected, value=written)
    return found


def with_scores(draft: SignalDraft, message: Fields, context: SourceContext) -> SignalDraft:
    """Add power, confluence and confidence where a source gives them."""
    return replace(
        draft,
        power=score(message, "power", context.power),
        confluence=score(message, "confluence", context.confluence),
        confidence=score(message, "confidence", context.confidence),
    )

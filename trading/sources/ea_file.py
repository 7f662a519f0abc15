"""The EA's signal file: one path, overwritten by every chart, read while it is being written.

The v8 EA writes UTF-16LE, with or without a mark as the terminal likes; its scripts wrote the same file as ASCII or
UTF-8. A file that looks broken is Torn: the caller reads again, and only the last answer counts. A file that is whole
and says something else is refused by the name of what it is.

The EA truncates and writes at once, so a mixture of two files is not to be expected; if a reader is handed the head
of one signal and the body of another, nothing inside the text can tell. Whoever reads the file takes bytes only when
size and time of change were the same before and after, and hands over what was read whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from mikrobot_platform.kernel.decisions import Code, Refusal, Unreadable, unreadable
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import Action, Level, LevelUnit, SignalDraft
from mikrobot_platform.kernel.strict_json import Json, read_object
from trading.engine import four_phase
from trading.sources import FileDialect, Parsed, SourceContext, Torn

NAME = "ea_file"

# Broken bytes, or two texts mixed: another look may find the file whole. Nothing else heals by looking again.
_MAY_HEAL = frozenset(
    {
        Code.EMPTY, Code.UNFINISHED, Code.NUL_INSIDE, Code.NOT_TEXT, Code.NOT_JSON, Code.DUPLICATE_KEY,
        Code.FIELD_CONTRADICTION,
    }
)  # fmt: skip

_MARK_16 = b"\xff\xfe"
_MARK_8 = b"\xef\xbb\xbf"


class EaFile:
    """Reads `mikrobot_4phase_signal.json` and its relatives."""

    name = NAME

    def parse(self, raw: bytes, *, context: SourceContext) -> Parsed:
        """Read the archived bytes of a file: nobody is writing them any more, so torn is refused."""
        found = self.read(raw, context=context)
        return found.becomes if isinstance(found, Torn) else found

    def read(self, raw: bytes, *, context: SourceContext) -> Parsed | Torn:
        """Read what the file holds at this instant."""
        try:
            text, is_utf16 = _decode(raw, context)
            return _read_text(text, is_utf16, context)
        except Unreadable as reason:
            return _torn_or_refused(reason.reason)


DIALECT: FileDialect = EaFile()


def _torn_or_refused(refusal: Refusal) -> Refusal | Torn:
    return Torn(becomes=refusal) if refusal.code in _MAY_HEAL else refusal


def _decode(raw: bytes, context: SourceContext) -> tuple[str, bool]:
    """Return the text and whether it was UTF-16, as only the EA itself writes it."""
    if len(raw) > context.limits.max_bytes:
        raise unreadable(Code.TOO_LARGE, limit=context.limits.max_bytes)
    if not raw.strip(b"\0 \t\r\n"):
        raise unreadable(Code.EMPTY)
    if raw in (_MARK_16[:1], _MARK_16, _MARK_8[:1], _MARK_8[:2], _MARK_8):
        raise unreadable(Code.UNFINISHED)
    if raw.startswith(b"\0"):
        raise unreadable(Code.NUL_INSIDE)
    is_utf16 = raw.startswith(_MARK_16) or raw[1:2] == b"\0"
    text = _utf16(raw) if is_utf16 else _utf8(raw)
    text = text.rstrip("\0")
    if "\0" in text:
        raise unreadable(Code.NUL_INSIDE)
    return text, is_utf16


def _utf16(raw: bytes) -> str:
    body = raw.removeprefix(_MARK_16)
    if len(body) % 2:
        if body[-1:] != b"\0":
            raise unreadable(Code.UNFINISHED)
        body = body[:-1]
    try:
        return body.decode("utf-16-le")
    except UnicodeDecodeError:
        raise unreadable(Code.NOT_TEXT, dialect=NAME) from None


def _utf8(raw: bytes) -> str:
    try:
        return raw.removeprefix(_MARK_8).decode("utf-8")
    except UnicodeDecodeError as error:
        code = Code.UNFINISHED if error.reason == "unexpected end of data" else Code.NOT_TEXT
        raise (unreadable(code) if code is Code.UNFINISHED else unreadable(code, dialect=NAME)) from None


def _read_text(text: str, is_utf16: bool, context: SourceContext) -> SignalDraft:
    message = read_object(text, limits=context.limits)
    form = next((reader for is_this, reader in _FORMS if is_this(message)), None)
    if form is None:
        raise unreadable(Code.DIALECT_UNKNOWN, dialect=NAME)
    return form(message, is_utf16)


def _four_phases(message: Mapping[str, Json], is_utf16: bool) -> SignalDraft:
    return four_phase.read(Fields(message), dialect=f"{NAME}/v8", is_printed=is_utf16)


def _deployment(message: Mapping[str, Json], _is_utf16: bool) -> SignalDraft:
    """Read the record in which a signal was laid out by hand: the signal, and the order somebody planned for it."""
    fields = Fields(message)
    draft = four_phase.read(fields.within("signal_data"), dialect=f"{NAME}/handmade", is_printed=False)
    if not fields.has("trade_parameters"):
        return draft
    order = fields.within("trade_parameters")
    if order.symbol("symbol") != draft.symbol:
        raise unreadable(Code.FIELD_CONTRADICTION, field=order.path("symbol"), other="signal_data.symbol")
    if order.side("action") is not draft.side:
        raise unreadable(Code.FIELD_CONTRADICTION, field=order.path("action"), other="signal_data.trade_direction")
    return replace(
        draft,
        id=fields.identifier("deployment_id"),
        entry=order.optional_price("entry_price"),
        stop=Level(value=order.price("sl_price"), unit=LevelUnit.PRICE) if order.has("sl_price") else None,
        targets=(Level(value=order.price("tp_price"), unit=LevelUnit.PRICE),) if order.has("tp_price") else (),
        quantity=order.optional_quantity("lot_size"),
        quantity_kind="lots" if order.has("lot_size") else "",
    )


# A break of structure on a higher frame and its retest on a lower one: which fields stand for which pair of frames.
_FRAMES = {"m5": "m1", "h1": "m15"}


def _bos_retest(message: Mapping[str, Json], _is_utf16: bool) -> SignalDraft:
    """Read the other family's message: BUY and BULLISH, ISO stamps that are server time whatever they claim."""
    fields = Fields(message)
    kind = fields.text("signal_type", limit=40)
    if kind == "CONNECTION_TEST":
        raise unreadable(Code.CONNECTION_TEST)
    if kind != "BOS_RETEST":
        raise unreadable(Code.FIELD_VALUE, field="signal_type", expected="BOS_RETEST or CONNECTION_TEST", value=kind)
    frames = [upper for upper in _FRAMES if fields.has(f"{upper}_bos_level")]
    if len(frames) > 1:
        raise unreadable(Code.FIELD_CONTRADICTION, field="m5_bos_level", other="h1_bos_level")
    upper = frames[0] if frames else "h1"
    lower = _FRAMES[upper]
    side = fields.side("direction")
    if fields.side(f"{upper}_bos_direction") is not side:
        raise unreadable(Code.FIELD_CONTRADICTION, field="direction", other=f"{upper}_bos_direction")
    levels = (f"{upper}_bos_level", f"{lower}_break_high", f"{lower}_break_low", "pip_trigger")
    for name in levels[:3]:
        fields.price(name)
    fields.number("pip_trigger")
    trigger = fields.price("trigger_price")
    return SignalDraft(
        dialect=f"{NAME}/bos_retest",
        action=Action.OPEN,
        symbol=fields.symbol("symbol"),
        side=side,
        said_at=four_phase.stamp(fields, "timestamp"),
        strategy=fields.text("ea_name", limit=80),
        build=fields.loose_text("ea_version", limit=40),
        entry=trigger,
        reference=trigger,
        timeframe=fields.optional_text("timeframe", limit=20),
        account=fields.loose_text("account", limit=40),
        extras=tuple((name, fields.written(name)) for name in levels),
    )


def _refused_as(form: str, reason: str) -> Callable[[Mapping[str, Json], bool], SignalDraft]:
    def refuse(_message: Mapping[str, Json], _is_utf16: bool) -> SignalDraft:
        raise unreadable(Code.DIALECT_UNSUPPORTED, form=form, reason=reason)

    return refuse


def _having(*names: str) -> Callable[[Mapping[str, Json]], bool]:
    return lambda message: all(name in message for name in names)


# First match wins: the more telling fields stand first.
_FORMS: tuple[tuple[Callable[[Mapping[str, Json]], bool], Callable[[Mapping[str, Json], bool], SignalDraft]], ...] = (
    (_having("deployment_id", "signal_data"), _deployment),
    (_having("trade_id"), _refused_as("a record of a trade that was made", "it is history and asks for nothing")),
    (
        lambda message: message.get("phase") == "4_PHASE_TRIGGER",
        _refused_as("the terminal-local variant", "its stop is a bare distance and its entry is zero"),
    ),
    (_having("signal_type"), _bos_retest),
    (_having("h1_bos_level"), _bos_retest),
    (_having("m5_bos_level"), _bos_retest),
    (
        _having("signal_id", "action"),
        _refused_as("an answer to the EA", "it tells the EA what to do and comes from a signal itself"),
    ),
    (
        _having("id", "action"),
        _refused_as("a command of the signal EA's own protocol", "it orders one terminal about and is no signal"),
    ),
    (_having("phase_1_m5_bos"), _four_phases),
    (_having("phase_4_ylipip"), _four_phases),
    (_having("strategy", "timestamp"), _four_phases),
)

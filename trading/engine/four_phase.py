"""The four-phase signal as the v8 EA writes it: its thirteen fields, its stamps, its way of counting pips.

The file and the push client carry the same object, so it is read here once. What a field means is decided here; whether
the whole is worth a trade is decided in validate.py.
"""

from __future__ import annotations

import re
from decimal import Decimal

from mikrobot_platform.kernel.decisions import Code, unreadable
from mikrobot_platform.kernel.market import Price
from mikrobot_platform.kernel.reading import Fields
from mikrobot_platform.kernel.signals import (
    FRACTION,
    Action,
    ClockStamp,
    Phase,
    Phases,
    SignalDraft,
    clock_stamp,
    iso_as_clock_stamp,
)

STRATEGY = "MIKROBOT_FASTVERSION_4PHASE"
# In the order in which the EA prints them.
FIELDS = (
    "timestamp", "symbol", "strategy", "phase_1_m5_bos", "phase_2_m1_break", "phase_3_m1_retest", "phase_4_ylipip",
    "trade_direction", "current_price", "ylipip_trigger", "source", "intelligence_needed", "build_version",
)  # fmt: skip
PARTS = {
    "phase_1_m5_bos": ("time", "price", "direction"),
    "phase_2_m1_break": ("time", "price"),
    "phase_3_m1_retest": ("time", "price"),
    "phase_4_ylipip": ("target", "current", "triggered"),
}
SIGNED_BY = {
    "source": re.compile(r"MIKROBOT_FASTVERSION_[A-Za-z0-9_]+"),
    "intelligence_needed": re.compile(r"PYTHON_MCP_ML_ATR_RISK"),
    "build_version": re.compile(r"[0-9]{8}-[0-9]{3}[A-Z]?"),
}
HANDMADE_FIELDS = ("confidence",)

# The EA prints every price with %.5f and its trigger with %.2f, whatever the symbol. A digit that was lost shows here.
_PRINTED_PRICE = re.compile(r"[0-9]+\.[0-9]{5}")
_PRINTED_PIPS = re.compile(r"[0-9]+\.[0-9]{2}")
PRINTED_STEP = Decimal("0.00001")
MAX_APART = Decimal("0.10")  # a setup that ran a tenth of its price is no setup of minutes any more

# TimeCurrent() before the first tick, and TimeToString(0).
_FIRST_YEAR = 946_684_800  # 2000-01-01
_LAST_YEAR = 4_102_444_800  # 2100-01-01


def v8_pip_size(symbol: str) -> Decimal:
    """Count pips as the EA does, right or wrong: JPY anywhere 0.01, else USD anywhere 0.0001, else 0.1.

    XAUUSD and BTCUSD get 0.0001 and EURGBP gets 0.1 by this; the target in the file was computed with it all the same.
    """
    if "JPY" in symbol:
        return Decimal("0.01")
    return Decimal("0.0001") if "USD" in symbol else Decimal("0.1")


def read(fields: Fields, *, dialect: str, is_printed: bool) -> SignalDraft:
    """Read the object, or raise Unreadable. `is_printed`: the EA itself wrote it, so its form is exact to the digit.

    The price and the direction stand in it twice; a text in which they differ is two texts mixed.
    """
    if is_printed and fields.names() != list(FIELDS):
        for name in FIELDS:
            if name not in fields.names():
                raise unreadable(Code.FIELD_MISSING, field=fields.path(name))
        fields.only(*FIELDS)
        raise unreadable(Code.FIELD_VALUE, field="message", expected="in the EA's order of fields", value="in another")
    fields.only(*FIELDS, *HANDMADE_FIELDS)
    fields.constant("strategy", STRATEGY)
    _signed_by_the_ea(fields)
    symbol = fields.symbol("symbol")
    bos, break_, retest, last = (fields.within(name) for name in PARTS)
    for part, names in zip((bos, break_, retest, last), PARTS.values(), strict=True):
        part.only(*names)
    side = fields.side("trade_direction")
    phases = Phases(
        bos=_phase(bos, is_printed),
        bos_side=bos.side("direction"),
        break_=_phase(break_, is_printed),
        retest=_phase(retest, is_printed),
        target=_price(last, "target", is_printed),
        current=_price(last, "current", is_printed),
        is_triggered=last.flag("triggered"),
        trigger_pips=_pips(fields, is_printed),
        pip_size=v8_pip_size(symbol),
    )
    current = _price(fields, "current_price", is_printed)
    if current != phases.current:
        raise unreadable(Code.FIELD_CONTRADICTION, field="current_price", other="phase_4_ylipip.current")
    if side is not phases.bos_side:
        raise unreadable(Code.FIELD_CONTRADICTION, field="trade_direction", other="phase_1_m5_bos.direction")
    _hold_together(phases)
    confidence = fields.optional_number("confidence")
    return SignalDraft(
        dialect=dialect,
        action=Action.OPEN,
        symbol=symbol,
        side=side,
        said_at=stamp(fields, "timestamp"),
        strategy=STRATEGY,
        build=fields.optional_text("build_version", limit=40),
        reference=current,
        bid=current,  # the EA's price is the bid, even for a buy
        phases=phases,
        confidence=FRACTION.score(fields.written("confidence"), confidence) if confidence is not None else None,
        extras=tuple(
            (name, fields.optional_text(name, limit=80))
            for name in ("source", "intelligence_needed")
            if fields.has(name)
        ),
    )


def _signed_by_the_ea(fields: Fields) -> None:
    """Refuse half a signature: the EA prints these three, a person leaves them all out, a damaged file has some."""
    given = [name for name in SIGNED_BY if fields.has(name)]
    for name in SIGNED_BY if given else ():
        value = fields.text(name, limit=80)
        if not SIGNED_BY[name].fullmatch(value):
            raise unreadable(Code.FIELD_VALUE, field=fields.path(name), expected="as the EA writes it", value=value)


def _hold_together(phases: Phases) -> None:
    """Refuse prices of one setup that are not of one magnitude: a digit was lost, or two texts were mixed."""
    for name, price in (
        ("phase_1_m5_bos.price", phases.bos.price),
        ("phase_2_m1_break.price", phases.break_.price),
        ("phase_3_m1_retest.price", phases.retest.price),
        ("phase_4_ylipip.target", phases.target),
    ):
        if abs(price - phases.current) > phases.current * MAX_APART:
            raise unreadable(Code.FIELD_CONTRADICTION, field=name, other="current_price")


def stamp(fields: Fields, name: str) -> ClockStamp:
    """Read a stamp of the source's clock: the EA's own form, or ISO as its relatives write it."""
    text = fields.text(name, limit=40)
    found = clock_stamp(text) or iso_as_clock_stamp(text)
    if found is None:
        raise unreadable(Code.STAMP_MALFORMED, field=fields.path(name), value=text)
    if found.seconds < _FIRST_YEAR:
        raise unreadable(Code.STAMP_UNSET, field=fields.path(name), value=text)
    if found.seconds >= _LAST_YEAR:
        raise unreadable(Code.STAMP_MALFORMED, field=fields.path(name), value=text)
    return found


def _phase(fields: Fields, is_printed: bool) -> Phase:
    return Phase(at=stamp(fields, "time"), price=_price(fields, "price", is_printed))


def _price(fields: Fields, name: str, is_printed: bool) -> Price:
    value = fields.price(name)
    if is_printed and not _PRINTED_PRICE.fullmatch(fields.written(name)):
        raise unreadable(
            Code.FIELD_VALUE, field=fields.path(name), expected="printed with 5 decimals", value=fields.written(name)
        )
    return value


def _pips(fields: Fields, is_printed: bool) -> Decimal:
    value = fields.number("ylipip_trigger")
    written = fields.written("ylipip_trigger")
    if is_printed and not _PRINTED_PIPS.fullmatch(written):
        raise unreadable(Code.FIELD_VALUE, field="ylipip_trigger", expected="printed with 2 decimals", value=written)
    if not 0 < value <= 1_000:
        raise unreadable(Code.FIELD_VALUE, field="ylipip_trigger", expected="above 0 and at most 1000", value=written)
    return value

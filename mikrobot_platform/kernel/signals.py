"""What a source may say: one draft of a signal, in our words where they exist and in the source's where they do not.

A draft is what was read, not what is believed: nothing here has been compared with the market or with a clock of ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum

from mikrobot_platform.kernel.market import Price, Quantity, Side


class Action(StrEnum):
    """What a signal asks for."""

    OPEN = "open"
    ADD = "add"  # enlarge a position that exists
    REDUCE = "reduce"  # close a part
    CLOSE = "close"
    REVERSE = "reverse"
    CANCEL = "cancel"  # pending orders only
    PROTECT = "protect"  # move stop and target of a position that exists

    @property
    def is_entry(self) -> bool:
        """Tell whether it can enlarge what is at stake. Everything else is never blocked by a gate."""
        return self in (Action.OPEN, Action.ADD, Action.REVERSE)


class OrderKind(StrEnum):
    """How an entry wants to be made."""

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    STOP_LIMIT = "stop_limit"


class LevelUnit(StrEnum):
    """What the figure of a stop or target is measured in."""

    PRICE = "price"
    DISTANCE = "distance"  # in price units from the entry
    PIPS = "pips"
    PERCENT = "percent"  # of the entry price
    UNKNOWN = "unknown"  # depends on a setting in the source's own product


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A stop or target as the source gave it."""

    value: Decimal
    unit: LevelUnit


@dataclass(frozen=True, slots=True)
class ClockStamp:
    """A time read off the source's own clock, whose distance from UTC this value does not know.

    It has no order and equals no datetime, so that nobody compares it with a real time by mistake; the broker clock
    (trading/engine/broker_clock.py) turns it into an interval of UTC once the distance is known.
    """

    seconds: int  # since 1970-01-01 00:00 as that clock shows it
    resolution_s: int  # 60 for a minute stamp: the true time is within [seconds, seconds + resolution_s)

    @property
    def text(self) -> str:
        """Return the stamp as MetaTrader writes it."""
        shape = "%Y.%m.%d %H:%M" if self.resolution_s == 60 else "%Y.%m.%d %H:%M:%S"
        return datetime.fromtimestamp(self.seconds, tz=UTC).strftime(shape)

    def seconds_after(self, earlier: ClockStamp) -> int:
        """Return how long after another stamp of the same clock this one is."""
        return self.seconds - earlier.seconds


SourceTime = datetime | ClockStamp

_STAMP = re.compile(r"([0-9]{4})\.([0-9]{2})\.([0-9]{2}) ([0-9]{2}):([0-9]{2})(?::([0-9]{2}))?")
_ISO = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[T ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:[.,][0-9]{1,9})?)?"
    r"(Z|z|[+-][0-9]{2}:?[0-9]{2})?"
)


def clock_stamp(text: str) -> ClockStamp | None:
    """Read "YYYY.MM.DD HH:MM" (a minute stamp) or "YYYY.MM.DD HH:MM:SS"; None for anything else."""
    found = _STAMP.fullmatch(text)
    return _stamp(found.groups()) if found else None


def iso_as_clock_stamp(text: str) -> ClockStamp | None:
    """Read an ISO time as a stamp of the source's clock, whatever zone it claims.

    The EA of the "pure signal" family prints its broker's server time with a Z behind it, which makes it look like UTC.
    """
    found = _ISO.fullmatch(text)
    return _stamp(found.groups()[:6]) if found else None


def _stamp(groups: tuple[str | None, ...]) -> ClockStamp | None:
    year, month, day, hour, minute, second = (int(group) if group else 0 for group in groups)
    try:
        moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        return None
    return ClockStamp(int(moment.timestamp()), 1 if groups[5] is not None else 60)


def aware_utc(text: str) -> datetime | None:
    """Read an ISO time that names its zone; None when it names none, because a guess would be an hour off."""
    found = _ISO.fullmatch(text)
    if not found or not found.group(7):
        return None
    try:
        return datetime.fromisoformat(text.upper().replace(",", ".").replace(" ", "T")).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """One of the first three phases: when the bar opened on the source's clock, and at which price."""

    at: ClockStamp
    price: Price


@dataclass(frozen=True, slots=True, kw_only=True)
class Phases:
    """The four phases: structure broken on M5, broken on M1, retested, and triggered a few pips beyond."""

    bos: Phase
    bos_side: Side
    break_: Phase
    retest: Phase
    target: Price
    current: Price
    is_triggered: bool
    trigger_pips: Decimal
    pip_size: Decimal  # as the source counts pips, which is not always as its broker does


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A power, confluence or confidence: as the source said it, on which scale, and from 0 to 100."""

    raw: str
    scale: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalDraft:
    """Everything that a source may say about one signal."""

    dialect: str  # "ea_file/v8": the file that read it and the form it found
    action: Action
    symbol: str  # exactly as the source writes it
    side: Side | None = None  # of the trade; for an exit, of the position that is meant; None when not said
    said_at: SourceTime | None = None
    id: str = ""  # the source's own identifier; empty when it has none
    sequence: int | None = None
    strategy: str = ""
    build: str = ""
    kind: OrderKind = OrderKind.MARKET
    entry: Price | None = None  # where the source wants in: the limit or stop of the order, or its intended price
    reference: Price | None = None  # the source's own quote when it spoke
    bid: Price | None = None
    ask: Price | None = None
    stop: Level | None = None
    targets: tuple[Level, ...] = ()
    quantity: Quantity | None = None
    quantity_kind: str = ""  # in the source's word: contracts, lots, risk_percent ...
    phases: Phases | None = None
    power: Score | None = None
    confluence: Score | None = None
    confidence: Score | None = None
    timeframe: str = ""
    exchange: str = ""
    account: str = ""  # the source's account number, where it names one
    notes: str = ""
    extras: tuple[tuple[str, str], ...] = ()  # what the source said besides, as text, by name


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """How one source counts, as points between which a straight line runs: raw value -> 0 to 100."""

    name: str
    points: tuple[tuple[Decimal, Decimal], ...]

    def score(self, raw: str, value: Decimal) -> Score | None:
        """Normalise a value; None when it is off the scale, because a clipped figure would be an invented one."""
        if not self.points[0][0] <= value <= self.points[-1][0]:
            return None
        for (x0, y0), (x1, y1) in zip(self.points, self.points[1:], strict=False):
            if value <= x1:
                share = (value - x0) / (x1 - x0)
                return Score(raw=raw, scale=self.name, value=(y0 + share * (y1 - y0)).quantize(Decimal("0.01")))
        return Score(raw=raw, scale=self.name, value=self.points[-1][1])


def _scale(name: str, *points: tuple[str, int]) -> Scale:
    return Scale(name=name, points=tuple((Decimal(raw), Decimal(value)) for raw, value in points))


PERCENT = _scale("percent", ("0", 0), ("100", 100))
FRACTION = _scale("fraction", ("0", 0), ("1", 100))
# The panel reader calls 15 tradeable and 20 strong where the NinjaTrader side of the same product shows from 60 and
# trades from 70, so those figures are laid upon each other. Below 10 the reader saw noise.
PANEL_POWER = _scale("panel_power", ("10", 40), ("15", 60), ("20", 70), ("100", 100))
LEVELS_0_TO_4 = _scale("L0-L4", ("0", 0), ("4", 100))
LEVELS_1_TO_3 = _scale("C1-C3", ("1", 33), ("2", 67), ("3", 100))
SCALES = {scale.name: scale for scale in (PERCENT, FRACTION, PANEL_POWER, LEVELS_0_TO_4, LEVELS_1_TO_3)}

"""Decisions and their reasons: a stable code, a sentence a person understands, and the figures that were used.

Every code has its sentence in one table. A sentence can only be said with its figures: a decision that lacks one
cannot be made, which is a fault of ours and raises. Evidence is plain (text, whole numbers, booleans, None and lists of
text), so that it is stored, hashed and replayed as it stands.
"""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

Plain = str | int | bool | None | tuple[str, ...]
Evidence = Mapping[str, Plain]
NO_EVIDENCE: Evidence = MappingProxyType({})
_MAX_TEXT = 200  # what others wrote is quoted, never repeated at length


class Verdict(StrEnum):
    """The four ways in which a decision can end."""

    TAKEN = "taken"
    REDUCED = "reduced"
    SKIPPED = "skipped"
    REFUSED = "refused"


class Code(StrEnum):
    """Every reason there is. A code never changes its meaning; a new reason is a new code."""

    # Input that could not be read
    EMPTY = "input.empty"
    TOO_LARGE = "input.too_large"
    UNFINISHED = "input.unfinished"
    NOT_TEXT = "input.not_text"
    NUL_INSIDE = "input.nul_inside"
    NOT_JSON = "input.not_json"
    TOO_DEEP = "input.too_deep"
    TOO_MANY_VALUES = "input.too_many_values"
    DUPLICATE_KEY = "input.duplicate_key"
    NOT_A_NUMBER = "input.not_a_number"
    LONE_SURROGATE = "input.lone_surrogate"
    CONTROL_CHARACTER = "input.control_character"
    PLACEHOLDER = "input.placeholder_left"
    # Input that was here before, or that we failed on
    DUPLICATE = "input.duplicate"
    ID_REUSED = "input.id_reused"
    SEQUENCE_PASSED = "input.sequence_passed"
    QUARANTINED = "input.quarantined"
    # Input that was read and does not say what its dialect says
    DIALECT_UNKNOWN = "dialect.unknown"
    DIALECT_UNSUPPORTED = "dialect.unsupported"
    CONNECTION_TEST = "dialect.connection_test"
    HEARTBEAT = "dialect.heartbeat"
    FIELD_MISSING = "field.missing"
    FIELD_TYPE = "field.wrong_type"
    FIELD_VALUE = "field.wrong_value"
    FIELD_CONTRADICTION = "field.contradiction"
    FIELD_UNKNOWN = "field.unknown"
    SYMBOL_MALFORMED = "field.symbol"
    SIDE_UNKNOWN = "field.side"
    STAMP_MALFORMED = "field.stamp"
    STAMP_UNSET = "field.stamp_unset"
    COMMAND_UNSUPPORTED = "field.command"
    ID_MALFORMED = "field.id"
    # Who sent it
    SIGNATURE_MISSING = "sender.signature_missing"
    SIGNATURE_WRONG = "sender.signature_wrong"
    CLOCK_OUTSIDE_WINDOW = "sender.clock"
    SOURCE_MISMATCH = "sender.source"
    SOURCE_UNKNOWN = "sender.unknown"
    SOURCE_OFF = "sender.off"
    NETWORK = "sender.network"
    NONCE_USED = "sender.nonce_used"
    TOO_MANY = "sender.too_many"
    # Files
    FILE_MISSING = "file.missing"
    FILE_FOLDER_MISSING = "file.folder_missing"
    FILE_OUTSIDE = "file.outside"
    FILE_LOCKED = "file.locked"
    FILE_UNREADABLE = "file.unreadable"
    FILE_RESTLESS = "file.restless"
    FILE_EMPTY = "file.empty"
    FILE_TORN = "file.torn"
    FILE_ANSWER_UNWRITTEN = "file.answer_unwritten"
    # Validation of a signal that was read
    VALID = "signal.valid"
    FACT_MISSING = "signal.fact_missing"
    PHASES_MISSING = "signal.phases_missing"
    PHASES_SIDES = "signal.phases_sides"
    PHASES_ORDER = "signal.phases_order"
    PHASES_TARGET = "signal.phases_target"
    PHASES_TRIGGER = "signal.phases_trigger"
    TOO_OLD = "signal.too_old"
    FROM_THE_FUTURE = "signal.from_the_future"
    SYMBOL_NOT_TRADABLE = "signal.symbol_not_tradable"
    SIDE_MISSING = "signal.side_missing"
    SIDE_NOT_ALLOWED = "signal.side_not_allowed"
    STOP_MISSING = "signal.stop_missing"
    STOP_SIDE = "signal.stop_side"
    STOP_IN_SPREAD = "signal.stop_in_spread"
    TARGET_SIDE = "signal.target_side"
    TRIGGER_IN_SPREAD = "signal.trigger_in_spread"
    LEVEL_UNIT = "signal.level_unit"
    PRICE_FAR = "signal.price_far"
    QUOTE_BROKEN = "signal.quote_broken"
    QUOTE_STALE = "signal.quote_stale"
    COOLDOWN = "signal.cooldown"
    OPPOSITE = "signal.opposite_position"
    POWER_LOW = "signal.power_low"
    CONFLUENCE_LOW = "signal.confluence_low"
    # Prop programs
    PROGRAM_FIRM_UNKNOWN = "program.firm_unknown"
    PROGRAM_UNKNOWN = "program.unknown"
    PROGRAM_NOT_VALID = "program.not_valid"
    PROGRAM_STALE = "program.stale"
    PROGRAM_UNSURE = "program.unsure"
    PROGRAM_FORBIDS = "program.forbids"
    PROGRAM_SILENT = "program.silent"
    PROGRAM_ALLOWS = "program.allows"
    # Sizing
    RATE_MISSING = "money.rate_missing"
    RATE_STALE = "money.rate_stale"
    SIZED = "sizing.sized"
    SIZING_FACT_MISSING = "sizing.fact_missing"
    SIZING_STOP_MISSING = "sizing.stop_missing"
    SIZING_STOP_SIDE = "sizing.stop_side"
    SIZING_STOP_IN_SPREAD = "sizing.stop_in_spread"
    SIZING_STOP_NEAR = "sizing.stop_near"
    BELOW_MINIMUM = "sizing.below_minimum"
    RANGE_OUTSIDE = "sizing.range_outside"
    REWARD_LOW = "sizing.reward_low"
    CONFIDENCE_LOW = "sizing.confidence_low"
    KELLY_TOO_FEW = "sizing.not_enough_data"
    KELLY_NO_LOSS = "sizing.no_loss_yet"
    KELLY_NO_EDGE = "sizing.no_edge"


# Refused as signals, but nothing is wrong: the sender is alive and says so.
NOTICES = frozenset({Code.CONNECTION_TEST, Code.HEARTBEAT})

SENTENCES: Mapping[Code, str] = MappingProxyType(
    {
        Code.EMPTY: "Nothing was in the message.",
        Code.TOO_LARGE: "The message is larger than {limit} bytes.",
        Code.UNFINISHED: "The message ends before it is complete.",
        Code.NOT_TEXT: "The bytes are not text in an encoding that {dialect} uses.",
        Code.NUL_INSIDE: "The message has empty bytes in its middle, as a file has while it is being written.",
        Code.NOT_JSON: "The message is not valid JSON: {problem}.",
        Code.TOO_DEEP: "The message is nested deeper than {limit} levels.",
        Code.TOO_MANY_VALUES: "The message has more than {limit} values.",
        Code.DUPLICATE_KEY: "The field {field} stands in the message twice.",
        Code.NOT_A_NUMBER: "The field {field} {problem}.",
        Code.LONE_SURROGATE: "The message contains half a character.",
        Code.CONTROL_CHARACTER: "The field {field} contains control characters.",
        Code.PLACEHOLDER: "The placeholder {placeholder} was sent as it stands: the alert was not filled in.",
        Code.DUPLICATE: "The same message was here before; it was not acted on again.",
        Code.ID_REUSED: "Its identifier was used before, by a message that says something else. It was not acted on.",
        Code.SEQUENCE_PASSED: "Its number {sequence} was passed: {last} came before it. It was not acted on.",
        Code.QUARANTINED: "This could not be handled because of a fault of ours ({problem}). It is kept.",
        Code.DIALECT_UNKNOWN: "The message is in none of the forms that {dialect} understands.",
        Code.DIALECT_UNSUPPORTED: "This is {form}: {reason}.",
        Code.CONNECTION_TEST: "This is a connection test, not a signal. The connection works.",
        Code.HEARTBEAT: "This is a sign of life, not a signal.",
        Code.FIELD_MISSING: "The field {field} is missing.",
        Code.FIELD_TYPE: "The field {field} should be {expected}.",
        Code.FIELD_VALUE: "The field {field} should be {expected}, and is {value}.",
        Code.FIELD_CONTRADICTION: "The fields {field} and {other} contradict each other.",
        Code.FIELD_UNKNOWN: "The field {field} is not part of this form.",
        Code.SYMBOL_MALFORMED: "The field {field} is no symbol: {value}.",
        Code.SIDE_UNKNOWN: "The field {field} is neither buy nor sell: {value}.",
        Code.STAMP_MALFORMED: "The field {field} is no time as this source writes it: {value}.",
        Code.STAMP_UNSET: "The field {field} was never set by the sender: {value}.",
        Code.COMMAND_UNSUPPORTED: "The command {command} is not carried out here: {reason}.",
        Code.ID_MALFORMED: "The field {field} is no identifier: 1 to {limit} letters, digits and . _ : -",
        Code.SIGNATURE_MISSING: "The message is not signed.",
        Code.SIGNATURE_WRONG: "The signature does not belong to this message.",
        Code.CLOCK_OUTSIDE_WINDOW: "The sender's clock is more than {window_s} seconds away from ours.",
        Code.SOURCE_MISMATCH: "The message names another source than the address it was sent to.",
        Code.SOURCE_UNKNOWN: "There is no such source.",
        Code.SOURCE_OFF: "The source is switched off.",
        Code.NETWORK: "The source may not send from this address.",
        Code.NONCE_USED: "The nonce was used before. Send the message again under a new one.",
        Code.TOO_MANY: "The source has sent its {per_minute} messages of this minute. Try again in {retry_after_s} s.",
        Code.FILE_MISSING: "There is no file {path}.",
        Code.FILE_FOLDER_MISSING: "The folder of {path} does not exist.",
        Code.FILE_OUTSIDE: "The path {path} leads out of the folder for signal files, or through a link.",
        Code.FILE_LOCKED: "Another program holds {path}, or it may not be read.",
        Code.FILE_UNREADABLE: "The file {path} cannot be read: {problem}.",
        Code.FILE_RESTLESS: "The file {path} changes while it is being read, time and again.",
        Code.FILE_EMPTY: "The file is empty.",
        Code.FILE_TORN: "The file is not whole. {reason}",
        Code.FILE_ANSWER_UNWRITTEN: "The answer beside {path} cannot be written: {problem}.",
        Code.VALID: "The signal is complete, consistent and fresh.",
        Code.FACT_MISSING: "Not traded: {fact} is not known.",
        Code.PHASES_MISSING: "Not traded: the strategy asks for four phases and the signal has none.",
        Code.PHASES_SIDES: "Not traded: the phases point {phase_side}, the signal says {side}.",
        Code.PHASES_ORDER: "Not traded: {later} is earlier than {earlier}.",
        Code.PHASES_TARGET: "Not traded: the trigger {target} is not {pips} pips from the break at {break_price}.",
        Code.PHASES_TRIGGER: "Not traded: the price {current} has not reached the trigger {target}.",
        Code.TOO_OLD: "Not traded: the signal is {age_s} seconds old; {max_age_s} are allowed.",
        Code.FROM_THE_FUTURE: "Not traded: the signal is stamped {ahead_s} seconds in the future.",
        Code.SYMBOL_NOT_TRADABLE: "Not traded: {symbol} cannot be traded now.",
        Code.SIDE_MISSING: "Not traded: the signal does not say whether to buy or to sell.",
        Code.SIDE_NOT_ALLOWED: "Not traded: the strategy does not {side}.",
        Code.STOP_MISSING: "Not traded: the strategy asks for a stop and the signal has none.",
        Code.STOP_SIDE: "Not traded: the stop {stop} is on the wrong side of {reference} for a {side}.",
        Code.STOP_IN_SPREAD: "Not traded: the stop is {distance} away and the spread is {spread}; {needed} are needed.",
        Code.TARGET_SIDE: "Not traded: the target {target} is on the wrong side of {reference} for a {side}.",
        Code.TRIGGER_IN_SPREAD: "Not traded: the trigger distance {distance} is smaller than the spread {spread}.",
        Code.LEVEL_UNIT: "Not traded: the source does not say whether {field} is a price, pips or percent.",
        Code.PRICE_FAR: "Not traded: the signal's price {price} is {percent} % away from the market at {reference}.",
        Code.QUOTE_BROKEN: "Not traded: the last quote is broken, bid {bid} and ask {ask}.",
        Code.QUOTE_STALE: "Not traded: the last quote is {age_s} seconds old; {max_age_s} are allowed.",
        Code.COOLDOWN: "Skipped: the last signal for {symbol} was {since_s} seconds ago; the pause is {cooldown_s}.",
        Code.OPPOSITE: "Skipped: a {position} position in {symbol} is open; the strategy does not trade against it.",
        Code.POWER_LOW: "Skipped: power {value} of 100 is below {minimum}.",
        Code.CONFLUENCE_LOW: "Skipped: confluence {value} of 100 is below {minimum}.",
        Code.PROGRAM_FIRM_UNKNOWN: "The rules of {firm} are not known here.",
        Code.PROGRAM_UNKNOWN: "Advice only: no program {program} is known here, so no order is sent.",
        Code.PROGRAM_NOT_VALID: "The known rules of {program} do not hold for this account on {day}: {reason}.",
        Code.PROGRAM_STALE: "The rules of {program} were last verified {age_days} days ago, on {verified}.",
        Code.PROGRAM_UNSURE: "Not certain, {program}, {axis}: {rule} (Verified {verified}, {source})",
        Code.PROGRAM_FORBIDS: "Advice only: {program} forbids {axis}. {rule} (Verified {verified}, {source})",
        Code.PROGRAM_SILENT: "Advice only: {program} is not clear on {axis}. {rule} (Verified {verified}, {source})",
        Code.PROGRAM_ALLOWS: "Orders may be sent: {program} allows what they need.",
        # Sizing
        Code.RATE_MISSING: "Not traded: there is no rate from {source} to {target}.",
        Code.RATE_STALE: "Not traded: the rate {pair} is {age_s} seconds old; {max_age_s} are allowed.",
        Code.SIZED: "{quantity} {unit}, risk {risk} {currency} ({percent} %), bound by {bound}.",
        Code.SIZING_FACT_MISSING: "Not traded: {fact} is not known.",
        Code.SIZING_STOP_MISSING: "Not traded: without a stop nobody knows what could be lost.",
        Code.SIZING_STOP_SIDE: "Not traded: the stop {stop} is on the wrong side of {entry} for a {side}.",
        Code.SIZING_STOP_IN_SPREAD: "Not traded: the stop is {distance} away, inside the spread of {spread}.",
        Code.SIZING_STOP_NEAR: "Not traded: the stop is {distance} away; the venue asks for {stops_level}.",
        Code.BELOW_MINIMUM: "Skipped: {bound} allows {allowed} {unit}; the smallest order is {minimum}.",
        Code.RANGE_OUTSIDE: "Skipped: the average range is {pips} pips; {minimum} to {maximum} are traded.",
        Code.REWARD_LOW: "Skipped: the target is {reward} times as far as the stop; {minimum} is asked for.",
        Code.CONFIDENCE_LOW: "Skipped: a confidence of {confidence} is below {minimum}.",
        Code.KELLY_TOO_FEW: "Skipped: not enough data, {n} of {needed} settled trades.",
        Code.KELLY_NO_LOSS: "Skipped: not enough data, none of {n} trades was lost yet.",
        Code.KELLY_NO_EDGE: "Skipped: the last {n} trades show no edge to bet on.",
    }
)


def placeholders(code: Code) -> frozenset[str]:
    """Name the figures without which the sentence of a code cannot be said."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(SENTENCES[code]) if name)


def evidence(**values: object) -> Evidence:
    """Make figures plain: decimals and times as exact text, foreign text quoted at bounded length and printable."""
    return MappingProxyType({name: _plain(value) for name, value in values.items()})


def _plain(value: object) -> Plain:
    match value:
        case None | bool() | int():
            return value
        case str():
            return quoted(value)
        case Decimal():
            return format(value, "f")
        case datetime():
            return value.astimezone(UTC).isoformat() if value.tzinfo else value.isoformat()
        case tuple() | list():
            return tuple(quoted(str(item)) for item in value)
        case _:
            raise TypeError(f"{type(value).__name__} is no plain value")


def quoted(text: str) -> str:
    """Show foreign text safely: printable, without half characters, at most 200 characters."""
    short = text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."
    if short.isprintable():  # nearly all text is; a receipt quotes dozens of figures
        return str(short)  # plain, also when it came as a word of an enumeration
    return "".join(letter if letter.isprintable() else f"\\u{ord(letter):04x}" for letter in short)


def sentence(code: Code, figures: Evidence) -> str:
    """Say a reason with its figures; a missing figure is a fault of ours and raises KeyError."""
    return SENTENCES[code].format_map(figures)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Input that was not accepted, and why."""

    code: Code
    evidence: Evidence = field(default_factory=lambda: NO_EVIDENCE)
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", sentence(self.code, self.evidence))


def refusal(code: Code, **values: object) -> Refusal:
    """Refuse input with a code and its figures."""
    return Refusal(code=code, evidence=evidence(**values))


class Unreadable(Exception):
    """Raised inside a parser to leave it early; it never leaves the parser (see `reading.answered`)."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.code)
        self.reason = reason


def unreadable(code: Code, **values: object) -> Unreadable:
    """Make the exception that carries a refusal to the parser's door."""
    return Unreadable(refusal(code, **values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What was decided about something, why, and on which figures."""

    verdict: Verdict
    code: Code
    evidence: Evidence = field(default_factory=lambda: NO_EVIDENCE)
    sentence: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "sentence", sentence(self.code, self.evidence))

    @property
    def is_taken(self) -> bool:
        """Tell whether the thing goes ahead, in full or reduced."""
        return self.verdict in (Verdict.TAKEN, Verdict.REDUCED)

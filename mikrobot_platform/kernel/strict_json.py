"""JSON from strangers: bounded before it is read, exact afterwards, refused by name when it is not what it seems.

One reader for every dialect. Numbers are kept as the text that was sent (`Numeral`), so that nothing is rounded on the
way to Decimal and a dialect may insist on how a number is written. Keys that stand twice are refused, because two
readers would believe two different values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from mikrobot_platform.kernel.decisions import Code, quoted, unreadable


@dataclass(frozen=True, slots=True)
class Numeral:
    """A number exactly as it was written; "NaN" and "Infinity" only where the caller allowed them."""

    text: str


Json = None | bool | str | Numeral | list["Json"] | dict[str, "Json"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a message may hold. The largest honest one known has 700 characters and two levels."""

    max_bytes: int = 64 * 1024
    max_depth: int = 12
    max_values: int = 2_000


LIMITS = Limits()
MAX_KEPT = LIMITS.max_bytes + 1  # bytes of a message; one more than is read shows that it was too large

_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+("?)|([\[\]{},:])', re.DOTALL)
_CLOSES = {"]": "[", "}": "{"}


def read_object(text: str, *, limits: Limits = LIMITS, allow_nan: bool = False) -> dict[str, Json]:
    """Read one JSON object that fills the whole text, or raise Unreadable with the reason.

    UNFINISHED is said apart from NOT_JSON: something is still open at the end, as in a file that is being written.
    """
    if not text.strip(" \t\r\n"):
        raise unreadable(Code.EMPTY)
    is_open = _measure(text, limits)

    def constant(word: str) -> Numeral:
        if not allow_nan:
            raise unreadable(Code.NOT_JSON, problem=f"{word} is no number")
        return Numeral(word)

    try:
        value = json.loads(
            text, object_pairs_hook=_once, parse_float=Numeral, parse_int=Numeral, parse_constant=constant, strict=True
        )
    except json.JSONDecodeError as error:
        if is_open:
            raise unreadable(Code.UNFINISHED) from None
        # Only the place: the wording of the library changes with its version, and a stored reason must not.
        raise unreadable(Code.NOT_JSON, problem=f"it breaks at character {error.pos}") from None
    if not isinstance(value, dict):
        raise unreadable(Code.NOT_JSON, problem="it is not an object")
    if "\\u" in text or not text.isascii():  # else there are no halves of characters
        _whole_characters(value)
    return value


def _measure(text: str, limits: Limits) -> bool:
    """Bound depth and number of values without building anything; tell whether something is still open at the end."""
    stack: list[str] = []
    values = 1
    is_open = False
    for found in _STRUCTURE.finditer(text):
        mark = found.group(2)
        if mark is None:
            is_open = found.group(1) == ""
        elif mark in "[{":
            stack.append(mark)
            values += 1
            if len(stack) > limits.max_depth:
                raise unreadable(Code.TOO_DEEP, limit=limits.max_depth)
        elif mark in _CLOSES:
            if not stack or stack.pop() != _CLOSES[mark]:
                raise unreadable(Code.NOT_JSON, problem=f"it breaks at character {found.start()}")
        else:
            values += mark == ","
        if values > limits.max_values:
            raise unreadable(Code.TOO_MANY_VALUES, limit=limits.max_values)
    return is_open or bool(stack)


def _once(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for key, value in pairs:
        if key in found:
            raise unreadable(Code.DUPLICATE_KEY, field=quoted(key))
        found[key] = value
    return found


def _whole_characters(value: Json) -> None:
    match value:
        case str():
            if any("\ud800" <= letter <= "\udfff" for letter in value):
                raise unreadable(Code.LONE_SURROGATE)
        case list():
            for item in value:
                _whole_characters(item)
        case dict():
            for key, item in value.items():
                _whole_characters(key)
                _whole_characters(item)
        case _:
            pass


def texts(value: Json | Mapping[str, Json]) -> list[str]:
    """List every text in a value, keys included, in the order in which they were written."""
    match value:
        case str():
            return [value]
        case list():
            return [text for item in value for text in texts(item)]
        case dict():
            return [text for key, item in value.items() for text in (key, *texts(item))]
        case _:
            return []

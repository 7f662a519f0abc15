"""The numbers of a ruling as canonical JSON. A receipt has dozens: each set of names and types costs one writer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from json.encoder import encode_basestring_ascii as quoted_text
from operator import itemgetter
from typing import Any

from mikrobot_platform.kernel.written import Fill, decimal_text, moment_text, object_writer

_Pick = Callable[[Mapping[str, object]], tuple[Any, ...]]
# By the names as a rule gives them: how to pick the values in the order of sorted names, and a writer for each set
# of types that they came in. There are as many as there are ways to speak.
_known: dict[tuple[str, ...], tuple[_Pick, dict[tuple[type, ...], Fill]]] = {}


def numbers_text(numbers: Mapping[str, object]) -> str:
    """Write numbers as a JSON object with sorted names."""
    known = _known.get(tuple(numbers))
    if known is None:
        known = _known[tuple(numbers)] = _picker(sorted(numbers)), {}
    pick, fills = known
    values = pick(numbers)
    kinds = tuple(map(type, values))
    fill = fills.get(kinds)
    if fill is None:
        fill = fills[kinds] = object_writer(tuple(sorted(numbers)), kinds, lambda _at, kind: writer_of(kind))
    return fill(values)


def numbers_writer(names: tuple[str, ...], kinds: tuple[type, ...]) -> Fill:
    """Make what writes numbers of these names and types; numbers of other types are written by `numbers_text`."""
    return object_writer(
        names,
        kinds,
        lambda _at, kind: writer_of(kind),
        otherwise=lambda values: numbers_text(dict(zip(names, values, strict=True))),
    )


def _picker(names: list[str]) -> _Pick:
    if len(names) > 1:
        return itemgetter(*names)
    return lambda numbers: tuple(numbers.values())


def number_text(value: object) -> str:
    """Write one number, text or time."""
    return writer_of(type(value))(value)


def writer_of(kind: type) -> Callable[[Any], str]:
    """Return who writes values of a type. What is no plain value is a fault of ours and raises."""
    if kind in _WRITERS:
        return _WRITERS[kind]
    if issubclass(kind, str):
        return lambda word: quoted_text(str(word))
    raise TypeError(f"{kind.__name__} is no plain value")


def _moment(value: datetime) -> str:
    return moment_text(value if value.tzinfo is UTC else value.astimezone(UTC))


def _listed(values: tuple[object, ...]) -> str:
    return f"[{','.join(map(number_text, values))}]"


_WRITERS: Mapping[type, Callable[[Any], str]] = {
    Decimal: decimal_text,
    int: str,
    str: quoted_text,
    type(None): lambda _nothing: "null",
    bool: lambda value: "true" if value else "false",
    datetime: _moment,
    date: lambda value: f'"{value.isoformat()}"',
    tuple: _listed,
}

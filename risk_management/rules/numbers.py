"""The numbers of a ruling as canonical JSON. A receipt has dozens: each set of names and types becomes one template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from json.encoder import encode_basestring_ascii as quoted_text
from operator import itemgetter
from typing import Any

from mikrobot_platform.kernel.plain import Fill, decimal_text, template

_Shape = tuple[tuple[str, ...], tuple[type, ...]]
_written: dict[_Shape, tuple[Fill, Callable[[Any], tuple[Any, ...]]]] = {}  # as many as there are ways to speak


def numbers_text(numbers: Mapping[str, object]) -> str:
    """Write numbers as a JSON object with sorted names."""
    values = tuple(numbers.values())
    shape = tuple(numbers), tuple(map(type, values))
    known = _written.get(shape)
    if known is None:
        known = _written[shape] = _template(shape)
    fill, in_order = known
    text = fill(in_order(values))
    if "E-" in text or "E+" in text:  # a figure may have an exponent: the long way writes it out
        return "{" + ",".join(f"{quoted_text(name)}:{number_text(numbers[name])}" for name in sorted(numbers)) + "}"
    return text


def _template(shape: _Shape) -> tuple[Fill, Callable[[Any], tuple[Any, ...]]]:
    names, kinds = shape
    order = sorted(range(len(names)), key=names.__getitem__)
    fill = template(
        tuple(names[at] for at in order), tuple(kinds[at] for at in order), lambda _at, kind: writer_of(kind)
    )
    return fill, itemgetter(*order) if len(order) > 1 else tuple


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
    return f'"{value.astimezone(UTC).isoformat()}"'


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

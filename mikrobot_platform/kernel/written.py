"""How figures, moments and objects become canonical JSON text, quickly: a receipt is made of little else.

An object's writer is a Python function that is put together from its names and the types of its values, as dataclasses
put together their `__init__`: one f-string without a call for most values. Names must be identifiers; nothing else of
what is written ever becomes code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from json.encoder import encode_basestring_ascii as quoted_text
from typing import Any

Write = Callable[[Any], str]
Fill = Callable[[Sequence[Any]], str]


def decimal_text(value: Decimal) -> str:
    """Write a figure exactly and without an exponent, in quotes."""
    written = str(value)
    return f'"{written}"' if "E" not in written else f'"{value:f}"'


def moment_text(value: datetime) -> str:
    """Write a time in quotes, with its offset: `isoformat`, at a fifth of its price where the offset is UTC's."""
    if value.tzinfo is not UTC:
        return f'"{value.isoformat()}"'
    day = _days.get(value.toordinal()) or _day(value)
    minute, second = _SIXTIES[value.minute], _SIXTIES[value.second]
    if value.microsecond:
        return f'"{day}T{_SIXTIES[value.hour]}:{minute}:{second}.{value.microsecond:06d}+00:00"'
    return f'"{day}T{_SIXTIES[value.hour]}:{minute}:{second}+00:00"'


_SIXTIES = tuple(f"{number:02d}" for number in range(60))
_MOST_DAYS = 4_000
_days: dict[int, str] = {}


def _day(value: date) -> str:
    if len(_days) >= _MOST_DAYS:
        _days.clear()
    text = _days[value.toordinal()] = f"{value.year:04d}-{value.month:02d}-{value.day:02d}"
    return text


def object_writer(
    names: Sequence[str],
    kinds: Sequence[type],
    writer: Callable[[int, type], Write],
    *,
    more: str = "",
    otherwise: Fill | None = None,
) -> Fill:
    """Make what writes an object whose values have these types, given in the order of these names.

    `writer` says who writes a value that Python's own formatting does not; `more` is one more member, ready as text;
    values of other types are handed to `otherwise`, and are not looked for where there is none.
    """
    used: dict[str, Any] = {"quoted": quoted_text, "true": "true", "false": "false", "otherwise": otherwise}
    members = [more] if more else []
    figures, lines = [], []
    if otherwise is not None and names:
        used |= {f"k{at}": kind for at, kind in enumerate(kinds)}
        strangers = " or ".join(f"v{at}.__class__ is not k{at}" for at in range(len(kinds)))
        lines += [f"    if {strangers}:", "        return otherwise(values)"]
    for at, (name, kind) in enumerate(zip(names, kinds, strict=True)):
        if not name.isidentifier():
            raise ValueError(f"{name!r} is no name")
        if kind is Decimal:
            lines.append(f'    f{at} = f"{{v{at}!s}}"')
            figures.append(at)
        if (shown := _shown(at, kind)) is None:
            used[f"w{at}"] = writer(at, kind)
            shown = f"{{w{at}(v{at})}}"
        members.append(f'"{name}":{shown}')
    if figures:  # an exponent is rare, and is looked for in all of them at once
        lines.append(f"    if 'E' in f\"{''.join(f'{{f{at}}}' for at in figures)}\":")
        lines += [f"        f{at} = format(v{at}, 'f')" for at in figures]
    text = ",".join(sorted(members))
    unpacked = "".join(f"v{at}, " for at in range(len(names)))
    body = [f"    {unpacked}= values"] if names else []
    source = "\n".join(["def fill(values):", *body, *lines, f"    return f'{{{{{text}}}}}'"])
    exec(source, used)  # noqa: S102 - names and types of ours, as dataclasses do it
    fill: Fill = used["fill"]
    return fill


def _shown(at: int, kind: type) -> str | None:
    """Return how a value of a type is shown inside the f-string; None when somebody has to be called for it."""
    ways = {Decimal: f'"{{f{at}}}"', int: f"{{v{at}}}", type(None): "null", str: f"{{quoted(v{at})}}"}
    ways[bool] = f"{{true if v{at} else false}}"
    if kind in ways:
        return ways[kind]
    is_plain_word = issubclass(kind, StrEnum) and all(f'"{word}"' == quoted_text(word) for word in kind)
    return f'"{{v{at}!s}}"' if is_plain_word else None

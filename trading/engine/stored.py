"""Plain values back into ours: what trading.sources.plain wrote down, a draft, rules or facts, is read as it was.

Stored rows are our own, so what does not fit is a fault of ours and raises StoredWrong.
"""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal, DecimalException
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from mikrobot_platform.kernel.signals import ClockStamp, clock_stamp

T = TypeVar("T")


class StoredWrong(ValueError):
    """Raised when what is stored is not what was written."""


def read(kind: type[T], value: object) -> T:
    """Read a stored dataclass; a field that is not stored has its default, one that is unknown is refused."""
    found: T = _dataclass(kind, value)
    return found


def _dataclass(kind: type[Any], value: object) -> Any:
    if not isinstance(value, Mapping):
        raise StoredWrong(f"{kind.__name__} is stored as {type(value).__name__}")
    hints = _hints(kind)  # type: ignore[arg-type]  # a class can be hashed
    unknown = value.keys() - hints.keys()
    if unknown:
        raise StoredWrong(f"{kind.__name__} has no {', '.join(sorted(unknown))}")
    return kind(**{name: _value(hints[name], stored) for name, stored in value.items()})


@cache
def _hints(kind: type[Any]) -> Mapping[str, Any]:
    """Say of what kind each field is; finding it out takes longer than all the rest of reading."""
    hints = get_type_hints(kind)
    return {field.name: hints[field.name] for field in fields(kind)}


def _value(hint: Any, value: Any) -> Any:
    hint = getattr(hint, "__supertype__", hint)  # Price is a Decimal to whoever stores it
    origin = get_origin(hint)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(hint), value)
    if origin in (tuple, frozenset):
        return _several(origin, get_args(hint), value)
    if hint is ClockStamp:
        return _clock(value)
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint, value)
    return _scalar(hint, value)


def _scalar(hint: Any, value: Any) -> Any:
    if hint in (str, int, bool) and type(value) is hint:
        return value
    if isinstance(value, str):
        try:
            if hint is Decimal:
                return Decimal(value)
            if hint in (date, datetime):
                return hint.fromisoformat(value)
            if issubclass(hint, Enum):
                return hint(value)
        except (DecimalException, ValueError) as error:
            raise StoredWrong(f"{value!r} is no {hint.__name__}") from error
    raise StoredWrong(f"{value!r} is no {hint.__name__}")


def _one_of(hints: tuple[Any, ...], value: Any) -> Any:
    if value is None and type(None) in hints:
        return None
    for hint in hints:
        if hint is not type(None):
            try:
                return _value(hint, value)
            except StoredWrong:
                continue
    raise StoredWrong(f"{value!r} is nothing that may stand there")


def _several(origin: Any, hints: tuple[Any, ...], value: Any) -> Any:
    if not isinstance(value, list):
        raise StoredWrong(f"{value!r} is no list")
    if origin is tuple and hints[-1] is not Ellipsis:
        return tuple(_value(hint, item) for hint, item in zip(hints, value, strict=True))
    return origin(_value(hints[0], item) for item in value)


def _clock(value: Any) -> ClockStamp:
    stamp = clock_stamp(value["clock"]) if isinstance(value, Mapping) and isinstance(value.get("clock"), str) else None
    if stamp is None or stamp.resolution_s != value.get("resolution_s"):
        raise StoredWrong(f"{value!r} is no stamp")
    return stamp

"""Values as canonical JSON, and back: the same value is the same text on every machine, and reading gives it again.

Canonical: keys sorted, no spaces, ASCII, figures as exact text. How a type is written follows from its annotations; a
dataclass gets one writer for each set of types that its fields come in (written.py). Where a union holds several
dataclasses, each says under "is" which one it is. A field that has a default may be lacking in what is read: so a
dataclass gets a new field while what was written before stays readable.
"""

from __future__ import annotations

import json
import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import date, datetime, time
from decimal import Decimal, DecimalException
from enum import Enum
from functools import cache
from json.encoder import encode_basestring_ascii as quoted_text
from operator import attrgetter
from typing import Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints

from mikrobot_platform.kernel.written import Fill, decimal_text, moment_text, object_writer

T = TypeVar("T")
_KIND = "is"


class StoredWrong(ValueError):
    """Raised when what is stored is not what was written. Stored rows are our own: it is a fault of ours."""


class Codec(NamedTuple):
    """How one type is written as JSON text, and read from parsed JSON."""

    write: Callable[[Any], str]
    read: Callable[[Any], Any]
    of_member: Mapping[type, Callable[[Any], str]] = types.MappingProxyType({})  # of a union: how each one is written

    def writer(self, kind: type) -> Callable[[Any], str]:
        """Return what writes a value whose Python type is known."""
        return self.of_member.get(kind, self.write)


def text(value: object) -> str:
    """Write a dataclass as canonical JSON."""
    return codec(_hint(type(value))).write(value)


def read(kind: type[T], stored: str | bytes) -> T:
    """Read a dataclass from the text that was written of it."""
    found: T = codec(_hint(kind)).read(json.loads(stored))
    return found


def recall(kind: type[T], stored: str) -> T:
    """Read a frozen dataclass that comes again and again, such as a customer's settings.

    The same text gives the same object, which is written only once: its text hangs on it for as long as it is kept.
    """
    found = _recalled.get((kind, stored))
    if found is None:
        if len(_recalled) >= MOST_RECALLED:  # rare enough that nothing finer is worth its price
            _recalled.clear()
            _texts.clear()
        found = _recalled[kind, stored] = read(kind, stored)
        _texts[id(found)] = {}
    return found


MOST_RECALLED = 20_000
_recalled: dict[tuple[type, str], Any] = {}
_texts: dict[int, dict[bool, str]] = {}  # by the id of an object that `_recalled` keeps alive, named or not


def canonical(value: object) -> str:
    """Write plain values (text, whole numbers, booleans, None, lists and objects of them) as canonical JSON."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _hint(kind: type[Any]) -> Any:
    return kind


@cache
def codec(hint: Any) -> Codec:  # noqa: PLR0911 - one line a kind of type
    """Find out, once per type, how it is written and read."""
    hint = getattr(hint, "__supertype__", hint)  # Price is a Decimal to whoever stores it
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return _union(inner)
    if origin is tuple:
        return _sequence(inner)
    if origin is frozenset:
        return _set(codec(inner[0]))
    if origin is not None and issubclass(origin, Mapping):
        return _mapping(*inner)
    if is_dataclass(hint) and isinstance(hint, type):
        return _dataclass(hint)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return _enum(hint)
    if hint in _SCALARS:
        return _SCALARS[hint]
    raise TypeError(f"{hint} cannot be stored")


# One value


def _scalar(kind: type, write: Callable[[Any], str], parse: Callable[[Any], Any] | None = None) -> Codec:
    def reads(stored: Any) -> Any:
        if type(stored) is not (kind if parse is None else str):
            raise StoredWrong(f"{stored!r} is no {kind.__name__}")
        try:
            return stored if parse is None else parse(stored)
        except (DecimalException, ValueError) as error:
            raise StoredWrong(f"{stored!r} is no {kind.__name__}") from error

    return Codec(write, reads)


_SCALARS: Mapping[Any, Codec] = {
    str: _scalar(str, quoted_text),
    int: _scalar(int, str),
    bool: _scalar(bool, {True: "true", False: "false"}.__getitem__),
    Decimal: _scalar(Decimal, decimal_text, Decimal),
    datetime: _scalar(datetime, moment_text, datetime.fromisoformat),
    date: _scalar(date, lambda value: f'"{value.isoformat()}"', date.fromisoformat),
    time: _scalar(time, lambda value: f'"{value.isoformat()}"', time.fromisoformat),
}


def _enum(kind: type[Enum]) -> Codec:
    texts = {member: json.dumps(member.value) for member in kind}
    return Codec(texts.__getitem__, _scalar(kind, str, kind).read)


# Several values


def _sequence(inner: tuple[Any, ...]) -> Codec:
    if inner[-1] is Ellipsis:
        one = codec(inner[0])
        write = one.write
        return Codec(
            lambda values: f"[{','.join([write(value) for value in values])}]" if values else "[]",
            lambda stored: tuple(map(one.read, _listed(stored))),
        )
    each = [codec(hint) for hint in inner]
    return Codec(
        lambda values: f"[{','.join([one.write(value) for one, value in zip(each, values, strict=True)])}]",
        lambda stored: tuple(one.read(value) for one, value in zip(each, _listed(stored), strict=True)),
    )


def _set(one: Codec) -> Codec:
    return Codec(
        lambda values: f"[{','.join(sorted(map(one.write, values)))}]",
        lambda stored: frozenset(map(one.read, _listed(stored))),
    )


def _mapping(key_hint: Any, value_hint: Any) -> Codec:
    """Write a mapping as a sorted list of pairs, because not every key is a text."""
    keys, values = codec(key_hint), codec(value_hint)

    def read(stored: Any) -> Mapping[Any, Any]:
        return types.MappingProxyType({keys.read(key): values.read(value) for key, value in _listed(stored)})

    return Codec(
        lambda mapping: f"[{','.join(sorted(f'[{keys.write(k)},{values.write(v)}]' for k, v in mapping.items()))}]",
        read,
    )


def _listed(stored: Any) -> list[Any]:
    if type(stored) is not list:
        raise StoredWrong(f"{stored!r} is no list")
    return stored


# Objects


def _dataclass(kind: type[Any], *, is_named: bool = False) -> Codec:
    hints = get_type_hints(kind)
    stored_as = {field.name: codec(hints[field.name]) for field in fields(kind) if field.init}
    names = tuple(sorted(stored_as))
    asked = {field.name for field in fields(kind) if field.default is field.default_factory is MISSING}
    named = f'"{_KIND}":{quoted_text(kind.__name__)}' if is_named else ""
    codecs = [stored_as[name] for name in names]
    fills: dict[tuple[type, ...], Fill] = {}
    if len(names) > 1:
        get: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
    else:
        get = lambda value: tuple(getattr(value, name) for name in names)  # noqa: E731 - as above, for none and for one

    def write(value: Any) -> str:
        texts = _texts.get(id(value))
        if texts is None:
            return write_anew(value)
        return texts.get(is_named) or texts.setdefault(is_named, write_anew(value))

    def write_anew(value: Any) -> str:
        values = get(value)
        kinds = tuple(map(type, values))
        fill = fills.get(kinds)
        if fill is None:
            fill = fills[kinds] = object_writer(names, kinds, lambda at, kind: codecs[at].writer(kind), more=named)
        return fill(values)

    def read(stored: Any) -> Any:
        if type(stored) is not dict or not asked <= stored.keys() - {_KIND} <= stored_as.keys():
            raise StoredWrong(f"a {kind.__name__} is not stored like this: {stored!r}")
        return kind(**{name: one.read(stored[name]) for name, one in stored_as.items() if name in stored})

    return Codec(write, read)


def _union(hints: tuple[Any, ...]) -> Codec:
    """Tell members apart by their Python type when writing, and by their JSON type when reading."""
    bare = [getattr(hint, "__supertype__", hint) for hint in hints if hint is not type(None)]
    classes: list[Any] = [hint for hint in bare if is_dataclass(hint)]
    codecs = {
        hint: _dataclass(hint, is_named=True) if len(classes) > 1 and hint in classes else codec(hint) for hint in bare
    }
    writers: dict[Any, Callable[[Any], str]] = {}
    for hint, one in codecs.items():
        origin = get_origin(hint) or hint
        for python_type in (dict, types.MappingProxyType) if issubclass(origin, Mapping) else (origin,):
            writers[python_type] = one.write
    named = {hint.__name__: codecs[hint] for hint in classes}
    others = [one for hint, one in codecs.items() if hint not in classes]
    if type(None) in hints:
        writers[type(None)] = lambda _nothing: "null"

    def read(stored: Any) -> Any:
        if stored is None and type(None) in hints:
            return None
        if type(stored) is dict and classes:
            kind = stored.get(_KIND) if len(classes) > 1 else classes[0].__name__
            if kind not in named:
                raise StoredWrong(f"{kind!r} is nothing that may stand there")
            return named[kind].read(stored)
        for one in others:
            try:
                return one.read(stored)
            except StoredWrong:
                continue
        raise StoredWrong(f"{stored!r} is nothing that may stand there")

    return Codec(lambda value: writers[type(value)](value), read, writers)

"""Ways of damaging a message: `DAMAGE` is what files and networks do to it, `WORDS` changes what it says."""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from trading.rehearsal.messages import like, text_of

Random = random.Random

# Transport damage. A block is at least 64 bytes; storage and networks lose far more at once.

BLOCK = 64


def _cut(raw: bytes, chance: Random) -> bytes:
    return raw[: chance.randrange(len(raw))]


def _start_lost(raw: bytes, chance: Random) -> bytes:
    return raw[chance.randrange(1, len(raw)) :]


def _block(raw: bytes, chance: Random) -> tuple[int, int]:
    start = chance.randrange(max(1, len(raw) - BLOCK))
    return start, min(len(raw), start + chance.randrange(BLOCK, max(BLOCK + 1, len(raw) // 2)))


def _emptied(raw: bytes, chance: Random) -> bytes:
    start, end = _block(raw, chance)
    return raw[:start] + b"\0" * (end - start) + raw[end:]


def _lost(raw: bytes, chance: Random) -> bytes:
    start, end = _block(raw, chance)
    return raw[:start] + raw[end:]


def _repeated(raw: bytes, chance: Random) -> bytes:
    start, end = _block(raw, chance)
    return raw[:end] + raw[start:end] + raw[end:]


def _padded(raw: bytes, chance: Random) -> bytes:
    return raw + b"\0" * chance.randrange(1, 600)


def _garbage_behind(raw: bytes, chance: Random) -> bytes:
    return raw + chance.randbytes(chance.randrange(1, 80))


def _twice(raw: bytes, chance: Random) -> bytes:
    return raw + raw[: chance.randrange(1, len(raw) + 1)]


def _over_older(raw: bytes, chance: Random) -> bytes:
    older = raw + b" " + raw
    return raw + older[len(raw) : len(raw) + chance.randrange(1, 200)]


def _other_encoding(raw: bytes, chance: Random) -> bytes:
    text = text_of(raw)
    name = chance.choice(["utf-16-le", "utf-16", "utf-8", "utf-8-sig", "utf-16-be", "utf-32", "utf-7"])
    return text.encode(name)


def _marks(raw: bytes, chance: Random) -> bytes:
    return chance.choice([b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\xef\xbb\xbf\xef\xbb\xbf"]) + raw


def _halved_pairs(raw: bytes, _chance: Random) -> bytes:
    return raw[1::2]


DAMAGE: tuple[Callable[[bytes, Random], bytes], ...] = (
    _cut, _start_lost, _emptied, _lost, _repeated, _padded, _garbage_behind, _twice, _over_older, _other_encoding,
    _marks, _halved_pairs,
)  # fmt: skip


# Changed words

HOSTILE = (
    "null", "true", "-1", "0", "1e5", "1E-3", "NaN", "Infinity", "1e999", "9" * 40, '""', '"BEAR"', '"sell"', '"short"',
    '"\\u0000"', '"\\ud800"', "[]", "{}", '{"a":{"b":{}}}', "171.14200", '"171.142"', '"{{close}}"', "0.00001",
    '"2025.08.04 08:29"', '"1970.01.01 00:00"', '"2025-08-04T08:28:31Z"', "99999999999999999999", '"EURUSD"',
)  # fmt: skip
_VALUE = re.compile(r'(?<=:)(?:"(?:[^"\\]|\\.)*"|-?[0-9.]+|true|false|null)|(?<==)[^,]+')


def _flip_bits(raw: bytes, chance: Random) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.randrange(1, 4)):
        found[chance.randrange(len(found))] ^= 1 << chance.randrange(8)
    return bytes(found)


def _any_bytes(raw: bytes, chance: Random) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.randrange(1, 6)):
        place = chance.randrange(len(found) + 1)
        match chance.randrange(3):
            case 0:
                found[place : place + 1] = b""
            case 1:
                found[place:place] = chance.randbytes(1)
            case _:
                found[place : place + 1] = chance.choice([b'"', b"{", b"}", b",", b":", b"[", b"9", b"\\", b"\0", b"-"])
    return bytes(found)


def _other_value(raw: bytes, chance: Random) -> bytes:
    text = text_of(raw)
    places = list(_VALUE.finditer(text))
    if not places:
        return raw
    place = chance.choice(places)
    return like(raw, text[: place.start()] + chance.choice(HOSTILE) + text[place.end() :])


def _swapped_values(raw: bytes, chance: Random) -> bytes:
    text = text_of(raw)
    places = list(_VALUE.finditer(text))
    if len(places) < 2:
        return raw
    first, second = sorted(chance.sample(places, 2), key=lambda found: found.start())
    return like(
        raw,
        text[: first.start()] + second.group() + text[first.end() : second.start()] + first.group()
        + text[second.end() :],
    )  # fmt: skip


def _field_again(raw: bytes, chance: Random) -> bytes:
    text = text_of(raw)
    keys = re.findall(r'"[a-z_0-9A-Z]+"(?=:)', text)
    if not keys or not text.rstrip().endswith("}"):
        return raw
    return like(raw, text.rstrip()[:-1] + f",{chance.choice(keys)}:{chance.choice(HOSTILE)}}}")


WORDS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip_bits, _any_bytes, _other_value, _swapped_values, _field_again,
)  # fmt: skip


def mixed(raw: bytes, other: bytes, chance: Random) -> bytes:
    """Begin with one message and go on with another."""
    place = chance.randrange(1, min(len(raw), len(other)))
    return raw[:place] + other[place:]

"""Damage to real messages, by the thousand: `fuzz(count, seed=...)`, for the suite and for the drill.

Two families, two promises.
1. Transport damage (cut, emptied pages, lost or repeated blocks, other encodings, garbage behind): what is read is the
   original to the last digit, or it is not read. Over HTTP the announced length is part of the message.
2. Changed words (flipped bits, values put in the place of others, two messages mixed): nobody can know what the sender
   meant, so what is read must be exactly what stands there, as a second reader says, written differently. Under a
   signature (the push door) any change must be refused.

"Wrong" is a draft that breaks its promise. Whatever leaves a parser as an exception is kept with the message.
"""

from __future__ import annotations

import json
import random
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from mikrobot_platform.kernel.signals import SignalDraft
from trading.sources.ea_push import Envelope, verify
from trading.tests.samples import BODIES, CLIENTS, ENCODINGS, SIGNALS, code_of, read

Random = random.Random


@dataclass(frozen=True, slots=True, kw_only=True)
class Original:
    """A message as it was sent."""

    kind: str
    raw: bytes
    draft: SignalDraft
    headers: Mapping[str, str] | None = None  # signed messages
    secret: str = ""


@dataclass(slots=True)
class Report:
    """What became of the runs."""

    runs: int = 0
    same: int = 0
    changed: int = 0  # read as what then stood there
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[tuple[str, bytes]] = field(default_factory=list)
    exceptions: list[tuple[str, bytes]] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        """Give the figures that are printed."""
        return {
            "runs": self.runs, "same": self.same, "changed": self.changed, "refused": self.refused.total(),
            "codes": len(self.refused), "wrong": len(self.wrong), "exceptions": len(self.exceptions),
        }  # fmt: skip


def originals() -> list[Original]:
    """Collect every real message in every encoding, and the signed one."""
    found = [("ea_file", encode(text)) for text in SIGNALS.values() for encode in ENCODINGS.values()]
    found += [(kind, text.encode()) for kind, text in BODIES.values()]
    made = []
    for kind, raw in found:
        draft = read(kind, raw)
        assert isinstance(draft, SignalDraft), raw
        made.append(Original(kind=kind, raw=raw, draft=draft))
    for name in ("signal", "signal_with_order"):
        sample = json.loads((CLIENTS / "samples" / f"{name}.json").read_text(encoding="utf-8"))
        raw = sample["body"].encode()
        draft = read("ea_push", raw)
        assert isinstance(draft, SignalDraft), draft
        made.append(Original(kind="ea_push", raw=raw, draft=draft, headers=sample["headers"], secret=sample["secret"]))
    return made


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
    text = _text(raw)
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
    text = _text(raw)
    places = list(_VALUE.finditer(text))
    if not places:
        return raw
    place = chance.choice(places)
    return _like(raw, text[: place.start()] + chance.choice(HOSTILE) + text[place.end() :])


def _swapped_values(raw: bytes, chance: Random) -> bytes:
    text = _text(raw)
    places = list(_VALUE.finditer(text))
    if len(places) < 2:
        return raw
    first, second = sorted(chance.sample(places, 2), key=lambda found: found.start())
    return _like(
        raw,
        text[: first.start()] + second.group() + text[first.end() : second.start()] + first.group()
        + text[second.end() :],
    )  # fmt: skip


def _field_again(raw: bytes, chance: Random) -> bytes:
    text = _text(raw)
    keys = re.findall(r'"[a-z_0-9A-Z]+"(?=:)', text)
    if not keys or not text.rstrip().endswith("}"):
        return raw
    return _like(raw, text.rstrip()[:-1] + f",{chance.choice(keys)}:{chance.choice(HOSTILE)}}}")


WORDS: tuple[Callable[[bytes, Random], bytes], ...] = (
    _flip_bits, _any_bytes, _other_value, _swapped_values, _field_again,
)  # fmt: skip


def _mixed(raw: bytes, other: bytes, chance: Random) -> bytes:
    place = chance.randrange(1, min(len(raw), len(other)))
    return raw[:place] + other[place:]


# The second reader


def _text(raw: bytes) -> str:
    is_wide = raw.startswith(b"\xff\xfe") or raw[1:2] == b"\0"
    text = raw.decode("utf-16-le" if is_wide else "utf-8", "replace")
    return text.lstrip("\ufeff").rstrip("\0")


def _like(raw: bytes, text: str) -> bytes:
    if raw.startswith(b"\xff\xfe"):
        return b"\xff\xfe" + text.encode("utf-16-le", "surrogatepass")
    if raw[1:2] == b"\0":
        return text.encode("utf-16-le", "surrogatepass")
    mark = b"\xef\xbb\xbf" if raw.startswith(b"\xef\xbb\xbf") else b""
    return mark + text.encode("utf-8", "surrogatepass")


def _side(word: object) -> str | None:
    return {"bu": "buy", "lo": "buy", "se": "sell", "sh": "sell", "be": "sell"}.get(str(word).strip().lower()[:2])


def _stamp(text: object) -> str:
    return re.sub(r"\D", "", str(text))[:12]


def _figures(found: Any) -> list[Decimal]:
    """List every number in a value, also those written as text."""
    match found:
        case bool() | None:
            return []
        case Decimal():
            return [found]
        case str():
            try:
                figure = Decimal(found.strip().strip("$").replace(",", ""))
            except InvalidOperation:
                return []
            return [figure] if figure.is_finite() else []
        case dict():
            return [figure for item in found.values() for figure in _figures(item)]
        case list():
            return [figure for item in found for figure in _figures(item)]
        case _:
            return []


def stands_there(draft: SignalDraft, raw: bytes) -> bool:
    """Tell whether a draft says what the message says, by another way of reading it."""
    text = _text(raw).strip()
    if not text.startswith("{"):
        return _line_says(draft, text)
    said: dict[str, Any] = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    said = said.get("signal", said)
    if draft.phases is not None:
        return _phases_say(draft, said)
    symbol = said.get("symbol", said.get("ticker")) or ""
    title = said["embeds"][0]["title"] if "embeds" in said else ""
    words = (
        [said.get(name) for name in ("side", "action", "direction", "signal_type")]
        if not title
        else re.findall(r"[a-z]+", title.lower())
    )
    sides = {_side(word) for word in words} - {None}
    if str(said.get("sentiment", "")).lower() == "flat":
        sides = {"sell" if side == "buy" else "buy" for side in sides if side}
    levels = [level.value for level in (draft.stop, *draft.targets) if level] + [
        figure for figure in (draft.entry, draft.reference, draft.quantity) if figure is not None
    ]
    return (
        (draft.symbol == symbol.strip(" ") or f"[{draft.symbol}]" in title)
        and (draft.side is None or draft.side in sides)
        and set(levels) <= set(_figures(said))
        and _keeps_places(draft, said)
    )


def _keeps_places(draft: SignalDraft, said: Mapping[str, Any]) -> bool:
    """Tell whether a stop in the message is the stop of the draft, and none was made up or lost."""
    if "embeds" in said:
        fields = said["embeds"][0].get("fields") or []
        stops = _figures([item.get("value") for item in fields if str(item.get("name", "")).lower().startswith("stop")])
    else:
        stops = _figures([said.get("stop"), said.get("stop_loss"), said.get("stopLoss")])
    return stops == ([draft.stop.value] if draft.stop else [])


def _phases_say(draft: SignalDraft, said: Mapping[str, Any]) -> bool:
    phases = draft.phases
    assert phases is not None
    parts = [said[name] for name in ("phase_1_m5_bos", "phase_2_m1_break", "phase_3_m1_retest")]
    read_as = [(phase.price, _stamp(phase.at.text)) for phase in (phases.bos, phases.break_, phases.retest)]
    last = said["phase_4_ylipip"]
    stamp = dict(draft.extras).get("stamp") or getattr(draft.said_at, "text", "")
    return (
        draft.symbol == said["symbol"].strip(" ")
        and draft.side == _side(said["trade_direction"]) == _side(parts[0]["direction"])
        and read_as == [(Decimal(part["price"]), _stamp(part["time"])) for part in parts]
        and (phases.target, phases.current, phases.is_triggered) == (last["target"], last["current"], last["triggered"])
        and (draft.reference, phases.trigger_pips) == (said["current_price"], said["ylipip_trigger"])
        and _stamp(stamp) == _stamp(said["timestamp"])
    )


def _line_says(draft: SignalDraft, text: str) -> bool:
    parts = [part.strip() for part in text.split(",")]
    params = dict(part.split("=", 1) for part in parts[3:])
    params = {name.strip().lower(): value.strip().strip('"') for name, value in params.items()}
    stop = [Decimal(value) for name, value in params.items() if name.startswith("sl")]
    target = [Decimal(value) for name, value in params.items() if name.startswith("tp")]
    return (
        draft.symbol == parts[2]
        and draft.side in (_side(parts[1]), _side(parts[1].lower().removeprefix("close").removeprefix("cancel")))
        and stop == ([draft.stop.value] if draft.stop else [])
        and target == [level.value for level in draft.targets]
    )


# The run


def fuzz(count: int, *, seed: int = 1) -> Report:
    """Spoil messages `count` times and report; the same seed does the same."""
    chance = Random(seed)
    known = originals()
    report = Report()
    for _ in range(count):
        original = chance.choice(known)
        family = chance.randrange(5)
        if family < 2:
            raw, is_damage = chance.choice(DAMAGE)(original.raw, chance), True
        elif family < 4:
            raw, is_damage = chance.choice(WORDS)(original.raw, chance), False
        else:
            other = chance.choice([each for each in known if each.kind == original.kind])
            raw, is_damage = _mixed(original.raw, other.raw, chance), False
        _judge(report, original, raw, is_damage)
    return report


def _judge(report: Report, original: Original, raw: bytes, is_damage: bool) -> None:
    report.runs += 1
    if original.headers is not None and raw != original.raw:
        refused = verify(
            Envelope.of(original.headers), raw, secrets=[original.secret.encode()],
            now=datetime(2025, 8, 4, 8, 28, 32, tzinfo=UTC),
        )  # fmt: skip
        if refused is None:
            report.wrong.append(("signature", raw))
    announced = None if original.kind == "ea_file" or not is_damage else len(original.raw)
    try:
        found = read(original.kind, raw, declared_bytes=announced)
        is_true = not isinstance(found, SignalDraft) or found == original.draft or (
            not is_damage and stands_there(found, raw)
        )  # fmt: skip
    except Exception as error:
        report.exceptions.append((f"{type(error).__name__}: {error}", raw))
        return
    code = code_of(found)
    if code is not None:
        report.refused[code] += 1
    elif not is_true:
        report.wrong.append((original.kind, raw))
    elif found == original.draft:
        report.same += 1
    else:
        report.changed += 1

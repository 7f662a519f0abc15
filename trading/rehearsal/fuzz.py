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
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mikrobot_platform.kernel.signals import SignalDraft
from trading.rehearsal.messages import BODIES, CLIENTS, ENCODINGS, SIGNALS, code_of, read
from trading.rehearsal.mutations import DAMAGE, WORDS, mixed
from trading.rehearsal.second_reader import stands_there
from trading.sources.ea_push import Envelope, verify


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


def fuzz(count: int, *, seed: int = 1) -> Report:
    """Spoil messages `count` times and report; the same seed does the same."""
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated, and guards nothing
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
            raw, is_damage = mixed(original.raw, other.raw, chance), False
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

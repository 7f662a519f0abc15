"""Damage to real messages, by the thousand: `fuzz(count, seed=...)`, for the suite and for the drill.

Two families, two promises.
1. Transport damage (cut, emptied pages, lost or repeated blocks, other encodings, garbage behind): what is read is the
   original to the last digit, or it is not read. Over HTTP the announced length is part of the message.
2. Changed words (flipped bits, values put in the place of others, two messages mixed): nobody can know what the sender
   meant, so what is read must be exactly what stands there, as a second reader says, written differently. Under a
   signature (the push door) any change must be refused.

"Wrong" is a draft that breaks its promise. Whatever leaves a parser as an exception is kept with the message. Every run
ends in one of the figures: same, changed, refused, wrong or exceptions.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mikrobot_platform.kernel.signals import SignalDraft
from trading.rehearsal.finding import Finding
from trading.rehearsal.messages import BODIES, CLIENTS, ENCODINGS, SIGNALS, as_stored, code_of, read
from trading.rehearsal.mutations import DAMAGE, WORDS, mixed
from trading.rehearsal.second_reader import stands_there
from trading.sources.ea_push import Envelope, verify

NOW = datetime(2025, 8, 4, 8, 28, 32, tzinfo=UTC)  # the server's clock in the signed samples


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A message as it left its sender."""

    kind: str
    raw: bytes
    headers: Mapping[str, str] | None = None  # signed messages
    secret: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A message as it arrived: damaged on its way, or changed by somebody."""

    sent: Sent
    meant: SignalDraft
    raw: bytes
    is_damage: bool

    @property
    def announced(self) -> int | None:
        """Return the length that came along: damage to a body does not change it."""
        return len(self.sent.raw) if self.is_damage and self.sent.kind != "ea_file" else None


@dataclass(slots=True)
class Report:
    """What became of the runs."""

    runs: int = 0
    same: int = 0
    changed: int = 0  # read as what then stood there
    refused: Counter[str] = field(default_factory=Counter)
    wrong: list[Finding] = field(default_factory=list)
    exceptions: list[Finding] = field(default_factory=list)

    def summary(self) -> dict[str, int]:
        """Give the figures that are printed."""
        return {
            "runs": self.runs, "same": self.same, "changed": self.changed, "refused": self.refused.total(),
            "codes": len(self.refused), "wrong": len(self.wrong), "exceptions": len(self.exceptions),
        }  # fmt: skip


def sent() -> Iterator[Sent]:
    """Give every real message in every encoding, and the signed ones."""
    for text in SIGNALS.values():
        for encode in ENCODINGS.values():
            yield Sent(kind="ea_file", raw=encode(text))
    for kind, text in BODIES.values():
        yield Sent(kind=kind, raw=text.encode())
    for name in ("signal", "signal_with_order"):
        sample = json.loads((CLIENTS / "samples" / f"{name}.json").read_text(encoding="utf-8"))
        yield Sent(kind="ea_push", raw=sample["body"].encode(), headers=sample["headers"], secret=sample["secret"])


def fuzz(count: int, *, seed: int, tell: Callable[[Report], None] = lambda _report: None) -> Report:
    """Spoil messages `count` times, calling `tell` after each, and report; the same seed does the same."""
    report = Report()
    known = _understood(report)
    chance = random.Random(seed)  # noqa: S311 - chance that can be repeated, and guards nothing
    for _ in range(count if known else 0):
        mutation = _mutate(known, chance)
        report.runs += 1
        try:
            _judge(mutation, report)
        except Exception as error:
            report.exceptions.append(_finding(report, mutation.sent.kind, mutation.raw, repr(error)))
        tell(report)
    return report


def _understood(report: Report) -> list[tuple[Sent, SignalDraft]]:
    """Read what was sent; what is not understood whole cannot be judged in pieces and is reported at once."""
    known = []
    for message in sent():
        try:
            draft = read(message.kind, message.raw)
        except Exception as error:
            report.exceptions.append(_finding(report, message.kind, message.raw, repr(error)))
            continue
        if isinstance(draft, SignalDraft):
            known.append((message, draft))
        else:
            report.wrong.append(_finding(report, message.kind, message.raw, f"not read: {code_of(draft)}"))
    return known


def _mutate(known: list[tuple[Sent, SignalDraft]], chance: random.Random) -> Mutation:
    """Pick a message and do something to it."""
    message, meant = chance.choice(known)
    family = chance.randrange(5)
    if family < 2:
        raw = chance.choice(DAMAGE)(message.raw, chance)
    elif family < 4:
        raw = chance.choice(WORDS)(message.raw, chance)
    else:
        other, _draft = chance.choice([pair for pair in known if pair[0].kind == message.kind])
        raw = mixed(message.raw, other.raw, chance)
    return Mutation(sent=message, meant=meant, raw=raw, is_damage=family < 2)


def _judge(mutation: Mutation, report: Report) -> None:
    """Read a mutation and count what it was read as."""
    message, raw = mutation.sent, mutation.raw
    if message.headers is not None and raw != message.raw and _passes(message, raw):
        report.wrong.append(_finding(report, message.kind, raw, "changed, and its signature still holds"))
        return
    found = read(message.kind, raw, declared_bytes=mutation.announced)
    code = code_of(found)
    if code is not None:
        report.refused[code] += 1
        return
    assert isinstance(found, SignalDraft)
    is_true = found == mutation.meant if mutation.is_damage else stands_there(found, raw)
    if not is_true:
        report.wrong.append(_finding(report, message.kind, raw, f"read as {json.dumps(as_stored(found))}"))
    elif found == mutation.meant:
        report.same += 1
    else:
        report.changed += 1


def _passes(message: Sent, raw: bytes) -> bool:
    """Tell whether these bytes get through the push door with the headers of that message."""
    assert message.headers is not None
    return verify(Envelope.of(message.headers), raw, secrets=[message.secret.encode()], now=NOW) is None


def _finding(report: Report, kind: str, raw: bytes, why: str) -> Finding:
    return Finding(name=f"run {report.runs}", kind=kind, why=why, raw=raw)

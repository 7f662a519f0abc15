"""The fixed corpus: stored samples, real messages in every encoding, spoilt ones, and the cuts at every byte.

Nothing here is random; the fuzzer is next door."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from trading.rehearsal.cases import Case, Cut, Golden, Spoilt
from trading.rehearsal.finding import Finding
from trading.rehearsal.messages import BODIES, ENCODINGS, SIGNALS, as_stored
from trading.rehearsal.spoilt_bodies import spoilt_bodies
from trading.rehearsal.spoilt_files import spoilt_bytes, spoilt_shapes
from trading.rehearsal.spoilt_values import spoilt_values

CORPUS = Path(__file__).parent / "corpus"


def golden() -> list[Golden]:
    """Load the stored samples."""
    index = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
    return [
        Golden(name=name, kind=name.partition("/")[0], raw=(CORPUS / name).read_bytes(), expected=expected)
        for name, expected in index.items()
    ]


def encoded() -> Iterator[Golden]:
    """Write every real signal in every encoding: each says what the stored one says."""
    expected = {sample.name: sample.expected for sample in golden()}
    for name, text in SIGNALS.items():
        for encoding, encode in ENCODINGS.items():
            yield Golden(
                name=f"{name}/{encoding}", kind="ea_file", raw=encode(text),
                expected=expected[f"ea_file/{name}.utf16.json"],
            )  # fmt: skip


def spoilt() -> Iterator[Spoilt]:
    """Give every made case that must be refused or torn, by name."""
    yield from spoilt_values()
    yield from spoilt_shapes()
    yield from spoilt_bytes()
    yield from spoilt_bodies()


def torn() -> Iterator[Cut]:
    """Cut every real message at every byte; over HTTP its whole length was announced."""
    for name, text in SIGNALS.items():
        for encoding, encode in ENCODINGS.items():
            raw = encode(text)
            for end in range(len(raw)):
                yield Cut(name=f"{name}/{encoding}[:{end}]", kind="ea_file", raw=raw[:end])
    for name, (kind, text) in BODIES.items():
        raw = text.encode()
        for end in range(len(raw)):
            yield Cut(name=f"{name}[:{end}]", kind=kind, raw=raw[:end], announced=len(raw))


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """How much of the corpus was read, and what was not read as it must be."""

    messages: int
    cuts: int
    wrong: list[Finding] = field(default_factory=list)


def check_corpus() -> Checked:
    """Read the whole corpus."""
    messages: list[Case] = [*golden(), *encoded(), *spoilt()]
    cuts = list(torn())
    wrong = [finding for case in (*messages, *cuts) if (finding := _look(case))]
    return Checked(messages=len(messages), cuts=len(cuts), wrong=wrong)


def _look(case: Case) -> Finding | None:
    try:
        answer = case.answer()
        if case.is_met_by(answer):
            return None
        why = f"read as {json.dumps(as_stored(answer))}"
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
    return Finding(name=case.name, kind=case.kind, why=why, raw=case.raw)

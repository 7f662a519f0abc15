"""The fixed corpus: `golden()` are the stored samples of corpus/, `spoilt()` the cases that are made from real ones,
`torn()` the cuts at every byte. Nothing here is random; the fuzzer is next door."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trading.rehearsal.cases import Spoilt
from trading.rehearsal.messages import BODIES, ENCODINGS, SIGNALS
from trading.rehearsal.spoilt_bodies import spoilt_bodies
from trading.rehearsal.spoilt_files import spoilt_bytes, spoilt_shapes
from trading.rehearsal.spoilt_values import spoilt_values

CORPUS = Path(__file__).parent / "corpus"


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """One stored message and what it must be read as."""

    name: str
    kind: str
    raw: bytes
    expected: Mapping[str, Any]


def golden() -> list[Golden]:
    """Load the stored samples."""
    index = json.loads((CORPUS / "expected.json").read_text(encoding="utf-8"))
    return [
        Golden(name=name, kind=name.partition("/")[0], raw=(CORPUS / name).read_bytes(), expected=expected)
        for name, expected in index.items()
    ]


def spoilt() -> Iterator[Spoilt]:
    """Give every made case that must be refused or torn, by name."""
    yield from spoilt_values()
    yield from spoilt_shapes()
    yield from spoilt_bytes()
    yield from spoilt_bodies()


def torn() -> Iterator[tuple[str, str, bytes, int | None]]:
    """Cut every sample at every byte: name, kind of source, what is left, and the length that was announced."""
    for name, text in SIGNALS.items():
        for encoding, encode in ENCODINGS.items():
            raw = encode(text)
            for end in range(len(raw)):
                yield f"{name}/{encoding}[:{end}]", "ea_file", raw[:end], None
    for name, (kind, text) in BODIES.items():
        raw = text.encode()
        for end in range(len(raw)):
            yield f"{name}[:{end}]", kind, raw[:end], len(raw)

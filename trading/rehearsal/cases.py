"""The cases of the fixed corpus: a message, how it is read, and whether the answer is the one that it must get."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mikrobot_platform.kernel.decisions import Code, Refusal
from trading.rehearsal.messages import as_stored, code_of, read
from trading.sources import Parsed, Torn


@dataclass(frozen=True, slots=True, kw_only=True)
class Case(ABC):
    """A message by name, with the kind of its source and the length that was announced for it, if any was."""

    name: str
    kind: str
    raw: bytes
    announced: int | None = None

    def answer(self) -> Parsed | Torn:
        """Read it."""
        return read(self.kind, self.raw, declared_bytes=self.announced)

    @abstractmethod
    def is_met_by(self, answer: Parsed | Torn) -> bool:
        """Tell whether this is what the message must become."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden(Case):
    """A message whose answer is written down."""

    expected: Mapping[str, Any]

    def is_met_by(self, answer: Parsed | Torn) -> bool:
        """Compare every digit and every word."""
        return as_stored(answer) == self.expected


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt(Case):
    """A message that must not become a signal, and the codes by which that may be said."""

    codes: frozenset[Code]

    def is_met_by(self, answer: Parsed | Torn) -> bool:
        """Ask for one of the codes, and for a sentence that can be shown."""
        refused = answer.becomes if isinstance(answer, Torn) else answer
        return code_of(answer) in self.codes and isinstance(refused, Refusal) and refused.sentence.isprintable()


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut(Case):
    """The beginning of a message."""

    def is_met_by(self, answer: Parsed | Torn) -> bool:
        """Ask for a file to be read again, for anything else to be refused."""
        return isinstance(answer, Torn if self.kind == "ea_file" else Refusal)


def replaced(text: str, old: str, new: str) -> str:
    """Put something in the place of what stands there, once."""
    assert old in text, (old, text)
    return text.replace(old, new, 1)


def case(name: str, kind: str, text: str | bytes, *codes: Code) -> Spoilt:
    """Name a spoilt message by the kind of its source and what was done."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Spoilt(name=f"{kind}:{name}", kind=kind, raw=raw, codes=frozenset(codes))

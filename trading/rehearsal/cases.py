"""One made case: a message that was spoilt on purpose, and the codes by which it may be refused."""

from __future__ import annotations

from dataclasses import dataclass

from mikrobot_platform.kernel.decisions import Code


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoilt:
    """A message that must not become a signal, and the codes by which that may be said."""

    name: str
    kind: str
    raw: bytes
    codes: frozenset[Code]


def replaced(text: str, old: str, new: str) -> str:
    """Put something in the place of what stands there, once."""
    assert old in text, (old, text)
    return text.replace(old, new, 1)


def case(name: str, kind: str, text: str | bytes, *codes: Code) -> Spoilt:
    """Name a case by the kind of its source and what was done."""
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    return Spoilt(name=f"{kind}:{name}", kind=kind, raw=raw, codes=frozenset(codes))

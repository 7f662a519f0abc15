"""Chance without luck: what looks random follows from a seed and from names, so that it can be had again."""

from __future__ import annotations

from hashlib import blake2b


def draw(seed: int, *names: str, below: int) -> int:
    """Return a whole number from zero up to, and without, `below`: the same one for the same seed and names."""
    told = "\0".join((str(seed), *names)).encode()
    return int.from_bytes(blake2b(told, digest_size=8).digest()) % below

"""Well-known instruments, looked up by exact symbol: a start for accounts whose venue has not told its own figures."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from mikrobot_platform.kernel.instruments import InstrumentSpec
from risk_management.catalogue import cfds, exchange
from risk_management.catalogue.entry import Entry

CATALOGUE: Mapping[str, Entry] = MappingProxyType(
    {entry.spec.symbol: entry for entry in (*cfds.entries(), *exchange.entries())}
)


def find(symbol: str) -> InstrumentSpec | None:
    """Look a specification up; None for a symbol that is not listed, however much it looks like one that is."""
    entry = CATALOGUE.get(symbol)
    return None if entry is None else entry.spec


__all__ = ["CATALOGUE", "Entry", "find"]

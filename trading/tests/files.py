"""Files for the tests: each source has a file of its own in the folder for signal files, written as an EA writes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from trading.files import disk
from trading.ledger import ledger_of
from trading.models import SourceFile
from trading.models.sources import Source
from trading.rehearsal.messages import v8
from trading.tests.sources import make_source

NAME = "mikrobot_4phase_signal.json"


def file_source(organization_id: UUID, **fields: Any) -> Source:
    """Make a source that reads a file of its own; the file is not there yet, its folder is."""
    path = f"{uuid4().hex}/{NAME}"
    disk.make_folder(path)
    return make_source(organization_id, kind="ea_file", path=path, **fields)


def place(source: Source) -> Path:
    return disk.home() / source.path


def signal(number: int = 0, symbol: str = "EURJPY") -> bytes:
    """Write a signal that no other number has, UTF-16LE with a mark as the terminal does."""
    current = f"{171 + number // 100_000}.{number % 100_000:05d}"
    text = v8(symbol=symbol, prices=("171.12900", "171.13300", "171.13200", "171.13900", current))
    return b"\xff\xfe" + text.encode("utf-16-le")


def write(source: Source, body: bytes) -> None:
    """Truncate and write, as the EA does."""
    place(source).write_bytes(body)


def touch(source: Source, nanoseconds: int = 1_000_000) -> None:
    """Let the file look as if the same bytes had been written again, later."""
    changed = place(source).stat().st_mtime_ns + nanoseconds
    os.utime(place(source), ns=(changed, changed))


def state(source: Source) -> SourceFile:
    with ledger_of(source.organization_id):
        row: SourceFile = SourceFile.objects.get(source=source)
    return row

"""How many versions nobody read: what the watcher counts, less what the poll has kept all the same.

The watcher counts a version as missed when its write was announced and its text was gone. The poll may have read that
very text a moment before. So each version that the poll keeps while writes are announced stands aside, and counts as
one less until it is known which it was: one that the watcher brings as well, or one that it counts as missed. What
stands aside for long is neither: there is no watcher. For a moment the number may be too low, even below zero; in the
end each version counts once, as kept or as missed.
"""

from __future__ import annotations

from datetime import timedelta

from trading.files.disk import Version
from trading.files.sights import Sight
from trading.models import RawSignal, ReadBy, SourceFile

ASIDE = timedelta(seconds=15)  # a watcher that lives brings what it read, or counts what it missed, in less


def count(row: SourceFile, sight: Sight, kept: RawSignal | None, *, is_new: bool, is_whole: bool) -> int:
    """Bring the number up to date; return how many are missing before this version, for all that is known now."""
    row.missed += sight.missed
    if sight.is_first:
        _take_back(row)
    if sight.how == ReadBy.EVENTS:
        row.read_by = ReadBy.EVENTS
        if kept is not None and isinstance(sight.found, Version):
            return _brought(row, sight.found, sight.missed, str(kept.pk))
    elif row.read_by == ReadBy.EVENTS:
        at_ms = int(sight.at.timestamp() * 1000)
        if row.kept_aside and at_ms - row.kept_aside[0][0] > ASIDE // timedelta(milliseconds=1):
            _take_back(row)
            row.read_by = ReadBy.POLL
        elif is_new and is_whole and kept is not None and isinstance(sight.found, Version):
            row.missed -= 1
            if row.brought_ns is None or sight.found.changed_ns >= row.brought_ns:  # else it was counted, or will be
                row.kept_aside = [*row.kept_aside, [at_ms, sight.found.changed_ns, str(kept.pk)]]
    return sight.missed


def _take_back(row: SourceFile) -> None:
    """Count what stands aside as what it was, kept and not missed: nobody was counting when it was written."""
    row.missed += len(row.kept_aside)
    row.kept_aside, row.brought_ns = [], None


def _brought(row: SourceFile, version: Version, missed: int, kept: str) -> int:
    """Settle what stands aside with what the watcher brings, and with what it says that it missed before."""
    row.brought_ns = max(row.brought_ns or 0, version.changed_ns)
    others = [entry for entry in row.kept_aside if entry[2] != kept]
    row.missed += len(row.kept_aside) - len(others)
    # A later one may be on its way: the watcher brings its versions in the order in which they were written.
    settled = [entry for entry in others if entry[1] < version.changed_ns][:missed]
    row.kept_aside = [entry for entry in others if entry not in settled]
    return missed - len(settled)

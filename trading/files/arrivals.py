"""What a file holds becomes one message in the ledger, once, whoever else is looking.

How a version of a file is known: by its time of change, its size and its hash. The database itself lets no two messages
of a source have all three alike (`trading_rawsignal_version`), so the watcher and the poll, two watchers, and a writer
that is tried again after its connection broke are all free to bring the same version.

What is counted as missed, and what cannot be known:
- With file events each completed write is announced. One that was announced and whose content was gone when the file
  was read counts (watched.py). Writes of before the watcher ran were announced to nobody.
- By looking alone an overwrite leaves no trace, with one exception: a text that was not whole, followed by one that it
  is not the beginning of, was somebody's signal and can never be read. That counts, and nothing else does.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

import redis

from accounts.tenancy import system_scope
from mikrobot_platform import heartbeats
from mikrobot_platform.db.ids import new_id
from mikrobot_platform.kernel import registry, trace
from mikrobot_platform.kernel.decisions import Code, Refusal, evidence, refusal
from trading import ledger, pipeline
from trading.files import answers, counting, disk
from trading.files.disk import Version
from trading.files.sights import Sight
from trading.ledger import ledger_of, note
from trading.models import EventKind, RawSignal, RawState, ReadBy, Source, SourceFile
from trading.pipeline import Outcome
from trading.sources import FileDialect, SourceContext, Torn

log = logging.getLogger(__name__)

SCOPE = "signals.door"
KIND = "ea_file"
# After a torn read: an EA on this machine is done within a millisecond, one on a share within some ten.
PAUSES_MS = (2, 4, 8, 16, 32, 64)
STATE_EVERY = timedelta(seconds=15)  # how old what is known of a file may become while nothing changes


def sources() -> list[Source]:
    """List every source that reads a file, whosever it is."""
    with system_scope(SCOPE):
        return list(Source.objects.filter(kind=KIND, is_enabled=True).exclude(path="").order_by("pk"))


def look(
    source: Source,
    *,
    now: datetime,
    how: ReadBy = ReadBy.POLL,
    pause: Callable[[int], None] = lambda milliseconds: time.sleep(milliseconds / 1000),
) -> Outcome | None:
    """Read a source's file; what is new becomes a message. None: nothing is new.

    1. Bytes are taken when the file was at rest. What is not whole is read again, after a little longer each time.
    2. The bytes are committed with the marks of their version, if no message has these marks (`keep`).
    3. They are read as every message is. What is not whole to the last is refused there, by name.
    4. Where the EA wants an answer, it is written.
    """
    return receive(source, see(source, now=now, how=how, pause=pause), now=now)


def see(source: Source, *, now: datetime, how: ReadBy, pause: Callable[[int], None]) -> Sight:
    """Take what the file holds: whole if a few milliseconds can make it so."""
    found, is_over_torn = disk.read(source.path), False
    for milliseconds in PAUSES_MS:
        if not may_heal(source, found):
            break
        pause(milliseconds)
        before, found = found, disk.read(source.path)
        is_over_torn |= stands_over(before, found)
    return Sight(found=found, at=now, how=how, is_over_torn=is_over_torn)


def may_heal(source: Source, found: Version | Refusal) -> bool:
    """Tell whether another look may find more: nothing is there yet, it is being written, or somebody holds it."""
    if isinstance(found, Refusal):
        return found.code in (Code.FILE_LOCKED, Code.FILE_RESTLESS)
    return torn(source, found) is not None


def torn(source: Source, version: Version) -> Refusal | None:
    """Say why a version is not whole, or None."""
    dialect = cast(FileDialect, registry.resolve(registry.SOURCES[source.kind]))
    found = dialect.read(version.body, context=SourceContext(source=str(source.pk)))
    return found.becomes if isinstance(found, Torn) else None


def stands_over(before: Version | Refusal, after: Version | Refusal) -> bool:
    """Tell whether a text that was not whole has gone for good: what is there now does not begin with it."""
    return isinstance(before, Version) and isinstance(after, Version) and not after.continues(before)


def receive(source: Source, sight: Sight, *, now: datetime) -> Outcome | None:
    """Bring what was seen to the ledger; None: it was there already, or there was nothing."""
    raw = keep(source, sight)
    outcome = None
    if raw is not None:
        outcome = pipeline.read_kept(raw, source=source, now=now)
        if outcome.state is RawState.READ:
            pipeline.wake()
    if source.answers:
        answers.publish(source, now=now)
    return outcome


def keep(source: Source, sight: Sight) -> RawSignal | None:
    """Commit a version's bytes and what is known of the file; the message, None when there is no new one."""
    with ledger_of(source.organization_id):
        if not Source.objects.filter(pk=source.pk, is_enabled=True, path=source.path).exists():
            return None  # it was switched off or taken away since it was looked for
        row = SourceFile.held(source)
        version = sight.found if isinstance(sight.found, Version) and sight.found.size else None
        raw = None if version is None else _message_of(source, version)
        is_new, is_loss, before = version is not None and raw is None, False, _state(row)
        if version is not None and raw is None:
            is_loss = _is_loss(row, source, sight, version)
            raw = _store(source, version, sight.at)
        is_whole = version is not None and torn(source, version) is None
        missing = is_loss + counting.count(row, sight, raw, is_new=is_new, is_whole=is_whole)
        row.missed += is_loss
        _describe(row, source, sight, raw, before)
        if missing and raw is not None:
            note(raw, EventKind.GAP, at=sight.at, evidence=evidence(missing=missing))
        return raw if is_new else None


def _message_of(source: Source, version: Version) -> RawSignal | None:
    """Find the message that a version became; whoever brings another waits for the row of the file."""
    same = RawSignal.objects.filter(
        organization_id=source.organization_id, source_id=source.pk,
        changed_ns=version.changed_ns, size=version.size, sha256=version.sha256,
    )  # fmt: skip
    found: RawSignal | None = same.only("pk", "organization_id").first()
    return found


def _store(source: Source, version: Version, at: datetime) -> RawSignal:
    raw = RawSignal(
        id=new_id(),
        organization_id=source.organization_id,
        source_id=source.pk,
        body=version.body,
        size=version.size,
        sha256=version.sha256,
        changed_ns=version.changed_ns,
        received_at=at,
        trace_id=trace.trace_id.get(),
    )
    ledger.keep(raw, at=at)
    return raw


def _is_loss(row: SourceFile, source: Source, sight: Sight, version: Version) -> bool:
    """Tell whether this version took the place of a text that nobody can read any more. Where events count, they do."""
    if ReadBy.EVENTS in (sight.how, row.read_by):
        return False
    if sight.is_over_torn:
        return True
    if row.raw_id is None:
        return False
    before = replace(version, body=bytes(RawSignal.objects.values_list("body", flat=True).get(pk=row.raw_id)))
    return torn(source, before) is not None and not version.continues(before)


def _describe(row: SourceFile, source: Source, sight: Sight, raw: RawSignal | None, before: tuple[object, ...]) -> None:
    """Write down how the file stands, unless somebody has looked later; not more often than somebody would notice."""
    if row.looked_at is None or row.looked_at <= sight.at:
        problem = _problem(source, sight.found)
        if problem is not None or row.code != Code.FILE_ANSWER_UNWRITTEN:
            row.code, row.sentence = (problem.code, problem.sentence) if problem else ("", "")
        if isinstance(sight.found, Version) and raw is not None:
            if row.raw_id != raw.pk:
                row.kept_at = sight.at
            row.raw_id, row.sha256 = raw.pk, sight.found.sha256
            row.changed_ns, row.size = sight.found.changed_ns, sight.found.size
    if _state(row) == before and row.looked_at is not None and sight.at - row.looked_at < STATE_EVERY:
        return
    row.looked_at = max(row.looked_at or sight.at, sight.at)
    if isinstance(sight.found, Version):
        row.seen_at = max(row.seen_at or sight.at, sight.at)
    row.save()


def _state(row: SourceFile) -> tuple[object, ...]:
    return row.raw_id, row.missed, row.kept_aside, row.brought_ns, row.read_by, row.code, row.sentence


def _problem(source: Source, found: Version | Refusal) -> Refusal | None:
    if isinstance(found, Refusal):
        return found
    if not found.size:
        return refusal(Code.FILE_EMPTY)
    reason = torn(source, found)
    return refusal(Code.FILE_TORN, reason=reason.sentence) if reason else None


# --- all of them ------------------------------------------------------------------------------------------------------
def poll(*, now: datetime, among: Collection[Source] | None = None) -> int:
    """Look at every file once; return in how many there was something new.

    What cannot be stored now is found again at the next look: it is still there.
    """
    everything = sources()
    _expect_watcher(len(everything))
    arrived = 0
    for source in everything if among is None else among:
        try:
            arrived += look(source, now=now) is not None
        except pipeline.NOT_ITS_FAULT:
            log.warning("a file could not be brought to the ledger and is looked at again", exc_info=True)
    return arrived


def _expect_watcher(files: int) -> None:
    try:
        heartbeats.expect_watcher(files)
    except redis.RedisError as error:
        log.warning("the number of files could not be left for health", extra={"error": type(error).__name__})

"""One file as the watcher sees it: what is new, what is read again in a moment, what must have been missed.

Two threads come here: the one that is told of writes, and the one that looks time and again because not every file
system tells. Each reads at once and hands on what it read; nobody waits for the database.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mikrobot_platform.kernel.decisions import Refusal
from trading.files import disk
from trading.files.arrivals import PAUSES_MS, may_heal, stands_over
from trading.files.disk import Version
from trading.files.events import Told
from trading.files.sights import Sight
from trading.models import ReadBy, Source

SILENCE_MS = 2_000  # a version that no event announced within this time: events do not come from here


@dataclass(slots=True)
class Tally:
    """Count the completed writes that were announced against the versions that were read.

    A version may be read before it is announced, by the other thread or a little ahead: then less was announced than
    read, and the announcement makes up for it. More announced than read, with the file whole: that much is gone.
    """

    ahead: int = 0  # read and not announced yet; below zero: announced and not read
    since_ms: int | None = None  # since when something is ahead

    def announced(self) -> None:
        self.ahead -= 1

    def read(self) -> None:
        self.ahead += 1

    def settle(self) -> int:
        """Return how many are gone, and forget them. Only right after an announcement, with the file whole."""
        gone = max(0, -self.ahead)
        self.ahead += gone
        return gone

    def is_silent(self, now_ms: int) -> bool:
        """Tell whether what is ahead will not be announced any more, and stop waiting for it."""
        if self.ahead <= 0:
            self.since_ms = None
        elif self.since_ms is None:
            self.since_ms = now_ms
        elif now_ms - self.since_ms > SILENCE_MS:
            self.ahead, self.since_ms = 0, None
            return True
        return False


class Watched:
    """Read one file whenever there is reason to; hand on each version once."""

    def __init__(self, source: Source, hand_on: Callable[[Source, Sight], None]) -> None:
        self.source = source
        self._hand_on = hand_on
        self._lock = threading.Lock()
        self._tally = Tally()
        self._how = ReadBy.POLL
        # To be made before the file's writes are announced: what it holds by now is announced to nobody.
        self._at_first = disk.glance(source.path)
        self._is_changed = False  # since it was closed last
        self._last: Version | Refusal | None = None  # what was handed on
        self._glance: tuple[int, int, int] | None = None
        self._is_confirmed = False
        self._broken: Version | Refusal | None = None  # what is to be read again
        self._tries = 0
        self._again_ms = 0
        self._is_over_torn = False

    def told(self, told: Told, *, now: datetime, now_ms: int) -> bool:
        """Read, because somebody has written; tell whether it is to be read again soon, as it was not whole."""
        with self._lock:
            if told is Told.CHANGED:
                self._is_changed = True
                return False
            is_complete = told is Told.ARRIVED or (told is Told.CLOSED and self._is_changed)
            self._is_changed = False
            if is_complete:
                self._tally.announced()
                self._how = ReadBy.EVENTS
            self._read(now, now_ms, is_announced=is_complete)
            return self._broken is not None

    def look(self, *, now: datetime, now_ms: int) -> None:
        """Read if the file looks different, or was not whole a moment ago; once more when it has come to rest.

        Clocks of file systems are coarse: what was written right after we read may look the same from outside.
        """
        with self._lock:
            if self._tally.is_silent(now_ms):
                self._how = ReadBy.POLL
            if self._broken is not None:
                if now_ms >= self._again_ms:
                    self._read(now, now_ms)
                return
            glance = disk.glance(self.source.path)
            is_same = glance == self._glance
            if is_same and self._is_confirmed and glance is not None:
                return
            self._glance, self._is_confirmed = glance, is_same
            self._read(now, now_ms)

    def due_ms(self, now_ms: int, otherwise_ms: int) -> int:
        """Say in how many milliseconds this file wants to be looked at."""
        with self._lock:
            return otherwise_ms if self._broken is None else max(1, min(otherwise_ms, self._again_ms - now_ms))

    def _read(self, now: datetime, now_ms: int, *, is_announced: bool = False) -> None:
        """Read once. What may heal is read again, and is handed on as it is after the last try."""
        found = disk.read(self.source.path)
        if self._broken is not None:
            self._is_over_torn |= stands_over(self._broken, found)
        is_new = not self._is_last(found)
        if may_heal(self.source, found):
            if is_new and self._tries < len(PAUSES_MS):
                self._broken, self._again_ms = found, now_ms + PAUSES_MS[self._tries]
                self._tries += 1
            else:
                self._end(found, now, is_new=is_new)
            return
        missed = 0
        if isinstance(found, Version):
            if is_new and (self._at_first is None or self._at_first[1:] != (found.changed_ns, found.size)):
                self._tally.read()
            self._at_first = None
            missed = self._tally.settle() if is_announced else 0
        self._end(found, now, is_new=is_new, missed=missed)

    def _end(self, found: Version | Refusal, now: datetime, *, is_new: bool, missed: int = 0) -> None:
        """Stop trying; hand on what there is to say."""
        if is_new or missed:
            sight = Sight(
                found=found, at=now, how=self._how, missed=missed,
                is_first=self._last is None, is_over_torn=self._is_over_torn,
            )  # fmt: skip
            self._hand_on(self.source, sight)
        self._last, self._broken, self._tries, self._is_over_torn = found, None, 0, False

    def _is_last(self, found: Version | Refusal) -> bool:
        if isinstance(found, Version):
            return isinstance(self._last, Version) and found.marks == self._last.marks
        return isinstance(self._last, Refusal) and found == self._last

"""Being told by the system that a file was written, where it tells.

On Linux a write is announced when it is complete: the file was closed, or was moved to its place. Elsewhere any change
is announced, which is a reason to look and nothing to count. Shares announce what is done on this machine only.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Collection
from enum import Enum, auto
from pathlib import Path

from watchdog.events import (
    FileClosedEvent,
    FileCreatedEvent,
    FileModifiedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver, ObservedWatch

log = logging.getLogger(__name__)

_ASKED = [FileClosedEvent, FileCreatedEvent, FileModifiedEvent]


class Told(Enum):
    """What happened to a file."""

    CHANGED = auto()  # something was written, or it was emptied
    CLOSED = auto()  # by somebody who might have written; who only touched it has not changed it
    ARRIVED = auto()  # it was moved to its place, complete
    STIRRED = auto()  # something happened, nobody says what


def _observer() -> BaseObserver:
    if sys.platform != "linux":
        return Observer()
    from watchdog.observers.inotify import InotifyEmitter
    from watchdog.observers.inotify_c import InotifyConstants as Mask

    class Emitter(InotifyEmitter):
        def get_event_mask_from_filter(self) -> int:
            """Ask for what is counted, and for little else.

            Changes are asked for because they stand between two closings: the kernel and the library make one of two
            equal events that follow each other. Departures are not, because the library holds everything back for half
            a second to see where a file went; so an arrival comes alone, and looks like a new file.
            """
            return Mask.IN_CLOSE_WRITE | Mask.IN_MOVED_TO | Mask.IN_MODIFY | Mask.IN_DELETE_SELF

    return BaseObserver(Emitter)


class Events(FileSystemEventHandler):
    """Tell about everything that happens in the folders that are followed, in order, in a thread of the library's."""

    def __init__(self, tell: Callable[[Path, Told], None]) -> None:
        self._tell = tell
        self._observer = _observer()
        self._followed: dict[Path, tuple[tuple[int, int], ObservedWatch]] = {}
        self._refused: set[Path] = set()

    def start(self) -> None:
        self._observer.start()

    def stop(self) -> None:
        self._observer.stop()
        self._observer.join()

    @property
    def is_alive(self) -> bool:
        return self._observer.is_alive()

    def follow(self, folders: Collection[Path]) -> None:
        """Follow these folders and no others: those that are there, and anew those that were made again."""
        there = {folder: mark for folder in folders if (mark := _mark(folder))}
        alive = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for folder, (mark, watch) in list(self._followed.items()):
            # A folder that was made again may have the number of the old one; whoever followed that one has ended.
            if there.get(folder) != mark or watch not in alive:
                del self._followed[folder]
                self._observer.unschedule(watch)
        for folder, mark in there.items():
            if folder not in self._followed:
                self._begin(folder, mark)

    def _begin(self, folder: Path, mark: tuple[int, int]) -> None:
        try:
            watch = self._observer.schedule(self, str(folder), event_filter=_ASKED if sys.platform == "linux" else None)
        except OSError as error:  # such as too many watches; looking at times goes on
            if folder not in self._refused:
                self._refused.add(folder)
                log.warning("no file events come from a folder", extra={"folder": str(folder), "error": str(error)})
            return
        self._refused.discard(folder)
        self._followed[folder] = (mark, watch)

    def dispatch(self, event: FileSystemEvent) -> None:
        """Pass on what happened; called by the library's thread."""
        told = _TOLD.get(type(event), Told.STIRRED) if sys.platform == "linux" else Told.STIRRED
        for path in {event.src_path, event.dest_path} - {"", b""}:
            self._tell(Path(os.fsdecode(path)), told)


_TOLD = {FileModifiedEvent: Told.CHANGED, FileClosedEvent: Told.CLOSED, FileCreatedEvent: Told.ARRIVED}


def _mark(folder: Path) -> tuple[int, int] | None:
    """Tell a folder from one of the same name that came after it."""
    try:
        found = folder.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino

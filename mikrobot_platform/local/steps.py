"""One line per step, with its seconds while it works."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TextIO


class Steps:
    """Print what is being done and for how long: one line that moves on a terminal, finished lines elsewhere."""

    def __init__(self, out: TextIO | None = None) -> None:
        self.out = out or sys.stdout
        self.is_terminal = self.out.isatty()

    def say(self, text: str) -> None:
        """Print one plain line at once."""
        self._write(f"{text}\n")

    @contextmanager
    def step(self, name: str) -> Iterator[Step]:
        """Show NAME and its seconds until the block ends; the block may add a note to the finished line."""
        step = Step(name)
        ticker = threading.Thread(target=self._tick, args=(step,), daemon=True)
        ticker.start()
        try:
            yield step
        except BaseException:
            step.finish()
            ticker.join()
            self._end(step, "failed")
            raise
        step.finish()
        ticker.join()
        self._end(step, step.text)

    def _tick(self, step: Step) -> None:
        # A log shows a long step every ten seconds, so that nobody thinks it hangs.
        pause = 0.2 if self.is_terminal else 10.0
        while not step.finished.wait(pause):
            self._line(step, step.text, end="" if self.is_terminal else "\n", mark="" if self.is_terminal else "... ")

    def _end(self, step: Step, text: str) -> None:
        self._line(step, text, end="\n")

    def _line(self, step: Step, text: str, *, end: str, mark: str = "") -> None:
        start = "\r\033[K" if self.is_terminal else ""
        self._write(f"{start}  {step.name:<22} {step.seconds:6.1f} s  {mark}{text}".rstrip() + end)

    def _write(self, text: str) -> None:
        # A closed terminal must not keep us from stopping what we started.
        with suppress(OSError, ValueError):
            self.out.write(text)
            self.out.flush()


class Step:
    """Know the name, the clock and the note of one line."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.text = ""
        self.finished = threading.Event()
        self._started = time.monotonic()
        self._seconds: float | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._started if self._seconds is None else self._seconds

    def note(self, text: str) -> None:
        """Put TEXT behind the seconds."""
        self.text = text

    def finish(self) -> None:
        """Stop the clock."""
        self._seconds = self.seconds
        self.finished.set()

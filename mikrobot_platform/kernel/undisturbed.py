"""Work that makes many small values and few cycles, which the garbage collector need not look through all the time."""

from __future__ import annotations

import gc


class Undisturbed:
    """Hold the collector back while a batch is worked on: looking through its values again and again costs an eighth.

    What is dropped is freed as ever, by its count. One inside another changes nothing.
    """

    __slots__ = ("_was_on",)

    def __enter__(self) -> None:
        self._was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *_error: object) -> None:
        if self._was_on:
            gc.enable()


def settle() -> None:
    """Say that a process has loaded what it needs: the collector leaves that alone, and looks at new values rarely."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)

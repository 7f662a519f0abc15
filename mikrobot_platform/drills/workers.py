"""The workers that carry signals and orders, as `up` starts them, against a drill's own venues."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from celery import current_app

from mikrobot_platform.local.services import worker

PROCESSES = 2
PATIENCE_S = 60


@contextmanager
def workers(folder: Path, environment: Mapping[str, str], *include: str, queue: str = "signals") -> Iterator[None]:
    """Run a queue's worker until the end; `include` are modules that it imports besides."""
    program = worker(queue, [queue], {**os.environ, **environment}, processes=PROCESSES)
    command = [*program.argv, *(word for module in include for word in ("--include", module))]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, env=program.environment, cwd=program.folder, stdout=log, stderr=log)
    try:
        _await(process, folder / "worker.log")
        yield
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


@contextmanager
def timetable(*tasks: str) -> Iterator[None]:
    """Ask for tasks every 5 seconds, as the beat does: what was put back, or left behind, is found by them."""
    is_over = threading.Event()

    def ask() -> None:
        while not is_over.wait(5):
            for task in tasks:
                current_app.send_task(task)

    thread = threading.Thread(target=ask, name="timetable", daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _await(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not current_app.control.ping(timeout=1):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-2000:])

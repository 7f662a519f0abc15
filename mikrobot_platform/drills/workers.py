"""The workers that carry signals and orders, as `up` starts them, against a drill's own venues."""

from __future__ import annotations

import os
import subprocess
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


def _await(process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not current_app.control.ping(timeout=1):
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(log.read_text(encoding="utf-8", errors="replace")[-2000:])

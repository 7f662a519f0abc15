"""Gunicorn's hooks (`--config python:mikrobot_platform.gunicorn_conf`); everything else is on its command line."""

from __future__ import annotations

import gc
import os
from typing import Any


def post_worker_init(worker: Any) -> None:
    """Take what was loaded out of garbage collection: looking through all of it stops every request for 100 ms."""
    gc.collect()
    gc.freeze()


def child_exit(server: Any, worker: Any) -> None:
    """Let the metrics of a worker that has ended count what it did, and no longer what it was doing."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

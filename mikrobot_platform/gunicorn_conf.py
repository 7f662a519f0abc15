"""Gunicorn's hooks (`--config python:mikrobot_platform.gunicorn_conf`); everything else is on its command line."""

from __future__ import annotations

import os
import sys
from typing import Any

# A thread that comes back from the database waits so long for one that computes; a signal waits for it 13 times.
SWITCH_S = 0.001


def post_worker_init(worker: Any) -> None:
    """Take what was loaded out of garbage collection, which stops all requests for 100 ms; write as all others do."""
    sys.setswitchinterval(SWITCH_S)
    from mikrobot_platform import logs  # its settings stand only now
    from mikrobot_platform.kernel.undisturbed import settle

    settle()

    logs.adopt("gunicorn.error")  # "Error handling request POST /hooks/tv/..." is not for everybody's eyes


def child_exit(server: Any, worker: Any) -> None:
    """Let the metrics of a worker that has ended count what it did, and no longer what it was doing."""
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        from prometheus_client import multiprocess

        multiprocess.mark_process_dead(worker.pid)  # type: ignore[no-untyped-call]

"""What a running MikroBot consists of besides its databases: the web, two workers, the watchers, the beat, and the
paper venue, which is nobody's part and only lives beside the others."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from mikrobot_platform.local.children import Program
from mikrobot_platform.local.paths import Data

ROOT = Path(__file__).resolve().parent.parent.parent
CELERY = (sys.executable, "-m", "celery", "-A", "mikrobot_platform.celery")


def web(environment: Mapping[str, str], data: Data, sockets: Sequence[socket.socket]) -> Program:
    """Serve HTTP on sockets that the supervisor holds."""
    shared = Path("/dev/shm")  # noqa: S108 - gunicorn's heartbeat files must not wait for a disk
    beats = shared if os.access(shared, os.W_OK) else data.run
    # Three: what computes in one process keeps the other threads of that one waiting.
    options = ["--worker-class", "gthread", "--workers", "3", "--threads", "8", "--graceful-timeout", "2"]
    # Imported once and forked: a third of the start saved, and a crashed worker is back at once.
    options += ["--preload", "--timeout", "60", "--no-control-socket", "--worker-tmp-dir", str(beats)]
    options += ["--config", "python:mikrobot_platform.gunicorn_conf"]
    for bound in sockets:
        options += ["--bind", f"fd://{bound.fileno()}"]
    return Program(
        name="web",
        argv=[sys.executable, "-m", "gunicorn", *options, "mikrobot_platform.wsgi:application"],
        stop=[(signal.SIGTERM, 2.2)],
        environment=environment,
        folder=ROOT,
        descriptors=[bound.fileno() for bound in sockets],
    )


def worker(name: str, queues: Sequence[str], environment: Mapping[str, str], *, processes: int) -> Program:
    """Work on some queues. SIGTERM means: finish within the soft time-out of the settings, give the rest back."""
    options = ["--hostname", f"{name}@%h", "--queues", ",".join(queues), "--concurrency", str(processes)]
    # Alone on this machine: asking the network for other workers would cost a second at every start.
    options += ["--without-mingle", "--without-gossip", "--loglevel", "INFO"]
    return Program(
        name=f"worker-{name}",
        argv=[*CELERY, "worker", *options],
        stop=[(signal.SIGTERM, 5.0)],
        environment={**environment, "REMAP_SIGTERM": "SIGQUIT"},
        folder=ROOT,
    )


def watcher(environment: Mapping[str, str]) -> Program:
    """Read signal files the moment they are written. SIGTERM means: store what was read, then end."""
    return Program(
        name="watcher",
        argv=[sys.executable, str(ROOT / "manage.py"), "watch_files"],
        stop=[(signal.SIGTERM, 4.0)],
        # A pool would be slow to notice that the database is there again; two threads need two connections.
        environment={**environment, "MIKROBOT_BOOTSTRAP": "off", "DATABASE_POOL_SIZE": "0"},
        folder=ROOT,
    )


def paper_venue(environment: Mapping[str, str]) -> Program:
    """Be the venue of paper accounts. SIGTERM means: answer what has arrived, then end; its ledger is always whole."""
    return Program(
        name="paper-venue",
        argv=[sys.executable, str(ROOT / "manage.py"), "paper_venue"],
        stop=[(signal.SIGTERM, 2.0)],
        environment={**environment, "MIKROBOT_BOOTSTRAP": "off", "DATABASE_POOL_SIZE": "0"},
        folder=ROOT,
    )


def lookout(environment: Mapping[str, str]) -> Program:
    """Hear the venues of all accounts and look after their positions. SIGTERM: settle what was heard, then end."""
    return Program(
        name="accounts",
        argv=[sys.executable, str(ROOT / "manage.py"), "watch_accounts"],
        stop=[(signal.SIGTERM, 5.0)],
        environment={**environment, "MIKROBOT_BOOTSTRAP": "off", "DATABASE_POOL_SIZE": "0"},
        folder=ROOT,
    )


def beat(environment: Mapping[str, str], data: Data) -> Program:
    """Send what is due; the timetable stands in celery.py, its file only remembers the last runs."""
    return Program(
        name="beat",
        argv=[*CELERY, "beat", "--schedule", str(data.root / "beat-schedule"), "--pidfile", "", "--loglevel", "INFO"],
        stop=[(signal.SIGTERM, 1.5)],
        environment=environment,
        folder=ROOT,
    )


def behind_the_web(environment: Mapping[str, str], data: Data) -> list[Program]:
    """List those that nobody waits for, in the order in which they start."""
    is_elsewhere = bool(environment.get("PAPER_VENUE_URL"))
    return [
        worker("signals", ["signals"], environment, processes=2),
        worker("rest", ["default", "notify", "slow"], environment, processes=2),
        watcher(environment),
        lookout(environment),
        beat(environment, data),
        *([] if is_elsewhere else [paper_venue(environment)]),
    ]

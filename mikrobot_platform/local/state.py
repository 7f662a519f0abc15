"""What a running `up` tells other processes: that it runs, where, and with which variables."""

from __future__ import annotations

import fcntl
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

from mikrobot_platform.local.paths import Data, write_private
from mikrobot_platform.local.problem import Problem


@dataclass(slots=True)
class State:
    """Say who runs and what its commands need. The file is 0600, because the variables hold passwords."""

    pid: int
    address: str
    environment: dict[str, str] = field(default_factory=dict)
    is_starting: bool = False

    def write(self, data: Data) -> None:
        """Publish it."""
        write_private(data.state, json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, data: Data) -> State | None:
        """Read what the last `up` wrote; it may be long gone."""
        try:
            found = json.loads(data.state.read_text(encoding="utf-8"))
            return cls(
                pid=int(found["pid"]),
                address=str(found["address"]),
                environment=dict(found["environment"]),
                is_starting=bool(found.get("is_starting")),
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    @classmethod
    def read_running(cls, data: Data) -> State | None:
        """Read it only while its writer holds the lock."""
        return cls.read(data) if is_running(data) else None

    @classmethod
    def read_started(cls, data: Data, seconds: float) -> State | None:
        """Read it once its writer has started everything, or SECONDS have passed."""
        deadline = time.monotonic() + seconds
        while (state := cls.read_running(data)) and state.is_starting and time.monotonic() < deadline:
            time.sleep(0.1)
        return state


def is_running(data: Data) -> bool:
    """Tell whether an `up` holds this data directory."""
    try:
        descriptor = os.open(data.lock, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return False


class OnlyOne:
    """Hold the data directory for one `up`. However we die, the kernel lets go; children do not inherit it."""

    def __init__(self, data: Data) -> None:
        self._descriptor = os.open(data.lock, os.O_RDWR | os.O_CREAT, 0o600)
        for pause in (0.05, 0.2, 0.0):  # is_running() of another command holds a shared lock for an instant
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(pause)
            else:
                return
        os.close(self._descriptor)
        state = State.read(data)
        where = f" as process {state.pid} at {state.address}" if state else ""
        raise Problem(
            f"MikroBot is already running{where} with the data in {data.root}.",
            "Use it, stop it with Ctrl-C in its terminal, or give this one other data (--data DIR --port N).",
        )

    def release(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def remember_ports(path: Path, ports: dict[str, int]) -> None:
    """Keep the chosen ports for the next start."""
    write_private(path, json.dumps(ports))


def remembered_port(path: Path, name: str) -> int | None:
    """Read the port of the last start."""
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))[name])
    except (OSError, ValueError, KeyError, TypeError):
        return None

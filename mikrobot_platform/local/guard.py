"""The guard: a small process that outlives the supervisor by two seconds and takes everything down with it.

PDEATHSIG reaches only direct children, and only on Linux. The guard holds the other end of a pipe: when the supervisor
dies, by whatever means, the pipe closes and every watched process group ends. It runs as a file and imports nothing
of ours."""

from __future__ import annotations

import contextlib
import os
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

GRACE_S = 2.0


class Guard:
    """Start the guard and tell it what to end when we are gone."""

    def __init__(self) -> None:
        self._watched: dict[int, int] = {}
        self._folders: list[Path] = []
        self._process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-I", "-S", __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def watch(self, pid: int, number: int) -> None:
        """End the process group of PID with signal NUMBER when we die."""
        self._watched[pid] = number
        self._tell(f"watch {pid} {number}")

    def forget(self, pid: int) -> None:
        """Leave PID alone: we have seen it end."""
        if self._watched.pop(pid, None) is not None:
            self._tell(f"forget {pid}")

    def remove_at_end(self, folder: Path) -> None:
        """Delete FOLDER when we die."""
        self._folders.append(folder)
        self._tell(f"remove {folder}")

    def revive(self) -> bool:
        """Start it again if somebody killed it; answer whether that was necessary."""
        if self._process.poll() is None:
            return False
        self._hang_up()
        self._process = self._start()
        for pid, number in self._watched.items():
            self._tell(f"watch {pid} {number}")
        for folder in self._folders:
            self._tell(f"remove {folder}")
        return True

    def close(self) -> None:
        """Dismiss it after a clean stop."""
        self._tell("dismissed")
        self._hang_up()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _hang_up(self) -> None:
        if self._process.stdin:
            with contextlib.suppress(OSError):
                self._process.stdin.close()

    def _tell(self, line: str) -> None:
        stdin = self._process.stdin
        # A guard that was killed is noticed and replaced by revive(), which repeats everything.
        with contextlib.suppress(OSError, ValueError):
            if stdin:
                stdin.write(f"{line}\n".encode())
                stdin.flush()


def born(pid: int) -> str:
    """Read when PID started, so that a number used again is not mistaken for the old process; '' if dead or unknown."""
    try:
        # The name in brackets may hold spaces; state and start time are fields 3 and 22 of the line (proc(5)).
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]


def signal_group(pid: int, number: int) -> bool:
    """Send NUMBER to the group that PID leads; answer whether anybody was there."""
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return False
    except PermissionError:  # macOS says so of a group of zombies
        return False
    return True


def keep_watch() -> None:
    """Collect what to end, wait for the supervisor's death, and end it."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    parent = os.getppid()
    watched: dict[int, tuple[int, str]] = {}
    folders: list[str] = []
    rest = b""
    while os.getppid() == parent:
        # A child that the supervisor forked without exec may hold the pipe open; the parent's number tells as well.
        if not select.select([0], [], [], 0.5)[0]:
            continue
        data = os.read(0, 65536)
        if not data:
            break
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            word, _, argument = line.decode().partition(" ")
            if word == "watch":
                pid, _, number_text = argument.partition(" ")
                watched[int(pid)] = (int(number_text), born(int(pid)))
            elif word == "forget":
                watched.pop(int(argument), None)
            elif word == "remove":
                folders.append(argument)
            elif word == "dismissed":
                return
    end({pid: number for pid, (number, time_of_birth) in watched.items() if born(pid) in {time_of_birth, ""}})
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def end(watched: dict[int, int]) -> None:
    """End every group as it likes to be ended, and by force after the grace."""
    left = {pid for pid, number in watched.items() if signal_group(pid, number)}
    deadline = time.monotonic() + GRACE_S
    while left and time.monotonic() < deadline:
        time.sleep(0.05)
        left = {pid for pid in left if signal_group(pid, 0)}
    for pid in left:
        signal_group(pid, signal.SIGKILL)


if __name__ == "__main__":
    keep_watch()

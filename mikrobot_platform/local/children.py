"""One child process: how it is started, watched, restarted and stopped. Nothing here knows what the child does."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from mikrobot_platform.local.guard import Guard, born, signal_group
from mikrobot_platform.local.paths import write_private

LOG_LIMIT = 5_000_000
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
HEALTHY_AFTER_S = 60.0
YOUNG_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Say what to run and how it likes to be stopped: a list of signals, each with the seconds it is given."""

    name: str
    argv: Sequence[str]
    stop: Sequence[tuple[signal.Signals, float]]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path | None = None
    descriptors: Sequence[int] = ()
    user: tuple[int, int] | None = None


class Child:
    """Run a Program in its own session, so that Ctrl-C reaches only us, with its output in a file."""

    def __init__(self, program: Program, log: Path, guard: Guard) -> None:
        self.program = program
        self.log = log
        self._guard = guard
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._log_start = 0
        self._pause = FIRST_PAUSE_S
        self._due: float | None = None
        rotate(log)

    @property
    def name(self) -> str:
        return self.program.name

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    @property
    def exit_code(self) -> int | None:
        """Answer how it ended; None while it runs."""
        return self._process.poll() if self._process else None

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; only the main thread may, because PDEATHSIG fires when the forking thread ends."""
        program = self.program
        who: dict[str, object] = {}
        if program.user:
            who = {"user": program.user[0], "group": program.user[1], "extra_groups": []}
        with self.log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(  # type: ignore[call-overload]  # the identity is given or not given
                [*dying_with_us(program.stop[0][0]), *program.argv],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=dict(program.environment) or None,
                cwd=program.folder,
                pass_fds=tuple(program.descriptors),
                start_new_session=True,
                **who,
            )
        self._started_at = time.monotonic()
        self._due = None
        self._guard.watch(self.pid, program.stop[0][0])

    def mind(self) -> str | None:
        """Restart it when it has died and its pause is over; answer a line to print, or None."""
        now = time.monotonic()
        if self._due is not None:
            if now < self._due:
                return None
            self.start()
            return f"{self.name} was started again (process {self.pid})."
        if self.is_running:
            return None
        lived = now - self._started_at
        self._pause = FIRST_PAUSE_S if lived >= HEALTHY_AFTER_S else self._pause
        line = f"{self.name} ended with {told(self.exit_code)} after {lived:.0f} s; again in {self._pause:g} s."
        if lived < YOUNG_S:  # it never got going, so the reason stands in its last words
            line = "\n".join([line, *(f"    {words}" for words in self.tail(5).splitlines())])
        self.bury()
        self._due = now + self._pause
        self._pause = min(self._pause * 2, LONGEST_PAUSE_S)
        return line

    def seconds_until_due(self) -> float | None:
        """Answer how long until mind() has something to do of its own accord."""
        return None if self._due is None else max(0.0, self._due - time.monotonic())

    def bury(self) -> None:
        """End what a dead leader left in its group."""
        if self._process:
            signal_group(self.pid, signal.SIGKILL)
            self._guard.forget(self.pid)

    def tail(self, lines: int = 15) -> str:
        """Read the last lines that it has printed since it was started."""
        with contextlib.suppress(OSError), self.log.open("rb") as file:
            file.seek(max(self._log_start, self.log.stat().st_size - 8192))
            return "\n".join(file.read().decode("utf-8", "replace").splitlines()[-lines:])
        return ""


def stop_all(children: Sequence[Child], deadline: float) -> None:
    """Stop several at once, each with its own signals, none later than DEADLINE; then by force."""
    waiting = {child: list(child.program.stop) for child in children if child.is_running}
    until = dict.fromkeys(waiting, 0.0)
    while waiting:
        now = time.monotonic()
        for child in list(waiting):
            if not child.is_running:
                del waiting[child]
            elif now >= until[child]:
                if waiting[child] and now < deadline:
                    number, seconds = waiting[child].pop(0)
                    os.kill(child.pid, number)
                    until[child] = min(now + seconds, deadline)
                else:
                    signal_group(child.pid, signal.SIGKILL)
                    until[child] = now + 1.0
        time.sleep(0.02)
    for child in children:
        child.bury()


@cache
def dying_with_us(number: signal.Signals) -> tuple[str, ...]:
    """Give the words before a command that let the kernel send it NUMBER when we die (Linux).

    It is the second rope beside the guard. A preexec_fn could do the same, but is not safe once there are threads."""
    setpriv = shutil.which("setpriv") if sys.platform.startswith("linux") else None
    words = (setpriv or "", "--pdeathsig", number.name.removeprefix("SIG"), "--")
    if not setpriv or subprocess.run([*words, "true"], capture_output=True, check=False).returncode != 0:
        return ()
    return words


def rotate(log: Path) -> None:
    """Start a new file when the old one has grown large; one older file is kept."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > LOG_LIMIT:
            log.replace(log.with_name(f"{log.name}.1"))


def told(code: int | None) -> str:
    """Say an exit code as people do."""
    if code is not None and code < 0:
        with contextlib.suppress(ValueError):
            return signal.Signals(-code).name
    return f"code {code}"


def remember(path: Path, children: Sequence[Child]) -> None:
    """Write down who runs, for a successor that finds us dead."""
    write_private(path, json.dumps([[child.pid, born(child.pid)] for child in children if child.is_running]))


def await_predecessors(path: Path, seconds: float = 6.0) -> int:
    """Wait until the children of a killed predecessor are gone, ending them by force if need be; answer how many."""
    try:
        listed = [(int(pid), str(time_of_birth)) for pid, time_of_birth in json.loads(path.read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return 0
    seen = [(pid, time_of_birth) for pid, time_of_birth in listed if time_of_birth and born(pid) == time_of_birth]
    deadline = time.monotonic() + seconds
    while any(born(pid) == time_of_birth for pid, time_of_birth in seen) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, _ in seen:
        signal_group(pid, signal.SIGKILL)  # what a dead leader may have left as well
    return len(seen)

"""The supervisor: starts children, waits for them, brings crashed ones back, stops all of them in order.

One thread that sleeps until something happens. It never imports Django."""

from __future__ import annotations

import select
import signal
import socket
import time
from collections.abc import Callable, Sequence
from types import FrameType

from mikrobot_platform.local.children import Child, Program, await_predecessors, remember, stop_all, told
from mikrobot_platform.local.guard import Guard
from mikrobot_platform.local.paths import Data
from mikrobot_platform.local.problem import Problem

STOP_WITHIN_S = 9.0


class Stopped(BaseException):
    """Leave whatever was being waited for: somebody asked us to stop."""


class Supervisor:
    """Hold every child of one `up`."""

    def __init__(self, data: Data) -> None:
        self._data = data
        self._children: list[Child] = []
        self._pids = data.root / "children.json"
        self._is_stopping = False
        self._wake, self._alarm = socket.socketpair()
        for end in (self._wake, self._alarm):
            end.setblocking(False)
        self.took_over = await_predecessors(self._pids)
        self._guard = Guard()
        self._catch_signals()

    def start(self, program: Program) -> Child:
        """Start a program and watch it from now on."""
        child = Child(program, self._data.logs / f"{program.name}.log", self._guard)
        child.start()
        self._children.append(child)
        remember(self._pids, self._children)
        return child

    def discard(self, child: Child) -> None:
        """Stop watching one that has done its work."""
        child.bury()
        self._children.remove(child)
        remember(self._pids, self._children)

    def until(self, is_done: Callable[[], bool], *, seconds: float, what: str, every: float = 0.02) -> None:
        """Wait until IS_DONE, while every child must stay alive: during the start a death is a failure."""
        deadline = time.monotonic() + seconds
        while not is_done():
            self.pause(every)
            self.check(what)
            if time.monotonic() > deadline:
                raise Problem(
                    f"Waiting for {what} took longer than {seconds:.0f} s.",
                    f"Look into {self._data.logs}; a machine under heavy load may just need a second try.",
                    self._children[-1].tail() if self._children else "",
                )

    def check(self, what: str, *, may_end: Child | None = None) -> None:
        """Refuse to go on when a child has died."""
        for child in self._children:
            if not child.is_running and child is not may_end:
                raise Problem(
                    f"{child.name} ended with {told(child.exit_code)} while it was needed for {what}.",
                    f"Its whole output is in {child.log}.",
                    child.tail(),
                )

    def pause(self, seconds: float, descriptor: int | None = None) -> None:
        """Sleep, but neither through a signal nor, if one is given, through something to read."""
        if self._is_stopping:
            raise Stopped
        alarm = self._wake.fileno()
        ready, _, _ = select.select([alarm, *([] if descriptor is None else [descriptor])], [], [], seconds)
        if alarm in ready:
            self._wake.recv(4096)
        if self._is_stopping:
            raise Stopped

    def run(self, say: Callable[[str], None]) -> None:
        """Bring back what dies, saying so, until somebody asks us to stop."""
        while True:
            for child in self._children:
                was = child.pid
                line = child.mind()
                if line:
                    say(f"{time.strftime('%H:%M:%S')} {line}")
                if child.pid != was:
                    remember(self._pids, self._children)
            if self._guard.revive():
                say(f"{time.strftime('%H:%M:%S')} The guard was gone and was started again.")
            due = [seconds for child in self._children if (seconds := child.seconds_until_due()) is not None]
            # A child's death wakes us (SIGCHLD); the second is for a signal that arrived between look and sleep.
            self.pause(min([1.0, *due]))

    def stop(self, order: Sequence[Sequence[str]], say: Callable[[str], None]) -> None:
        """Stop group after group within ten seconds together; whoever is not named in ORDER goes first."""
        self._is_stopping = True
        deadline = time.monotonic() + STOP_WITHIN_S
        named = {name for names in order for name in names}
        groups = [[child for child in self._children if child.name not in named]]
        groups += [[child for child in self._children if child.name in names] for names in order]
        for group in groups:
            started = time.monotonic()
            running = [child for child in group if child.is_running]
            stop_all(group, deadline)
            if running:
                say(f"  {', '.join(child.name for child in running)}: stopped ({time.monotonic() - started:.1f} s)")
        self._children.clear()
        self._pids.unlink(missing_ok=True)
        self._guard.close()

    def _catch_signals(self) -> None:
        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            self._is_stopping = True

        def look_around(number: int, frame: FrameType | None) -> None:
            """Only wake the sleeper."""

        signal.set_wakeup_fd(self._alarm.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, ask_to_stop)
        signal.signal(signal.SIGCHLD, look_around)

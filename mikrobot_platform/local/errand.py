"""The preparation process as the supervisor sees it: sent off early, given its orders, listened to until it is done."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from signal import SIGKILL, SIGTERM

from mikrobot_platform.local.children import Program, told
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.steps import Steps
from mikrobot_platform.local.supervisor import Supervisor

ROOT = Path(__file__).resolve().parent.parent.parent


class Errand:
    """Run mikrobot_platform.local.preparation with a pipe in each direction."""

    def __init__(self, supervisor: Supervisor, environment: Mapping[str, str]) -> None:
        self._supervisor = supervisor
        its_orders, self._orders = os.pipe()
        self._reports, its_reports = os.pipe()
        module = "mikrobot_platform.local.preparation"
        self._child = supervisor.start(
            Program(
                name="preparation",
                argv=[sys.executable, "-m", module, str(its_orders), str(its_reports)],
                # A migration is one transaction a file: what was begun is rolled back by the server.
                stop=[(SIGTERM, 1.0), (SIGKILL, 0.5)],
                environment=environment,
                folder=ROOT,
                descriptors=[its_orders, its_reports],
            )
        )
        os.close(its_orders)
        os.close(its_reports)

    def run(self, order: Mapping[str, object], steps: Steps) -> None:
        """Give the order, show each step while it is worked on, and raise what went wrong."""
        os.write(self._orders, (json.dumps(order) + "\n").encode())
        lines = _Lines(self._reports)
        while report := self._next(lines):
            with steps.step(report["begin"]) as step:
                answer = self._next(lines)
                if answer is None:
                    raise self._silence()
                step.note(answer["end"])
        if self._child.exit_code != 0:
            raise self._silence()
        self._supervisor.discard(self._child)
        os.close(self._orders)
        os.close(self._reports)

    def _next(self, lines: _Lines) -> dict[str, str] | None:
        while True:
            line = lines.next()
            if line:
                report: dict[str, str] = json.loads(line)
                if "reason" in report:
                    raise Problem(report["reason"], report["remedy"], report["details"])
                return report
            if lines.is_over and not self._child.is_running:
                return None
            self._supervisor.pause(0.2 if not lines.is_over else 0.01, None if lines.is_over else self._reports)
            self._supervisor.check("the preparation", may_end=self._child)
            if not lines.is_over:
                lines.read()

    def _silence(self) -> Problem:
        return Problem(
            f"The preparation ended with {told(self._child.exit_code)} before it was done.",
            f"Its whole output is in {self._child.log}.",
            self._child.tail(),
        )


class _Lines:
    """Cut what a pipe gives into lines, never waiting."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._text = b""
        self.is_over = False
        os.set_blocking(descriptor, False)

    def read(self) -> None:
        """Take what is there."""
        try:
            part = os.read(self._descriptor, 65_536)
        except BlockingIOError:
            return
        self._text += part
        self.is_over = not part

    def next(self) -> bytes:
        """Give the next whole line, or nothing."""
        line, end, rest = self._text.partition(b"\n")
        if not end:
            return b""
        self._text = rest
        return line

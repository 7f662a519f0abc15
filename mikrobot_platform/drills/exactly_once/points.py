"""Where a process may die: named places around every step, commit and await of the story, armed from outside.

The places are put around the functions of the product by `install`, in the processes of the drill and nowhere else.
Whether one is armed stands in memory that all of them share; who passes an armed place for the last time that it may
be passed dies there, or stands still. Two who pass at the same moment may both die, which the drill only counts.
"""

from __future__ import annotations

import functools
import mmap
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from importlib import import_module
from typing import Any

# Steps that end transactions of their own: one may die before and after each commit in them.
_COMMITTING = (
    "trading.pipeline:receive",
    "trading.pipeline:validate",
    "trading.planning:fan_out",
    "trading.planning:plan",
    "trading.sending:_claim",
    "trading.sending:record",
    "trading.carrying:_forgotten",
    "trading.settling:_settle",
    "trading.tracking:take",
    "trading.doing:carry_out",
    "trading.doing:_take",
)
_STEPS = (
    "trading.planning:_plan",
    "trading.planning:_write_orders",
    "risk_management.services.receipts:write",
    "risk_management.services.quota:admit",
    "risk_management.services.quota:give_back",
    "trading.settling:_Batch.hold",
    "trading.settling:_Batch.advance",
    "trading.settling:_Batch.keep",
    "trading.settling:_Batch.fold",
    "trading.settling:_Batch.see_positions",
    "trading.settling:_Batch.tell",
    "trading.tracking:questions",
    "trading.tracking:_resolve",
    "trading.tracking:_note",
    "trading.managing:manage",
)
_AWAITS = (
    "trading.sending:_answer",
    "trading.tracking:_look",
    "trading.brokers.paper:PaperSession.place",
    "trading.brokers.paper:PaperSession.protect",
    "trading.brokers.paper:PaperSession.order",
    "trading.brokers.paper:PaperBroker.connect",
)
_WRITTEN = "trading.brokers.paper:Wire._send"  # requests have left, and nobody has answered


def _called(target: str) -> str:
    """Name a function as its module's people do: `sending._claim`, `PaperSession.place`."""
    module, _, path = target.partition(":")
    return path if "." in path else f"{module.rpartition('.')[2]}.{path}"


POINTS: tuple[str, ...] = (
    *(f"{_called(one)}/{place}" for one in _COMMITTING for place in ("in", "commit", "committed", "out")),
    *(f"{_called(one)}/{place}" for one in (*_STEPS, *_AWAITS) for place in ("in", "out")),
    f"{_called(_WRITTEN)}/out",
)
# Where a claim is committed and nothing was sent yet, or all was sent and nothing is written: most depends on these.
BESIDE_A_SEND = tuple(
    point
    for point in POINTS
    if point in {"sending._claim/committed", "sending._claim/out", "sending._answer/in", "sending._answer/out",
                 "PaperSession.place/in", "PaperSession.place/out", "Wire._send/out", "sending.record/in",
                 "sending.record/commit"}
)  # fmt: skip
# A process that stands still here has claimed an order and not looked at the clock since.
STANDSTILLS = ("sending._claim/committed", "sending._claim/out", "sending._answer/in", "planning.plan/committed")

_NUMBERS = {point: number for number, point in enumerate(POINTS)}
_FREEZES = 100  # added to how often a place may be passed, where whoever passes it then stands still
_here: ContextVar[str] = ContextVar("here", default="")


class Points:
    """What is armed, in memory that is shared with every fork."""

    def __init__(self) -> None:
        self._armed = mmap.mmap(-1, len(POINTS))
        self._struck = mmap.mmap(-1, len(POINTS))

    def arm(self, point: str, passings: int, *, freezes: bool = False) -> None:
        """Let whoever is the PASSINGS-th to come to a place die there, or stand still."""
        self._armed[_NUMBERS[point]] = min(passings, _FREEZES - 1) + (_FREEZES if freezes else 0)

    def disarm(self) -> None:
        """Let everybody pass everywhere."""
        self._armed[:] = bytes(len(POINTS))

    def struck(self) -> Counter[str]:
        """Count who was struck, by place."""
        return Counter({point: self._struck[number] for point, number in _NUMBERS.items() if self._struck[number]})

    def pass_by(self, point: str) -> None:
        """Pass a place, or die at it."""
        number = _NUMBERS.get(point, -1)
        if number < 0 or not self._armed[number]:
            return
        left = self._armed[number] - 1
        self._armed[number] = 0 if left == _FREEZES else left
        if left not in (0, _FREEZES):
            return
        self._struck[number] = min(self._struck[number] + 1, 255)
        os.kill(os.getpid(), signal.SIGSTOP if left == _FREEZES else signal.SIGKILL)

    # --- put around the product ---
    def install(self) -> None:
        """Put the places around the functions of this process."""
        for target in (*_COMMITTING, *_STEPS):
            _replace(target, functools.partial(self._around, _called(target)))
        for target in _AWAITS:
            _replace(target, functools.partial(self._around_waiting, _called(target)))
        _replace(_WRITTEN, functools.partial(self._around, _called(_WRITTEN)))
        _replace("mikrobot_platform.db.base:DatabaseWrapper._commit", self._around_commit)

    def _around(self, name: str, step: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(step)
        def stepped(*args: Any, **named: Any) -> Any:
            self.pass_by(f"{name}/in")
            before = _here.set(name)
            try:
                found = step(*args, **named)
            finally:
                _here.reset(before)
            self.pass_by(f"{name}/out")
            return found

        return stepped

    def _around_waiting(self, name: str, step: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @functools.wraps(step)
        async def stepped(*args: Any, **named: Any) -> Any:
            self.pass_by(f"{name}/in")
            found = await step(*args, **named)
            self.pass_by(f"{name}/out")
            return found

        return stepped

    def _around_commit(self, commit: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(commit)
        def stepped(*args: Any, **named: Any) -> Any:
            step = _here.get()
            self.pass_by(f"{step}/commit")
            found = commit(*args, **named)
            self.pass_by(f"{step}/committed")
            return found

        return stepped


def _replace(target: str, wrap: Callable[[Callable[..., Any]], Any]) -> None:
    module, _, path = target.partition(":")
    *holders, name = path.split(".")
    place = functools.reduce(getattr, holders, import_module(module))
    setattr(place, name, wrap(getattr(place, name)))


def unreachable(names: Iterable[str]) -> list[str]:
    """Name the places that are not in the catalogue."""
    return sorted(set(names) - set(POINTS))

"""The processes of the drill: each is a fork, runs the product's functions, and may be killed at any instruction."""

from __future__ import annotations

import logging
import mmap
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any
from uuid import UUID

import redis
from django.db import InterfaceError, OperationalError, connections
from django.utils import timezone

from mikrobot_platform.drills.exactly_once.points import Points
from mikrobot_platform.drills.exactly_once.world import House
from trading import pipeline, tasks
from trading.watching import Lookout

log = logging.getLogger(__name__)

BETWEEN_S = (0.02, 0.2)  # two turns of a carrier: the timetable and whoever wakes it, made quick
DELIVERED_AGAIN_S = 0.2
AWAY = (OperationalError, InterfaceError, redis.RedisError)


def begin(work: Callable[[], None], points: Points, log_file: Path, prepare: Callable[[], None] | None) -> int:
    """Fork a process that does WORK with the places in it; return its number."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        with log_file.open("ab") as file:
            os.dup2(file.fileno(), 2)
        random.seed()
        if prepare is not None:
            prepare()
        points.install()
        threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
        work()
        code = 0
    except Exception:
        log.exception("a process of the drill has ended by itself")
    finally:
        os._exit(code)


def _end_with(parent: int) -> None:
    """End this process when its parent is gone."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def deliver(houses: Sequence[House], began: float, received: mmap.mmap) -> None:
    """Bring signals when their time has come, each until it was answered, as senders do who get no answer."""
    plan = [
        (began + sent.at_ms / 1000, house, delivery, sent.times)
        for house in houses
        for sent, delivery in zip(house.script.signals, house.signals, strict=True)
    ]
    while not all(received[: len(plan)]):
        for number, (at, house, delivery, times) in enumerate(plan):
            if received[number] or time.monotonic() < at:
                continue
            try:
                for _ in range(times):
                    pipeline.receive(house.source, delivery, now=timezone.now())
                received[number] = 1
            except AWAY:
                _let_go()
        time.sleep(DELIVERED_AGAIN_S * random.random())  # noqa: S311
    while True:  # as a door that nobody knocks at
        time.sleep(1)


def carry() -> None:
    """Do what the workers of the queue `signals` do, again and again, in any order."""
    turns: list[Any] = [tasks.sweep_signals, tasks.carry_on, tasks.plan_shards]
    while True:
        random.shuffle(turns)
        for turn in turns:
            try:
                turn()
            except AWAY:
                _let_go()
            except Exception:
                log.exception("a task has failed; the timetable asks again")
        time.sleep(random.uniform(*BETWEEN_S))  # noqa: S311


def watch(accounts: Sequence[UUID]) -> None:
    """Be the process that watches accounts, until asked to stop."""
    stop = threading.Event()

    def ask_to_stop(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, ask_to_stop)
    Lookout(among=accounts).run(stop)


def _let_go() -> None:
    """Find a new connection where the old one is broken; the stores are away for a moment."""
    log.warning("a store is away", exc_info=True)
    connections.close_all()
    time.sleep(0.1)

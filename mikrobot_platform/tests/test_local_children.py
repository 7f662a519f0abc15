"""Children and their guard, with programs of a few bytes."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from mikrobot_platform.local import children, ports
from mikrobot_platform.local.children import Child, Program, await_predecessors, stop_all
from mikrobot_platform.local.guard import Guard, born
from mikrobot_platform.local.problem import Problem

STUBBORN = "import signal, time; signal.signal(15, signal.SIG_IGN); print('here', flush=True); time.sleep(60)"
# A parent as `up` is one: it guards a leader that ignores SIGTERM and has a child of its own, and then it hangs.
PARENT = """
import sys, time
from pathlib import Path
from types import SimpleNamespace
from signal import SIGTERM
from mikrobot_platform.local.children import Child, Program
from mikrobot_platform.local.guard import Guard
folder = Path(sys.argv[1])
guard = Guard()
guard.remove_at_end(folder / "throwaway")
leader = "import os, signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); os.fork(); time.sleep(60)"
child = Child(Program(name="x", argv=[sys.executable, "-c", leader], stop=[(SIGTERM, 1.0)]), folder / "x.log", guard)
child.start()
print(child.pid, flush=True)
time.sleep(60)
"""


def group_of(leader: int) -> list[int]:
    """List the living members of a process group."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if born(int(entry.name)) and os.getpgid(int(entry.name)) == leader:
                found.append(int(entry.name))
    return found


@pytest.fixture
def guard() -> Iterator[Guard]:
    guard = Guard()
    yield guard
    guard.close()


def python(name: str, code: str, *stop: tuple[signal.Signals, float]) -> Program:
    return Program(name=name, argv=[sys.executable, "-c", code], stop=stop or [(signal.SIGTERM, 1.0)])


def test_after_kill_9_the_guard_ends_whole_groups_and_clears_up(tmp_path: Path) -> None:
    (tmp_path / "throwaway").mkdir()
    root = Path(children.__file__).parent.parent.parent
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True, cwd=root)
    assert parent.stdout is not None
    with parent.stdout:
        leader = int(parent.stdout.readline())
    deadline = time.monotonic() + 10
    while len(group_of(leader)) < 2:  # it closes its ears before it forks
        assert time.monotonic() < deadline
        time.sleep(0.02)
    parent.kill()
    parent.wait()
    deadline = time.monotonic() + 5
    while group_of(leader) or (tmp_path / "throwaway").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_guard_that_was_killed_is_replaced_and_told_everything(tmp_path: Path, guard: Guard) -> None:
    child = Child(python("sleeper", "import time; time.sleep(60)"), tmp_path / "log", guard)
    child.start()
    assert not guard.revive()
    os.kill(guard.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5
    while not guard.revive():
        assert time.monotonic() < deadline
        time.sleep(0.02)
    stop_all([child], time.monotonic() + 5)
    assert child.exit_code == -signal.SIGTERM


def test_who_does_not_listen_is_ended_by_force_in_time(tmp_path: Path, guard: Guard) -> None:
    program = python("stubborn", STUBBORN, (signal.SIGTERM, 0.3), (signal.SIGTERM, 30.0))
    stubborn = Child(program, tmp_path / "log", guard)
    stubborn.start()
    while "here" not in stubborn.tail():
        time.sleep(0.02)
    started = time.monotonic()
    stop_all([stubborn], started + 1.0)
    assert stubborn.exit_code == -signal.SIGKILL
    assert time.monotonic() - started < 2


def test_restarts_wait_longer_each_time(tmp_path: Path, guard: Guard, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(children, "time", SimpleNamespace(monotonic=lambda: now[0]))
    child = Child(python("short", "pass"), tmp_path / "log", guard)
    child.start()
    pauses = []
    for _ in range(8):
        while child.is_running:
            time.sleep(0.01)
        said = child.mind()
        assert said is not None
        assert said.startswith("short ended with code 0")
        pause = child.seconds_until_due()
        assert pause is not None
        pauses.append(pause)
        assert child.mind() is None
        now[0] += pause
        assert "started again" in str(child.mind())
    assert pauses == [0.5, 1, 2, 4, 8, 16, 30, 30]
    while child.is_running:
        time.sleep(0.01)
    now[0] += 61  # a minute of health, and all is forgiven
    child.mind()
    assert child.seconds_until_due() == 0.5


def test_a_number_that_belongs_to_somebody_else_now_is_left_alone(tmp_path: Path) -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
    try:
        (tmp_path / "children.json").write_text(json.dumps([[other.pid, "1"], [2**22 + 1, "7"]]))
        assert await_predecessors(tmp_path / "children.json", seconds=0.2) == 0
        assert other.poll() is None
        if born(other.pid):  # where /proc tells
            (tmp_path / "children.json").write_text(json.dumps([[other.pid, born(other.pid)]]))
            assert await_predecessors(tmp_path / "children.json", seconds=0.2) == 1
            assert other.wait(timeout=5) == -signal.SIGKILL
    finally:
        other.kill()
        other.wait()


def test_a_log_is_bounded(tmp_path: Path) -> None:
    log = tmp_path / "x.log"
    log.write_bytes(b"x" * (children.LOG_LIMIT + 1))
    children.rotate(log)
    assert not log.exists()
    assert (tmp_path / "x.log.1").stat().st_size == children.LOG_LIMIT + 1


def test_both_loopbacks_are_ours_or_none() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    with socket.socket(socket.AF_INET6, socket.SOCK_STREAM) as other:
        try:
            other.bind(("::1", 0))
        except OSError:
            pytest.skip("no IPv6 here")
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Problem, match="already in use"):
            ports.reserve_web(port)
        assert ports.is_free(port)

"""`manage.py up` as a person meets it: real processes, killed for real. The tests of one class tell one run's story."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

pytestmark = pytest.mark.early

ROOT = Path(__file__).resolve().parent.parent.parent
# What this suite itself was given must not reach the `up` under test.
OURS = (
    "MIKROBOT_",
    "DATABASE_",
    "REDIS_",
    "SECRET_",
    "MASTER_",
    "SITE_URL",
    "EMAIL_URL",
    "DATA_DIR",
    "METRICS_",
    "PAPER_",
)


def environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**kept, "MIKROBOT_BOOTSTRAP": "off"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(is_true: Callable[[], bool], seconds: float) -> float:
    """Wait, and answer how long it took."""
    started = time.monotonic()
    while not is_true():
        assert time.monotonic() - started < seconds, f"not within {seconds} s"
        time.sleep(0.05)
    return time.monotonic() - started


def processes_of(data: Path) -> dict[int, str]:
    """List every living process that was started for this data directory, by its variables, folder or command line."""
    found = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if "\nState:\tZ" in (entry / "status").read_text():
                continue
            said = (entry / "cmdline").read_bytes() + b"\0" + (entry / "environ").read_bytes()
            folder = str((entry / "cwd").readlink())
            if os.fsencode(data) in said or folder.startswith(str(data)):
                found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
    found.pop(os.getpid(), None)
    return found


class Run:
    """Hold one `up` and what it printed."""

    def __init__(self, data: Path, port: int, **variables: str) -> None:
        self.data, self.port = data, port
        self.output = data.with_suffix(".out")
        with self.output.open("wb") as out:
            self.process = subprocess.Popen(
                [sys.executable, ROOT / "manage.py", "up", "--no-demo", "--port", str(port), "--data", data],
                stdout=out,
                stderr=subprocess.STDOUT,
                cwd=data.parent,
                env={**environment(), **variables},
            )

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def is_ready(self) -> bool:
        assert self.process.poll() is None, self.text
        return "MikroBot is ready" in self.text

    def health(self) -> int:
        connection = http.client.HTTPConnection("localhost", self.port, timeout=5)
        with contextlib.closing(connection):
            connection.request("GET", "/health/ready")
            return connection.getresponse().status

    def child(self, name: str) -> int:
        """Find our child of that name by a word in its command line."""
        word = {"redis": "redis-server", "worker-rest": "rest@%h", "postgresql": "postgres -D"}[name]
        for pid, command in processes_of(self.data).items():
            parent = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
            if parent == self.process.pid and word in command:
                return pid
        raise AssertionError(f"no {name} among {processes_of(self.data)}")


def refused(*arguments: str, variables: Mapping[str, str] | None = None) -> str:
    """Run `up` where it must refuse, and give its words."""
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "up", *arguments],
        capture_output=True,
        text=True,
        env={**environment(), **(variables or {})},
        timeout=30,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks into /proc")
class TestOneRun:
    """One data directory, started, hurt, killed, started again and stopped."""

    run: Run

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def place(cls, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
        cls.run = Run(tmp_path_factory.mktemp("up") / "my data", free_port())  # with a space, as people have them
        try:
            yield
        finally:
            cls.run.process.kill()
            cls.run.process.wait()
            until(lambda: not processes_of(cls.run.data), 20)

    def test_it_answers_and_says_where(self) -> None:
        until(self.run.is_ready, 60)
        assert self.run.health() == 200
        assert f"http://localhost:{self.run.port}/" in self.run.text
        assert str(self.run.data / "mail") in self.run.text

    def test_its_secrets_are_closed(self) -> None:
        data = self.run.data
        assert (data / "secrets").stat().st_mode & 0o777 == 0o700
        for file in [*(data / "secrets").iterdir(), data / "state.json", data / "redis" / "redis.conf"]:
            assert file.stat().st_mode & 0o777 == 0o600, file
        password = (data / "secrets" / "redis").read_text().strip()
        assert not any(password in command for command in processes_of(data).values())

    def test_a_second_one_on_the_same_data_is_refused(self) -> None:
        said = refused("--data", str(self.run.data), "--port", str(free_port()))
        assert f"already running as process {self.run.process.pid} at http://localhost:{self.run.port}/" in said

    def test_its_port_is_refused_to_others(self, tmp_path: Path) -> None:
        said = refused("--data", str(tmp_path / "other"), "--port", str(self.run.port))
        assert f"Port {self.run.port} is already in use" in said
        assert "--port" in said
        assert not processes_of(tmp_path)

    def test_other_commands_find_its_variables(self) -> None:
        # As root and as nobody alike: what they need stands in state.json.
        script = "from django.conf import settings as s; print(s.MODE, s.DATABASES['owner']['USER'], s.SITE_URL)"
        done = subprocess.run(
            [sys.executable, ROOT / "manage.py", "shell", "--no-imports", "-c", script],
            capture_output=True,
            text=True,
            env={**environment(), "DATA_DIR": str(self.run.data)},
            check=False,
        )
        assert done.stdout.split() == ["local", "mikrobot_owner", f"http://localhost:{self.run.port}"], done.stderr

    @pytest.mark.parametrize("name", ["worker-rest", "redis", "postgresql"])
    def test_a_crashed_child_comes_back_and_it_is_said(self, name: str) -> None:
        killed = self.run.child(name)
        os.kill(killed, signal.SIGKILL)
        until(lambda: f"{name} was started again" in self.run.text, 30)
        assert f"{name} ended with SIGKILL" in self.run.text
        assert self.run.child(name) != killed

    def test_it_is_healthy_again(self) -> None:
        until(lambda: self.run.health() == 200, 30)

    def test_nothing_survives_its_kill(self) -> None:
        # The grandchildren too: two of the web, two of each worker, and PostgreSQL's own.
        until(lambda: sum("celery" in line for line in processes_of(self.run.data).values()) == 7, 60)
        self.run.process.kill()
        self.run.process.wait()
        until(lambda: not processes_of(self.run.data), 20)

    def test_the_next_one_recovers_and_has_nothing_to_prepare(self) -> None:
        type(self).run = Run(self.run.data, self.run.port)
        until(self.run.is_ready, 60)
        assert "nothing to apply" in self.run.text

    def test_the_next_one_waits_out_what_a_kill_just_left(self) -> None:
        self.run.process.kill()
        self.run.process.wait()
        type(self).run = Run(self.run.data, self.run.port)
        until(self.run.is_ready, 60)  # it says so only where something was left for it to wait for

    def test_it_stops_in_order_and_in_time(self) -> None:
        self.run.process.send_signal(signal.SIGTERM)
        assert self.run.process.wait(timeout=30) == 0
        assert not processes_of(self.run.data)
        assert not (self.run.data / "state.json").exists()
        lines = ("beat: stopped", "accounts: stopped", "redis: stopped", "postgresql: stopped")
        order = [self.run.text.index(line) for line in lines]
        assert order == sorted(order), self.run.text
        assert "shut down" in (self.run.data / "logs" / "postgresql.log").read_text().splitlines()[-1]


def test_data_of_another_postgresql_is_refused(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("16\n")
    said = refused("--data", str(tmp_path), "--port", str(free_port()))
    assert "was made by PostgreSQL 16" in said
    assert "--data DIR" in said
    assert (tmp_path / "postgres" / "PG_VERSION").read_text() == "16\n"


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "--data DIR" in refused("--data", str(tmp_path / "file"))
    assert "cannot be written" in refused("--data", "/proc/mikrobot")


def test_half_a_set_of_addresses_is_refused(tmp_path: Path) -> None:
    variables = {"DATABASE_URL": "postgresql://a:b@localhost/c", "DATABASE_OWNER_URL": "postgresql://a:b@localhost/c"}
    said = refused("--data", str(tmp_path / "d"), "--port", str(free_port()), variables=variables)
    assert "DATABASE_ENGINE_URL is missing" in said


def test_a_server_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    port = free_port()
    variables = {"DATABASE_URL": f"postgresql://postgres:hush@127.0.0.1:{port}/mikrobot"}
    said = refused("--data", str(tmp_path / "d"), "--port", str(free_port()), variables=variables)
    assert f"127.0.0.1:{port} was not reached" in said
    assert "hush" not in said


def test_a_wrong_option_is_argparses_matter() -> None:
    done = subprocess.run(
        [sys.executable, ROOT / "manage.py", "up", "--port", "99999"],
        capture_output=True,
        text=True,
        env=environment(),
        check=False,
    )
    assert done.returncode == 2
    assert "'99999' is not a port" in done.stderr
    assert json.dumps(done.stderr).isascii()

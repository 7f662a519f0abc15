"""`manage.py up`: the whole of MikroBot on one machine, read top to bottom in run()."""

from __future__ import annotations

import argparse
import http.client
import os
import socket
import time
from pathlib import Path
from urllib.parse import urlsplit

from mikrobot_platform.local import ports, services
from mikrobot_platform.local.errand import Errand
from mikrobot_platform.local.installation import Installation, install
from mikrobot_platform.local.paths import Data
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.state import OnlyOne, State
from mikrobot_platform.local.steps import Steps
from mikrobot_platform.local.supervisor import Stopped, Supervisor

PATIENCE_WITH_WORKERS_S = 15.0
ROOT = Path(__file__).resolve().parent.parent.parent
# Doors first, so that nothing new comes in; then those who work, and the venue they work with; the databases last.
STOP_ORDER = (
    ("beat", "watcher", "web"), ("worker-rest", "worker-signals", "accounts"), ("paper-venue",), ("redis",),
    ("postgresql",),
)  # fmt: skip


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Describe the options, here and for `manage.py help up`."""
    parser.add_argument("--port", type=port_number, default=8000, help="where the web answers on localhost (8000)")
    parser.add_argument("--data", metavar="DIR", help="where databases, secrets and logs live (DATA_DIR or .local)")
    parser.add_argument("--no-demo", dest="demo", action="store_false", help="start without the demo world")


def port_number(text: str) -> int:
    """Read a port, or let argparse say what is wrong."""
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65_535):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port from 1 to 65535")
    return int(text)


def main(arguments: list[str]) -> int:
    """Parse, run, answer the exit code."""
    parser = argparse.ArgumentParser(
        prog="manage.py up", description="Start PostgreSQL, Redis, web, workers and beat, and keep them running."
    )
    add_arguments(parser)
    options = parser.parse_args(arguments)
    data = Data.at(options.data or os.environ.get("DATA_DIR"), ROOT)
    return Up(data=data, port=options.port, demo=options.demo).run()


class Up:
    """Start everything in order, keep it running, stop it in order."""

    def __init__(self, *, data: Data, port: int, demo: bool) -> None:
        self._began = time.monotonic()
        self._data = data
        self._port = port
        self._demo = demo
        self._steps = Steps()
        self._health = "nothing yet"

    def run(self) -> int:
        """Hold the data directory for ourselves, then start, keep and stop."""
        self._data.prepare()
        only_one = OnlyOne(self._data)  # held until this process ends
        self._data.state.unlink(missing_ok=True)
        supervisor = Supervisor(self._data)
        is_asked = False
        try:
            self._start(supervisor)
            supervisor.run(self._steps.say)
        except Stopped:
            is_asked = True
            self._steps.say("\nStopping.")
        finally:
            self._data.state.unlink(missing_ok=True)
            supervisor.stop(STOP_ORDER, self._steps.say if is_asked else _quietly)
            only_one.release()
        return 0

    def _start(self, supervisor: Supervisor) -> None:
        """Bring everything up.

        1. The web's port is taken before anything is started, so that a taken one is said at once.
        2. Django is imported, and PostgreSQL and Redis start, all at the same time.
        3. Roles, migrations, files for the browser, demo world.
        4. The web, until its health page says ready; then workers and beat, until all have given a sign of life
           or a while has passed; then the address is printed."""
        if supervisor.took_over:
            self._steps.say("  The last run was killed; what it left behind has ended.")
        sockets = ports.reserve_web(self._port)
        self._data.clean_run()
        here = install(self._data, self._port, os.environ)
        for note in here.notes():
            self._steps.say(f"  {note}")
        errand = Errand(supervisor, here.environment)
        self._start_servers(supervisor, here)
        order = {"data": str(self._data.root), "admin": here.admin, "is_ours": bool(here.postgres), "demo": self._demo}
        errand.run(order, self._steps)
        # Before the web answers: whoever sees it ready may call `manage.py doctor` in the same second.
        state = State(pid=os.getpid(), address=self._address, environment=here.published(), is_starting=True)
        state.write(self._data)
        self._start_services(supervisor, here, sockets)
        state.is_starting = False
        state.write(self._data)
        self._greet(here)

    def _start_servers(self, supervisor: Supervisor, here: Installation) -> None:
        if here.redis:
            supervisor.start(here.redis.program())
        if here.postgres:
            postgres = here.postgres
            with self._steps.step("PostgreSQL") as step:
                step.note("" if postgres.exists else "new data")
                postgres.clear_stale_lock()
                postgres.create()
                child = supervisor.start(postgres.program())
                # Recovery after a crash reads the log of what was written; a large one takes its time.
                supervisor.until(lambda: postgres.is_ready(child.pid), seconds=60, what="PostgreSQL")
                step.note(f"port {postgres.port}")
        if here.redis:
            with self._steps.step("Redis") as step:
                supervisor.until(here.redis.is_ready, seconds=60, what="Redis")
                step.note(f"port {here.redis.port}")

    def _start_services(self, supervisor: Supervisor, here: Installation, sockets: list[socket.socket]) -> None:
        with self._steps.step("web"):
            supervisor.start(services.web(here.environment, self._data, sockets))
            try:
                supervisor.until(self._is_healthy, seconds=60, what="a healthy answer", every=0.1)
            except Problem as problem:
                if not problem.details:
                    problem.details = f"/health/ready answered: {self._health}"
                raise
        with self._steps.step("workers, beat") as step:
            for program in services.behind_the_web(here.environment, self._data):
                supervisor.start(program)
            if not self._all_answer(supervisor):
                step.note("not all have answered yet; `manage.py doctor` says who")

    def _all_answer(self, supervisor: Supervisor) -> bool:
        """Wait a while for the first signs of life; whoever is late or dies is looked after by the supervisor."""
        deadline = time.monotonic() + PATIENCE_WITH_WORKERS_S
        while time.monotonic() < deadline:
            supervisor.pause(0.1)
            if self._is_healthy() and '"degraded"' not in self._health:
                return True
        return False

    @property
    def _address(self) -> str:
        return f"http://localhost:{self._port}/"

    def _is_healthy(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=5)
        try:
            connection.request("GET", "/health/ready", headers={"Host": f"localhost:{self._port}"})
            answer = connection.getresponse()
            self._health = f"{answer.status} {answer.read(2000).decode('utf-8', 'replace')}"
        except (OSError, http.client.HTTPException) as error:
            self._health = str(error) or error.__class__.__name__
            return False
        finally:
            connection.close()
        return answer.status == http.HTTPStatus.OK

    def _greet(self, here: Installation) -> None:
        mail = urlsplit(here.environment.get("EMAIL_URL", ""))
        letters = f"land in {self._data.mail}" if mail.scheme == "file" else f"are sent through {mail.hostname}"
        password = self._data.root / "secrets" / "demo-password"
        demo = f"  Look around as owner@demo.example; the password is in {password}\n" if password.exists() else ""
        self._steps.say(
            f"\nMikroBot is ready after {time.monotonic() - self._began:.1f} s:  {self._address}\n"
            f"{demo}  E-mails {letters}\n"
            f"  Logs are in {self._data.logs}\n"
            "  Stop it with Ctrl-C."
        )


def _quietly(line: str) -> None:
    """Say nothing: the reason follows."""

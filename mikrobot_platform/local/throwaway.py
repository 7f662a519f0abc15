"""PostgreSQL and Redis for one run of the tests or of a drill: real, empty, on free ports, gone afterwards whatever
happens."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from mikrobot_platform.local import ports, roles
from mikrobot_platform.local.addresses import APP, ENGINE, OWNER, Login, Plan
from mikrobot_platform.local.children import Child, Program, stop_all, told
from mikrobot_platform.local.guard import Guard
from mikrobot_platform.local.paths import write_private
from mikrobot_platform.local.postgres import Postgres
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.redis import Redis
from mikrobot_platform.local.secrets import fernet_key, random_text

DATABASE = "mikrobot_test"


class Throwaway:
    """Hold the servers, their folder and the variables that point at them.

    Tests need no disk to be sure of; where commits are to cost what they cost, the stores are durable.
    """

    def __init__(self, *, is_durable: bool = False, postgres: Mapping[str, str] | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mikrobot-test-"))
        self._guard = Guard()
        self._guard.remove_at_end(self.folder)
        self._children: list[Child] = []
        try:
            self._postgres = Postgres(
                self.folder / "postgres", ports.free_port(), random_text(), is_throwaway=not is_durable,
                more=postgres,
            )  # fmt: skip
            self._redis = Redis(
                self.folder / "redis",
                ports.free_port(avoid=frozenset({self._postgres.port})),
                random_text(),
                is_throwaway=not is_durable,
            )
            self._plan = Plan(
                owner=Login(name=OWNER, password=random_text()),
                app=Login(name=APP, password=random_text()),
                engine=Login(name=ENGINE, password=random_text()),
                database=DATABASE,
            )
            self._start()
        except BaseException:
            self.close()
            raise

    @property
    def admin_url(self) -> str:
        """Give the superuser's address of the tests' database, for those who look behind the policies."""
        return self._postgres.admin_url.rpartition("/")[0] + f"/{DATABASE}"

    def variables(self) -> dict[str, str]:
        """List everything that settings read, so that nothing of the machine's own leaks into a test."""
        mail = self.folder / "mail"
        mail.mkdir(exist_ok=True)
        keys = self.folder / "master.keys"
        write_private(keys, f"{fernet_key()}\n")
        return {
            **self._plan.urls(self._postgres.admin_url),
            "REDIS_URL": self._redis.url,
            "MIKROBOT_MODE": "test",
            "MIKROBOT_TEST_ADMIN_URL": self.admin_url,
            "SECRET_KEY": random_text(48),
            "MASTER_KEYS_FILE": str(keys),  # a file: tests rotate it while others run
            "SITE_URL": "http://localhost:8000",
            "EMAIL_URL": mail.as_uri(),
            "METRICS_TOKEN": random_text(),
            "DATA_DIR": str(self.folder / "data"),
        }

    @property
    def postmaster(self) -> Path:
        """Name the file that says which process PostgreSQL is."""
        return self.folder / "postgres" / "postmaster.pid"

    def revive(self) -> None:
        """Start again what has ended, for drills that end it."""
        for child in self._children:
            if not child.is_running:
                child.bury()
                if child.name == "postgresql":
                    self._postgres.clear_stale_lock()
                child.start()

    def close(self) -> None:
        """Stop the servers and remove every trace."""
        stop_all(self._children, time.monotonic() + 5.0)
        self._children.clear()
        shutil.rmtree(self.folder, ignore_errors=True)
        self._guard.close()

    def _start(self) -> None:
        (self.folder / "data" / "static").mkdir(parents=True)  # WhiteNoise warns about a missing one
        redis = self._run(self._redis.program())
        self._postgres.create()
        postgres = self._run(self._postgres.program())
        self._until(postgres, lambda: self._postgres.is_ready(postgres.pid))
        self._until(redis, self._redis.is_ready)
        roles.ensure(self._postgres.admin_url, self._plan)
        roles.close_to_public(self._postgres.admin_url)

    def _run(self, program: Program) -> Child:
        child = Child(program, self.folder / f"{program.name}.log", self._guard)
        child.start()
        self._children.append(child)
        return child

    def _until(self, child: Child, is_ready: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 30
        while not is_ready():
            if not child.is_running or time.monotonic() > deadline:
                how = "took longer than 30 s" if child.is_running else f"ended with {told(child.exit_code)}"
                raise Problem(f"The tests' {child.name} {how}.", "Read the lines above.", child.tail())
            time.sleep(0.02)

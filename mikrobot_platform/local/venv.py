"""The virtual environment beside manage.py: made once, checked by a stamp, remade when it was left half done."""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.steps import Step, Steps

SUPPORTED = ((3, 11), (3, 12))
# Measured: 371 MB of packages for running, 730 MB with the tools; as much again while pip unpacks.
NEEDED_MB = {False: 800, True: 1500}
NETWORK_SIGNS = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "NewConnectionError",
    "ConnectTimeout",
    "ReadTimeout",
    "Network is unreachable",
    "Connection refused",
    "No matching distribution found",
    "Could not find a version",
    "SSLError",
    "dns error",
    "error sending request",
)


class Venv:
    """Own `.venv`; small files in it tell which Python made it, whether it is finished, and which lock it holds."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.path = root / ".venv"
        self.python = self.path / "bin" / "python"
        self.log = self.path / "mikrobot-install.log"
        self._base = self.path / "mikrobot-base"
        self._unfinished = self.path / "mikrobot-unfinished"

    @property
    def is_current(self) -> bool:
        """Tell whether this very process runs in it."""
        return Path(sys.prefix).resolve() == self.path.resolve()

    def ensure(self, *, dev: bool) -> None:
        """Make it hold exactly the locked packages; do nothing when the stamp says so.

        1. Without a lock: compare the stamp (the usual case, a few milliseconds).
        2. One bootstrap at a time from here; a second one waits and then finds the work done.
        3. Half made, or made by a Python that is gone: away with it.
        4. Mark it unfinished, install, stamp, unmark. Whatever kills us in between is seen by the next start."""
        if self._is_stamped(dev=dev):
            return
        steps = Steps(sys.stderr)
        with self._alone(steps) as lock:
            if self._is_stamped(dev=dev):
                return
            self._check_room(dev=dev)
            if not self._is_whole():
                self._make(steps, lock)
            self._install(steps, lock, dev=dev)

    def lock_file(self, *, dev: bool) -> Path:
        """Name the file that pins every package."""
        return self.root / ("requirements-dev.txt" if dev else "requirements.txt")

    def _stamp(self, *, dev: bool) -> Path:
        return self.path / ("mikrobot-stamp-dev" if dev else "mikrobot-stamp")

    def _fingerprint(self, *, dev: bool) -> str:
        try:
            content = self.lock_file(dev=dev).read_bytes()
        except OSError as error:
            raise Problem(
                f"{self.lock_file(dev=dev)} cannot be read ({error.strerror}).",
                "It belongs to the checkout: restore it with git.",
            ) from error
        return hashlib.sha256(content + os.path.realpath(self.python).encode()).hexdigest()

    def _is_stamped(self, *, dev: bool) -> bool:
        if not self.python.exists() or self._unfinished.exists():
            return False
        return _read(self._stamp(dev=dev)) == self._fingerprint(dev=dev)

    def _is_whole(self) -> bool:
        """Tell whether the environment can be kept and installed into."""
        if not self.python.exists() or self._unfinished.exists():
            return False
        base = _read(self._base)
        if base:
            return base == os.path.realpath(self.python)
        # Somebody made it by hand: it will do if it is a supported Python that can install.
        probe = f"import sys, pip; sys.exit(0 if sys.version_info[:2] in {SUPPORTED!r} else 1)"
        return subprocess.run([self.python, "-c", probe], capture_output=True, check=False).returncode == 0

    @contextmanager
    def _alone(self, steps: Steps) -> Iterator[int]:
        # manage.py itself is the lock, so that nothing new lies about. An installer inherits it: if it outlives us,
        # the next bootstrap still waits for it.
        if not os.access(self.root, os.W_OK):
            raise Problem(
                f"{self.root} is not writable for this user, so .venv cannot be made there.",
                "Run the command as the owner of the checkout, or clone it to a place of your own.",
            )
        descriptor = os.open(self.root / "manage.py", os.O_RDONLY)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                steps.say("  Another manage.py is preparing .venv; waiting for it.")
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)

    def _check_room(self, *, dev: bool) -> None:
        free = shutil.disk_usage(self.root).free // 1_000_000
        if free < NEEDED_MB[dev]:
            raise Problem(
                f"There are {free} MB free at {self.root}; the packages need about {NEEDED_MB[dev]} MB.",
                "Free some space and run the command again.",
            )

    def _make(self, steps: Steps, lock: int) -> None:
        has_pip = importlib.util.find_spec("ensurepip") is not None
        if importlib.util.find_spec("venv") is None or not (has_pip or shutil.which("uv")):
            version = f"{sys.version_info[0]}.{sys.version_info[1]}"
            raise Problem(
                f"This Python ({sys.executable}) comes without its venv module.",
                f"Debian, Ubuntu: sudo apt install python{version}-venv. Then run the command again.",
            )
        if self.path.is_symlink():
            raise Problem(f"{self.path} is a link to somewhere else and is not usable.", "Remove it and try again.")
        with steps.step("virtual environment") as step:
            try:
                if self.path.exists():
                    step.note("remade: the last one was left unfinished")
                    shutil.rmtree(self.path)
                self.path.mkdir()
                self._unfinished.write_text("made or filled right now, or left so by a crash\n")
            except OSError as error:
                raise Problem(f"{self.path} cannot be made ({error.strerror}).", _remedy(error)) from error
            base = getattr(sys, "_base_executable", None) or sys.executable
            # uv needs no pip in there, and ensurepip is nine tenths of the time.
            bare = ["--without-pip"] if shutil.which("uv") else []
            self._call([base, "-m", "venv", *bare, str(self.path)], lock, step, "The virtual environment was not made.")
            self._base.write_text(os.path.realpath(self.python))

    def _install(self, steps: Steps, lock: int, *, dev: bool) -> None:
        file = self.lock_file(dev=dev)
        for old in (False, True):
            self._stamp(dev=old).unlink(missing_ok=True)
        self._unfinished.write_text("made or filled right now, or left so by a crash\n")
        if not self._base.exists():
            self._base.write_text(os.path.realpath(self.python))
        with steps.step("packages") as step:
            text = file.read_text(encoding="utf-8")
            hashes = ["--require-hashes"] if "--hash=" in text else []
            try:
                self._with_uv_or_pip([*hashes, "-r", str(file)], lock, step, total=text.count("=="))
            except Problem:
                # pip fetches everything before it touches anything and rolls back, so what is there stays usable.
                self._unfinished.unlink(missing_ok=True)
                raise
            step.note("")
        for done in {False, dev}:  # the lock with tools contains the other one
            self._stamp(dev=done).write_text(self._fingerprint(dev=done))
        self._unfinished.unlink(missing_ok=True)

    def _with_uv_or_pip(self, what: list[str], lock: int, step: Step, *, total: int) -> None:
        failed = f"The packages of {what[-1]} were not installed."
        uv = shutil.which("uv")
        if uv:
            try:
                self._call([uv, "pip", "install", "--python", str(self.python), *what], lock, step, failed)
            except Problem:
                step.note("uv failed, now with pip")
            else:
                return
        python = str(self.python)
        if subprocess.run([python, "-c", "import pip"], capture_output=True, check=False).returncode != 0:
            self._call([python, "-m", "ensurepip"], lock, step, "pip is not there and cannot be made.")
        options = ["--no-input", "--disable-pip-version-check", "--progress-bar", "off", "--no-color"]
        self._call([python, "-m", "pip", "install", *options, *what], lock, step, failed, total=total)

    def _call(self, command: list[str], lock: int, step: Step, failed: str, *, total: int = 0) -> None:
        """Run COMMAND with its output in the log, show how far it is, and explain its failure."""
        environment = {k: v for k, v in os.environ.items() if k not in {"PYTHONHOME", "PIP_TARGET", "PIP_PREFIX"}}
        environment["PIP_USER"] = "0"
        try:
            with self.log.open("wb") as log, _terminable():
                process = subprocess.Popen(
                    command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment, pass_fds=[lock]
                )
                try:
                    while process.poll() is None:
                        time.sleep(0.1)
                        if total:
                            step.note(_progress(_read(self.log), total) or step.text)
                except BaseException:
                    process.terminate()
                    process.wait()
                    raise
        except OSError as error:
            raise Problem(failed, _remedy(error), str(error)) from error
        if process.returncode != 0:
            raise _explain(failed, _read(self.log))


@contextmanager
def _terminable() -> Iterator[None]:
    """Turn SIGTERM into an exception while an installer runs, so that it is ended with us."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _progress(log: str, total: int) -> str:
    if "\nInstalling collected packages" in log:
        return "unpacking"
    return f"{log.count('Collecting ')} of {total} fetched" if "Collecting " in log else ""


def _remedy(error: OSError) -> str:
    if error.errno == 28:  # ENOSPC
        return "The disk is full: free some space and run the command again."
    return "Check that this user may write there, then run the command again."


def _explain(failed: str, log: str) -> Problem:
    tail = "\n".join(log.strip().splitlines()[-12:])
    if "No space left on device" in log:
        return Problem(failed, "The disk is full: free some space and run the command again.", tail)
    if "DO NOT MATCH THE HASHES" in log or "Hash mismatch" in log:
        return Problem(failed, "A package differs from the locked one. Stop here and look at the index in use.", tail)
    if any(sign in log for sign in NETWORK_SIGNS):
        return Problem(failed, "The package index was not reached. Check network and proxy, then try again.", tail)
    return Problem(failed, "Read the lines above; the whole output is in .venv/mikrobot-install.log.", tail)

"""Where the local data lies. Everything that `up` writes is below one directory."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from mikrobot_platform.local.problem import Problem

NEEDED_MB = 500


@dataclass(frozen=True, slots=True)
class Data:
    """Name every file and folder below the data directory."""

    root: Path

    @classmethod
    def at(cls, given: str | None, base: Path) -> Data:
        """Take GIVEN as the shell means it, or `.local` beside manage.py."""
        return cls(root=Path(given).expanduser().absolute() if given else base / ".local")

    @property
    def lock(self) -> Path:
        return self.root / "up.lock"

    @property
    def state(self) -> Path:
        return self.root / "state.json"

    @property
    def ports(self) -> Path:
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        return self.root / "secrets"

    @property
    def postgres(self) -> Path:
        return self.root / "postgres"

    @property
    def redis(self) -> Path:
        return self.root / "redis"

    @property
    def logs(self) -> Path:
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """What only a running `up` needs: cleaned at every start."""
        return self.root / "run"

    @property
    def metrics(self) -> Path:
        return self.run / "metrics"

    @property
    def mail(self) -> Path:
        return self.root / "mail"

    @property
    def static(self) -> Path:
        return self.root / "static"

    def prepare(self) -> None:
        """Make the folders, closed to other users, or say why they cannot be made."""
        self._refuse_foreign()
        try:
            for folder in (self.root, self.secrets, self.logs, self.run, self.mail):
                folder.mkdir(mode=0o700, parents=folder == self.root, exist_ok=True)
            self.secrets.chmod(0o700)
            probe = self.root / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
        except FileExistsError as error:
            raise Problem(f"{error.filename} is a file, not a folder.", "Choose a place with --data DIR.") from error
        except OSError as error:
            raise Problem(
                f"The data directory {self.root} cannot be written ({error.strerror}).",
                "Choose a place of your own with --data DIR, or give this user the right to write there.",
            ) from error
        free = shutil.disk_usage(self.root).free // 1_000_000
        if free < NEEDED_MB:
            raise Problem(
                f"There are {free} MB free at {self.root}; the databases need at least {NEEDED_MB} MB.",
                "Free some space, or choose another place with --data DIR.",
            )

    def _refuse_foreign(self) -> None:
        # Root could, but what it then writes would lock the owner out.
        if os.geteuid() != 0 or not self.secrets.exists() or self.secrets.stat().st_uid == 0:
            return
        raise Problem(
            f"The data in {self.root} belongs to the user with the number {self.secrets.stat().st_uid}, not to root.",
            "Run the command as that user, or choose other data with --data DIR.",
        )

    def clean_run(self) -> None:
        """Empty what the last run left behind."""
        shutil.rmtree(self.run, ignore_errors=True)
        self.run.mkdir(mode=0o700, exist_ok=True)
        self.metrics.mkdir(mode=0o700, exist_ok=True)


def write_private(path: Path, text: str) -> None:
    """Write a file that only this user can read, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)

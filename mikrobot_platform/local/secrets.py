"""The secrets of a local installation: made once, one file each, readable by this user alone."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from mikrobot_platform.local.paths import write_private


@dataclass(frozen=True, slots=True)
class Secrets:
    """Hold what was made for this data directory."""

    superuser: str
    owner: str
    app: str
    engine: str
    redis: str
    secret_key: str
    metrics_token: str
    master_keys: Path

    @classmethod
    def load(cls, folder: Path) -> Secrets:
        """Read every secret, making those that are not there yet."""
        return cls(
            superuser=_secret(folder / "postgres-superuser"),
            owner=_secret(folder / "postgres-owner"),
            app=_secret(folder / "postgres-app"),
            engine=_secret(folder / "postgres-engine"),
            redis=_secret(folder / "redis"),
            secret_key=_secret(folder / "secret-key", size=48),
            metrics_token=_secret(folder / "metrics-token"),
            master_keys=_key_file(folder / "master.keys"),
        )


def random_text(size: int = 32) -> str:
    """Make SIZE random bytes, written so that URLs and configuration files take them unquoted."""
    return base64.urlsafe_b64encode(os.urandom(size)).decode().rstrip("=")


def fernet_key() -> str:
    """Make a key as cryptography.fernet does, before that package is there."""
    return base64.urlsafe_b64encode(os.urandom(32)).decode()


def _secret(path: Path, *, size: int = 32) -> str:
    try:
        found = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        found = ""
    if not found:
        found = random_text(size)
        write_private(path, f"{found}\n")
    return found


def _key_file(path: Path) -> Path:
    if not path.exists():
        write_private(path, f"{fernet_key()}\n")
    return path

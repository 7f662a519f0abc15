"""A Chromium for the browser tests: the machine's, Playwright's, or one installed because somebody asked for it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
APPLICATIONS = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find(environment: Mapping[str, str] = os.environ) -> Path | None:
    """Find one that really starts: Ubuntu's chromium-browser may be a note about a snap."""
    named = environment.get("MIKROBOT_CHROMIUM")
    on_path = [shutil.which(name, path=environment.get("PATH")) for name in NAMES]
    for candidate in [named, *on_path, *APPLICATIONS, *map(str, _from_playwright(environment))]:
        if candidate and _starts(candidate):
            return Path(candidate)
    return None


def install(*, by_request: bool, environment: Mapping[str, str] = os.environ) -> tuple[Path | None, str]:
    """Install one, in CI as root by apt, on request by Playwright; answer it and what was done."""
    if environment.get("CI", "").lower() in {"1", "true"} and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (
            ["apt-get", "update", "-q"],
            ["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"],
        ):
            done = subprocess.run(command, env=quiet, capture_output=True, text=True, errors="replace", check=False)
        said = "Chromium was installed by apt-get." if done.returncode == 0 else _last_line(done.stderr)
        return find(environment), said
    if by_request:
        command = [sys.executable, "-m", "playwright", "install", "chromium"]
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
        said = "Chromium was installed by Playwright." if done.returncode == 0 else _last_line(done.stderr)
        return find(environment), said
    return None, "no Chromium was found; install one, or let Playwright do it: --install-browser"


def _from_playwright(environment: Mapping[str, str]) -> list[Path]:
    given = environment.get("PLAYWRIGHT_BROWSERS_PATH")
    home = Path(given) if given else Path.home() / ".cache" / "ms-playwright"
    found = [*home.glob("chromium-*/chrome-linux*/chrome"), *home.glob("chromium-*/chrome-mac*/*.app/Contents/MacOS/*")]
    return sorted(found, reverse=True)


def _starts(candidate: str) -> bool:
    try:
        done = subprocess.run([candidate, "--version"], capture_output=True, check=False, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return f"installing Chromium failed: {lines[-1] if lines else 'no reason was given'}"

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


def is_ci(environment: Mapping[str, str] = os.environ) -> bool:
    """Tell whether nobody is watching, so that a skipped test would be an unseen one."""
    return environment.get("CI", "").lower() in {"1", "true", "yes"}


def install(*, by_request: bool, environment: Mapping[str, str] = os.environ) -> tuple[Path | None, str]:
    """Install one, in CI as root by apt, otherwise in CI or on request by Playwright; answer it and what was done."""
    if is_ci(environment) and os.geteuid() == 0 and shutil.which("apt-get"):
        quiet = {**environment, "DEBIAN_FRONTEND": "noninteractive"}
        _run(["apt-get", "update", "-q"], quiet)
        said = _run(["apt-get", "install", "-q", "-y", "--no-install-recommends", "chromium"], quiet)
        return find(environment), said or "Chromium was installed by apt-get."
    if is_ci(environment) or by_request:
        said = _run([sys.executable, "-m", "playwright", "install", "chromium"], environment)
        return find(environment), said or "Chromium was installed by Playwright."
    return None, "no Chromium was found; install one, or let Playwright do it: --install-browser"


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    """Run COMMAND; answer nothing, or why it failed."""
    done = subprocess.run(command, env=environment, capture_output=True, text=True, errors="replace", check=False)
    lines = done.stderr.strip().splitlines()
    return "" if done.returncode == 0 else f"installing Chromium failed: {lines[-1] if lines else 'no reason given'}"


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

"""The browser of the tests: found when it really starts, and its absence said in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mikrobot_platform.local import chromium
from mikrobot_platform.local.suite import ROOT

NEEDED = ("git", "unshare", "setpriv", "true", "redis-server", "valkey-server")


def program(path: Path, code: int) -> Path:
    path.write_text(f"#!/bin/sh\nexit {code}\n", encoding="ascii")
    path.chmod(0o755)
    return path


@pytest.fixture
def bare(tmp_path: Path) -> dict[str, str]:
    """Give an environment in which there is no browser at all."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        if found:
            (folder / name).symlink_to(found)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CI", "MIKROBOT", "PYTEST"))}
    return {**kept, "PATH": str(folder), "PLAYWRIGHT_BROWSERS_PATH": str(tmp_path / "playwright")}


pytestmark = pytest.mark.skipif(
    any(Path(path).exists() for path in chromium.APPLICATIONS), reason="an application folder cannot be hidden"
)


def test_one_that_does_not_start_is_passed_over(bare: dict[str, str], tmp_path: Path) -> None:
    program(tmp_path / "bin" / "chromium", 1)
    assert chromium.find(bare) is None
    real = program(tmp_path / "bin" / "google-chrome", 0)
    assert chromium.find(bare) == real
    named = program(tmp_path / "mine", 0)
    assert chromium.find({**bare, "MIKROBOT_CHROMIUM": str(named)}) == named


def test_playwrights_own_is_found(bare: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "playwright" / "chromium-1234" / "chrome-linux64"
    place.mkdir(parents=True)
    assert chromium.find(bare) is None
    assert program(place / "chrome", 0) == chromium.find(bare)


def test_nobody_is_surprised_by_an_installation(bare: dict[str, str]) -> None:
    found, said = chromium.install(by_request=False, environment=bare)
    assert found is None
    assert "--install-browser" in said


def test_without_one_its_tests_are_skipped_and_one_line_says_so(bare: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "dashboard/tests/test_browser.py"],
        cwd=ROOT, env=bare, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if "hromium" in line]
    assert len(lines) == 1, done.stdout
    assert "browser tests were skipped: no Chromium was found" in lines[0]
    assert "--install-browser" in lines[0]

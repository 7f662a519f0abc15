"""What a command says to somebody who has started nothing yet."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from mikrobot_platform.bootstrap import NEED_SERVERS
from mikrobot_platform.local import variables

ROOT = Path(__file__).resolve().parent.parent.parent
WHOLE = {
    "bench": ("outbox",),
    "dbshell": ("--database", "owner"),
    "drill": ("outbox",),
    "rotate_keys": ("--master",),
    "source_file": ("list",),
    "staff_user": ("p@example.com",),
}


def run(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py where no MikroBot runs, with nothing in the environment."""
    bare = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "MIKROBOT_BOOTSTRAP": "off"}
    words = (sys.executable, str(ROOT / "manage.py"), *words)
    return subprocess.run(words, cwd=tmp_path, env=bare, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", sorted(NEED_SERVERS))
def test_without_servers_a_command_says_how_to_start_them(tmp_path: Path, command: str) -> None:
    done = run(tmp_path, command, *WHOLE.get(command, ()))
    assert done.returncode == 1
    assert f"no MikroBot runs from {tmp_path}" in done.stderr
    assert "manage.py up" in done.stderr
    assert "Traceback" not in done.stderr


def test_help_needs_no_servers(tmp_path: Path) -> None:
    done = run(tmp_path, "drill", "outbox", "--help")
    assert done.returncode == 0, done.stderr
    assert "--relays" in done.stdout


@pytest.mark.parametrize(
    ("words", "folder"),
    [
        ("up --data here", "here"),
        ("doctor --data=here --json", "here"),
        ("doctor --data --json", ""),
        ("rotate_keys --data --drop-old", ""),
        ("rotate_keys --data", ""),
    ],
)
def test_the_folder_of_the_data_is_read_from_the_command(words: str, folder: str) -> None:
    assert variables.data_option(["manage.py", *words.split()]) == folder

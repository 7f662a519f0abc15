"""From a bare Python to the running command: wrong Pythons, half-made environments, and where variables come from."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from mikrobot_platform.local import variables
from mikrobot_platform.local.paths import Data
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.secrets import Secrets
from mikrobot_platform.local.state import OnlyOne, State
from mikrobot_platform.local.venv import Venv

ROOT = Path(__file__).resolve().parent.parent.parent
AS_OLD = "import runpy, sys; sys.version_info = (3, 9, 2, 'final', 0); runpy.run_path('manage.py', run_name='__main__')"


def test_manage_is_readable_for_old_pythons() -> None:
    ast.parse((ROOT / "manage.py").read_text(), feature_version=(3, 4))


def test_a_wrong_python_without_another_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AS_OLD],
        cwd=ROOT,
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "needs Python 3.11 or 3.12; this is Python 3.9" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_wrong_python_hands_over_to_a_right_one_past_a_shim_that_lies(tmp_path: Path) -> None:
    version = f"python3.{sys.version_info[1]}"
    for folder, script in (("shims", "exit 127"), ("real", f'exec "{sys.executable}" "$@"')):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / version).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / folder / version).chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.argv = ['manage.py', 'up', '--port', 'x']; {AS_OLD}"],
        cwd=ROOT,
        env={"PATH": f"{tmp_path / 'shims'}:{tmp_path / 'real'}", "MIKROBOT_BOOTSTRAP": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr  # argparse's own, so `up` was reached with its arguments
    assert "'x' is not a port" in done.stderr


class TestVenv:
    """An empty lock is enough: what counts is the order of things."""

    @pytest.fixture
    def venv(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Venv:
        monkeypatch.setenv("PATH", "/usr/bin:/bin")  # with pip, as most people have it
        monkeypatch.setenv("PIP_NO_INDEX", "1")
        (tmp_path / "manage.py").write_text("")
        for name in ("requirements.txt", "requirements-dev.txt"):
            (tmp_path / name).write_text("# nothing is needed\n")
        return Venv(tmp_path)

    def test_it_is_made_once_and_remade_only_when_left_half_done(
        self, venv: Venv, capsys: pytest.CaptureFixture[str]
    ) -> None:
        venv.ensure(dev=False)
        assert venv.python.exists()
        assert not (venv.path / "mikrobot-unfinished").exists()
        assert "virtual environment" in capsys.readouterr().err

        venv.ensure(dev=False)
        assert capsys.readouterr().err == ""

        venv.lock_file(dev=False).write_text("# something else is needed\n")
        venv.ensure(dev=False)
        said = capsys.readouterr().err
        assert "packages" in said
        assert "virtual environment" not in said

        venv.lock_file(dev=False).write_text("no-such-package==1.0\n")
        with pytest.raises(Problem) as caught:
            venv.ensure(dev=False)
        assert "were not installed" in caught.value.reason
        assert "no-such-package" in caught.value.details
        assert not (venv.path / "mikrobot-stamp").exists()
        assert venv._is_whole()  # nothing was touched, so the next try need not begin anew

        (venv.path / "mikrobot-unfinished").write_text("")
        assert not venv._is_whole()
        (venv.path / "mikrobot-unfinished").unlink()
        (venv.path / "mikrobot-base").write_text("/a/python/that/is/gone")
        assert not venv._is_whole()

    def test_without_room_nothing_is_begun(self, venv: Venv, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=3_000_000))
        with pytest.raises(Problem) as caught:
            venv.ensure(dev=False)
        assert "There are 3 MB free" in caught.value.reason
        assert "Free some space" in caught.value.remedy
        assert not venv.path.exists()


class TestVariables:
    """The environment wins, then `.env`, then a running `up`."""

    def test_dotenv_fills_gaps_and_nothing_else(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text(
            "# ours\nexport REDIS_URL='redis://x:1'\nSITE_URL=http://a\nSECRET_KEY=\nMASTER_KEYS=k=\nLOG_LEVEL=INFO\n"
        )
        environment = {"SITE_URL": "http://b", "MASTER_KEYS_FILE": "/run/keys", "LOG_LEVEL": ""}
        variables.read_dotenv(tmp_path / ".env", environment)
        assert environment == {
            "SITE_URL": "http://b",
            "MASTER_KEYS_FILE": "/run/keys",
            "REDIS_URL": "redis://x:1",
            "LOG_LEVEL": "INFO",
        }

    def test_dotenv_with_a_slip_names_the_line(self, tmp_path: Path) -> None:
        (tmp_path / ".env").write_text("A=1\nwhat is this\n")
        with pytest.raises(Problem, match="line 2"):
            variables.read_dotenv(tmp_path / ".env", {})

    def test_state_counts_only_while_its_writer_lives(self, tmp_path: Path) -> None:
        data = Data(root=tmp_path)
        State(pid=1, address="http://localhost:1/", environment={"MIKROBOT_MODE": "local"}).write(data)
        environment = {"DATA_DIR": str(tmp_path)}
        variables.adopt(["manage.py", "doctor"], ROOT, environment)
        assert "MIKROBOT_MODE" not in environment
        only_one = OnlyOne(data)
        try:
            variables.adopt(["manage.py", "doctor"], ROOT, environment)
        finally:
            only_one.release()
        assert environment["MIKROBOT_MODE"] == "local"

    def test_a_configured_command_keeps_to_its_own(self, tmp_path: Path) -> None:
        data = Data(root=tmp_path)
        State(pid=1, address="", environment={"SITE_URL": "http://running"}).write(data)
        only_one = OnlyOne(data)
        environment = {"DATA_DIR": str(tmp_path), "DATABASE_URL": "postgresql://elsewhere"}
        try:
            variables.adopt(["manage.py", "migrate"], ROOT, environment)
        finally:
            only_one.release()
        assert "SITE_URL" not in environment

    def test_check_deploy_looks_at_the_described_production(self, tmp_path: Path) -> None:
        (tmp_path / ".env.example").write_text("MIKROBOT_MODE=production\n")
        environment = {"PATH": "/bin"}
        variables.adopt(["manage.py", "check", "--deploy"], tmp_path, environment)
        assert environment["MIKROBOT_MODE"] == "production"

    def test_psql_is_found_behind_everything_else(self) -> None:
        environment = {"PATH": "/bin", "MIKROBOT_MODE": "test"}
        variables.adopt(["manage.py", "dbshell"], ROOT, environment)
        first, last = environment["PATH"].split(os.pathsep)
        assert first == "/bin"
        assert (Path(last) / "psql").exists()


def test_without_room_there_is_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=3_000_000))
    with pytest.raises(Problem) as caught:
        Data(root=tmp_path / "data").prepare()
    assert "There are 3 MB free" in caught.value.reason
    assert "--data DIR" in caught.value.remedy


def test_secrets_are_made_once(tmp_path: Path) -> None:
    first = Secrets.load(tmp_path)
    assert Secrets.load(tmp_path) == first
    assert len(first.secret_key) >= 50
    assert len({first.owner, first.app, first.engine, first.redis, first.superuser, first.metrics_token}) == 6
    from cryptography.fernet import Fernet

    Fernet(first.master_keys.read_text().strip())
    assert json.dumps(first.secret_key).isascii()


def test_no_variable_of_the_machine_reaches_a_test() -> None:
    """Each one that settings read is either set by the suite or taken away; a new one must choose."""
    from mikrobot_platform.local.pytest_plugin import FOREIGN
    from mikrobot_platform.settings import env

    assert env.read - set(FOREIGN) <= set(os.environ)
    assert not set(FOREIGN) & set(os.environ)

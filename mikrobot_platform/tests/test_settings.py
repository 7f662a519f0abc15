"""The environment is read once, typed, refused loudly and all at once; .env.example describes every variable."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from mikrobot_platform.environment import MODES, Environment
from mikrobot_platform.local import variables

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
PRODUCTION = variables.parse(EXAMPLE, ".env.example")
# Read outside settings.py: by `prepare` alone, which no serving process runs.
ELSEWHERE = {"DATABASE_ADMIN_URL"}


def run(code: str, given: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a line of Python in a process that knows the given variables and nothing else."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def settings_under(**given: str) -> dict[str, Any]:
    """Answer the settings of a process with these variables, and under READ which ones it read."""
    code = (
        "import json, mikrobot_platform.settings as s\n"
        "found = {name: getattr(s, name) for name in dir(s) if name.isupper()}\n"
        "print(json.dumps({**found, 'READ': sorted(s.env.read)}, default=lambda value: type(value).__name__))"
    )
    done = run(code, given)
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def refusal(**given: str) -> str:
    """Answer the complaint with which the settings refuse these variables."""
    done = run("import mikrobot_platform.settings", given)
    assert done.returncode != 0
    return done.stderr.rpartition("ImproperlyConfigured: ")[2]


@cache
def production() -> dict[str, Any]:
    return settings_under(**PRODUCTION)


# --- .env.example ----------------------------------------------------------------------------------------------------
def test_the_example_names_exactly_what_is_read() -> None:
    described = set(re.findall(r"^(?:# )?([A-Z][A-Z_]+)=", EXAMPLE, re.MULTILINE)) - {"NAME"}
    read = {*production()["READ"], *settings_under()["READ"]} | ELSEWHERE
    assert {name.removesuffix("_FILE") for name in described} == read


def test_the_example_passes_every_check_of_a_deployment() -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        env={"PATH": os.environ["PATH"]},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues (0 silenced)" in done.stdout


def test_the_example_opens_nothing() -> None:
    for name, value in PRODUCTION.items():
        is_secret = re.search(r"KEY|TOKEN|_URL$", name) and name != "SITE_URL"
        assert not is_secret or "example" in value or name == "MASTER_KEYS", name


# --- What the settings make of it ------------------------------------------------------------------------------------
def test_https_makes_the_browser_careful() -> None:
    found = production()
    assert found["MODE"] == "production"
    assert not found["DEBUG"]
    assert found["SESSION_COOKIE_NAME"] == "__Host-session"
    assert found["CSRF_COOKIE_NAME"] == "__Host-csrf"
    assert all(found[name] for name in ("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT"))
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert found["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert found["ALLOWED_HOSTS"] == ["mikrobot.example.com"]
    assert not found["MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN"]


def test_http_is_for_one_machine() -> None:
    found = settings_under(**{**PRODUCTION, "MIKROBOT_MODE": "local", "SITE_URL": "http://localhost:8000"})
    assert found["SESSION_COOKIE_NAME"] == "session"
    assert not found["SESSION_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert "localhost" in found["ALLOWED_HOSTS"]


def test_without_a_proxy_its_headers_are_not_believed() -> None:
    found = settings_under(**{**PRODUCTION, "TRUSTED_PROXY_COUNT": "0"})
    assert found["SECURE_PROXY_SSL_HEADER"] is None
    assert found["ALLAUTH_TRUSTED_PROXY_COUNT"] == 0


def test_serving_needs_no_owner() -> None:
    found = settings_under(**{**PRODUCTION, "DATABASE_OWNER_URL": ""})
    assert found["DATABASES"]["owner"]["ENGINE"] == "django.db.backends.dummy"
    assert found["DATABASES"]["default"]["USER"] == "mikrobot_app"
    assert found["DATABASES"]["engine"]["USER"] == "mikrobot_engine"


@pytest.mark.parametrize("command", ["migrate", "prepare"])
def test_migrating_needs_the_owner(command: str) -> None:
    done = run(
        f"import sys, runpy; sys.argv = ['manage.py', '{command}']; runpy.run_path('manage.py', run_name='__main__')",
        {**PRODUCTION, "DATABASE_OWNER_URL": "", "MIKROBOT_BOOTSTRAP": "off"},
    )
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "CommandError: DATABASE_OWNER_URL is missing; migrations run as the owner of the tables."
    )


def test_pgbouncer_keeps_nothing_open_between_transactions() -> None:
    found = settings_under(**{**PRODUCTION, "DATABASE_PGBOUNCER": "1", "DATABASE_POOL_SIZE": "0"})
    assert found["DATABASES"]["engine"]["OPTIONS"]["prepare_threshold"] is None, "a statement is not handed over"
    assert found["DATABASES"]["default"]["DISABLE_SERVER_SIDE_CURSORS"] is True
    assert found["DATABASES"]["default"]["OPTIONS"]["pool"] is False


def test_with_nothing_given_tools_work() -> None:
    """Linters and `makemigrations` run on a bare machine; the secret key is new each time, nothing can rely on it."""
    first, second = settings_under(), settings_under()
    assert first["MODE"] == "tools"
    assert first["SECRET_KEY"] != second["SECRET_KEY"]
    assert first["DATABASES"]["default"]["ENGINE"] == "django.db.backends.dummy"


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL", "MIKROBOT_MODE"])
def test_with_something_given_everything_is_asked_for(name: str) -> None:
    said = refusal(**{name: PRODUCTION[name]})
    required = {"SECRET_KEY", "DATABASE_URL", "DATABASE_ENGINE_URL", "REDIS_URL", "MASTER_KEYS"} - {name}
    assert {line for line in required if f"- {line} " in said} == required
    assert ".env.example" in said


def test_what_is_wrong_is_said_at_once_and_no_secret_with_it() -> None:
    given = {
        **PRODUCTION,
        "DATABASE_URL": "mysql://root:hunter2@db/mikrobot",
        "REDIS_URL": "redis.example.com:hunter2",
        "SITE_URL": "mikrobot.example.com",
        "EMAIL_URL": "smtp://a:hunter2@host:notaport/",
        "LOG_LEVEL": "LOUD",
        "TRUSTED_PROXY_COUNT": "many",
        "DATABASE_PGBOUNCER": "perhaps",
        "MASTER_KEYS": "",
        "PAPER_VENUE_URL": "http://venue.example.com",
    }
    said = refusal(**given)
    assert "- PAPER_VENUE_URL is neither unix:///path nor tcp://host:port" in said
    for name in ("DATABASE_URL", "REDIS_URL", "SITE_URL", "EMAIL_URL", "LOG_LEVEL", "TRUSTED_PROXY_COUNT"):
        assert f"- {name}" in said
    assert "- DATABASE_PGBOUNCER='perhaps' is neither 1 nor 0" in said
    assert "- MASTER_KEYS or MASTER_KEYS_FILE is missing" in said
    assert "hunter2" not in said


def test_where_a_folder_is_too_deep_for_a_socket_the_paper_venue_takes_a_port() -> None:
    assert production()["PAPER_VENUE_URL"] == "unix:///var/lib/mikrobot/paper/venue.sock"
    deep = settings_under(**{**PRODUCTION, "DATA_DIR": "/var/lib/" + "deep/" * 20})["PAPER_VENUE_URL"]
    assert re.fullmatch(r"tcp://127\.0\.0\.1:2\d{4}", deep)


@pytest.mark.parametrize("mode", MODES)
def test_every_mode_is_one_of_few(mode: str) -> None:
    assert settings_under(**{**PRODUCTION, "MIKROBOT_MODE": mode})["MODE"] == mode
    assert "MIKROBOT_MODE='Production'" in refusal(**{**PRODUCTION, "MIKROBOT_MODE": "Production"})


# --- Environment -----------------------------------------------------------------------------------------------------
def test_a_secret_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from a file\n", encoding="utf-8")
    env = Environment({"SECRET_KEY_FILE": str(tmp_path / "key")})
    assert env.text("SECRET_KEY") == "from a file"
    assert (
        Environment({"SECRET_KEY_FILE": str(tmp_path / "key"), "SECRET_KEY": "itself"}).text("SECRET_KEY") == "itself"
    )


def test_a_file_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    env = Environment({"SECRET_KEY_FILE": str(tmp_path / "none")})
    assert env.text("SECRET_KEY") == ""
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY_FILE=.*none cannot be read \(FileNotFoundError\)"):
        env.refuse()


@pytest.mark.parametrize("raw", ["-1", "1.5", "11", "ten", "\u0663", " 1"])
def test_a_number_is_whole_and_in_range(raw: str) -> None:
    env = Environment({"MIKROBOT_MODE": "test", "N": raw})
    assert env.number("N", 5, high=10) == 5
    assert env.complaints == [f"N={raw!r} is not a whole number from 0 to 10"]


@pytest.mark.parametrize(("raw", "value"), [("1", True), ("yes", True), ("On", True), ("0", False), ("off", False)])
def test_a_flag_has_two_values(raw: str, value: bool) -> None:
    env = Environment({"F": raw})
    assert env.flag("F", default=not value) is value
    assert env.complaints == []


def test_a_database_address_is_taken_apart() -> None:
    url = "postgresql://mikrobot_app:p%40ss%2Fword@[::1]:6432/my%20house?sslmode=verify-full&host=/run/postgresql"
    found = Environment({"D": url}).database("D", {"pool": False})
    assert found == {
        "ENGINE": "mikrobot_platform.db",
        "NAME": "my house",
        "USER": "mikrobot_app",
        "PASSWORD": "p@ss/word",
        "HOST": "/run/postgresql",
        "PORT": "6432",
        "OPTIONS": {"pool": False, "sslmode": "verify-full"},
    }


def test_an_email_address_is_taken_apart() -> None:
    env = Environment({"S": "smtp://us%40er:p%3Aw@mail.example.com:465/?ssl=1", "F": "file:///var/mail%20box"})
    smtp = env.email("S", "")
    assert (smtp["HOST"], smtp["PORT"], smtp["HOST_USER"], smtp["HOST_PASSWORD"]) == (
        "mail.example.com", 465, "us@er", "p:w",
    )  # fmt: skip
    assert (smtp["USE_SSL"], smtp["USE_TLS"]) == (True, False)
    assert env.email("F", "")["FILE_PATH"] == "/var/mail box"


def test_redis_has_three_databases() -> None:
    database = Environment({"R": "redis://:pw@host:6379/"}).redis("R")
    assert [database(number) for number in range(3)] == [f"redis://:pw@host:6379/{number}" for number in range(3)]

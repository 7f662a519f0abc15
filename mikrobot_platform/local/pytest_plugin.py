"""Gives the test suite its own PostgreSQL and Redis. Loaded with -p, because a conftest.py comes after the settings.

The suite commits for real against this database, as three roles, with every policy in force; each test makes its own
tenants. Nothing is rolled back, and Django's own test database is not used."""

from __future__ import annotations

import os
from collections.abc import Generator, Sequence
from typing import Any

import pytest

from mikrobot_platform.local import chromium, pytest_fixtures
from mikrobot_platform.local.problem import Problem
from mikrobot_platform.local.throwaway import Throwaway

# What settings.py reads and Throwaway does not set: taken away, so that a test sees the defaults.
FOREIGN = (
    "ALLOWED_HOSTS", "API_REQUESTS_PER_MINUTE", "DATABASE_ADMIN_URL", "DATABASE_PGBOUNCER", "DATABASE_POOL_SIZE",
    "DEFAULT_FROM_EMAIL", "LOG_FORMAT", "LOG_LEVEL", "MASTER_KEYS", "PAPER_VENUE_ADMIN_TOKEN", "PAPER_VENUE_URL",
    "PROMETHEUS_MULTIPROC_DIR",
    "SECRET_KEY_FALLBACKS", "SIGNAL_FILES_DIR", "TRUSTED_PROXY_COUNT",
)  # fmt: skip
IS_WORKER = "PYTEST_XDIST_WORKER" in os.environ
_servers: Throwaway | None = None
_browser_note = ""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the one option of our own."""
    parser.addoption(
        "--install-browser", action="store_true", help="let Playwright install Chromium when none is found"
    )


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(args: list[str]) -> Generator[None, None, None]:
    """Start the servers before anything reads the settings; each worker of xdist has its own, who leads them none."""
    global _servers  # noqa: PLW0603 - pytest has no place of its own this early
    if IS_WORKER or not (leads(args) or {"-h", "--help", "--version", "-VV", "--markers", "--fixtures"} & set(args)):
        try:
            _servers = Throwaway()
        except Problem as problem:
            raise pytest.UsageError(str(problem)) from problem
        for name in FOREIGN:
            os.environ.pop(name, None)
        for name, value in _servers.variables().items():
            os.environ.pop(f"{name}_FILE", None)
            os.environ[name] = value
    try:
        return (yield)
    except BaseException:
        _close()
        raise


def leads(args: Sequence[str]) -> bool:
    """Tell whether the tests run in other processes than this one."""
    for place, word in enumerate(args):
        for name in ("-n", "--numprocesses"):
            if word.startswith(name):
                number = word.removeprefix(name).removeprefix("=") or "".join(args[place + 1 : place + 2])
                return number != "0"
    return False


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    """Find a browser, and take pytest-django's database fixtures over: the last one registered wins."""
    global _browser_note
    config.pluginmanager.register(pytest_fixtures, "mikrobot-fixtures")
    if IS_WORKER or not (_servers or config.getoption("numprocesses", None)):
        return
    found = chromium.find()
    if found is None:
        found, _browser_note = chromium.install(by_request=bool(config.getoption("--install-browser")))
    if found:
        os.environ["MIKROBOT_CHROMIUM"] = str(found)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Apply all migrations once, as the owner, before the first worker or test begins."""
    if _servers is None:
        return
    from django.core.management import CommandError, call_command
    from django.db import DatabaseError, connections
    from pytest_django.plugin import blocking_manager_key

    with session.config.stash[blocking_manager_key].unblock():
        try:
            call_command("migrate", database="owner", interactive=False, verbosity=0)
        except (CommandError, DatabaseError) as error:
            raise pytest.UsageError(f"The migrations do not apply: {error}") from error
        finally:
            connections["owner"].close()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let long files begin first, so that no process is left alone with one at the end; see to the browser's tests.

    Where there is no browser they are left out; in CI that is an error instead.
    """
    items.sort(key=lambda item: item.get_closest_marker("early") is None)
    if "MIKROBOT_CHROMIUM" in os.environ:
        return
    if chromium.is_ci() and any(item.get_closest_marker("browser") for item in items):
        if IS_WORKER:  # an error here is a crash to xdist; the fixture fails each test instead
            return
        raise pytest.UsageError(f"In CI the browser's tests must run: {_browser_note or 'no Chromium'}")
    skip = pytest.mark.skip(reason="no Chromium")
    for item in items:
        if item.get_closest_marker("browser"):
            item.add_marker(skip)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say once what became of the browser."""
    skipped = terminalreporter.stats.get("skipped", [])
    number = sum("no Chromium" in str(report.longrepr) for report in skipped)
    if number:
        terminalreporter.write_line(f"{number} browser tests were skipped: {_browser_note}")
    elif _browser_note:
        terminalreporter.write_line(_browser_note)


@pytest.hookimpl(trylast=True)
def pytest_unconfigure() -> None:
    """Stop the servers and remove what they wrote."""
    _close()


def _close() -> None:
    global _servers  # noqa: PLW0603
    if _servers:
        _servers.close()
        _servers = None

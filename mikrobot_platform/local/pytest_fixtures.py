"""Fixtures for every test: open databases instead of pytest-django's created, flushed or forbidden ones."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """Create nothing: the database is there, migrated (pytest_plugin.py)."""


@pytest.fixture(scope="session", autouse=True)
def databases_are_open(django_test_environment: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """Let every test use the databases; they are thrown away as a whole."""
    with django_db_blocker.unblock():
        yield


@pytest.fixture(scope="session")
def admin_url() -> str:
    """Give the superuser's address, for tests that play the attacker or look behind the policies."""
    return os.environ["MIKROBOT_TEST_ADMIN_URL"]


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """Give the browser's path; tests that use it carry the mark `browser`."""
    if "MIKROBOT_CHROMIUM" not in os.environ:
        pytest.fail("There is no Chromium, and in CI the browser's tests must run.")
    return Path(os.environ["MIKROBOT_CHROMIUM"])

"""An ended session stays ended, also for a request that was reading it at that moment."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from accounts.auth import history
from accounts.tests.people import PASSWORD, client_for, make_user


def store(key: str) -> Any:
    return import_module(settings.SESSION_ENGINE).SessionStore(key)


def test_a_request_in_between_does_not_bring_it_back() -> None:
    """The row is deleted when the deed commits; until then whoever asks puts it back into the cache."""
    user = make_user()
    stolen = client_for(user)
    assert stolen.get(reverse("home")).status_code == 200
    key = str(stolen.session.session_key)
    reader = store(key)
    row = reader._get_session_from_db()
    with transaction.atomic():
        assert history.end_other_sessions(None, user) == 1
        reader._cache.set(reader.cache_key, reader.decode(row.session_data), 600)  # what load() did before the commit
    assert stolen.get(reverse("home")).status_code == 302


def test_a_read_that_ends_after_the_deed_does_not_either() -> None:
    user = make_user()
    stolen = client_for(user)
    stolen.get(reverse("home"))
    reader = store(str(stolen.session.session_key))
    reader._cache.delete(reader.cache_key)
    read = reader._get_session_from_db

    def slow_read() -> Any:
        row = read()
        with transaction.atomic():
            history.end_other_sessions(None, user)
        return row

    reader._get_session_from_db = slow_read
    reader.load()
    assert stolen.get(reverse("home")).status_code == 302


def test_sign_out_ends_it_as_well() -> None:
    user = make_user()
    client, copy = client_for(user), client_for(user)
    copy.cookies[settings.SESSION_COOKIE_NAME] = client.cookies[settings.SESSION_COOKIE_NAME].value
    client.post(reverse("account_logout"))
    assert copy.get(reverse("home")).status_code == 302
    assert client.post(reverse("account_login"), {"login": user.email, "password": PASSWORD}).status_code == 302
    assert client.get(reverse("home")).status_code == 200

"""Impatient fingers: the same form twice at the same moment does one thing once, and neither answer is a fault."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from allauth.account.adapter import DefaultAccountAdapter
from django.db import connections
from django.test import Client
from django.urls import reverse

from accounts.models import ApiKey, User
from accounts.services import keys
from accounts.tenancy import atomic, tenant_scope
from accounts.tests.people import PASSWORD, team
from dashboard.tests.test_pages import confirmed


def in_another_thread(do: Callable[[], Any]) -> Any:
    def run() -> Any:
        try:
            return do()
        finally:
            connections.close_all()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(run).result(timeout=30)


def test_one_form_makes_one_key(monkeypatch: pytest.MonkeyPatch) -> None:
    cast = team()
    alice = confirmed(cast.alice)
    once = alice.get(reverse("key_new")).context["form"]["once"].value()
    form = {"once": once, "name": "journal", "scopes": ["read"], "days": "30"}
    create, seconds = keys.create, []

    def create_meanwhile(*args: Any, **kwargs: Any) -> Any:
        monkeypatch.setattr(keys, "create", create)
        seconds.append(in_another_thread(lambda: alice.post(reverse("key_new"), form)))
        return create(*args, **kwargs)

    monkeypatch.setattr(keys, "create", create_meanwhile)
    assert alice.post(reverse("key_new"), form).status_code == 200
    assert [one.status_code for one in seconds] == [302]
    with tenant_scope(cast.house.pk), atomic():
        assert ApiKey.objects.count() == 1


def test_one_address_makes_one_account(monkeypatch: pytest.MonkeyPatch) -> None:
    email = f"new-{uuid4().hex}@example.com"
    form = {"name": "Nia", "email": email, "password1": PASSWORD, "password2": PASSWORD, "terms": "on"}
    look, pool = DefaultAccountAdapter.validate_unique_email, ThreadPoolExecutor(1)
    seconds: list[Any] = []

    def run() -> Any:
        try:
            return Client().post(reverse("account_signup"), form)
        finally:
            connections.close_all()

    def look_meanwhile(adapter: Any, address: str) -> str:
        """The first has seen that the address is free: now the second comes, and the first goes on a little later."""
        monkeypatch.setattr(DefaultAccountAdapter, "validate_unique_email", look)
        second = pool.submit(run)
        seconds.append(second)
        with pytest.raises(TimeoutError):
            second.result(timeout=1)
        return str(look(adapter, address))

    monkeypatch.setattr(DefaultAccountAdapter, "validate_unique_email", look_meanwhile)
    assert Client().post(reverse("account_signup"), form).status_code == 302
    assert seconds[0].result(timeout=30).status_code == 302
    assert User.objects.filter(email=email).count() == 1

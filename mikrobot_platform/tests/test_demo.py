"""The demo house: made by the customers' own services, once, and nowhere but at home."""

from __future__ import annotations

import io
import stat
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from accounts.models import Membership, TradingAccount, User
from accounts.tenancy import atomic, person_scope, tenant_scope


def make() -> str:
    out = io.StringIO()
    call_command("demo", stdout=out)
    return out.getvalue()


def test_it_is_made_once_with_everybody_in_it() -> None:
    assert make() == make()
    owner = User.objects.get(email="owner@demo.example")
    with person_scope(owner.pk), atomic():
        (seat,) = Membership.objects.select_related("organization")
    assert seat.organization.is_demo
    with tenant_scope(seat.organization_id), atomic():
        seats = Membership.objects.select_related("user").order_by("joined_at")
        assert [(one.user.email, one.role) for one in seats] == [
            ("owner@demo.example", "owner"), ("trader@demo.example", "trader"), ("viewer@demo.example", "viewer"),
        ]  # fmt: skip
        (account,) = TradingAccount.objects.all()
    assert (account.venue, account.kind, account.is_auto_trading) == ("paper", "demo", False)


def test_the_password_is_in_a_closed_file_and_opens_the_door() -> None:
    make()
    file = settings.DATA_DIR / "secrets" / "demo-password"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    password = file.read_text(encoding="ascii").strip()
    browser = Client()
    browser.post(reverse("account_login"), {"login": "viewer@demo.example", "password": password})
    assert "Demo house" in browser.get(reverse("home")).content.decode()
    assert password not in make()


def test_a_production_has_none(settings: Any) -> None:
    settings.MODE = "production"
    with pytest.raises(CommandError, match="one's own machine"):
        make()

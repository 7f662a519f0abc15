"""The platform's own secrets: no organization's key seals them, so the master keys' exchange must take them along."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.test import Client
from pytest_django import Settings

from accounts.models.audit import PLATFORM_ID
from accounts.platform_box import Unreadable
from accounts.rotation import master
from accounts.tenancy import system_scope
from trading import connections
from trading.models import Source, SourceSecret
from trading.tests.sources import make_source
from trading.tests.test_hooks import Sender


def test_the_platforms_secrets_follow_the_master_key(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "REMEMBER_S", 0)
    source = make_source(PLATFORM_ID, "ea_push")
    with system_scope("signals.platform"):
        row = SourceSecret(organization_id=PLATFORM_ID, source=source)
        connections.seal(row, "the platform's own")
        row.save()
    held = Path(settings.MASTER_KEYS_FILE).read_text(encoding="ascii").split()
    new = Fernet.generate_key().decode()
    try:
        settings.MASTER_KEYS_FILE, settings.MASTER_KEYS = "", [new]
        with pytest.raises(Unreadable):
            connections.signing(source, [row])
        settings.MASTER_KEYS = [new, *held]
        assert master.stale_platform_secrets(change=False) >= 1
        assert master.stale_platform_secrets(change=True) >= 1
        assert master.stale_platform_secrets(change=True) == 0
        settings.MASTER_KEYS = [new]
        with system_scope("signals.platform"):
            row = SourceSecret.objects.get(pk=row.pk)
        assert connections.signing(source, [row]) == [b"the platform's own"]
    finally:
        settings.MASTER_KEYS = [*held, new]
        master.stale_platform_secrets(change=True)


def shown(*arguments: str) -> dict[str, str]:
    out = StringIO()
    call_command("source_push", *arguments, stdout=out)
    return dict(line.split(maxsplit=1) for line in out.getvalue().splitlines()[:-1])


def test_an_operator_makes_a_source_of_the_platform_and_exchanges_its_secret() -> None:
    name = uuid4().hex
    made = shown("add", name)
    with system_scope("signals.platform"):
        source = Source.objects.get(organization_id=PLATFORM_ID, name=name)
    assert (made["source"], made["address"].rsplit("/hooks/", 1)[1]) == (str(source.pk), f"ea/{source.pk}/")
    assert Sender(source=source, secret=made["secret"]).send(1).status_code == 200
    fresh = shown("exchange", str(source.pk))["secret"]
    assert [Sender(source=source, secret=each).send(2).status_code for each in (made["secret"], fresh)] == [200, 200]
    alerts = shown("add", f"{name} alerts", "--kind=tradingview", "--network=127.0.0.1")
    address = "/hooks/" + alerts["address"].rsplit("/hooks/", 1)[1]
    answer = Client().post(address, {"action": "buy", "symbol": "PLATFORM1!"}, content_type="application/json")
    assert answer.status_code == 200
    for wrong in (("add", name), ("add", "x", "--network=nowhere"), ("exchange", str(uuid4()))):
        with pytest.raises(CommandError):
            shown(*wrong)

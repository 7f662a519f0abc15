"""The platform's own secrets: no organization's key seals them, so the master keys' exchange must take them along."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.fernet import Fernet
from pytest_django import Settings

from accounts.models.audit import PLATFORM_ID
from accounts.platform_box import Unreadable
from accounts.rotation import master
from accounts.tenancy import system_scope
from trading import connections
from trading.models import SourceSecret
from trading.tests.sources import make_source


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

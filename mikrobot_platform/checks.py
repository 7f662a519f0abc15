"""System checks of our own: what Django cannot know must be right before anything is served."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, register


@register(Tags.security, deploy=True)
def production_is_private(app_configs: Any, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a production whose three roles are fewer, or that is not served over https."""
    if settings.MODE != "production":
        return []
    found: list[CheckMessage] = []
    users = [settings.DATABASES[alias].get("USER") for alias in ("default", "engine", "owner")]
    if len({*users}) < len(users):
        found.append(
            Error(
                "The app, engine and owner connections must use three roles.",
                hint="DATABASE_URL, DATABASE_ENGINE_URL and DATABASE_OWNER_URL; `manage.py prepare` makes the roles.",
                id="mikrobot.E001",
            )
        )
    if not settings.IS_HTTPS:
        found.append(Error("SITE_URL must be https:// in production.", id="mikrobot.E002"))
    return found

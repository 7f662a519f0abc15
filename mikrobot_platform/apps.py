"""Start-up: logs first, then the Celery app, so that shared tasks find it."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig as DjangoAdminConfig


class PlatformConfig(AppConfig):
    name = "mikrobot_platform"

    def ready(self) -> None:
        from mikrobot_platform import checks, logs  # noqa: F401  (checks register themselves)
        from mikrobot_platform.celery import app

        logs.configure()
        app.set_default()


class AdminConfig(DjangoAdminConfig):
    default_site = "accounts.staff.StaffSite"

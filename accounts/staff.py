"""The staff site: Django admin under a stated, audited scope."""

from __future__ import annotations

from django.contrib import admin


class StaffSite(admin.AdminSite):
    """Admin for staff."""

    site_header = site_title = "MikroBot staff"

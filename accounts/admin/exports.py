"""Data exports: how far each is. The file itself is the customer's and is not offered here."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import SECTION_ROWS, Link, RecordAdmin, Section, list_url, moment, record_url, when
from accounts.models import DataExport


def section(exports: QuerySet[DataExport], organization_id: object) -> Section:
    """Show the latest exports of an organization."""
    return Section(
        title=_("Exports"),
        headers=[_("Asked for"), _("State"), _("Finished"), _("Expires"), _("Error")],
        rows=[
            (
                Link(moment(export.requested_at), record_url(export)),
                str(export.get_state_display()),
                moment(export.finished_at),
                moment(export.expires_at),
                export.error or "—",
            )
            for export in exports.order_by("-pk")[:SECTION_ROWS]
        ],
        empty=_("Nobody has asked for the data."),
        more=Link(_("All exports"), list_url(DataExport, organization_id=organization_id)),
    )


@admin.register(DataExport)
class DataExportAdmin(RecordAdmin):
    """Exports of one organization."""

    list_display = (
        when("requested_at", gettext_lazy("asked for")),
        "state",
        when("expires_at", gettext_lazy("expires")),
    )
    list_filter = ("state",)
    list_select_related = ("requested_by__user",)
    ordering = ("-pk",)

    def heading(self, row: DataExport) -> str:
        return _("Export of %(at)s") % {"at": moment(row.requested_at)}

    def facts(self, row: DataExport) -> list[tuple[str, Any]]:
        by = row.requested_by
        return [
            (_("State"), row.get_state_display()),
            (_("Asked for"), moment(row.requested_at)),
            (_("By"), Link(by.user.email, record_url(by.user)) if by else "—"),
            (_("Finished"), moment(row.finished_at)),
            (_("Expires"), moment(row.expires_at)),
            (_("Size in bytes"), str(row.size)),
            (_("Error"), row.error or "—"),
        ]

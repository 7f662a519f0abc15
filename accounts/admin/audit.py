"""The audit trail, one organization at a time."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import SECTION_ROWS, Link, RecordAdmin, Section, json_text, list_url, moment, record_url, when
from accounts.models import AuditEntry


def who(entry: AuditEntry) -> str:
    return f"{entry.actor_kind} {entry.actor_id}".strip()


def reason(entry: AuditEntry) -> str:
    return str(entry.data.get("reason", "")) or "—"


def section(entries: QuerySet[AuditEntry], organization_id: object) -> Section:
    """Show the latest entries of an organization."""
    return Section(
        title=_("Audit trail"),
        headers=[_("At"), _("Action"), _("Subject"), _("By"), _("Reason")],
        rows=[
            (moment(entry.at), Link(entry.action, record_url(entry)), entry.subject or "—", who(entry), reason(entry))
            for entry in entries.order_by("-sequence")[:SECTION_ROWS]
        ],
        empty=_("Nothing has been written yet."),
        more=Link(_("The whole trail"), list_url(AuditEntry, organization_id=organization_id)),
    )


class ActorFilter(admin.SimpleListFilter):
    """Filter by kind of actor, without asking a long trail which kinds it has."""

    title, parameter_name = gettext_lazy("actor"), "actor_kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("user", _("user")), ("key", _("key")), ("staff", _("staff")), ("system", _("system"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(actor_kind=self.value()) if self.value() else queryset


@admin.register(AuditEntry)
class AuditEntryAdmin(RecordAdmin):
    """What was done, by whom, why."""

    plural = gettext_lazy("audit trail")
    list_display = ("sequence", when("at", gettext_lazy("at")), "action", "subject", "by", "why")
    list_filter = (ActorFilter,)
    ordering = ("-sequence",)

    @admin.display(description=gettext_lazy("by"))
    def by(self, row: AuditEntry) -> str:
        return who(row)

    @admin.display(description=gettext_lazy("reason"))
    def why(self, row: AuditEntry) -> str:
        return reason(row)

    def heading(self, row: AuditEntry) -> str:
        return f"{row.sequence} · {row.action}"

    def facts(self, row: AuditEntry) -> list[tuple[str, Any]]:
        return [
            (_("At"), moment(row.at)),
            (_("Action"), row.action),
            (_("Subject"), row.subject or "—"),
            (_("By"), who(row)),
            (_("Address"), row.address or "—"),
            (_("Data"), json_text(row.data)),
            (_("Trace"), row.trace_id or "—"),
        ]

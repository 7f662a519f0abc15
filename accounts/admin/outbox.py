"""News that waits, was delivered, or was given up on."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import SECTION_ROWS, Deed, Link, RecordAdmin, Section, json_text, moment, record_url, when
from accounts.models import Organization, OutboxEvent
from accounts.services import staff


def state(event: OutboxEvent) -> str:
    if event.done_at is not None:
        return _("delivered")
    return _("parked") if event.parked_at is not None else _("waiting")


def section(events: QuerySet[OutboxEvent]) -> Section:
    """Show what an organization's news is stuck on."""
    stuck = events.filter(done_at=None).order_by("parked_at", "pk")[:SECTION_ROWS]
    return Section(
        title=_("News that has not left"),
        headers=[_("Event"), _("State"), _("Published"), _("Attempts"), _("Error")],
        rows=[
            (
                Link(event.name, record_url(event)),
                state(event),
                moment(event.published_at),
                str(event.attempts),
                event.error or "—",
            )
            for event in stuck
        ],
        empty=_("Nothing waits and nothing is parked."),
    )


class StateFilter(admin.SimpleListFilter):
    """Each choice reads one partial index."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("waiting", _("waiting"))]

    def choices(self, changelist: Any) -> Any:
        """Say what no choice means: the parked ones, which somebody has to look at."""
        first, *others = super().choices(changelist)
        yield {**first, "display": _("parked")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "waiting":
            return queryset.filter(done_at=None, parked_at=None)
        return queryset.filter(parked_at__isnull=False)


@admin.register(OutboxEvent)
class OutboxEventAdmin(RecordAdmin):
    """Stuck news of all organizations: names, counts and errors, which belong to no customer's secrets."""

    plural = gettext_lazy("news that has not left")
    is_of_organization = False
    list_display = ("name", "organization", when("parked_at", gettext_lazy("parked")), "attempts", "error")
    list_filter = (StateFilter,)
    ordering = ("-pk",)
    deeds = (
        Deed(
            code="retry",
            label=gettext_lazy("Deliver again"),
            consequence=gettext_lazy(
                "The relay takes it up at once and counts its attempts anew. Later news has gone out already, so it"
                " arrives out of order."
            ),
            done=gettext_lazy("The event waits for the relay again."),
            nothing=gettext_lazy("The event is not parked. Nothing was changed."),
            act=lambda row, reason, typed: staff.retry_event(row.organization_id, row.pk),
            is_open=lambda row: row.parked_at is not None and row.done_at is None,
        ),
    )

    @admin.display(description=gettext_lazy("organization"))
    def organization(self, row: OutboxEvent) -> str:
        return str(row.organization_id)

    def heading(self, row: OutboxEvent) -> str:
        return f"{row.name} · {row.pk}"

    def facts(self, row: OutboxEvent) -> list[tuple[str, Any]]:
        owner = Organization.objects.filter(pk=row.organization_id).first()
        return [
            (_("State"), state(row)),
            (_("Organization"), Link(owner.name, record_url(owner)) if owner else "—"),
            (_("Published"), moment(row.published_at)),
            (_("Due"), moment(row.due_at)),
            (_("Attempts"), str(row.attempts)),
            (_("Parked"), moment(row.parked_at)),
            (_("Delivered"), moment(row.done_at)),
            (_("Error"), row.error or "—"),
            (_("Data"), json_text(row.data)),
            (_("Trace"), row.trace_id or "—"),
        ]

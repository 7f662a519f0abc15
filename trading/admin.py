"""One message on one page: its bytes but for passwords, the signal that was read from them, all that happened."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import Link, RecordAdmin, Section, json_text, moment, record_url, when
from accounts.models import Organization
from mikrobot_platform.kernel.masking import masked
from trading.models import RawSignal, Signal, SignalEvent, Source, Strategy
from trading.services.ledger import text_of

EVENTS = 200


@admin.register(RawSignal)
class RawSignalAdmin(RecordAdmin):
    """Messages of all sources; the list shows states and reasons, and the page of one is noted in its owner's trail."""

    plural = gettext_lazy("signals as they came in")
    is_of_organization = False
    list_display = ("id", when("received_at", gettext_lazy("received")), "owner", "state", "sentence")
    list_filter = ("state",)
    ordering = ("-pk",)

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        return queryset if request.resolver_match.url_name.endswith("_change") else queryset.defer("body", "headers")

    @admin.display(description=gettext_lazy("organization"))
    def owner(self, row: RawSignal) -> str:
        return _("the platform") if row.is_of_platform else str(row.organization_id)

    def heading(self, row: RawSignal) -> str:
        return f"{row.get_state_display()} · {row.pk}"

    def facts(self, row: RawSignal) -> list[tuple[str, Any]]:
        owner = Organization.objects.filter(pk=row.organization_id).first()
        source = Source.objects.filter(pk=row.source_id).first()
        return [
            (_("State"), str(row.get_state_display())),
            (_("Reason"), row.sentence or "—"),
            (_("Code"), row.code or "—"),
            (_("Organization"), Link(owner.name, record_url(owner)) if owner else self.owner(row)),
            (_("Source"), f"{source.name} ({source.kind})" if source else str(row.source_id)),
            (_("Received"), moment(row.received_at)),
            (_("Bytes"), str(row.size)),
            (_("SHA-256"), bytes(row.sha256).hex()),
            (_("Headers"), json_text(row.headers)),
            (_("Body"), masked(text_of(bytes(row.body))) or "—"),
            (_("Taken up again"), str(row.attempts)),
            (_("Trace"), row.trace_id or "—"),
        ]

    def sections(self, row: RawSignal) -> list[Section]:
        signal = Signal.objects.filter(pk=row.signal_id).first() if row.signal_id else None
        return [self._signal(row, signal), self._story(row, signal)]

    def _signal(self, row: RawSignal, signal: Signal | None) -> Section:
        rows: list[tuple[Any, ...]] = []
        if signal is not None:
            first = RawSignal.objects.only("pk", "received_at").filter(pk=signal.raw_id).first()
            rows = [
                (_("State"), str(signal.get_state_display())),
                (_("Reason"), signal.sentence or "—"),
                (_("Judged"), moment(signal.judged_at)),
                (_("First message"), Link(moment(first.received_at), record_url(first)) if first else "—"),
                (_("Known by"), signal.dedupe_key),
                *((name, _plain(value)) for name, value in sorted(signal.draft.items()) if value not in (None, "", [])),
            ]
        return Section(
            title=_("The signal that it repeats") if row.state == "duplicate" else _("The signal"),
            headers=[_("What"), _("Value")],
            rows=rows,
            empty=_("No signal was read from it."),
        )

    def _story(self, row: RawSignal, signal: Signal | None) -> Section:
        found = SignalEvent.objects.filter(raw_id=row.pk)
        if signal is not None:
            found = found | SignalEvent.objects.filter(signal_id=signal.pk)
        events: list[SignalEvent] = list(found.order_by("pk")[:EVENTS])
        strategies = {
            one.pk: str(one) for one in Strategy.objects.filter(pk__in={event.strategy_id for event in events})
        }
        return Section(
            title=_("What happened"),
            headers=[_("When"), _("What"), _("Strategy"), _("Code"), _("Reason"), _("Figures")],
            rows=[
                (
                    moment(event.at),
                    str(event.get_kind_display()),
                    strategies.get(event.strategy_id, "—") if event.strategy_id else "—",
                    event.code or "—",
                    event.sentence or "—",
                    json_text(event.evidence) if event.evidence else "—",
                )
                for event in events
            ],
            empty=_("Nothing happened yet."),
        )


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json_text(value)

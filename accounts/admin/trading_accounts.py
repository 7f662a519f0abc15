"""Trading accounts: where each stands and why. Credentials have a date here and no value."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import SECTION_ROWS, Link, RecordAdmin, Section, flag, list_url, moment, record_url, when, yes
from accounts.models import TradingAccount


def section(accounts: QuerySet[TradingAccount], organization_id: object) -> Section:
    """Show the latest accounts of an organization."""
    return Section(
        title=_("Trading accounts"),
        headers=[_("Name"), _("Venue"), _("Kind"), _("Status"), _("Since"), _("Reason"), _("Auto-trading")],
        rows=[
            (
                Link(account.name, record_url(account)),
                account.venue,
                str(account.get_kind_display()),
                str(account.get_status_display()),
                moment(account.status_at),
                account.status_reason or "—",
                yes(account.is_auto_trading),
            )
            for account in accounts.defer("credentials").order_by("-pk")[:SECTION_ROWS]
        ],
        empty=_("No account has been connected."),
        more=Link(_("All accounts"), list_url(TradingAccount, organization_id=organization_id)),
    )


@admin.register(TradingAccount)
class TradingAccountAdmin(RecordAdmin):
    """Accounts of one organization."""

    list_display = (
        "name",
        "venue",
        "kind",
        "status",
        when("status_at", gettext_lazy("since")),
        "status_reason",
        flag("is_auto_trading", gettext_lazy("auto-trading")),
    )
    list_filter = ("status", "kind", "is_auto_trading")
    search_fields = ("name__icontains",)
    search_help_text = gettext_lazy("Part of the name")
    ordering = ("-pk",)

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        return super().get_queryset(request).defer("credentials")

    def facts(self, row: TradingAccount) -> list[tuple[str, Any]]:
        facts: list[tuple[str, Any]] = [
            (_("Status"), row.get_status_display()),
            (_("Since"), moment(row.status_at)),
            (_("Reason"), row.status_reason or "—"),
            (_("Auto-trading"), yes(row.is_auto_trading)),
            (_("Venue"), row.venue),
            (_("Kind"), row.get_kind_display()),
            (_("Currency"), row.currency),
        ]
        if row.kind == TradingAccount.Kind.PROP:
            facts += [(_("Firm"), row.firm), (_("Program"), row.program), (_("Phase"), row.get_phase_display())]
        return [
            *facts,
            (_("Size"), f"{row.size.normalize():f} {row.currency}" if row.size is not None else "—"),
            (_("Credentials stored"), moment(row.credentials_at)),
            (_("Connected"), moment(row.created_at)),
        ]

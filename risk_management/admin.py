"""For staff: what is off and who has switched it off, receipts, and which programs are not sure."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import Deed, RecordAdmin, Value, flag, moment, when, yes
from risk_management.models import AccountProgram, Receipt, Switch
from risk_management.services import switches


@admin.register(Switch)
class SwitchAdmin(RecordAdmin):
    """Everything that was ever off; what is off now can be lifted, within the rules of services/switches.py."""

    plural = gettext_lazy("switches")
    is_of_organization = False
    list_display = (
        "level",
        "owner",
        "reason",
        flag("is_lockout", gettext_lazy("lockout")),
        when("set_at", gettext_lazy("since")),
        when("until", gettext_lazy("until")),
        when("lifted_at", gettext_lazy("lifted")),
    )
    list_filter = ("level", "is_lockout")
    ordering = ("-pk",)
    deeds = (
        Deed(
            code="lift",
            label=gettext_lazy("Lift"),
            consequence=gettext_lazy("Entries are open again at once. Who has set a lockout cannot lift it."),
            done=gettext_lazy("It is lifted."),
            nothing=gettext_lazy("It had ended already. Nothing was changed."),
            act=lambda row, reason, typed: switches.lift_as_staff(row.pk, reason, now=timezone.now()),
            is_open=lambda row: row.holds(timezone.now()),
        ),
    )

    @admin.display(description=gettext_lazy("organization"))
    def owner(self, row: Switch) -> str:
        return _("the platform") if row.is_of_platform else str(row.organization_id)

    def facts(self, row: Switch) -> list[tuple[str, Value]]:
        return [
            (_("Switched off"), str(row.get_level_display())),
            (_("Organization"), self.owner(row)),
            (_("Account"), str(row.account_id or "—")),
            (_("Strategy"), str(row.strategy_id or "—")),
            (_("Lockout"), yes(row.is_lockout)),
            (_("Reason"), row.reason),
            (_("Since"), moment(row.set_at)),
            (_("By"), f"{row.set_by_kind} {row.set_by_id}".strip()),
            (_("Until"), moment(row.until)),
            (_("Lifted"), moment(row.lifted_at)),
            (_("Lifted by"), f"{row.lifted_by_kind} {row.lifted_by_id}".strip() or "—"),
            (_("Lifted because"), row.lift_reason or "—"),
        ]


@admin.register(Receipt)
class ReceiptAdmin(RecordAdmin):
    """The receipts of one organization."""

    plural = gettext_lazy("receipts")
    list_display = ("position", "verdict", "code", "account_id", when("at", gettext_lazy("at")))
    list_filter = ("verdict",)
    ordering = ("-position",)

    def get_queryset(self, request: Any) -> QuerySet[Any]:
        queryset = super().get_queryset(request)
        return queryset if request.resolver_match.url_name.endswith("_change") else queryset.defer("facts", "body")

    def heading(self, row: Receipt) -> str:
        return f"{row.verdict} · {row.position}"

    def facts(self, row: Receipt) -> list[tuple[str, Value]]:
        said = row.said
        return [
            (_("Decision"), row.sentence),
            (_("Code"), row.code),
            (_("Signal"), str(row.signal_id)),
            (_("Account"), str(row.account_id)),
            (_("Decided"), moment(row.at)),
            *((name, f"{word} {numbers}" if numbers else word) for name, word, numbers in said["rules"]),
            (_("Versions"), ", ".join(f"{name}: {version}" for name, version in sorted(row.versions.items()))),
            (_("Hash"), row.hash),
        ]


class DoubtFilter(admin.SimpleListFilter):
    """Only accounts whose program is not sure, or only the others."""

    title = gettext_lazy("doubt")
    parameter_name = "doubt"

    def lookups(self, request: Any, model_admin: Any) -> list[tuple[str, Any]]:
        return [("yes", gettext_lazy("not sure")), ("no", gettext_lazy("sure"))]

    def queryset(self, request: Any, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "yes":
                return queryset.exclude(doubt="")
            case "no":
                return queryset.filter(doubt="")
            case _:
                return queryset


@admin.register(AccountProgram)
class AccountProgramAdmin(RecordAdmin):
    """By which firm's rules prop accounts live, and what their owners were told is not sure."""

    plural = gettext_lazy("programs told")
    is_of_organization = False
    list_display = ("account_id", "program", "doubt_sentence", when("told_at", gettext_lazy("told")))
    list_filter = (DoubtFilter,)
    ordering = ("-pk",)

    def heading(self, row: AccountProgram) -> str:
        return row.program or _("no program that is known")

    def facts(self, row: AccountProgram) -> list[tuple[str, Value]]:
        return [
            (_("Account"), str(row.account_id)),
            (_("Organization"), str(row.organization_id)),
            (_("Program"), row.program or "—"),
            (_("Not sure"), row.doubt_sentence or "—"),
            (_("Told"), moment(row.told_at)),
        ]

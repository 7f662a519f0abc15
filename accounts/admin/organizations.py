"""Organizations and what hangs on them: the page on which support begins."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin import audit, exports, keys, outbox, trading_accounts
from accounts.admin.base import (
    SECTION_ROWS,
    Deed,
    Link,
    RecordAdmin,
    Section,
    flag,
    list_url,
    moment,
    record_url,
    when,
    yes,
)
from accounts.admin.people import found_people, sign_in_rows
from accounts.models import (
    Acknowledgement,
    ApiKey,
    AuditEntry,
    DataExport,
    Invitation,
    Membership,
    Organization,
    OutboxEvent,
    Role,
    SignIn,
    TradingAccount,
)
from accounts.services import staff
from accounts.tenancy import tenant_scope

FOUND_AT_MOST = 200


def found_organizations(rows: QuerySet[Organization], term: str) -> QuerySet[Organization]:
    """Search by id, by the beginning of the name, or through the members' addresses and names.

    Row-level security lets an index serve only comparisons that cannot leak, which LIKE is not: hence the range.
    """
    try:
        return rows.filter(pk=UUID(term))
    except ValueError:
        pass
    name = " ".join(term.lower().split())
    people = list(found_people(term).values_list("pk", flat=True)[:FOUND_AT_MOST])
    theirs = list(
        Membership.objects.filter(user_id__in=people).values_list("organization_id", flat=True)[:FOUND_AT_MOST]
    )
    return rows.filter(Q(search_name__gte=name, search_name__lt=name + "\U0010ffff") | Q(pk__in=theirs))


def state(row: Organization) -> str:
    words = [_("suspended")] if row.is_suspended else []
    words += [_("closing")] if row.is_closing else []
    return ", ".join(words) or _("open")


class StateFilter(admin.SimpleListFilter):
    """Each choice reads one partial index."""

    title, parameter_name = gettext_lazy("state"), "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("suspended", _("suspended")), ("closing", _("closing"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "suspended":
            return queryset.filter(suspended_at__isnull=False)
        if self.value() == "closing":
            return queryset.filter(closing_at__isnull=False)
        return queryset


@admin.register(Organization)
class OrganizationAdmin(RecordAdmin):
    """Customers."""

    is_of_organization = False
    list_display = ("name", "state", flag("is_demo", gettext_lazy("demo")), when("created_at", gettext_lazy("founded")))
    list_filter = (StateFilter,)
    search_fields = ("name",)
    search_help_text = gettext_lazy("The beginning of the name or of a member’s e-mail address, or an id")
    ordering = ("-pk",)
    deeds = (
        Deed(
            code="suspend",
            label=gettext_lazy("Suspend the organization"),
            consequence=gettext_lazy(
                "Members may only look, API keys stop working, auto-trading goes off on every account. Members are"
                " shown the reason."
            ),
            done=gettext_lazy("The organization is suspended."),
            nothing=gettext_lazy("It was suspended already. Nothing was changed."),
            act=lambda row, reason, typed: staff.suspend(row.pk, reason),
            is_open=lambda row: not row.is_suspended,
        ),
        Deed(
            code="lift",
            label=gettext_lazy("Lift the suspension"),
            consequence=gettext_lazy(
                "Members and keys may act again. Auto-trading stays off until the customer switches it on."
            ),
            done=gettext_lazy("The suspension is lifted."),
            nothing=gettext_lazy("It is not suspended. Nothing was changed."),
            act=lambda row, reason, typed: staff.lift(row.pk),
            is_open=lambda row: row.is_suspended,
        ),
        Deed(
            code="stop-auto-trading",
            label=gettext_lazy("Stop all auto-trading"),
            consequence=gettext_lazy(
                "Auto-trading goes off on every account of this organization. Open positions are not touched."
            ),
            done=gettext_lazy("Auto-trading is off on every account."),
            nothing=gettext_lazy("It was off on every account already. Nothing was changed."),
            act=lambda row, reason, typed: staff.stop_auto_trading(row.pk),
        ),
        Deed(
            code="cancel-closing",
            label=gettext_lazy("Cancel the closing"),
            consequence=gettext_lazy("The organization stays and nothing is erased. Its members are told by e-mail."),
            done=gettext_lazy("The organization stays."),
            nothing=gettext_lazy("It is not being closed. Nothing was changed."),
            act=lambda row, reason, typed: staff.cancel_closing(row.pk),
            is_open=lambda row: row.is_closing,
        ),
    )

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: Organization) -> str:
        return state(row)

    def organization_id_of(self, row: Organization) -> UUID:
        return row.pk

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (found_organizations(queryset, search_term) if search_term.strip() else queryset), False

    def find(self, term: str) -> Section:
        """Answer the search on the first page."""
        rows = found_organizations(Organization.objects.order_by("-pk"), term)[:SECTION_ROWS] if term else []
        return Section(
            title=_("Organizations"),
            headers=[_("Name"), _("State"), _("Founded")],
            rows=[(Link(row.name, record_url(row)), state(row), moment(row.created_at)) for row in rows],
            empty=_("No organization has this name, and none has a member who does."),
            more=Link(_("All matches"), list_url(Organization, q=term)),
        )

    def facts(self, row: Organization) -> list[tuple[str, Any]]:
        return [
            (_("State"), state(row)),
            (_("Suspended since"), moment(row.suspended_at)),
            (_("Reason"), row.suspended_reason or "—"),
            (_("Erased on"), moment(row.closing_at)),
            (_("Days turn by"), row.zone_at(timezone.now())),
            (_("Another zone"), f"{row.next_zone}, {moment(row.next_zone_from)}" if row.next_zone else "—"),
            (_("Demo"), yes(row.is_demo)),
            (_("Founded"), moment(row.created_at)),
            (_("Id"), str(row.pk)),
        ]

    def sections(self, row: Organization) -> list[Section]:
        """Read everything as this one organization, so that a mistake in a query shows nobody else."""
        with tenant_scope(row.pk):
            return [
                self._members(row),
                trading_accounts.section(TradingAccount.objects.all(), row.pk),
                keys.section(ApiKey.objects.all(), row.pk),
                self._invitations(row),
                self._acknowledgements(row),
                exports.section(DataExport.objects.all(), row.pk),
                outbox.section(OutboxEvent.objects.all()),
                self._sign_ins(),
                audit.section(AuditEntry.objects.all(), row.pk),
            ]

    @staticmethod
    def _members(row: Organization) -> Section:
        members = Membership.objects.select_related("user").order_by("joined_at", "pk")[:SECTION_ROWS]
        return Section(
            title=_("Members"),
            headers=[_("E-mail address"), _("Name"), _("Role"), _("Since")],
            rows=[
                (
                    Link(one.user.email, record_url(one.user)),
                    one.user.name or "—",
                    str(one.get_role_display()),
                    moment(one.joined_at),
                )
                for one in members
            ],
            empty=_("Nobody belongs to it."),
            more=Link(_("All members"), list_url(Membership, organization_id=row.pk)),
        )

    @staticmethod
    def _invitations(row: Organization) -> Section:
        return Section(
            title=_("Invitations"),
            headers=[_("E-mail address"), _("Role"), _("State"), _("Sent"), _("Expires")],
            rows=[
                (
                    Link(one.email, record_url(one)),
                    str(one.get_role_display()),
                    invitation_state(one),
                    moment(one.created_at),
                    moment(one.expires_at),
                )
                for one in Invitation.objects.order_by("-pk")[:SECTION_ROWS]
            ],
            empty=_("Nobody has been invited."),
            more=Link(_("All invitations"), list_url(Invitation, organization_id=row.pk)),
        )

    @staticmethod
    def _acknowledgements(row: Organization) -> Section:
        return Section(
            title=_("Acknowledgements"),
            headers=[_("Document"), _("Version"), _("By"), _("At"), _("Address")],
            rows=[
                (
                    str(one.get_document_display()),
                    one.version,
                    Link(one.user.email, record_url(one.user)),
                    moment(one.at),
                    one.address or "—",
                )
                for one in Acknowledgement.objects.select_related("user").order_by("-pk")[:SECTION_ROWS]
            ],
            empty=_("Nobody has accepted a document yet."),
            more=Link(_("All acknowledgements"), list_url(Acknowledgement, organization_id=row.pk)),
        )

    @staticmethod
    def _sign_ins() -> Section:
        members = list(Membership.objects.values_list("user_id", flat=True)[:FOUND_AT_MOST])
        return Section(
            title=_("Sign-ins of members"),
            headers=[_("Person"), _("At"), _("Outcome"), _("Method"), _("Address")],
            rows=sign_in_rows(SignIn.objects.filter(user_id__in=members).select_related("user"), with_person=True),
            empty=_("Nobody has signed in yet."),
        )


def invitation_state(row: Invitation) -> str:
    if row.accepted_at is not None:
        return _("accepted")
    if row.withdrawn_at is not None:
        return _("withdrawn")
    return _("open") if row.is_open() else _("expired")


@admin.register(Membership)
class MembershipAdmin(RecordAdmin):
    """Members of one organization."""

    plural = gettext_lazy("members")
    list_display = ("person", "role", when("joined_at", gettext_lazy("since")))
    list_filter = ("role",)
    list_select_related = ("user",)
    ordering = ("joined_at", "pk")

    @admin.display(description=gettext_lazy("e-mail address"))
    def person(self, row: Membership) -> str:
        return row.user.email

    def heading(self, row: Membership) -> str:
        return row.user.email

    def facts(self, row: Membership) -> list[tuple[str, Any]]:
        return [
            (_("Person"), Link(row.user.email, record_url(row.user))),
            (_("Role"), Role(row.role).label),
            (_("Since"), moment(row.joined_at)),
        ]


@admin.register(Invitation)
class InvitationAdmin(RecordAdmin):
    """Invitations of one organization. The link is never shown: only its addressee may have it."""

    list_display = (
        "email",
        "role",
        "state",
        when("created_at", gettext_lazy("sent")),
        when("expires_at", gettext_lazy("expires")),
    )
    list_filter = ("role",)
    ordering = ("-pk",)

    @admin.display(description=gettext_lazy("state"))
    def state(self, row: Invitation) -> str:
        return invitation_state(row)

    def heading(self, row: Invitation) -> str:
        return row.email

    def facts(self, row: Invitation) -> list[tuple[str, Any]]:
        by = row.invited_by
        return [
            (_("State"), invitation_state(row)),
            (_("Role"), row.get_role_display()),
            (_("By"), Link(by.user.email, record_url(by.user)) if by else "—"),
            (_("Sent"), moment(row.created_at)),
            (_("Expires"), moment(row.expires_at)),
            (_("Accepted"), moment(row.accepted_at)),
            (_("Withdrawn"), moment(row.withdrawn_at)),
        ]


@admin.register(Acknowledgement)
class AcknowledgementAdmin(RecordAdmin):
    """Who accepted what, in one organization."""

    list_display = ("document", "version", "person", when("at", gettext_lazy("at")))
    list_filter = ("document",)
    list_select_related = ("user",)
    ordering = ("-pk",)

    @admin.display(description=gettext_lazy("person"))
    def person(self, row: Acknowledgement) -> str:
        return row.user.email

    def heading(self, row: Acknowledgement) -> str:
        return f"{row.get_document_display()} {row.version}"

    def facts(self, row: Acknowledgement) -> list[tuple[str, Any]]:
        return [
            (_("Person"), Link(row.user.email, record_url(row.user))),
            (_("Document"), row.get_document_display()),
            (_("Version"), row.version),
            (_("At"), moment(row.at)),
            (_("Address"), row.address or "—"),
        ]

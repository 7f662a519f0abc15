"""People: addresses, factors, sessions, sign-ins, memberships. Of what proves who they are, kind and date only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from allauth.usersessions.models import UserSession
from django.contrib import admin
from django.contrib.postgres.search import SearchQuery, SearchVector
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.admin.base import (
    SECTION_ROWS,
    Deed,
    Link,
    RecordAdmin,
    Section,
    Value,
    flag,
    list_url,
    moment,
    record_url,
    when,
    yes,
)
from accounts.models import Membership, SignIn, User
from accounts.services import staff

FOUND_AT_MOST = 200
FACTORS = {
    Authenticator.Type.TOTP: gettext_lazy("Authenticator app"),
    Authenticator.Type.WEBAUTHN: gettext_lazy("Passkey"),
    Authenticator.Type.RECOVERY_CODES: gettext_lazy("Recovery codes"),
}


def found_people(term: str, rows: QuerySet[User] | None = None) -> QuerySet[User]:
    """Search by id, by the beginning of any of their addresses, or by the beginnings of words of the name."""
    people: QuerySet[User] = User.objects.order_by("-pk") if rows is None else rows
    try:
        return people.filter(pk=UUID(term))
    except ValueError:
        pass
    address = term.strip().lower()
    others = EmailAddress.objects.filter(email__startswith=address).values_list("user_id", flat=True)[:FOUND_AT_MOST]
    condition = Q(email__startswith=address) | Q(pk__in=list(others))
    words = re.findall(r"\w+", term)
    if words and "@" not in term:
        query = SearchQuery(" & ".join(f"{word}:*" for word in words), config="simple", search_type="raw")
        people = people.alias(words=SearchVector("name", config="simple"))
        condition |= Q(words=query)
    return people.filter(condition)


def sign_in_rows(rows: QuerySet[SignIn], *, with_person: bool) -> list[Sequence[Value]]:
    made: list[Sequence[Value]] = []
    for row in rows.defer("device").order_by("-at")[:SECTION_ROWS]:
        cells: list[Value] = [moment(row.at), str(row.get_outcome_display()), row.method or "—", row.address or "—"]
        made.append(
            [Link(row.user.email, record_url(row.user)), *cells] if with_person else [*cells, row.client or "—"]
        )
    return made


@admin.register(User)
class UserAdmin(RecordAdmin):
    """People. Rights of staff are given on the command line; no page here changes them."""

    plural = gettext_lazy("people")
    is_of_organization = False
    list_display = (
        "email",
        "name",
        flag("is_active", gettext_lazy("login")),
        flag("is_staff", gettext_lazy("staff")),
        when("date_joined", gettext_lazy("joined")),
    )
    list_filter = ("is_active", "is_staff")
    search_fields = ("email",)
    search_help_text = gettext_lazy("The beginning of an e-mail address or of a word of the name, or an id")
    ordering = ("-pk",)
    deeds = (
        Deed(
            code="end-sessions",
            label=gettext_lazy("End all sessions"),
            consequence=gettext_lazy("The person is signed out everywhere and can sign in again."),
            done=gettext_lazy("All sessions have ended."),
            nothing=gettext_lazy("There was no session. Nothing was changed."),
            act=lambda row, reason, typed: staff.end_sessions(row),
        ),
        Deed(
            code="disable-login",
            label=gettext_lazy("Disable the login"),
            consequence=gettext_lazy(
                "The person is signed out everywhere and cannot sign in until the login is enabled again."
            ),
            done=gettext_lazy("The login is disabled."),
            nothing=gettext_lazy("It was disabled already. Nothing was changed."),
            act=lambda row, reason, typed: staff.disable_login(row),
            is_open=lambda row: row.is_active and not row.is_staff,
        ),
        Deed(
            code="enable-login",
            label=gettext_lazy("Enable the login"),
            consequence=gettext_lazy("The person can sign in again, with the password and factors they had."),
            done=gettext_lazy("The login is enabled."),
            nothing=gettext_lazy("It is enabled. Nothing was changed."),
            act=lambda row, reason, typed: staff.enable_login(row),
            is_open=lambda row: not row.is_active and not row.is_staff,
        ),
        Deed(
            code="reset-factors",
            label=gettext_lazy("Reset the second factors"),
            consequence=gettext_lazy(
                "Authenticator app, passkeys and recovery codes are removed and the person is signed out everywhere."
                " From then on the password alone opens the account; somebody without one sets it through “Forgot"
                " password”. The person is told at every verified address."
            ),
            done=gettext_lazy("The second factors are removed."),
            nothing=gettext_lazy("There was no second factor. Nothing was changed."),
            act=lambda row, reason, typed: staff.reset_factors(row, typed),
            is_open=lambda row: not row.is_staff,
            asks_twice=True,
        ),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("password")

    def organization_id_of(self, row: User) -> None:
        return None

    def heading(self, row: User) -> str:
        return row.email

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        return (found_people(search_term, queryset) if search_term.strip() else queryset), False

    def find(self, term: str) -> Section:
        """Answer the search on the first page."""
        rows = found_people(term)[:SECTION_ROWS] if term else []
        return Section(
            title=_("People"),
            headers=[_("E-mail address"), _("Name"), _("Login"), _("Joined")],
            rows=[
                (
                    Link(row.email, record_url(row)),
                    row.name or "—",
                    _("enabled") if row.is_active else _("disabled"),
                    moment(row.date_joined),
                )
                for row in rows
            ],
            empty=_("Nobody has this address or name."),
            more=Link(_("All matches"), list_url(User, q=term)),
        )

    def facts(self, row: User) -> list[tuple[str, Any]]:
        return [
            (_("Name"), row.name or "—"),
            (_("Login"), _("enabled") if row.is_active else _("disabled")),
            (_("Staff"), yes(row.is_staff)),
            (_("Has a password"), yes(row.has_usable_password())),
            (_("Time zone"), row.time_zone),
            (_("Language"), row.language),
            (_("Currency"), row.currency),
            (_("Joined"), moment(row.date_joined)),
            (_("Last sign-in"), moment(row.last_login)),
            (_("Id"), str(row.pk)),
        ]

    def sections(self, row: User) -> list[Section]:
        return [
            self._memberships(row),
            self._addresses(row),
            self._factors(row),
            self._sessions(row),
            Section(
                title=_("Sign-ins"),
                headers=[_("At"), _("Outcome"), _("Method"), _("Address"), _("Client")],
                rows=sign_in_rows(SignIn.objects.filter(user=row), with_person=False),
                empty=_("No sign-in yet."),
            ),
        ]

    @staticmethod
    def _memberships(row: User) -> Section:
        rows = Membership.objects.filter(user=row).select_related("organization").order_by("joined_at", "pk")
        return Section(
            title=_("Memberships"),
            headers=[_("Organization"), _("Role"), _("Since")],
            rows=[
                (
                    Link(one.organization.name, record_url(one.organization)),
                    str(one.get_role_display()),
                    moment(one.joined_at),
                )
                for one in rows
            ],
            empty=_("The person belongs to no organization."),
        )

    @staticmethod
    def _addresses(row: User) -> Section:
        rows = EmailAddress.objects.filter(user=row).order_by("-primary", "email")
        return Section(
            title=_("E-mail addresses"),
            headers=[_("Address"), _("Verified"), _("Primary")],
            rows=[(one.email, yes(one.verified), yes(one.primary)) for one in rows],
            empty=_("No address is stored."),
        )

    @staticmethod
    def _factors(row: User) -> Section:
        rows = Authenticator.objects.filter(user=row).order_by("pk").only("type", "created_at", "last_used_at")
        return Section(
            title=_("Second factors"),
            headers=[_("Kind"), _("Added"), _("Last used")],
            rows=[(str(FACTORS[one.type]), moment(one.created_at), moment(one.last_used_at)) for one in rows],
            empty=_("There is none: the password alone opens this account."),
        )

    @staticmethod
    def _sessions(row: User) -> Section:
        rows = (
            UserSession.objects.filter(user=row).defer("session_key", "data").order_by("-last_seen_at")[:SECTION_ROWS]
        )
        return Section(
            title=_("Sessions"),
            headers=[_("Last seen"), _("Since"), _("Address"), _("Client")],
            rows=[(moment(one.last_seen_at), moment(one.created_at), one.ip, one.user_agent or "—") for one in rows],
            empty=_("The person is not signed in anywhere."),
        )

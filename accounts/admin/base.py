"""What every staff page descends from: a list, a record, deeds with a reason.

No form edits a row, nothing is added, nothing is deleted.

A page shows only what its class names; a column that is not named (a digest, a sealed text, a seed) cannot appear.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import BadRequest
from django.core.paginator import Paginator
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts import audit
from accounts.access import Refused
from accounts.models import Organization, User
from accounts.models.audit import PLATFORM_ID
from accounts.services.staff import record_about
from accounts.staff import ReasonField
from accounts.tenancy import tenant_scope

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    Words = str | _StrPromise
    ModelAdmin = admin.ModelAdmin[Any]
    BasePaginator = Paginator[Any]
else:
    Words = str
    ModelAdmin = admin.ModelAdmin
    BasePaginator = Paginator

SECTION_ROWS = 20


@dataclass(frozen=True, slots=True)
class Link:
    """A value that leads to another staff page."""

    text: str
    url: str

    def __str__(self) -> str:
        return self.text


Value = str | Link


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A table on a record page: the latest rows, and where the others are."""

    title: str
    headers: Sequence[str]
    rows: Sequence[Sequence[Value]]
    empty: str
    more: Link | None = None

    @property
    def cells(self) -> list[list[tuple[str, Value]]]:
        """Pair each value with its header: on a phone a row becomes a card."""
        return [list(zip(self.headers, row, strict=True)) for row in self.rows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something staff may do to a record: asked for with a reason, answered by whether anything changed."""

    code: str
    label: Words  # the button says the deed
    consequence: Words
    done: Words
    nothing: Words
    act: Callable[[Any, str, str], bool]  # row, reason, what was typed the second time
    is_open: Callable[[Any], bool] = field(default=lambda row: True)
    asks_twice: bool = False


def moment(at: datetime | None) -> str:
    """Write a time so that nobody wonders about its zone."""
    return timezone.localtime(at).strftime("%Y-%m-%d %H:%M %Z") if at else "—"


def yes(value: bool) -> str:
    return _("yes") if value else _("no")


def json_text(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1)


def record_url(row: models.Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


def list_url(model: type[models.Model], **lookups: object) -> str:
    query = QueryDict(mutable=True)
    query.update({name: str(value) for name, value in lookups.items()})
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist") + "?" + query.urlencode()


def when(name: str, label: Any) -> Callable[[Any], str]:
    """Make a list column for a point in time."""

    @admin.display(description=label)
    def column(row: Any) -> str:
        return moment(getattr(row, name))

    return column


def flag(name: str, label: Any) -> Callable[[Any], str]:
    """Make a list column that says yes or no; the stock icons are green and red, which are kept for money here."""

    @admin.display(description=label)
    def column(row: Any) -> str:
        return yes(getattr(row, name))

    return column


class BoundedPaginator(BasePaginator):
    """Count to `most` and no further: nobody pages through more, and counting a million rows is work."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return int(rows.order_by()[: self.most].count())


class ReasonForm(forms.Form):
    """Asks why it is done."""

    reason = ReasonField(
        label=gettext_lazy("Reason"),
        help_text=gettext_lazy("10 to 300 characters. It is kept in the audit trail, where the customer can read it."),
    )


class SecondAskForm(ReasonForm):
    """Asks again: whoever goes on types whose record it is."""

    typed = forms.CharField(
        label=gettext_lazy("The person’s e-mail address"),
        max_length=254,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
        help_text=gettext_lazy("Are you sure that it is this person who asks? Type the address to go on."),
    )


class RecordAdmin(ModelAdmin):
    """A list and a record of one kind, for reading; deeds are the only way to change anything."""

    is_for_staff: ClassVar[bool] = True
    plural: ClassVar[Any] = ""  # how the list is called; by default as the model says
    is_of_organization: ClassVar[bool] = True  # its list is shown for one organization at a time
    actions = None
    sortable_by = ()  # the order is the index's
    list_per_page = 50
    list_max_show_all = 0
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER  # a count of everything for each choice of a filter
    paginator = BoundedPaginator
    deeds: Sequence[Deed] = ()

    # --- What a noun says of itself -----------------------------------------------------------------------------------

    @property
    def list_title(self) -> str:
        return str(self.plural or self.opts.verbose_name_plural).capitalize()

    def heading(self, row: Any) -> str:
        return str(row)

    def facts(self, row: Any) -> list[tuple[str, Value]]:
        return []

    def sections(self, row: Any) -> list[Section]:
        return []

    def organization_id_of(self, row: Any) -> UUID | None:
        """Name the organization that the record belongs to; None for people and the platform's own."""
        organization_id: UUID | None = row.organization_id
        return None if organization_id == PLATFORM_ID else organization_id

    # --- Nothing is added, edited or deleted --------------------------------------------------------------------------

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self.admin_site.has_permission(request)

    has_module_permission = has_view_permission

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_urls(self) -> list[Any]:
        gated, name = self.admin_site.admin_view, f"{self.opts.app_label}_{self.opts.model_name}"
        return [
            path("", gated(self.changelist_view), name=f"{name}_changelist"),
            path("<str:object_id>/change/", gated(self.change_view), name=f"{name}_change"),
            path("<str:object_id>/do/<slug:code>/", gated(self.deed_view), name=f"{name}_deed"),
        ]

    # --- Pages --------------------------------------------------------------------------------------------------------

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Show the list; one that belongs to an organization is written into that organization's trail."""
        if any("\x00" in value for _name, values in request.GET.lists() for value in values):
            raise BadRequest("No text that PostgreSQL keeps has a NUL in it.")
        context = {"title": self.list_title, **(extra_context or {})}
        if not self.is_of_organization:
            return super().changelist_view(request, context)
        organization = self._asked_for(request)
        if organization is None:
            messages.info(request, _("Choose an organization first; its page leads to its lists."))
            return redirect("admin:accounts_organization_changelist")
        context["organization_link"] = Link(str(organization), record_url(organization))
        with tenant_scope(organization.pk):
            audit.record("staff.looked", f"{self.opts.model_name}:list")
            response = super().changelist_view(request, context)
            if isinstance(response, TemplateResponse):
                response.render()
        return response

    @staticmethod
    def _asked_for(request: HttpRequest) -> Organization | None:
        try:
            organization_id = UUID(request.GET.get("organization_id", ""))
        except ValueError:
            return None
        return Organization.objects.filter(pk=organization_id).first()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Show the record, and write down in its organization's trail that staff looked."""
        row = self._row(request, object_id)
        self._note_look(row)
        context = {
            **self._context(request, row),
            "facts": self.facts(row),
            "sections": self.sections(row),
            "deeds": [(deed, self._deed_url(row, deed)) for deed in self.deeds if deed.is_open(row)],
        }
        return TemplateResponse(request, "admin/record.html", context)

    def deed_view(self, request: HttpRequest, object_id: str, code: str) -> HttpResponse:
        """Ask for the reason, twice where it matters, then do it once."""
        row = self._row(request, object_id)
        deed = next((deed for deed in self.deeds if deed.code == code), None)
        if deed is None:
            raise Http404("There is no such deed.")
        form = ReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            if deed.asks_twice:
                form = SecondAskForm(request.POST if "typed" in request.POST else {"reason": request.POST["reason"]})
                if "typed" not in request.POST:
                    form.errors.clear()
            if not deed.asks_twice or ("typed" in request.POST and form.is_valid()):
                try:
                    return self._do(request, row, deed, form.cleaned_data)
                except Refused as refusal:
                    form.add_error(None, refusal.sentence)
        context = {
            **self._context(request, row),
            "deed": deed,
            "form": form,
            "title": deed.label,
            "heading": self.heading(row),
            "back": record_url(row),
            "is_second_ask": isinstance(form, SecondAskForm),
            "is_open": deed.is_open(row),
        }
        return TemplateResponse(request, "admin/deed.html", context)

    def _do(self, request: HttpRequest, row: Any, deed: Deed, said: dict[str, str]) -> HttpResponse:
        with audit.acting_as(replace(audit.actor(), reason=said["reason"])):
            is_changed = deed.act(row, said["reason"], said.get("typed", ""))
        if is_changed:
            messages.success(request, deed.done)
        else:
            messages.info(request, deed.nothing)
        return redirect(record_url(row))

    def _row(self, request: HttpRequest, object_id: str) -> Any:
        row = self.get_object(request, object_id)
        if row is None:
            raise Http404("There is no such record.")
        return row

    def _note_look(self, row: Any) -> None:
        organization_id = self.organization_id_of(row)
        if organization_id is not None:
            with tenant_scope(organization_id):
                audit.record("staff.looked", row)
        elif isinstance(row, User):
            record_about(row, "staff.looked")
        else:
            audit.record_platform("staff.looked", row)

    def _context(self, request: HttpRequest, row: Any) -> dict[str, Any]:
        organization_id = self.organization_id_of(row)
        organization = Organization.objects.filter(pk=organization_id).first() if organization_id else None
        return {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "row": row,
            "title": self.heading(row),
            "kind": str(self.opts.verbose_name).capitalize(),
            "list_url": self._list_url(organization_id),
            "list_title": self.list_title,
            "organization_link": Link(str(organization), record_url(organization))
            if organization is not None and organization != row
            else None,
        }

    def _list_url(self, organization_id: UUID | None) -> str:
        lookups = {"organization_id": organization_id} if self.is_of_organization and organization_id else {}
        return list_url(self.model, **lookups)

    def _deed_url(self, row: models.Model, deed: Deed) -> str:
        return reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_deed", args=[row.pk, deed.code])
